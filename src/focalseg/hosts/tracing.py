"""The dry run: what passes at each port of a network, found on a copy without computing anything where that is possible."""

import copy
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from focalseg.errors import FocalsegError, ShapeError, SiteError
from focalseg.hosts.attachment import detach, first_weight, occupied_sites
from focalseg.hosts.ports import Arguments, Keywords, Port
from focalseg.hosts.presence.hooking import register
from focalseg.layers import Convolution

_GUESSED_SIDES = (32, 64, 128)
"""Sides in pixels of images that are tried: networks halve them up to seven times. A dry run on shapes takes the largest."""
_MOST_ON_VALUES = 2**17
"""Elements of an image, channels included, that a network is run on within a second, as 3 x 200 x 200."""
Result = TypeVar("Result")


@dataclass(kw_only=True)
class Passed:
    """What passed at a port: the shapes (B, C, *spatial) in order, and the times, which count up over all ports."""

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)


def trace(network: nn.Module, ports: Iterable[Port], image_shape: Sequence[int]) -> dict[Port, Passed]:
    """What passes at each port in one forward pass of a copy on an image (C, *spatial); the network itself is not run.

    Raises SiteError for a path that no module has, ShapeError where the network does not take such an image.
    """
    ports = dict.fromkeys(ports)
    for port in ports:
        port.find_module(network)
    for on_shapes in (False,) if _is_sooner_on_values(image_shape) else (True, False):
        probe, clock = plain_copy(network), itertools.count()
        passed = {port: _watch(probe, port.resolve(probe), clock) for port in ports}
        try:
            run_copy(probe.to("meta") if on_shapes else probe, image_shape)
        except ShapeError:
            if not on_shapes:
                raise
        else:
            break
    return passed


def _is_sooner_on_values(image_shape: Sequence[int]) -> bool:
    """Whether one pass on values takes less time than one on shapes, on torch's meta device, where nothing is computed.

    Not every network runs on shapes, and the first pass there has torch load its compiler, which takes seconds.
    """
    return "torch.fx.experimental.symbolic_shapes" not in sys.modules and math.prod(image_shape) <= _MOST_ON_VALUES


class LogitsError(ShapeError):
    """What a network makes of an image that it takes is no logits of the image's size."""


def check_forward(network: nn.Module, image_shape: Sequence[int], *, classes: int) -> None:
    """Looks whether the network makes logits (classes, *spatial) of an image (C, *spatial).

    Raises LogitsError where it makes something else, and ShapeError for a size that it does not take.
    """
    name, expected = type(network).__name__, (1, classes, *image_shape[1:])
    try:
        (passed,) = trace(network, [Port(path="")], image_shape).values()
    except SiteError as error:
        raise LogitsError(
            f"{name} returns no tensor; expected one, logits (B, {classes}, *spatial) of the image's size."
        ) from error
    if passed.shapes != [expected]:
        raise LogitsError(
            f"{name} makes {passed.shapes[0]} of an image of shape {tuple(image_shape)}; "
            f"expected logits (B, {classes}, *spatial) of the image's size, {expected}."
        )
    probe = plain_copy(network).to("meta").train()
    try:
        trained = probe(torch.zeros(2, *image_shape, device="meta"))
    except Exception:  # what a network cannot do on shapes alone was done on values above
        return
    if not isinstance(trained, Tensor) or trained.shape[1:] != torch.Size(expected[1:]):
        raise LogitsError(
            f"{name} returns something else in training than in evaluation; expected logits (B, {classes}, *spatial) in both. "
            "Turn deep supervision off."
        )


def copy_network(network: nn.Module) -> nn.Module:
    """A deep copy. Raises ShapeError, with the mend, for a network that keeps tensors of its last pass."""
    try:
        return copy.deepcopy(network)
    except RuntimeError as error:
        raise ShapeError(
            f"{type(network).__name__} cannot be copied ({_first_line(error)}); run one pass under torch.no_grad() first."
        ) from error


def try_images(network: nn.Module, image_shape: Sequence[int] | None, run: Callable[[Sequence[int]], Result]) -> Result:
    """The result of run(image_shape), or where no shape is given of the smallest guess that works. Raises its ShapeError."""
    if image_shape is not None:
        return run(image_shape)
    *smaller, largest = (guess_image_shape(network, side) for side in _GUESSED_SIDES)
    for shape in smaller:
        with suppress(ShapeError):
            return run(shape)
    return run(largest)


def plain_copy(network: nn.Module) -> nn.Module:
    """A copy of the network without the attention that was added."""
    probe = copy_network(network)
    for name in occupied_sites(probe):
        detach(probe, name)
    return probe


@torch.no_grad()
def run_copy(probe: nn.Module, image_shape: Sequence[int], *, noise: bool = False) -> Any:
    """The output of a copy, in evaluation mode, for one black or noisy image. Raises ShapeError where it refuses the image."""
    weight = first_weight(probe)
    image = torch.zeros(1, *image_shape, device=weight.device, dtype=weight.dtype)
    if noise:
        image = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)).to(image)
    try:
        return probe.eval()(image)
    except FocalsegError:
        raise
    except Exception as error:
        raise ShapeError(
            f"{type(probe).__name__} does not take an image of shape {tuple(image_shape)} "
            f"({_first_line(error)}); give image_shape, (C, *spatial) of one that it takes."
        ) from error


def guess_image_shape(network: nn.Module, side: int = _GUESSED_SIDES[-1]) -> tuple[int, ...]:
    """The shape (C, *spatial) of an image that the first convolution takes. Raises SiteError without a convolution."""
    for module in network.modules():
        if isinstance(module, Convolution):
            return module.in_channels, *(side,) * len(module.kernel_size)
    raise SiteError(f"{type(network).__name__} has no convolution to tell what it takes; give image_shape, (C, *spatial).")


def _watch(probe: nn.Module, port: Port, clock: Iterator[int]) -> Passed:
    """What is going to pass at a port, filled in while the copy runs."""
    record = Passed()

    def note(_module: nn.Module, arguments: Arguments, keywords: Keywords, output: Any = None) -> None:
        record.shapes.append(tuple(port.read(arguments, keywords, output).shape))
        record.times.append(next(clock))

    register(probe, port, note)
    return record


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:120].rstrip(".")
