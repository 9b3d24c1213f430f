"""The threshold that a training is scored at besides 0.5: tuned on its validation cases, from counts at all of them at once."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from focalseg.evaluation.metrics import Overlap, score_counts
from focalseg.labels import THRESHOLD, THRESHOLDS
from focalseg.metrics.overlap import Counts

_GRADES = len(THRESHOLDS) + 1
_ELEMENTS_AT_A_TIME = 2**20
"""Of a case, so that no more than a few MiB are held while its pixels are counted."""
_ROUNDING = 1e-12
"""Means of Dice that lie no farther apart are the same."""


@dataclass(frozen=True, eq=False)
class GradedMask:
    """The masks of an image at all of THRESHOLDS. labels, grades (*spatial) uint8: as `grade_labels` has them."""

    labels: np.ndarray
    grades: np.ndarray

    def at(self, threshold: float) -> np.ndarray:
        """The mask at one of THRESHOLDS: labels (*spatial) uint8, 0 the background."""
        mask: np.ndarray = self.labels * (self.grades > THRESHOLDS.index(threshold))
        return mask


@dataclass(frozen=True, eq=False)
class ThresholdCounts:
    """Pixels of one case by label, at each of THRESHOLDS. pixels: all that count; true: (labels,); predicted, shared: (labels,
    thresholds), shared those that are true besides."""

    pixels: int
    true: np.ndarray
    predicted: np.ndarray
    shared: np.ndarray

    def score(self, threshold: float) -> tuple[Overlap, ...]:
        """The Overlap of each label at one of THRESHOLDS: that of the mask there, as `measure_labels` measures it."""
        rank, found = THRESHOLDS.index(threshold), []
        for true, predicted, shared in zip(self.true, self.predicted[:, rank], self.shared[:, rank], strict=True):
            counts = Counts(
                true_positives=int(shared),
                false_positives=int(predicted - shared),
                false_negatives=int(true - shared),
                true_negatives=int(self.pixels - predicted - true + shared),
            )
            found.append(score_counts(counts))
        return tuple(found)

    @property
    def dice(self) -> np.ndarray:
        """Dice by label and threshold, (labels, thresholds) in [0, 1]: 1 where both masks are empty."""
        both = self.predicted + self.true[:, None]
        dice: np.ndarray = np.divide(2 * self.shared, both, out=np.ones(both.shape), where=both > 0)
        return dice


def count_at_thresholds(
    graded: GradedMask, true: np.ndarray, labels: int, *, inside: np.ndarray | None = None
) -> ThresholdCounts:
    """The counts of a case at all thresholds from one histogram of its grades. true (*spatial): labels, 0 the background.

    inside (*spatial) bool: where pixels count; everywhere by default.
    """
    predicted, shared = (np.zeros(labels * _GRADES, np.int64) for _ in range(2))
    truths = np.zeros(labels, np.int64)
    flat = [each.reshape(-1) for each in (graded.labels, graded.grades, true)]
    counted = None if inside is None else inside.reshape(-1)
    for start in range(0, true.size, _ELEMENTS_AT_A_TIME):
        place = slice(start, start + _ELEMENTS_AT_A_TIME)
        label, grade, truth = (each[place] if counted is None else each[place][counted[place]] for each in flat)
        truths += [np.count_nonzero(truth == number) for number in range(1, labels + 1)]
        # The rest is background at every threshold, as most of an image is, or a label that the set does not have.
        above = np.flatnonzero((grade > 0) & (label <= labels))
        label, grade, truth = label.take(above), grade.take(above), truth.take(above)
        bins = (label.astype(np.intp) - 1) * _GRADES + grade
        predicted += np.bincount(bins, minlength=predicted.size)
        shared += np.bincount(bins[label == truth], minlength=shared.size)
    return ThresholdCounts(
        pixels=true.size if inside is None else int(np.count_nonzero(inside)),
        true=truths,
        predicted=_add_from_above(predicted, labels),
        shared=_add_from_above(shared, labels),
    )


def _add_from_above(histogram: np.ndarray, labels: int) -> np.ndarray:
    """Pixels by label and grade -> those above each threshold, (labels, thresholds): a grade of n is above the first n."""
    above: np.ndarray = histogram.reshape(labels, _GRADES)[:, :0:-1].cumsum(axis=1)[:, ::-1]
    return above


def tune_threshold(cases: Iterable[ThresholdCounts]) -> float:
    """The one of THRESHOLDS with the highest mean Dice over the cases that hold an object; of equal ones the nearest to 0.5.

    The Dice of a case is the mean over the labels that it has: what it lacks says nothing of how well an object is found. It is
    0.5 where no case holds any, and where nothing is gained.
    """
    curves = [case.dice[case.true > 0].mean(axis=0) for case in cases if case.true.any()]
    if not curves:
        return THRESHOLD
    means = np.mean(curves, axis=0)
    best = np.flatnonzero(means >= means.max() - _ROUNDING)
    middle = THRESHOLDS.index(THRESHOLD)
    return THRESHOLDS[min(best, key=lambda rank: abs(rank - middle))]
