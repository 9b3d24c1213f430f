"""Prepares cases for a network (size, number type, normalisation) and brings masks back to a case's own pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import DataError, SettingError
from focalseg.findings import counted
from focalseg.imagesets.masks import VOID, find_judged

if TYPE_CHECKING:
    from focalseg.imagesets.survey.summary import CaseSummary

Normalisation = Literal["data_set", "case", "encoder"]
_LEAST_SIDE = {1: 8, 2: 8, 3: 4}
"""Elements along a side, by spatial axes, below which shrinking would leave nothing of it."""
_LARGEST_RATIO, _LARGEST_RATIO_OF_BYTES = 10.0, 100.0
"""The ratio of the standard deviations of two cases beyond which they are not on a common scale."""
_LARGEST_OFFSET, _LARGEST_OFFSET_OF_BYTES = 30.0, 100.0
"""How far their means may lie apart, in standard deviations within the median case."""
_FARTHEST_ENTRY, _FAINTEST_ENTRY = 10.0, 0.01
"""Root mean square of an image that was normalised, and its standard deviation, beyond which no network was trained on such:
of the training images as a whole both are 1, and the dimmest and brightest pictures of real sets stay within 1/40 and 4."""
_MOST_APART = 2.0
"""How many times as large as those of the training images an element may be, before that is said."""
_PIXELS_AT_A_TIME = 2**16
"""So many stay in a processor's own cache while they are measured."""
_PIXELS_TO_RESIZE = 2**22
"""So many of all channels are resized at once: 16 MiB."""
_HALF = np.float32(0.5 + 2**-10)
"""What makes whole numbers of averages, by `floor`. Averages of two or three pixels often lie halfway between two: a little
above a half, it is no rounding error that decides then, which differs by processor and program."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How an image enters a network, in the channel in which it is farthest from the images that the network was trained on.

    level: its mean, in standard deviations of the training images from their mean. contrast: its own standard deviation in
    shares of theirs.
    """

    level: float
    contrast: float

    @property
    def strangeness(self) -> float:
        """How many times it is beyond what a network can be expected to bear; at most 1 for usual images.

        An image of one intensity has no scale of its own, and only its level counts.
        """
        faint = _FAINTEST_ENTRY / self.contrast if self.contrast > 0 else 0.0
        return max(math.hypot(self.level, self.contrast) / _FARTHEST_ENTRY, faint)

    @property
    def is_extreme(self) -> bool:
        """Whether a prediction on it is not to be trusted."""
        return self.strangeness > 1

    def __str__(self) -> str:
        """Continues a sentence that begins with the image."""
        faint = 0 < self.contrast < 0.1
        shown = f"1/{_show(1 / self.contrast)}" if faint else _show(self.contrast)
        side, times = "above" if self.level >= 0 else "below", "of" if faint else "times"
        return (
            f"enters the network {_show(abs(self.level))} standard deviations {side} the mean of the training images, "
            f"with {shown} {times} their contrast"
        )


@dataclass(frozen=True, kw_only=True)
class Preparation(CheckedConfig):
    """One size and one normalisation for all cases of a run, fixed on its training cases and kept with its weights.

    size: elements along each spatial axis. mean, standard_deviation: of the training set, per channel, or those that a
    pretrained encoder wants. patch: elements along
    each axis of what the network sees at a time, where that is not the whole. spacing_mm: of an element along each axis of
    the median case, resampled, where the files say it.
    normalisation: "data_set" and "encoder" normalise by these two. Normalising every image by its own would spread what a
    distant region shows over the whole image, and so answer part of the question; "case" does so all the same, channel by
    channel, for images whose intensities mean nothing across cases (MR).
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

    def check_image(self, image: np.ndarray) -> None:
        """Raises DataError for an image (C, *spatial) of other channels or axes than the network was trained on."""
        if len(image) != len(self.mean):
            found = counted(len(image), "channel")
            raise DataError(f"The image has {found}; the network was trained on {len(self.mean)}. Convert it.")
        self._check_axes(image.ndim - 1)

    def resample_image(self, image: np.ndarray) -> np.ndarray:
        """(C, *spatial) of any size -> (C, *size) of the same number type. Raises DataError for other channels or axes."""
        self.check_image(image)
        if image.shape[1:] == self.size:
            return image
        resized = resize_image(image, self.size).numpy()
        return np.floor(resized + _HALF).astype(image.dtype) if image.dtype.kind in "iu" else resized

    def measure_scale(self, image: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation per channel by which this image (C, *spatial) is normalised."""
        if self.normalisation != "case":
            return self.mean, self.standard_deviation
        mean, deviation = measure_intensities(image)
        return mean, tuple(map(_or_1, deviation))

    def measure_entry(self, mean: Sequence[float], deviation: Sequence[float]) -> Entry:
        """How an image enters a network, by its own mean and standard deviation per channel, as `CaseSummary` has them.

        An image that is normalised by itself enters as the others do, whatever its scale.
        """
        if self.normalisation == "case":
            return Entry(level=0.0, contrast=1.0)
        entries = [
            Entry(level=(own - usual) / unit, contrast=spread / unit)
            for own, spread, usual, unit in zip(mean, deviation, self.mean, self.standard_deviation, strict=True)
        ]
        return max(entries, key=lambda entry: entry.strangeness)

    def compare_spacing(self, size: Sequence[int], spacing_mm: Sequence[float]) -> str:
        """Says how an image of so many elements, each of so many mm along each axis, differs from those that the network was
        trained on; empty where their elements, once resized, are alike, or nobody knows how large those were.

        Raises DataError for another number of axes, and for sizes that are none.
        """
        self._check_axes(len(size))
        given = np.asarray(spacing_mm)
        if given.shape != (len(size),) or given.dtype.kind not in "iuf" or not all(0 < side < math.inf for side in given):
            raise DataError(f"spacing_mm was {spacing_mm!r}; expected {len(size)} numbers above 0, one a spatial axis.")
        if self.spacing_mm is None:
            return ""
        own = [step * side / length for step, side, length in zip(spacing_mm, size, self.size, strict=True)]
        apart = max(max(one / usual, usual / one) for one, usual in zip(own, self.spacing_mm, strict=True))
        if apart <= _MOST_APART:
            return ""
        shown, usual = (" x ".join(f"{side:.3g}" for side in sides) for sides in (own, self.spacing_mm))
        return (
            f"The image enters the network with elements of {shown} mm, and those that it was trained on had {usual} mm: what "
            "it shows is far larger or smaller there. Cut or pad it to the extent of theirs."
        )

    def prepare_image(self, image: np.ndarray) -> Tensor:
        """(C, *spatial) of any size -> (C, *size) float32, normalised. Raises DataError for other channels or axes."""
        resampled = torch.from_numpy(np.ascontiguousarray(self.resample_image(image)))
        mean, deviation = self.measure_scale(image)
        return normalise(resampled[None], torch.tensor([mean]), torch.tensor([deviation]))[0]

    def prepare_mask(self, mask: np.ndarray) -> Tensor:
        """(*spatial) bool or labels -> (*size) uint8: every pixel gets the label that covers most of it; half is enough.

        Each label is resized as an image of its own: a label number means nothing in between. What nobody judged stays `VOID`
        where it covers half of a pixel; of the others the judged part alone tells the label. Some of a mask is always judged.
        """
        self._check_axes(mask.ndim)
        if mask.shape == self.size:
            return torch.from_numpy(mask.astype(np.uint8))
        judged = find_judged(mask)
        most = mask.max(initial=0) if judged is None else mask.max(initial=0, where=judged)
        shares = resize_image(np.stack([mask == label for label in range(1, max(int(most), 1) + 1)]), self.size)
        largest, label = shares.max(dim=0)
        background = 1 - shares.sum(dim=0)
        if judged is None:
            return torch.where(largest >= background, label + 1, 0).to(torch.uint8)
        void = resize_image(~judged[None], self.size)[0]
        # Where shrinking would leave nothing that counts, what is judged best does.
        left_open = void >= 0.5 if bool((void < 0.5).any()) else void > void.min()
        return torch.where(left_open, VOID, torch.where(largest >= background - void, label + 1, 0)).to(torch.uint8)

    def _check_axes(self, axes: int) -> None:
        if axes != len(self.size):
            raise DataError(
                f"The image has {axes} spatial axes; the network was trained on {len(self.size)}. Give an image of its kind."
            )


def plan_preparation(
    cases: "Sequence[CaseSummary]",
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


def plan_size(cases: "Sequence[CaseSummary]", *, longest_side: int) -> tuple[int, ...]:
    """The size of the median case, shrunk as a whole until no side is above longest_side, never enlarged.

    Nor is a side shrunk below _LEAST_SIDE: the eight lines of a strip, or the three slices of a volume, would become one.
    """
    median = np.median([case.size for case in cases], axis=0)
    shrink = min(1.0, longest_side / max(median))
    least = _LEAST_SIDE[len(median)]
    return tuple(max(round(float(side) * shrink), min(round(float(side)), least), 1) for side in median)


def _plan_spacing(cases: "Sequence[CaseSummary]", size: tuple[int, ...]) -> tuple[float, ...] | None:
    """Size in mm of an element along each axis once the median case is resampled; None where a case does not say its own."""
    extents = [np.multiply(case.spacing_mm, case.size) for case in cases if case.spacing_mm is not None]
    return tuple((np.median(extents, axis=0) / size).tolist()) if len(extents) == len(cases) else None


def on_common_scale(cases: "Sequence[CaseSummary]") -> bool:
    """Whether an intensity means the same in all cases, channel by channel.

    Intensities are taken to be on one scale unless standard deviations of cases differ by more than 10 times, or means lie
    more than 30 standard deviations apart: different exposures or organs in view change them by a few times, arbitrary units,
    as of MR scanners, by orders of magnitude. Eight bits are a scale by themselves, which cameras and screens share, and have
    to differ by 100 times. One case far above the median case leaves all others without contrast; of cases far below it there
    must be a tenth. A channel that never varies says nothing.
    """
    means, deviations = (
        np.array([getattr(case, name) for case in cases if case.channels == cases[0].channels])
        for name in ("mean", "standard_deviation")
    )
    eight_bits = all(case.dtype == "uint8" for case in cases)
    ratio = _LARGEST_RATIO_OF_BYTES if eight_bits else _LARGEST_RATIO
    offset = _LARGEST_OFFSET_OF_BYTES if eight_bits else _LARGEST_OFFSET
    for mean, deviation in zip(means.T, deviations.T, strict=True):
        varying = deviation > 0
        if not varying.any():
            continue
        low, middle, high = np.quantile(deviation[varying], (0.1, 0.5, 1.0), method="lower")
        apart = np.abs(mean[varying] - np.median(mean[varying])).max()
        if high > ratio * middle or middle > ratio * low or apart > offset * middle:
            return False
    return True


def pool_intensities(cases: "Sequence[CaseSummary]") -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel over all pixels of all cases."""
    counts = np.array([math.prod(case.size) for case in cases], float)
    pooled = [
        _pool([case.mean[channel] for case in cases], [case.standard_deviation[channel] for case in cases], counts)
        for channel in range(cases[0].channels)
    ]
    return tuple(mean for mean, _ in pooled), tuple(_or_1(deviation) for _, deviation in pooled)


def measure_intensities(image: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of an image (C, *spatial)."""
    measured = [_measure_channel(channel) for channel in image]
    return tuple(mean for mean, _ in measured), tuple(deviation for _, deviation in measured)


def _measure_channel(channel: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, in float64, a few rows at a time: a copy of the whole would take many times its memory.

    Source: Chan, Golub and LeVeque 1983, for what is known of two parts together.
    """
    rows = max(_PIXELS_AT_A_TIME // max(math.prod(channel.shape[1:]), 1), 1)
    known, mean, squares = 0, 0.0, 0.0
    for start in range(0, len(channel), rows):
        pixels = channel[start : start + rows].astype(np.float64).ravel()
        own = float(pixels.mean())
        pixels -= own
        step, share = own - mean, pixels.size / (known + pixels.size)
        squares += float(pixels @ pixels) + step * step * known * share
        mean += step * share
        known += pixels.size
    return mean, math.sqrt(squares / known)


def normalise(images: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """images (B, C, *spatial) of any number type, mean and deviation (B, C) -> (images - mean) / deviation, float32."""
    shape = (*mean.shape, *(1,) * (images.ndim - 2))
    return (images.float() - mean.float().reshape(shape)) / deviation.float().reshape(shape)


def _pool(means: Sequence[float], deviations: Sequence[float], counts: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the union of several parts."""
    mean = float(np.average(means, weights=counts))
    variance = np.average(np.square(deviations) + np.square(np.asarray(means) - mean), weights=counts)
    return mean, float(np.sqrt(variance))


def _show(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def _or_1(deviation: float) -> float:
    """Replaces a deviation of 0 by 1: a channel that never varies carries nothing and is normalised to 0."""
    return deviation if deviation > 0 else 1.0


def resize_image(image: np.ndarray, size: tuple[int, ...]) -> Tensor:
    """(C, *spatial) -> (C, *size) float32, linear, averaging over the pixels that fall together when it shrinks."""
    # Of a large image one channel alone is held as float32 at its own size.
    together = max(_PIXELS_TO_RESIZE // max(math.prod(image.shape[1:]), 1), 1)
    parts = [_resize_channels(image[start : start + together], size) for start in range(0, len(image), together)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _resize_channels(image: np.ndarray, size: tuple[int, ...]) -> Tensor:
    """(C, *spatial) -> (C, *size) float32, all at once."""
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
