"""What the trainings say: scores by exponent, with their range over seeds and the difference to an exponent of 0."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from focalseg.evaluation.metrics import Overlap
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, estimate_mean
from focalseg.focal_role.trainings import ORDINARY, Outcome
from focalseg.losses.unified_focal import UnifiedFocalConfig
from focalseg.records.estimate import Estimate

Knob = Literal["loss", "network", "turned"]
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
    """The outcomes by knob and exponent."""

    def gather(chosen: Iterable[Outcome], key: Callable[[Outcome], float]) -> dict[float, list[tuple[Overlap, ...]]]:
        gathered: dict[float, list[tuple[Overlap, ...]]] = {}
        for outcome in chosen:
            gathered.setdefault(key(outcome), []).append(outcome.overlaps)
        return gathered

    budget = outcomes[0].trial.budget
    of_loss = gather(
        (one for one in outcomes if one.trial.network_gamma == ORDINARY and one.trial.loss_gamma in budget.loss_gammas),
        lambda one: one.trial.loss_gamma,
    )
    of_network = gather(
        (
            one
            for one in outcomes
            if one.trial.loss_gamma == UnifiedFocalConfig.gamma and one.trial.network_gamma in budget.network_gammas
        ),
        lambda one: one.trial.network_gamma,
    )
    of_turning = {gamma: [one.turned[gamma] for one in outcomes if one.turned] for gamma in budget.network_gammas}
    return Effect(loss=summarise(of_loss), network=summarise(of_network), turned=summarise(of_turning))


def summarise(trainings: dict[float, list[tuple[Overlap, ...]]]) -> tuple[Setting, ...]:
    """Settings in the order of gamma, from the overlaps of each seed by gamma."""
    zero = dice_matrix(trainings[0.0]) if 0.0 in trainings else None
    settings = []
    for gamma in sorted(trainings):
        seeds = trainings[gamma]
        names = [str(number) for number in range(len(seeds[0]))]
        difference = None if zero is None else estimate_mean(dice_matrix(seeds) - zero, names, span=DIFFERENCE_SPAN)
        flat = [overlap for overlaps in seeds for overlap in overlaps]
        settings.append(
            Setting(
                gamma=gamma,
                **{name: score(seeds, name) for name in SCORES},
                predictions=len(flat),
                empty=sum(overlap.one_empty and not overlap.predicted_pixels for overlap in flat),
                against_zero=difference,
            )
        )
    return tuple(settings)


def score(seeds: Sequence[Sequence[Overlap]], name: str) -> Score:
    """The named score, averaged over the cases of each seed."""
    means = tuple(float(np.mean([getattr(overlap, name) for overlap in overlaps])) for overlaps in seeds)
    return Score(mean=float(np.mean(means)), lowest=min(means), highest=max(means), seeds=means)


def dice_matrix(seeds: Sequence[Sequence[Overlap]]) -> np.ndarray:
    """Dice (S, N) of S seeds and N cases."""
    return np.array([[overlap.dice for overlap in overlaps] for overlaps in seeds])
