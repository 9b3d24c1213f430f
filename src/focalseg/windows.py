"""Predictions for images larger than what a network sees at a time: the logits of overlapping windows are averaged."""

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.errors import SettingError

OVERLAP = 0.5
"""The share of a window that the next one covers again."""
_SHARPNESS = 8.0
"""The side of a window over the standard deviation of its weight, as in nnU-Net (Isensee et al. 2021)."""


@torch.no_grad()
def predict_in_windows(
    predict: Callable[[Tensor], Tensor], images: Tensor, window: tuple[int, ...] | None, overlap: float = OVERLAP
) -> Tensor:
    """images (B, C, *spatial) -> logits (B, K, *spatial) float32, where `predict` maps (B, C, *window) to (B, K, *window).

    Windows overlap by half and are weighted by a Gaussian about their middle, since a network knows least about what lies at
    the borders of what it sees. An image of the size of the window, or without one, is predicted as it is.

    Raises SettingError for logits that are not finite: nan is above no threshold, and would pass for background.
    """
    size = tuple(images.shape[2:])
    if window is None or size == tuple(window):
        return _check_finite(predict(images).float())
    padded = _pad_to(images, window)
    weight = _weigh_window(window).to(images.device)
    total: Tensor | None = None
    weights = torch.zeros(padded.shape[2:], device=images.device)
    for corner in place_windows(tuple(padded.shape[2:]), window, overlap):
        place = [slice(start, start + side) for start, side in zip(corner, window, strict=True)]
        logits = predict(padded[:, :, *place]).float()
        if total is None:
            total = torch.zeros((*logits.shape[:2], *padded.shape[2:]), device=logits.device)
        total[:, :, *place] += logits * weight
        weights[*place] += weight
    if total is None:
        raise ValueError(f"An image of {size} has no windows.")
    return _check_finite((total / weights)[:, :, *(slice(side) for side in size)])


def _check_finite(logits: Tensor) -> Tensor:
    if bool(torch.isfinite(logits).all()):
        return logits
    raise SettingError(
        "The network's logits are not finite: its weights or the image hold numbers that are none, or too large to "
        "compute with. Lower training.learning_rate and train anew, or look at the image."
    )


def place_windows(size: tuple[int, ...], window: tuple[int, ...], overlap: float = OVERLAP) -> list[tuple[int, ...]]:
    """The first corners of evenly spread windows that cover an image at least as large and overlap by that share or more."""
    axes = []
    for side, length in zip(size, window, strict=True):
        stride = max(int(length * (1 - overlap)), 1)
        count = -(-(side - length) // stride) + 1
        last = side - length
        axes.append([round(last * number / max(count - 1, 1)) for number in range(count)])
    return list(itertools.product(*axes))


def _weigh_window(window: tuple[int, ...]) -> Tensor:
    """The weight of a window's pixels, (*window) float32, near 1 in the middle and at least exp(-8) along each axis."""
    weight = torch.ones(())
    for side in window:
        place = torch.arange(side) - (side - 1) / 2
        weight = weight[..., None] * torch.exp(-0.5 * (place * _SHARPNESS / side) ** 2)
    return weight


def _pad_to(images: Tensor, window: tuple[int, ...]) -> Tensor:
    """The images (B, C, *spatial) with zeros after the end of every axis that is shorter than the window."""
    missing = [max(length - side, 0) for side, length in zip(images.shape[2:], window, strict=True)]
    return F.pad(images, [amount for each in reversed(missing) for amount in (0, each)])
