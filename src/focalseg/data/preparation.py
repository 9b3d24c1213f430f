"""From a case as it was read to what the network takes, and back to the case's own pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.configuration import CheckedConfig, setting
from focalseg.data.case import Case
from focalseg.errors import DataError, SettingError

Normalisation = Literal["data_set", "case"]
LARGEST_RATIO = 10.0
"""Of the standard deviations of two cases, beyond which they are not on a common scale."""


@dataclass(frozen=True, kw_only=True)
class Preparation(CheckedConfig):
    """One size and one normalisation for all cases of a run, fixed on its training cases and kept with its weights.

    size: elements along each spatial axis. mean, standard_deviation: of the training set, a channel each.
    normalisation: "data_set" normalises by these two. Normalising every image by its own would spread what a distant region
    shows over the whole image, and so answer part of the question; "case" does so all the same, channel by channel, for
    images whose intensities mean nothing across cases (MR).
    """

    size: tuple[int, ...] = setting(at_least=1)
    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...] = setting(above=0)
    normalisation: Normalisation = "data_set"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.size) <= 3:
            raise SettingError(f"preparation.size was {self.size}; expected one to three numbers, one a spatial axis.")

    def prepare_image(self, image: np.ndarray) -> Tensor:
        """(C, *spatial) of any size -> (C, *size) float32, normalised. Raises DataError for other channels or axes."""
        if len(image) != len(self.mean):
            raise DataError(f"The image has {len(image)} channel(s); the network was trained on {len(self.mean)}. Convert it.")
        self._check_axes(image.ndim - 1)
        resized = resize_image(image, self.size)
        mean, deviation = self.mean, self.standard_deviation
        if self.normalisation == "case":
            mean, deviation = describe_intensities([image])
        shape = (-1, *(1,) * len(self.size))
        return (resized - torch.tensor(mean).reshape(shape)) / torch.tensor(deviation).reshape(shape)

    def prepare_mask(self, mask: np.ndarray) -> Tensor:
        """(*spatial) bool or labels -> (*size) uint8, in every pixel the label that most of it has; half of it is enough.

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
    cases: Sequence[Case],
    *,
    longest_side: int,
    normalisation: Normalisation | Literal["auto"] = "auto",
    size: tuple[int, ...] | None = None,
) -> Preparation:
    """The preparation that fits the cases, which are alike, as `check_alike` sees to. size: None takes `plan_size`.

    normalisation "auto": by case where `on_common_scale` says no, by the data set otherwise.
    """
    if normalisation == "auto":
        normalisation = "data_set" if on_common_scale(cases) else "case"
    mean, deviation = describe_intensities([case.image for case in cases])
    return Preparation(
        size=size or plan_size(cases, longest_side=longest_side),
        mean=mean,
        standard_deviation=deviation,
        normalisation=normalisation,
    )


def plan_size(cases: Sequence[Case], *, longest_side: int) -> tuple[int, ...]:
    """The size of the median case, shrunk as a whole until no side is above longest_side, never enlarged."""
    median = np.median([case.mask.shape for case in cases], axis=0)
    shrink = min(1.0, longest_side / max(median))
    return tuple(max(round(float(side) * shrink), 1) for side in median)


def on_common_scale(cases: Sequence[Case]) -> bool:
    """Whether an intensity means the same in all cases.

    Eight bits are a scale by themselves: cameras and screens share them. Anything else is taken for one unless the standard
    deviation of one case is more than LARGEST_RATIO times that of another: different exposures or organs in view change it by
    a few times, while arbitrary units, as of MR scanners, change it by orders of magnitude and would leave most cases of the
    set without contrast. A case that never varies says nothing.
    """
    if cases[0].image.dtype == np.uint8:
        return True
    deviations = [float(case.image.std(dtype=np.float64)) for case in cases]
    varying = [deviation for deviation in deviations if deviation > 0]
    return not varying or max(varying) <= LARGEST_RATIO * min(varying)


def describe_intensities(images: Sequence[np.ndarray]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation a channel over all pixels of images (C, *spatial)."""
    channels = len(images[0])
    total, squares, count = np.zeros(channels), np.zeros(channels), 0
    for image in images:
        pixels = image.reshape(channels, -1).astype(np.float64)
        total += pixels.sum(axis=1)
        squares += (pixels**2).sum(axis=1)
        count += pixels.shape[1]
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    # A channel that never varies carries nothing: it becomes 0 and not a division by 0.
    return tuple(mean.tolist()), tuple(np.where(deviation > 0, deviation, 1.0).tolist())


def check_alike(cases: Sequence[Case]) -> None:
    """Raises DataError naming every case whose image has other channels, another number type or other axes than most."""
    kinds = [(len(case.image), str(case.image.dtype), case.image.ndim - 1) for case in cases]
    most = max(set(kinds), key=kinds.count)
    faults = []
    for case, kind in zip(cases, kinds, strict=True):
        if kind[:2] != most[:2]:
            faults.append(
                f"{case.name}: has {kind[0]} channel(s) of {kind[1]} where most have {most[0]} of {most[1]}; convert it."
            )
        elif kind != most:
            faults.append(f"{case.name}: has {kind[2]} spatial axes where most have {most[2]}; take it out.")
    if faults:
        raise DataError(faults)


def resize_image(image: np.ndarray, size: tuple[int, ...]) -> Tensor:
    """(C, *spatial) -> (C, *size) float32, linear, averaging over the pixels that fall together when it shrinks."""
    pixels = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    if tuple(pixels.shape[1:]) == size:
        return pixels
    # torch averages along two axes at a time. Its filter is a product of one an axis, so that axes may follow one another.
    planes = _resize_planes(pixels.reshape(-1, *(1, *pixels.shape[1:])[-2:]), (1, *size)[-2:])
    if len(size) == 3:
        planes = _resize_planes(planes.reshape(*pixels.shape[:2], -1), (size[0], size[1] * size[2]))
    return planes.reshape(len(image), *size)


def _resize_planes(planes: Tensor, size: tuple[int, ...]) -> Tensor:
    """(N, H, W) -> (N, *size)."""
    return F.interpolate(planes[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
