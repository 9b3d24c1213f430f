"""Scores from counts of pixels: Dice, IoU, precision, recall, specificity, and the difference of volumes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from focalseg.metrics.emptiness import DEFAULT_EMPTY, Empty, check_empty, settle_empty
from focalseg.metrics.masks import read_binary, read_inside, read_spacing


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many pixels of one label are right and wrong, of those that count. Every score is in [0, 1] or nan, by `Empty`.

    With TP, FP, FN and TN for the four fields, as in Taha and Hanbury 2015 (BMC Medical Imaging 15:29).
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def predicted_pixels(self) -> int:
        """TP + FP."""
        return self.true_positives + self.false_positives

    @property
    def true_pixels(self) -> int:
        """TP + FN."""
        return self.true_positives + self.false_negatives

    def dice(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return self._score(2 * self.true_positives, self.predicted_pixels + self.true_pixels, empty)

    def iou(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """TP / (TP + FP + FN), the Jaccard index."""
        return self._score(self.true_positives, self.predicted_pixels + self.false_negatives, empty)

    def precision(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """TP / (TP + FP)."""
        return self._score(self.true_positives, self.predicted_pixels, empty)

    def recall(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """TP / (TP + FN), the sensitivity."""
        return self._score(self.true_positives, self.true_pixels, empty)

    def specificity(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """TN / (TN + FP): the recall of everything else, so that the masks that may be empty are those of everything else."""
        others = Counts(
            true_positives=self.true_negatives,
            false_positives=self.false_negatives,
            false_negatives=self.false_positives,
            true_negatives=self.true_positives,
        )
        return others.recall(empty)

    def _score(self, part: int, whole: int, empty: Empty) -> float:
        value = part / whole if whole else math.nan
        sizes = self.predicted_pixels, self.true_pixels
        return settle_empty(value, best=1.0, worst=0.0, first=sizes[0], second=sizes[1], empty=empty)


def count_pixels(predicted: np.ndarray, reference: np.ndarray, pixels: int | None = None) -> Counts:
    """predicted, reference: (*spatial) bool of one shape. pixels: how many count in all, where these are a part of them."""
    both = int(np.count_nonzero(predicted & reference))
    predicted_pixels, true_pixels = int(np.count_nonzero(predicted)), int(np.count_nonzero(reference))
    return Counts(
        true_positives=both,
        false_positives=predicted_pixels - both,
        false_negatives=true_pixels - both,
        true_negatives=(predicted.size if pixels is None else pixels) - predicted_pixels - true_pixels + both,
    )


def count_masks(predicted: Any, reference: Any, inside: Any = None) -> Counts:
    """The counts of two masks of one label, bool or 0 and 1, of any shape up to 3 axes. inside: where pixels count."""
    one, other = read_binary(predicted, reference, inside)
    where = read_inside(inside, None, other)
    return count_pixels(one, other, None if where is None else int(np.count_nonzero(where)))


def dice(predicted: Any, reference: Any, *, inside: Any = None, empty: Empty = DEFAULT_EMPTY) -> float:
    """2 TP / (2 TP + FP + FN) of two masks of one label, (*spatial) bool or 0 and 1. inside: where pixels count.

    Raises ShapeError and DataError for masks that do not fit, SettingError for another policy; so do the four below.
    """
    check_empty(empty)
    return count_masks(predicted, reference, inside).dice(empty)


def iou(predicted: Any, reference: Any, *, inside: Any = None, empty: Empty = DEFAULT_EMPTY) -> float:
    """TP / (TP + FP + FN), the Jaccard index; arguments as for `dice`."""
    check_empty(empty)
    return count_masks(predicted, reference, inside).iou(empty)


def precision(predicted: Any, reference: Any, *, inside: Any = None, empty: Empty = DEFAULT_EMPTY) -> float:
    """TP / (TP + FP); arguments as for `dice`."""
    check_empty(empty)
    return count_masks(predicted, reference, inside).precision(empty)


def recall(predicted: Any, reference: Any, *, inside: Any = None, empty: Empty = DEFAULT_EMPTY) -> float:
    """TP / (TP + FN), the sensitivity; arguments as for `dice`."""
    check_empty(empty)
    return count_masks(predicted, reference, inside).recall(empty)


def specificity(predicted: Any, reference: Any, *, inside: Any = None, empty: Empty = DEFAULT_EMPTY) -> float:
    """TN / (TN + FP); arguments as for `dice`. It depends on how much background an image shows."""
    check_empty(empty)
    return count_masks(predicted, reference, inside).specificity(empty)


def volume_difference(
    predicted: Any, reference: Any, *, spacing_mm: Sequence[float] | None = None, inside: Any = None
) -> float:
    """|volume predicted - true volume|, in mm3 (mm2 in 2-D), in pixels without a spacing. Defined for empty masks too."""
    counts = count_masks(predicted, reference, inside)
    steps = read_spacing(spacing_mm, np.ndim(reference))
    return abs(counts.predicted_pixels - counts.true_pixels) * math.prod(steps)


def relate_volumes(counts: Counts, empty: Empty = DEFAULT_EMPTY) -> float:
    """|volume predicted - true volume| / true volume. Nothing true: nan, since there is no worst value that could stand in;
    0 where nothing is predicted either and the policy is one."""
    if counts.true_pixels:
        return abs(counts.predicted_pixels - counts.true_pixels) / counts.true_pixels
    return 0.0 if empty == "one" and not counts.predicted_pixels else math.nan


def relative_volume_difference(predicted: Any, reference: Any, *, inside: Any = None, empty: Empty = DEFAULT_EMPTY) -> float:
    """|volume predicted - true volume| / true volume, at least 0; nan for an empty reference, as `relate_volumes` says."""
    check_empty(empty)
    return relate_volumes(count_masks(predicted, reference, inside), empty)
