"""Foreground labels and the output channels of a network: the one place that says how the two belong together.

Labels are counted from 1, 0 is the background. One label needs one channel, whose sigmoid is its probability; several need a
channel each and one for the background, by softmax.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from focalseg.errors import SettingError

THRESHOLD = 0.5
"""By sigmoid a pixel is foreground where its probability is above this."""
THRESHOLDS = tuple(step / 20 for step in range(1, 20))
"""From 0.05 to 0.95, those that one is tuned among; THRESHOLD is one of them."""


def count_channels(labels: int) -> int:
    """Output channels of a network for so many foreground labels."""
    return 1 if labels == 1 else labels + 1


def count_labels(channels: int) -> int:
    """Foreground labels that so many output channels tell apart."""
    return 1 if channels == 1 else channels - 1


def compute_probabilities(logits: Tensor) -> Tensor:
    """logits (B, K, *spatial) -> probabilities of that shape, float32: by sigmoid for one channel, by softmax for more."""
    return torch.sigmoid(logits.float()) if logits.shape[1] == 1 else torch.softmax(logits.float(), dim=1)


def choose_labels(logits: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """logits (B, K, *spatial) -> labels (B, *spatial) uint8: above the threshold for one channel, the most probable for more.

    threshold t: of more channels it moves the background's logit by log(t / (1 - t)), so that of two the second is chosen where
    its softmax is above t, as by the sigmoid of one. It decides between foreground and background, never between two labels.

    Raises SettingError for a threshold that is not between 0 and 1.
    """
    # More channels are not made probabilities first: rounded, two of them may be the same where their logits are not.
    if logits.shape[1] == 1:
        return choose_most_probable(compute_probabilities(logits), threshold)
    return _choose_highest(logits) if threshold == THRESHOLD else _choose_above(_weigh_logits(logits), threshold)


def choose_most_probable(probabilities: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """probabilities (B, K, *spatial) -> labels (B, *spatial) uint8, as `choose_labels` chooses them from logits."""
    if probabilities.shape[1] > 1 and threshold == THRESHOLD:  # the same by one pass the less
        return _choose_highest(probabilities)
    return _choose_above(_weigh_probabilities(probabilities), threshold)


def grade_labels(logits: Tensor) -> tuple[Tensor, Tensor]:
    """logits (B, K, *spatial) -> labels and grades (B, *spatial) uint8, which say what every one of THRESHOLDS would choose.

    label: the most probable of the foreground, 1 and up, whatever the background has. grade: of THRESHOLDS how many it is
    above; `choose_labels` at THRESHOLDS[n] is the label where the grade is above n, and 0 elsewhere, to the bit.
    """
    return _grade(_weigh_logits(logits))


def grade_most_probable(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """probabilities (B, K, *spatial) -> labels and grades, as `grade_labels` gives them, of `choose_most_probable`."""
    return _grade(_weigh_probabilities(probabilities))


class _Foreground(NamedTuple):
    """The most probable foreground label of every pixel, (B, *spatial) uint8, and what it weighs against the background,
    (B, *spatial). scale: what a threshold weighs; whatever is above that is foreground."""

    labels: Tensor
    weights: Tensor
    scale: Callable[[float], float]


def _weigh_logits(logits: Tensor) -> _Foreground:
    """By the difference of logits, which is the log of the odds of two channels; by the probability for one channel."""
    if logits.shape[1] == 1:
        return _weigh_probabilities(compute_probabilities(logits))
    exact = logits if logits.dtype == torch.double else logits.float()  # a difference of halves would be rounded
    labels, highest = _find_foreground(exact)
    return _Foreground(labels, highest.sub_(exact[:, 0]), lambda threshold: math.log(threshold / (1 - threshold)))


def _weigh_probabilities(probabilities: Tensor) -> _Foreground:
    """By the odds against the background; by the probability for one channel."""
    if probabilities.shape[1] == 1:
        only = probabilities[:, 0]
        return _Foreground(torch.ones_like(only, dtype=torch.uint8), only, lambda threshold: threshold)
    labels, highest = _find_foreground(probabilities)
    return _Foreground(labels, highest.div_(probabilities[:, 0]), lambda threshold: threshold / (1 - threshold))


def _choose_above(foreground: _Foreground, threshold: float) -> Tensor:
    if not 0 < threshold < 1:
        raise SettingError(f"The threshold is {threshold}; expected a probability between 0 and 1, such as {THRESHOLD}.")
    return foreground.labels * (foreground.weights > foreground.scale(threshold))


def _grade(foreground: _Foreground) -> tuple[Tensor, Tensor]:
    labels, weights, scale = foreground
    bounds = torch.tensor([scale(each) for each in THRESHOLDS], dtype=weights.dtype, device=weights.device)
    grades = (weights > bounds[-1]).to(torch.uint8).mul_(len(THRESHOLDS))
    # Most pixels are above all or none; to look for the place of each would take ten times as long as to predict labels.
    between = (weights > bounds[0]) & (weights <= bounds[-1])
    grades[between] = torch.bucketize(weights[between], bounds, out_int32=True).to(torch.uint8)  # on a bound: not above it
    return labels, grades


def _find_foreground(scores: Tensor) -> tuple[Tensor, Tensor]:
    """scores (B, K, *spatial), K > 1 -> the first label with the highest score, (B, *spatial) uint8, and that score."""
    highest = scores[:, 1].clone()
    return _rise(scores, torch.ones(highest.shape, dtype=torch.uint8, device=highest.device), highest, first=2), highest


def _choose_highest(scores: Tensor) -> Tensor:
    """scores (B, K, *spatial) -> the first channel with the highest, (B, *spatial) uint8."""
    highest = scores[:, 0].clone()
    return _rise(scores, torch.zeros(highest.shape, dtype=torch.uint8, device=highest.device), highest, first=1)


def _rise(scores: Tensor, labels: Tensor, highest: Tensor, *, first: int) -> Tensor:
    """The labels with every channel from the first put in where it is above the highest so far; both are written over."""
    # As argmax, which takes five to fifteen times as long on a CPU: it walks from map to map for every pixel.
    for label in range(first, scores.shape[1]):
        labels.masked_fill_(scores[:, label] > highest, label)
        torch.maximum(highest, scores[:, label], out=highest)
    return labels
