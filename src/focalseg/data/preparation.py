"""From a case as it was read to what the network takes, and back to the case's own pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.configuration import CheckedConfig, setting
from focalseg.data.case import Case
from focalseg.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Preparation(CheckedConfig):
    """One size and one normalisation for all cases of a run, fixed on its training cases and kept with its weights.

    Intensities are normalised by the mean and standard deviation of the training set, a channel each. Normalising every
    image by its own would spread what a distant region shows over the whole image, and so answer part of the question.
    """

    height: int = setting(at_least=1)
    width: int = setting(at_least=1)
    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...]

    def prepare_image(self, image: np.ndarray) -> Tensor:
        """(C, H, W) of any size -> (C, height, width) float32, normalised."""
        if len(image) != len(self.mean):
            raise DataError(f"The image has {len(image)} channel(s); the network was trained on {len(self.mean)}. Convert it.")
        resized = resize_image(image, (self.height, self.width))
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (self.mean, self.standard_deviation))
        return (resized - mean) / deviation

    def prepare_mask(self, mask: np.ndarray) -> Tensor:
        """(H, W) bool -> (height, width) bool, true where at least half of the pixel is."""
        return resize_image(mask[None], (self.height, self.width))[0] >= 0.5


def plan_preparation(cases: Sequence[Case], *, longest_side: int) -> Preparation:
    """The size from the median case, no side above longest_side and none enlarged; the statistics over all pixels.

    The cases are alike, as `check_alike` sees to.
    """
    channels = len(cases[0].image)
    height, width = np.median([case.mask.shape for case in cases], axis=0)
    shrink = min(1.0, longest_side / max(height, width))
    total, squares, count = np.zeros(channels), np.zeros(channels), 0
    for case in cases:
        pixels = case.image.reshape(channels, -1).astype(np.float64)
        total += pixels.sum(axis=1)
        squares += (pixels**2).sum(axis=1)
        count += pixels.shape[1]
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return Preparation(
        height=max(round(height * shrink), 1),
        width=max(round(width * shrink), 1),
        mean=tuple(mean.tolist()),
        # A channel that never varies carries nothing: it becomes 0 and not a division by 0.
        standard_deviation=tuple(np.where(deviation > 0, deviation, 1.0).tolist()),
    )


def check_alike(cases: Sequence[Case]) -> None:
    """Raises DataError naming every case whose image has other channels or another number type than most."""
    kinds = [(len(case.image), str(case.image.dtype)) for case in cases]
    most = max(set(kinds), key=kinds.count)
    faults = [
        f"{case.name}: has {kind[0]} channel(s) of {kind[1]} where most have {most[0]} of {most[1]}; convert it."
        for case, kind in zip(cases, kinds, strict=True)
        if kind != most
    ]
    if faults:
        raise DataError(faults)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> Tensor:
    """(C, H, W) -> (C, *size) float32, bilinear, averaging over the pixels that fall together when it shrinks."""
    pixels = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    if tuple(pixels.shape[1:]) == size:
        return pixels
    return F.interpolate(pixels[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
