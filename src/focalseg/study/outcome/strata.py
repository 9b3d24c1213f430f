"""Test scores of the arms as arrays, by what the cases hold: the endpoint, objects that were missed, images left empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np

from focalseg.records.outcome.strata import (
    ALL_CASES_DICE,
    LEFT_EMPTY,
    SIZES,
    WITH_OBJECT,
    WITH_OBJECT_DICE,
    Endpoint,
    Size,
    StratumName,
)
from focalseg.study.outcome.stacking import Arms, Results, find_twins, list_results
from focalseg.study.running.runs import TEST, RunResult

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class StratumScores:
    """One score of the test cases of one kind, in the order of `stack_folds`: the folds side by side.

    arms: by name, (trainings, cases). names, groups, folds: of every case; one that several folds test stands there as often.
    share: whether it is one of cases, each of which counts 1 or 0, or the share of its labels. twins: as `find_twins` has them.
    """

    arms: Mapping[str, np.ndarray]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    folds: tuple[int, ...]
    share: bool = False
    twins: Mapping[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """How many different cases these are."""
        return len(set(self.names))

    def take(self, chosen: np.ndarray) -> "StratumScores":
        """Some of the cases. chosen: (cases,) bool."""
        return replace(
            self,
            arms={arm: np.ascontiguousarray(scores[:, chosen]) for arm, scores in self.arms.items()},
            names=_take(self.names, chosen),
            groups=_take(self.groups, chosen),
            folds=_take(self.folds, chosen),
        )

    def take_folds(self, folds: Sequence[int]) -> "StratumScores":
        """The cases of some folds, by their place among the folds."""
        return self.take(np.isin(self.folds, folds))


@dataclass(frozen=True, kw_only=True)
class CaseTable:
    """What the arms scored on every label of every test case.

    dice, predicted_pixels: by arm, (trainings, cases, labels). true_pixels: (cases, labels), the same for all arms. names,
    groups, folds, twins: as `StratumScores` has them.
    """

    labels: tuple[str, ...]
    dice: Mapping[str, np.ndarray]
    predicted_pixels: Mapping[str, np.ndarray]
    true_pixels: np.ndarray
    names: tuple[str, ...]
    groups: tuple[str, ...]
    folds: tuple[int, ...]
    twins: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> np.ndarray:
        """Which cases have any of the labels, (cases,) bool."""
        counts: np.ndarray = (self.true_pixels > 0).sum(axis=1)
        return counts > 0

    @property
    def endpoint(self) -> Endpoint:
        """Dice of the cases that have the object; of all cases where none has it."""
        return WITH_OBJECT_DICE if self.holds.any() else ALL_CASES_DICE

    @property
    def has_empty(self) -> bool:
        """Whether some cases lack the object, so that the endpoint is not the mean over all cases."""
        return not self.holds.all()

    def of_label(self, label: str) -> "CaseTable":
        """The same cases with that label alone."""
        place = slice(self.labels.index(label), self.labels.index(label) + 1)
        return replace(
            self,
            labels=(label,),
            dice={arm: dice[:, :, place] for arm, dice in self.dice.items()},
            predicted_pixels={arm: pixels[:, :, place] for arm, pixels in self.predicted_pixels.items()},
            true_pixels=self.true_pixels[:, place],
        )

    def score_endpoint(self) -> StratumScores:
        """What the verdict rests on."""
        return self.score(WITH_OBJECT) if self.endpoint == WITH_OBJECT_DICE else self.score_all()

    def score_all(self) -> StratumScores:
        """Dice of every case, the mean over all labels, as `CaseScore.dice`."""
        return self._select({arm: dice.mean(axis=2) for arm, dice in self.dice.items()}, np.ones(len(self.names), dtype=bool))

    def score(self, stratum: StratumName) -> StratumScores:
        """The score of a stratum: of a case that has the object the mean over the labels that it has, of their Dice or of
        whether no pixel of them was found; of a case that lacks it whether it was left empty."""
        if stratum == LEFT_EMPTY:
            empty = {arm: (pixels.sum(axis=2) == 0).astype(float) for arm, pixels in self.predicted_pixels.items()}
            return self._select(empty, ~self.holds, share=True)
        values = self.dice if stratum == WITH_OBJECT else {arm: (dice == 0).astype(float) for arm, dice in self.dice.items()}
        present = self.true_pixels > 0
        count = np.maximum(present.sum(axis=1), 1)
        means = {arm: (one * present).sum(axis=2) / count for arm, one in values.items()}
        return self._select(means, self.holds, share=stratum != WITH_OBJECT)

    def split_sizes(self) -> dict[Size, tuple[StratumScores, int, int]]:
        """Dice on each third of the cases that have the object, by the pixels of all their labels, with the least and the most
        pixels of the third. Cases of one size stay together; a third without any is not there."""
        scores, pixels = self.score(WITH_OBJECT), self.true_pixels.sum(axis=1)[self.holds]
        ordered = np.sort([*dict(zip(scores.names, pixels.tolist(), strict=True)).values()])
        cuts = [ordered[-(-len(ordered) * third // 3) - 1] for third in (1, 2)] if len(ordered) else []
        thirds = np.digitize(pixels, cuts, right=True)
        found: dict[Size, tuple[StratumScores, int, int]] = {}
        for number, size in enumerate(SIZES):
            if (chosen := thirds == number).any():
                found[size] = (scores.take(chosen), int(pixels[chosen].min()), int(pixels[chosen].max()))
        return found

    def _select(self, scores: Mapping[str, np.ndarray], chosen: np.ndarray, *, share: bool = False) -> StratumScores:
        every = StratumScores(
            arms=scores, names=self.names, groups=self.groups, folds=self.folds, share=share, twins=self.twins
        )
        return every.take(chosen)


def read_table(arms: Arms) -> CaseTable:
    """The test scores of all arms. Their trainings have the same cases and labels in the same order."""
    first = next(iter(arms.values()))
    cases = [(number, score) for number, results in enumerate(first) for score in results[0].scores_of(TEST)]
    labels = tuple(cases[0][1].overlaps) if cases else ()
    return CaseTable(
        labels=labels,
        dice={arm: _stack(folds, labels, "dice") for arm, folds in arms.items()},
        predicted_pixels={arm: _stack(folds, labels, "predicted_pixels") for arm, folds in arms.items()},
        true_pixels=np.array([[score.overlaps[label].true_pixels for label in labels] for _, score in cases]),
        names=tuple(score.case for _, score in cases),
        groups=tuple(score.group for _, score in cases),
        folds=tuple(number for number, _ in cases),
        twins=find_twins(arms),
    )


def read_tuned_table(arms: Arms) -> CaseTable | None:
    """The same at each training's tuned threshold; None where some training was scored at 0.5 alone."""
    results = [result for folds in arms.values() for result in list_results(folds)]
    if any(not score.tuned for result in results for score in result.scores_of(TEST)):
        return None
    return read_table({arm: [[_tune(result) for result in fold] for fold in folds] for arm, folds in arms.items()})


def _tune(result: RunResult) -> RunResult:
    """A run with its test scores alone, at its tuned threshold."""
    return replace(result, scores=tuple(score.at_tuned for score in result.scores_of(TEST)))


def _stack(folds: Results, labels: Sequence[str], score: Literal["dice", "predicted_pixels"]) -> np.ndarray:
    """A score by label (trainings, cases, labels), the folds side by side."""
    return np.concatenate(
        [
            [[[getattr(one.overlaps[label], score) for label in labels] for one in result.scores_of(TEST)] for result in fold]
            for fold in folds
        ],
        axis=1,
    )


def _take(values: tuple[_Value, ...], chosen: np.ndarray) -> tuple[_Value, ...]:
    """The chosen ones of several values."""
    return tuple(value for value, take in zip(values, chosen.tolist(), strict=True) if take)
