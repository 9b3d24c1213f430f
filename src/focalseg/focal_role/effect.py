"""What the trainings say: scores by exponent, with their range over seeds and the difference to an exponent of 0."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.evaluation.metrics import Overlap
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, estimate_mean
from focalseg.focal_role.trainings import ORDINARY, Outcome
from focalseg.losses.unified_focal_config import UnifiedFocalConfig
from focalseg.records.estimate import Estimate

SCORES = ("dice", "precision", "recall")


@dataclass(frozen=True, kw_only=True)
class Score:
    """One score over seeds: its mean, and that of every seed over its held-out cases."""

    mean: float
    lowest: float
    highest: float
    seeds: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """All trainings with one exponent. empty: predictions of nothing where there was something.

    against_zero: Dice minus that at gamma 0, paired by seed and case, with its 95 % interval; None without such a setting.
    """

    gamma: float
    dice: Score
    precision: Score
    recall: Score
    predictions: int
    empty: int
    against_zero: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Settings by knob. turned: the network's gamma, put in after a training with ordinary attention."""

    loss: tuple[Setting, ...]
    network: tuple[Setting, ...]
    turned: tuple[Setting, ...]


def measure_effect(outcomes: Sequence[Outcome]) -> Effect:
    """Sorts the outcomes of trainings by knob and exponent."""
    budget = outcomes[0].trial.budget

    def find(loss_gamma: float, network_gamma: float) -> list[tuple[Overlap, ...]]:
        trials = ((one.trial, one.overlaps) for one in outcomes)
        return [found for trial, found in trials if (trial.loss_gamma, trial.network_gamma) == (loss_gamma, network_gamma)]

    return Effect(
        loss=_summarise({gamma: find(gamma, ORDINARY) for gamma in budget.loss_gammas}),
        network=_summarise({gamma: find(UnifiedFocalConfig.gamma, gamma) for gamma in budget.network_gammas}),
        turned=_summarise({gamma: [one.turned[gamma] for one in outcomes if one.turned] for gamma in budget.network_gammas}),
    )


def _summarise(trainings: dict[float, list[tuple[Overlap, ...]]]) -> tuple[Setting, ...]:
    """Settings in the order of gamma, from the overlaps of each seed by gamma."""
    zero = _dice_matrix(trainings[0.0]) if 0.0 in trainings else None
    settings = []
    for gamma, seeds in sorted(trainings.items()):
        names = [str(number) for number in range(len(seeds[0]))]
        difference = None if zero is None else estimate_mean(_dice_matrix(seeds) - zero, names, span=DIFFERENCE_SPAN)
        flat = [overlap for overlaps in seeds for overlap in overlaps]
        settings.append(
            Setting(
                gamma=gamma,
                **{name: _score(seeds, name) for name in SCORES},
                predictions=len(flat),
                empty=sum(overlap.one_empty and not overlap.predicted_pixels for overlap in flat),
                against_zero=difference,
            )
        )
    return tuple(settings)


def _score(seeds: Sequence[Sequence[Overlap]], name: str) -> Score:
    """The named score, averaged over the cases of each seed."""
    means = tuple(float(np.mean([getattr(overlap, name) for overlap in overlaps])) for overlaps in seeds)
    return Score(mean=float(np.mean(means)), lowest=min(means), highest=max(means), seeds=means)


def _dice_matrix(seeds: Sequence[Sequence[Overlap]]) -> np.ndarray:
    """Dice (S, N) of S seeds and N cases."""
    return np.array([[overlap.dice for overlap in overlaps] for overlaps in seeds])
