"""Prepares cases for a network (size, number type, normalisation) and brings masks back to a case's own pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import DataError, SettingError
from focalseg.findings import counted
from focalseg.imagesets.survey.summary import CaseSummary

Normalisation = Literal["data_set", "case"]
_LEAST_SIDE = {1: 8, 2: 8, 3: 4}
"""Elements along a side, by spatial axes, below which shrinking would leave nothing of it."""
_LARGEST_RATIO = 10.0
"""The ratio of the standard deviations of two cases beyond which they are not on a common scale."""


@dataclass(frozen=True, kw_only=True)
class Preparation(CheckedConfig):
    """One size and one normalisation for all cases of a run, fixed on its training cases and kept with its weights.

    size: elements along each spatial axis. mean, standard_deviation: of the training set, per channel. patch: elements along
    each axis of what the network sees at a time, where that is not the whole. spacing_mm: of an element along each axis of
    the median case, resampled, where the files say it.
    normalisation: "data_set" normalises by these two. Normalising every image by its own would spread what a distant region
    shows over the whole image, and so answer part of the question; "case" does so all the same, channel by channel, for
    images whose intensities mean nothing across cases (MR).
    """

    size: tuple[int, ...] = setting(at_least=1)
    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...] = setting(above=0)
    normalisation: Normalisation = "data_set"
    patch: tuple[int, ...] | None = setting(None, at_least=1)
    spacing_mm: tuple[float, ...] | None = setting(None, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.size) <= 3:
            raise SettingError(f"preparation.size was {self.size}; expected one to three numbers, one a spatial axis.")
        if self.patch and (len(self.patch) != len(self.size) or any(np.greater(self.patch, self.size))):
            raise SettingError(f"preparation.patch was {self.patch}; expected a number an axis, none above size, {self.size}.")

    @property
    def window(self) -> tuple[int, ...]:
        """Elements along each axis of the window that an image is predicted in: the size of a patch, or of the whole image."""
        return self.patch or self.size

    def resample_image(self, image: np.ndarray) -> np.ndarray:
        """(C, *spatial) of any size -> (C, *size) of the same number type. Raises DataError for other channels or axes."""
        if len(image) != len(self.mean):
            found = counted(len(image), "channel")
            raise DataError(f"The image has {found}; the network was trained on {len(self.mean)}. Convert it.")
        self._check_axes(image.ndim - 1)
        if image.shape[1:] == self.size:
            return image
        resized = resize_image(image, self.size).numpy()
        return np.rint(resized).astype(image.dtype) if image.dtype.kind in "iu" else resized

    def measure_scale(self, image: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation per channel by which this image (C, *spatial) is normalised."""
        if self.normalisation == "data_set":
            return self.mean, self.standard_deviation
        pixels = image.reshape(len(image), -1)
        deviations = pixels.std(axis=1, dtype=np.float64).tolist()
        return tuple(pixels.mean(axis=1, dtype=np.float64).tolist()), tuple(map(_or_1, deviations))

    def prepare_image(self, image: np.ndarray) -> Tensor:
        """(C, *spatial) of any size -> (C, *size) float32, normalised. Raises DataError for other channels or axes."""
        resampled = torch.from_numpy(np.ascontiguousarray(self.resample_image(image)))
        mean, deviation = self.measure_scale(image)
        return normalise(resampled[None], torch.tensor([mean]), torch.tensor([deviation]))[0]

    def prepare_mask(self, mask: np.ndarray) -> Tensor:
        """(*spatial) bool or labels -> (*size) uint8: every pixel gets the label that covers most of it; half is enough.

        Each label is resized as an image of its own: a label number means nothing in between.
        """
        self._check_axes(mask.ndim)
        if mask.shape == self.size:
            return torch.from_numpy(mask.astype(np.uint8))
        labels = range(1, max(int(mask.max(initial=0)), 1) + 1)
        shares = resize_image(np.stack([mask == label for label in labels]), self.size)
        largest, label = shares.max(dim=0)
        background = 1 - shares.sum(dim=0)
        return torch.where(largest >= background, label + 1, 0).to(torch.uint8)

    def _check_axes(self, axes: int) -> None:
        if axes != len(self.size):
            raise DataError(
                f"The image has {axes} spatial axes; the network was trained on {len(self.size)}. Give an image of its kind."
            )


def plan_preparation(
    cases: Sequence[CaseSummary],
    *,
    size: tuple[int, ...],
    patch: tuple[int, ...] | None = None,
    normalisation: Normalisation = "data_set",
) -> Preparation:
    """The preparation that fits training cases of one kind. normalisation: as `on_common_scale` advises."""
    mean, deviation = pool_intensities(cases)
    return Preparation(
        size=size,
        mean=mean,
        standard_deviation=deviation,
        normalisation=normalisation,
        patch=patch,
        spacing_mm=_plan_spacing(cases, size),
    )


def plan_size(cases: Sequence[CaseSummary], *, longest_side: int) -> tuple[int, ...]:
    """The size of the median case, shrunk as a whole until no side is above longest_side, never enlarged.

    Nor is a side shrunk below _LEAST_SIDE: the eight lines of a strip, or the three slices of a volume, would become one.
    """
    median = np.median([case.size for case in cases], axis=0)
    shrink = min(1.0, longest_side / max(median))
    least = _LEAST_SIDE[len(median)]
    return tuple(max(round(float(side) * shrink), min(round(float(side)), least), 1) for side in median)


def _plan_spacing(cases: Sequence[CaseSummary], size: tuple[int, ...]) -> tuple[float, ...] | None:
    """Size in mm of an element along each axis once the median case is resampled; None where a case does not say its own."""
    extents = [np.multiply(case.spacing_mm, case.size) for case in cases if case.spacing_mm is not None]
    return tuple((np.median(extents, axis=0) / size).tolist()) if len(extents) == len(cases) else None


def on_common_scale(cases: Sequence[CaseSummary]) -> bool:
    """Whether an intensity means the same in all cases.

    Eight bits are a scale by themselves: cameras and screens share them. Anything else is taken for one unless standard
    deviations of cases differ by more than LARGEST_RATIO: different exposures or organs in view change it by a few times,
    arbitrary units, as of MR scanners, by orders of magnitude. One case far above the median case leaves all others without
    contrast; of cases far below it there must be a tenth. A case that never varies says nothing.
    """
    if all(case.dtype == "uint8" for case in cases):
        return True
    deviations = [_pool(case.mean, case.standard_deviation, np.ones(case.channels))[1] for case in cases]
    varying = [deviation for deviation in deviations if deviation > 0]
    if not varying:
        return True
    low, middle, high = np.quantile(varying, (0.1, 0.5, 1.0), method="lower")
    return bool(high <= _LARGEST_RATIO * middle and middle <= _LARGEST_RATIO * low)


def pool_intensities(cases: Sequence[CaseSummary]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel over all pixels of all cases."""
    counts = np.array([math.prod(case.size) for case in cases], float)
    pooled = [
        _pool([case.mean[channel] for case in cases], [case.standard_deviation[channel] for case in cases], counts)
        for channel in range(cases[0].channels)
    ]
    return tuple(mean for mean, _ in pooled), tuple(_or_1(deviation) for _, deviation in pooled)


def normalise(images: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """images (B, C, *spatial) of any number type, mean and deviation (B, C) -> (images - mean) / deviation, float32."""
    shape = (*mean.shape, *(1,) * (images.ndim - 2))
    return (images.float() - mean.float().reshape(shape)) / deviation.float().reshape(shape)


def _pool(means: Sequence[float], deviations: Sequence[float], counts: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the union of several parts."""
    mean = float(np.average(means, weights=counts))
    variance = np.average(np.square(deviations) + np.square(np.asarray(means) - mean), weights=counts)
    return mean, float(np.sqrt(variance))


def _or_1(deviation: float) -> float:
    """Replaces a deviation of 0 by 1: a channel that never varies carries nothing and is normalised to 0."""
    return deviation if deviation > 0 else 1.0


def resize_image(image: np.ndarray, size: tuple[int, ...]) -> Tensor:
    """(C, *spatial) -> (C, *size) float32, linear, averaging over the pixels that fall together when it shrinks."""
    pixels = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    if tuple(pixels.shape[1:]) == size:
        return pixels
    # torch averages along two axes at a time. Its filter is a product of one per axis, so axes may follow one another.
    planes = _resize_planes(pixels.reshape(-1, *(1, *pixels.shape[1:])[-2:]), (1, *size)[-2:])
    if len(size) == 3:
        planes = _resize_planes(planes.reshape(*pixels.shape[:2], -1), (size[0], size[1] * size[2]))
    return planes.reshape(len(image), *size)


def _resize_planes(planes: Tensor, size: tuple[int, ...]) -> Tensor:
    """(N, H, W) -> (N, *size)."""
    return F.interpolate(planes[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
