"""Overlap of one predicted mask with the true one, per case."""

from dataclasses import dataclass

import numpy as np

THRESHOLD = 0.5
"""A pixel is foreground where its probability is above this."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Scores of one case, each in [0, 1], with the pixel counts they come from.

    Both masks empty: every score is 1. One of them empty: every score is 0.
    """

    dice: float
    iou: float
    precision: float
    recall: float
    true_pixels: int
    predicted_pixels: int

    @property
    def both_empty(self) -> bool:
        """Whether there was nothing to find and nothing was found."""
        return self.true_pixels == self.predicted_pixels == 0

    @property
    def one_empty(self) -> bool:
        """Whether exactly one of the masks is empty."""
        return (self.true_pixels == 0) != (self.predicted_pixels == 0)


def measure_overlap(predicted: np.ndarray, true: np.ndarray) -> Overlap:
    """predicted and true (*spatial) bool of one shape -> their Overlap."""
    if predicted.shape != true.shape:
        raise ValueError(f"The prediction has shape {predicted.shape} and the mask {true.shape}; they must be the same.")
    both = int(np.count_nonzero(predicted & true))
    predicted_pixels, true_pixels = int(np.count_nonzero(predicted)), int(np.count_nonzero(true))
    nothing = predicted_pixels == true_pixels == 0

    def ratio(part: int, whole: int) -> float:
        return part / whole if whole else float(nothing)

    return Overlap(
        dice=ratio(2 * both, predicted_pixels + true_pixels),
        iou=ratio(both, predicted_pixels + true_pixels - both),
        precision=ratio(both, predicted_pixels),
        recall=ratio(both, true_pixels),
        true_pixels=true_pixels,
        predicted_pixels=predicted_pixels,
    )
