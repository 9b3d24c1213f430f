"""Predictions for images larger than what a network sees at a time: the logits of overlapping windows are averaged."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError

OVERLAP = 0.5
"""The share of a window that the next one covers again."""
SHARPNESS = 8.0
"""The side of a window over the standard deviation of its weight, as in nnU-Net (Isensee et al. 2021)."""

Place = tuple[slice, ...]
"""Where a part lies in an image, a slice an axis."""
Predict = Callable[[Tensor], Tensor]
Cut = Callable[[Place], Tensor]


@dataclass(frozen=True, kw_only=True)
class Tiling(CheckedConfig):
    """How an image is cut into windows, and how what a network says of them is joined. One number an axis, empty for none.

    window: elements along each axis. overlap: the share of a window that the next one covers again, or more of it. stride:
    corners of windows are multiples of it, so that a network that pools sees each pixel as it would in the whole image. margin:
    what a window says of elements so near to a border within the image counts nothing. at_a_time: windows in one pass.
    """

    window: tuple[int, ...] = setting(at_least=1)
    overlap: float = setting(OVERLAP, at_least=0, below=1)
    stride: tuple[int, ...] = setting((), at_least=1)
    margin: tuple[int, ...] = setting((), at_least=0)
    at_a_time: int = setting(1, at_least=1)

    def settle(self, size: tuple[int, ...]) -> "Tiling":
        """What of it holds for an image of that size, with a stride and a margin for each axis.

        Both are let be along an axis whose overlap is less than two margins: something would be left that no window speaks of.
        """
        strides, margins = [], []
        for axis, (side, length) in enumerate(zip(size, self.window, strict=True)):
            stride, margin = (given[axis] if given else none for given, none in ((self.stride, 1), (self.margin, 0)))
            starts = place_windows(side, length, overlap=self.overlap, stride=stride)
            holds = all(before + length - after >= 2 * margin for before, after in itertools.pairwise(starts))
            strides.append(stride if holds and stride <= length else 1)
            margins.append(margin if holds else 0)
        return replace(self, stride=tuple(strides), margin=tuple(margins))


def predict_in_windows(predict: Predict, images: Tensor, window: tuple[int, ...] | Tiling | None) -> Tensor:
    """images (B, C, *spatial) -> logits (B, K, *spatial) float32, where `predict` maps (B, C, *window) to (B, K, *window).

    Windows overlap by half and are weighted by a Gaussian about their middle, since a network knows least about what lies at
    the borders of what it sees. An image of the size of the window, or without one, is predicted as it is. window: a tiling
    says more of them.

    Raises SettingError as `stream_windows` does.
    """
    size = tuple(images.shape[2:])
    tiling = window if isinstance(window, Tiling) else Tiling(window=size if window is None else tuple(window))
    slabs = list(stream_windows(predict, lambda place: images[:, :, *place], size, tiling))
    return slabs[0] if len(slabs) == 1 else torch.cat(slabs, dim=2)


@torch.no_grad()
def stream_windows(predict: Predict, cut: Cut, size: tuple[int, ...], tiling: Tiling) -> Iterator[Tensor]:
    """Yields the logits of an image, (B, K, rows, *size[1:]) float32, slab by slab from first to last along its first axis.

    cut: gives the part (B, C, *part) of the images at a place within their size. Windows that reach beyond its end are filled
    up with zeros. No more is held than a window's length of rows.

    Raises SettingError for logits that are not finite (nan is above no threshold, and would pass for background) and for
    logits of another size than the window.
    """
    settled = tiling.settle(size)
    axes = [_Axis.plan(side, settled, number) for number, side in enumerate(size)]
    cropped = tuple(slice(side) for side in size[1:])
    slab: Tensor | None = None
    weights: list[Tensor] = []
    row = 0
    for numbers, logits in _predict_each(predict, cut, size, axes, tiling):
        starts = [axis.starts[number] for axis, number in zip(axes, numbers, strict=True)]
        if slab is None:
            if all(len(axis.starts) == 1 for axis in axes):
                yield _check_finite(logits[:, :, : size[0], *cropped].float())
                return
            shape = (axes[0].length, *(axis.starts[-1] + axis.length for axis in axes[1:]))
            slab = torch.zeros((*logits.shape[:2], *shape), device=logits.device)
            weights = [axis.weights.to(logits.device) for axis in axes]
        elif starts[0] > row:
            done = starts[0] - row
            yield _check_finite(slab[:, :, :done, *cropped].clone())
            _move_up(slab, done)
        row = starts[0]
        weight = torch.ones((), device=logits.device)
        for along, number in zip(weights, numbers, strict=True):
            weight = weight[..., None] * along[number]
        place = (slice(start, start + axis.length) for start, axis in zip(starts[1:], axes[1:], strict=True))
        slab[:, :, :, *place].addcmul_(logits.float(), weight)
    if slab is not None:
        yield _check_finite(slab[:, :, : size[0] - row, *cropped])


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """The windows along one axis: where they start, how long they are and what their elements weigh, (windows, length)."""

    starts: list[int]
    length: int
    weights: Tensor

    @classmethod
    def plan(cls, side: int, tiling: Tiling, axis: int) -> "_Axis":
        """The windows of a settled tiling along one axis of an image."""
        length = tiling.window[axis]
        starts = place_windows(side, length, overlap=tiling.overlap, stride=tiling.stride[axis])
        return cls(starts=starts, length=length, weights=weigh_windows(starts, length, margin=tiling.margin[axis]))


def place_windows(side: int, length: int, *, overlap: float = OVERLAP, stride: int = 1) -> list[int]:
    """The first elements of evenly spread windows along an axis: multiples of stride that cover all of it.

    They overlap by that share or more, unless stride forbids it. The last one reaches beyond the end where it has to.
    """
    stride = stride if stride <= length else 1
    step = max(int(length * (1 - overlap)) // stride, 1)  # from here on in strides
    last = max(-(-(side - length) // stride), 0)
    count = -(-last // step) + 1
    return [round(last * number / max(count - 1, 1)) * stride for number in range(count)]


def weigh_windows(starts: Sequence[int], length: int, *, margin: int = 0) -> Tensor:
    """The weights of the elements of windows along an axis, (windows, length) float32; those of an element sum to 1.

    A Gaussian about the middle of each window, and 0 within the margin of a border at which another window goes on: there the
    network lacks what lies beyond. Neighbours have to overlap by two margins at least.
    """
    places = torch.arange(length, dtype=torch.float64) - (length - 1) / 2
    weights = torch.exp(-0.5 * (places * SHARPNESS / length) ** 2).repeat(len(starts), 1)
    weights[1:, :margin] = 0
    weights[:-1, length - margin :] = 0
    total = torch.zeros(starts[-1] + length, dtype=torch.float64)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + length] += weight
    return torch.stack([weight / total[start : start + length] for start, weight in zip(starts, weights, strict=True)]).float()


def _predict_each(
    predict: Callable[[Tensor], Tensor],
    cut: Callable[[Place], Tensor],
    size: tuple[int, ...],
    axes: list[_Axis],
    tiling: Tiling,
) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """The numbers of every window along the axes, the last axis fastest, and its logits (B, K, *window)."""
    all_numbers = itertools.product(*(range(len(axis.starts)) for axis in axes))
    while batch := tuple(itertools.islice(all_numbers, tiling.at_a_time)):
        parts = []
        for numbers in batch:
            starts = [axis.starts[number] for axis, number in zip(axes, numbers, strict=True)]
            ends = [min(start + axis.length, side) for start, axis, side in zip(starts, axes, size, strict=True)]
            parts.append(_fill_up(cut(tuple(map(slice, starts, ends))), tiling.window))
        logits = predict(parts[0] if len(parts) == 1 else torch.cat(parts))
        _check_size(logits, tiling.window)
        yield from zip(batch, logits.chunk(len(batch)), strict=True)


def _move_up(slab: Tensor, done: int) -> None:
    """Lets go of so many rows of a slab (B, K, rows, *spatial), moves the others to their place and fills up with zeros."""
    rows = slab.shape[2]
    for start in range(0, rows - done, done):  # in blocks that do not overlap, so that nothing has to be held twice
        count = min(done, rows - done - start)
        slab[:, :, start : start + count] = slab[:, :, start + done : start + done + count]
    slab[:, :, rows - done :] = 0


def _fill_up(part: Tensor, window: tuple[int, ...]) -> Tensor:
    """The part (B, C, *spatial) with zeros after the end of every axis that is shorter than the window."""
    missing = [length - side for side, length in zip(part.shape[2:], window, strict=True)]
    return F.pad(part, [amount for each in reversed(missing) for amount in (0, each)]) if any(missing) else part


def _check_size(logits: Tensor, window: tuple[int, ...]) -> None:
    found = tuple(logits.shape[2:]) if isinstance(logits, Tensor) else type(logits).__name__
    if found != window:
        raise SettingError(
            f"The network answered an image of {window} with {found}; expected one tensor of logits (B, K, *spatial) of the "
            "image's own size. Let its forward return that in evaluation mode."
        )


def _check_finite(logits: Tensor) -> Tensor:
    if bool(torch.isfinite(logits).all()):
        return logits
    raise SettingError(
        "The network's logits are not finite: its weights or the image hold numbers that are none, or too large to "
        "compute with. Lower training.learning_rate and train anew, or look at the image."
    )
