"""How far a network looks and how it pools, found out by trying: by it windows give what the whole image gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from focalseg.hosts.tracing import copy_network

_LARGEST_STRIDE = 64
_SMALL_SIDES = (16, 32)
"""Elements along the axes that are not looked at: enough for a network that pools four times, or five."""
_ROUNDING = 2e-5
"""Of the largest logit: what moving an image may change by rounding."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a network does along one axis.

    margin: what it says of an element may depend on others up to so many elements away, to either side. stride: moving an image
    by so many elements moves what the network says of it, and changes nothing else.
    """

    margin: int
    stride: int


@torch.no_grad()
def measure_reach(network: nn.Module, channels: int, window: tuple[int, ...], axis: int) -> Reach | None:
    """The reach of a network in evaluation mode along an axis of such windows; None where it looks over all of a window.

    That is the case of one that averages over all of its image or normalises by it, and of one whose layers do not repeat along
    the axis (a window that pooling does not divide). Takes about seven passes of small images; buffers are put back.
    """
    length = window[axis]
    if length < 4:
        return None
    if any(parameter.device.type != "cpu" for parameter in network.parameters()):
        # A GPU may round coarsely (TF32), and the same network has to be cut into the same windows on every machine.
        network = copy_network(network).cpu()
    sizes = [
        tuple(side if number == axis else _shorten(side, small) for number, side in enumerate(window)) for small in _SMALL_SIDES
    ]
    for size in dict.fromkeys((*sizes, window)):
        try:
            with _kept_buffers(network):
                return _measure(network, torch.zeros(1, channels, *size), axis + 2)
        except Exception:  # noqa: S112 - a foreign network may refuse such images in any way, and is tried no further
            continue
    return None


def _measure(network: nn.Module, images: Tensor, axis: int) -> Reach | None:
    """The reach along an axis of these images, whose size alone counts. axis: counted with batch and channels."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    length, generator = images.shape[axis], torch.Generator().manual_seed(0)
    # A border that is seen at its true place in the grid of the pooling: windows start at multiples of the stride.
    border = min(1 << ((length // 4).bit_length() - 1), _LARGEST_STRIDE)
    images = torch.randn(images.shape, generator=generator)

    def answer(given: Tensor) -> Tensor:
        logits: Tensor = network(given.to(device)).cpu()
        if logits.shape[2:] != images.shape[2:]:
            raise ValueError("The logits have another size than the image.")
        return logits

    def spoil(start: int, count: int) -> tuple[Tensor, Tensor]:
        """Images that are nan there, and what the network says of them: whatever looks there is nan as well."""
        spoilt = images.clone()
        spoilt.narrow(axis, start, count).fill_(torch.nan)
        return spoilt, answer(spoilt)

    begun, after_begin = spoil(0, border)
    first_clean = max(_find_bad(after_begin, axis), default=-1) + 1
    last_clean = min(_find_bad(spoil(length - border, border)[1], axis), default=length) - 1
    margin = max(first_clean - border, length - border - 1 - last_clean, 0)
    if first_clean >= length - margin:
        return None

    def move(shift: int) -> float:
        """What moving the image changes besides, as a share of the largest logit; nan where its border came into view."""
        tail = torch.randn(images.narrow(axis, 0, shift).shape, generator=generator)
        moved = answer(torch.cat([begun.narrow(axis, shift, length - shift), tail], dim=axis))
        count = length - margin - first_clean
        before, after = after_begin.narrow(axis, first_clean, count), moved.narrow(axis, first_clean - shift, count)
        return float((before.float() - after.float()).abs().max() / before.float().abs().max().clamp(min=1e-30))

    stride = _find_stride(border, move)
    return None if stride is None else Reach(margin=margin, stride=stride)


def _find_stride(largest: int, move: Callable[[int], float]) -> int | None:
    """The smallest power of two up to the largest by which an image can be moved; what is one makes its multiples one."""
    rounding = move(largest)
    if not rounding <= _ROUNDING:  # nan neither
        return None
    # Deep layers may say little of the logits, so that a wrong stride changes little: it is held to what a right one changes.
    bound = 4 * rounding + 16 * torch.finfo(torch.float32).eps
    low, high = 0, largest.bit_length() - 1  # 2**high is one
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if move(1 << middle) <= bound else (middle + 1, high)
    return 1 << high


def _find_bad(logits: Tensor, axis: int) -> list[int]:
    """The places along an axis at which some logit is not finite."""
    others = [other for other in range(logits.ndim) if other != axis]
    return (~torch.isfinite(logits)).any(dim=others).nonzero()[:, 0].tolist()


def _shorten(side: int, small: int) -> int:
    """A shorter side that pooling divides as often, where that is not few times."""
    factor = side & -side  # the largest power of two that divides it
    return min(factor, small) if factor >= min(_SMALL_SIDES) else side


@contextmanager
def _kept_buffers(network: nn.Module) -> Iterator[None]:
    """Puts buffers back whatever happens: a network may count or average in them even while it is used."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        for buffer, before in buffers:
            buffer.copy_(before)
