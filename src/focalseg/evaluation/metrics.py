"""Overlap of one predicted mask with the true one, per case."""

from dataclasses import dataclass

import numpy as np

THRESHOLD = 0.5
"""A pixel is foreground where its probability is above this."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Scores of one case, each in [0, 1], with the pixel counts they come from.

    Both masks empty: every score is 1. One empty: Dice and IoU are 0. Precision of an empty prediction and recall of an
    empty truth count nothing wrong and are 1, unless that same emptiness is the miss: then the other score is 0.
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
    both = int(np.count_nonzero(predicted & true))
    predicted_pixels, true_pixels = int(np.count_nonzero(predicted)), int(np.count_nonzero(true))
    return Overlap(
        dice=ratio(2 * both, predicted_pixels + true_pixels),
        iou=ratio(both, predicted_pixels + true_pixels - both),
        precision=ratio(both, predicted_pixels),
        recall=ratio(both, true_pixels),
        true_pixels=true_pixels,
        predicted_pixels=predicted_pixels,
    )


def ratio(part: int, whole: int) -> float:
    """part / whole, and 1 where there was nothing to get wrong."""
    return part / whole if whole else 1.0
