"""Reading images and masks at other places than their pixels: one map of where each element comes from, one pass over it.

torch's grid_sample does planes, and volumes on an accelerator. On the CPU it takes volumes element by element; reading the
eight corners as whole vectors takes less than half of its time there.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_ELEMENTS_AT_ONCE = 2**16
"""Elements of a volume that are read at a time on the CPU: their coordinates and corners stay in its cache."""


def map_linearly(size: Sequence[int], matrices: np.ndarray, *, device: torch.device | None = None) -> Tensor:
    """Where each element of a batch comes from, as offsets in pixels from the centre of the image.

    matrices: (B, D, D), from an offset in the result to one in the image. Returns (B, D, *size) float32.
    """
    axes = len(size)
    offsets = [torch.arange(length, device=device) - (length - 1) / 2 for length in size]
    places = torch.empty(len(matrices), axes, *size, device=device)
    for planes, matrix in zip(places, matrices.tolist(), strict=True):
        for plane, row in zip(planes, matrix, strict=True):
            *outer, last = (
                (factor * along).reshape([-1 if axis == own else 1 for axis in range(axes)])
                for own, (factor, along) in enumerate(zip(row, offsets, strict=True))
            )
            torch.add(sum(outer, torch.zeros((), device=device)), last, out=plane)
    return places


def bend(size: Sequence[int], amplitude: float, generator: torch.Generator, *, device: torch.device | None = None) -> Tensor:
    """A smooth random displacement (D, *size) float32 in pixels, nowhere longer than `amplitude` along an axis.

    Cubic B-splines over control points drawn evenly from -amplitude to amplitude, eight amplitudes apart (eight pixels at
    least). Its slopes then sum to 3/4 at most in a volume: by itself it folds no place over another.
    Source: Rueckert et al. 1999, the free-form deformation, its equation of the tensor product.
    """
    step = 8 * max(amplitude, 1.0)
    weights = [_spline_weights(length, step).to(device) for length in size]
    shape = [len(size), *(one.shape[1] for one in weights)]
    field = amplitude * (2 * torch.rand(shape, generator=generator) - 1).to(device)
    for axis, one in enumerate(weights, start=1):
        field = (field.movedim(axis, -1) @ one.T).movedim(-1, axis)
    return field.contiguous()


def read_at(places: Tensor, images: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """images (B, C, *spatial) and maps (B, K, *spatial) of any dtype, at places (B, D, *spatial) from `map_linearly`.

    Images are linear between pixels. A map takes the value of the nearest pixel, none made up between two; whole numbers of
    64 bits are kept up to 2**53. Beyond the border both repeat the border's own values, so that they still agree.
    """
    axes = places.shape[1]
    by_corners = axes == 1 or (axes == 3 and images.device.type == "cpu")
    return (_read_corners if by_corners else _read_grid)(places, images, maps)


def _read_grid(places: Tensor, images: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Reads by grid_sample, which knows two and three spatial axes."""
    grid = torch.empty_like(places)
    for axis, length in enumerate(places.shape[2:]):  # -1 to 1 from edge to edge, the last axis first
        torch.mul(places[:, axis], 2 / length, out=grid[:, -1 - axis])
    grid = grid.movedim(1, -1)
    read = F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)
    return read, [_read_nearest(values, grid) for values in maps]


def _read_nearest(values: Tensor, grid: Tensor) -> Tensor:
    wide = torch.float64 if values.dtype in (torch.int32, torch.int64, torch.float64) else torch.float32
    read = F.grid_sample(values.to(wide), grid.to(wide), mode="nearest", padding_mode="border", align_corners=False)
    return read.to(values.dtype)


def _read_corners(places: Tensor, images: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Reads as grid_sample does, for any number of axes, part of a case after part: interpolates between corners."""
    size = tuple(places.shape[2:])
    rows = max(1, _ELEMENTS_AT_ONCE // math.prod(size[1:]))
    results = [torch.empty_like(values) for values in (images, *maps)]
    for case in range(len(places)):
        # One flat table per channel: index_select is at its fastest on one axis.
        tables = [[channel.flatten() for channel in values[case]] for values in (images, *maps)]
        for first in range(0, size[0], rows):
            part = slice(first, first + rows)
            shape = places[case, 0, part].shape
            corners, beyond = _find_corners(places[case, :, part], size)
            for target, table in zip(results[0][case], tables[0], strict=True):
                target[part] = _blend(table, corners, beyond, size).reshape(shape)
            nearest = _find_nearest(corners, beyond, size) if maps else corners
            for result, channels in zip(results[1:], tables[1:], strict=True):
                for target, table in zip(result[case], channels, strict=True):
                    target[part] = table.index_select(0, nearest).reshape(shape)
    return results[0], results[1:]


def _find_corners(places: Tensor, size: tuple[int, ...]) -> tuple[Tensor, list[Tensor]]:
    """Index (N,) int64 of the corner before each place in a flat image, and by axis the share (N,) of the way to the next."""
    corners = torch.zeros(places.shape[1:], dtype=torch.int32, device=places.device)
    beyond = []
    for along, length in zip(places, size, strict=True):
        # Just short of the last pixel, so that there is always a next one.
        highest = float(np.nextafter(np.float32(length - 1), np.float32(0)))
        pixels = (along + (length - 1) / 2).clamp_(0, highest)
        corners.mul_(length).add_(pixels.to(torch.int32))
        beyond.append(pixels.frac_().flatten())
    return corners.flatten().long(), beyond


def _blend(
    table: Tensor, corners: Tensor, beyond: list[Tensor], size: tuple[int, ...], *, axis: int = 0, offset: int = 0
) -> Tensor:
    """(N,) values of a flat image, interpolated along each axis in turn between the corner and the next one."""
    if axis == len(size):
        return table[offset:].index_select(0, corners)
    near = _blend(table, corners, beyond, size, axis=axis + 1, offset=offset)
    if size[axis] == 1:
        return near
    far = _blend(table, corners, beyond, size, axis=axis + 1, offset=offset + math.prod(size[axis + 1 :]))
    return near.lerp_(far, beyond[axis])


def _find_nearest(corners: Tensor, beyond: list[Tensor], size: tuple[int, ...]) -> Tensor:
    """Index (N,) int32 of the nearest pixel; uses up `beyond`."""
    nearest = corners.to(torch.int32)
    for axis, share in enumerate(beyond):
        nearest.add_(share.round_().to(torch.int32), alpha=math.prod(size[axis + 1 :]))
    return nearest


def _spline_weights(length: int, step: float) -> Tensor:
    """The weights (length, control points) of the uniform cubic B-spline; every row adds up to 1."""
    places = torch.arange(length) / step
    points = torch.arange(int((length - 1) / step) + 4) - 1
    distance = (places[:, None] - points).abs()
    return ((2 - distance).relu() ** 3 - 4 * (1 - distance).relu() ** 3) / 6
