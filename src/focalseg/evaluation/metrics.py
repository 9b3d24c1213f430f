"""Overlap of the predicted with the true mask of a case, label by label: the scores that a run keeps, by `focalseg.metrics`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.metrics.emptiness import Emptiness
from focalseg.metrics.overlap import count_pixels


@dataclass(frozen=True, kw_only=True)
class Overlap(Emptiness):
    """Scores of one label of one case, each in [0, 1], with the pixel counts they come from.

    Both masks empty: every score is 1. One of them empty: every score is 0.
    """

    dice: float
    iou: float
    precision: float
    recall: float
    true_pixels: int
    predicted_pixels: int


def measure_overlap(predicted: np.ndarray, true: np.ndarray) -> Overlap:
    """predicted and true (*spatial) bool of one shape -> their Overlap."""
    if predicted.shape != true.shape:
        raise ValueError(f"The prediction has shape {predicted.shape} and the mask {true.shape}; they must be the same.")
    if predicted.dtype != bool or true.dtype != bool:
        raise ValueError(f"The masks are {predicted.dtype} and {true.dtype}; expected bool. Use measure_labels for labels.")
    counts = count_pixels(predicted, true)
    return Overlap(
        dice=counts.dice("one"),
        iou=counts.iou("one"),
        precision=counts.precision("one"),
        recall=counts.recall("one"),
        true_pixels=counts.true_pixels,
        predicted_pixels=counts.predicted_pixels,
    )


def measure_labels(
    predicted: np.ndarray, true: np.ndarray, labels: int, *, inside: np.ndarray | None = None
) -> tuple[Overlap, ...]:
    """predicted and true (*spatial) labels of one shape, 0 the background -> the Overlap of each label from 1 to labels.

    inside (*spatial) bool: where pixels count; everywhere by default.
    """
    if inside is not None:
        predicted, true = predicted[inside], true[inside]
    return tuple(measure_overlap(predicted == label, true == label) for label in range(1, labels + 1))


def average_labels(overlaps: Sequence[Overlap], score: str) -> float:
    """dice, iou, precision or recall of a case: the mean over its foreground labels.

    A label that the case lacks counts like any other: 1 where nothing was predicted either, else 0.
    """
    return float(sum(getattr(overlap, score) for overlap in overlaps) / len(overlaps))
