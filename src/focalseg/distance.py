"""Exact Euclidean distance maps of masks, and the closeness to a border that weighs a loss.

On the CPU one map after the other goes through the package edt where it is installed, through SciPy otherwise: edt takes a
fifth to a half of SciPy's time in 2-D and a twelfth to a quarter in 3-D, the more of a map is True the longer
(benchmarks/distance_maps.py). On any other device torch does the work there, the whole batch at once.
"""

import functools
import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.errors import SettingError, ShapeError

MOST_CANDIDATES = 2**22  # squared distances held at a time by the transform in torch: 16 MiB


def euclidean_distance(masks: Tensor, *, spacing_mm: Sequence[float] | None = None) -> Tensor:
    """Distance of every True pixel to the nearest False pixel of its own map, 0 at False pixels.

    masks: (B, K, *spatial), 1 to 3 spatial axes, bool or any dtype whose nonzero is True. spacing_mm: one positive number
    a spatial axis. Returns (B, K, *spatial) float32 in [0, inf], in mm where a spacing is given and in pixels otherwise;
    inf all over a map that has no False pixel. Carries no gradient.
    Raises ShapeError for masks of another shape, SettingError for a spacing that does not fit.
    """
    return transform(_check_masks(masks), check_spacing(spacing_mm, masks.ndim - 2))


def distance_to_border(masks: Tensor, *, valid: Tensor | None = None, spacing_mm: Sequence[float] | None = None) -> Tensor:
    """Distance of every pixel, on either side, to the nearest pixel of the border ring.

    The ring is every pixel with a face neighbour on the other side of its mask, so it is two pixels thick and the distance
    is exactly 0 on both of them. The edge of the image is no border.
    masks, spacing_mm, dtype and unit: as for euclidean_distance. valid: (B, *spatial) or (B, 1, *spatial), False where the
    label is ignored: such a pixel is on no side and makes no border with its neighbours; its own value is its distance to
    the nearest border, like any other's. A map without a border (empty, full, or sides that never touch) is inf all over.
    Raises ShapeError for masks or valid of another shape, SettingError for a spacing that does not fit.
    """
    sides, steps = _check_masks(masks), check_spacing(spacing_mm, masks.ndim - 2)
    return transform(~_find_border(sides, _check_valid(valid, masks)), steps)


def closeness_to_border(
    masks: Tensor, *, radius: float | None = None, valid: Tensor | None = None, spacing_mm: Sequence[float] | None = None
) -> Tensor:
    """phi, the closeness to the border: exactly 1 on the border ring, falling linearly with the distance to it.

    radius None: phi = 1 - d / d_max, with d_max the greatest d on the same side of the same map, so that phi is exactly 0
    at the farthest pixel of either side; 1 all over a side that is nothing but ring. radius, in the unit of the distance:
    phi = max(0, 1 - d / radius). A map without a border has phi 0 all over, and so has a pixel that is not valid.
    masks, valid, spacing_mm: as for distance_to_border. Returns (B, K, *spatial) float32 in [0, 1], without a gradient.
    Raises ShapeError and SettingError as distance_to_border does, and SettingError for a radius that is not positive.
    """
    sides, steps = _check_masks(masks), check_spacing(spacing_mm, masks.ndim - 2)
    labelled = _check_valid(valid, masks)
    if radius is not None and not (math.isfinite(radius) and radius > 0):
        raise SettingError(
            f"radius is {radius}; expected a positive, finite number, or None for the farthest pixel of each side."
        )
    closeness: Tensor = _measure_closeness(sides, labelled, list(steps), radius)
    return closeness


@torch.library.custom_op("focalseg::measure_closeness", mutates_args=())
def _measure_closeness(sides: Tensor, labelled: Tensor | None, steps: list[float], radius: float | None) -> Tensor:
    """`closeness_to_border` of arguments that were checked."""
    # One operation to torch, so that torch.compile and torch.func take it whole and do not trace into SciPy or edt.
    distance = transform(~_find_border(sides, labelled), tuple(steps), within=radius)
    if labelled is not None:
        distance.masked_fill_(~labelled, 0)
    scale = _find_farthest(distance, sides) if radius is None else radius
    # Without a border the distance is inf and so is its scale: inf / inf, the only nan there is, is the case phi = 0.
    closeness = distance.div_(scale).neg_().add_(1).clamp_(min=0).nan_to_num_(nan=0)
    return closeness if labelled is None else closeness.masked_fill_(~labelled, 0)


@_measure_closeness.register_fake
def _shape_closeness(sides: Tensor, labelled: Tensor | None, steps: list[float], radius: float | None) -> Tensor:  # noqa: ARG001
    """The shape and dtype of the closeness, which torch.compile asks for before there are values."""
    return torch.empty_like(sides, dtype=torch.float32)


def _find_border(sides: Tensor, valid: Tensor | None) -> Tensor:
    """The border ring, (B, K, *spatial) bool: pixels with a face neighbour on the other side, both of them valid."""
    border = torch.zeros_like(sides)
    for axis in range(2, sides.ndim):
        pairs = sides.shape[axis] - 1
        differs = sides.narrow(axis, 0, pairs) != sides.narrow(axis, 1, pairs)
        if valid is not None:
            differs &= valid.narrow(axis, 0, pairs) & valid.narrow(axis, 1, pairs)
        for start in (0, 1):
            border.narrow(axis, start, pairs).logical_or_(differs)
    return border


def _find_farthest(distance: Tensor, sides: Tensor) -> Tensor:
    """At every pixel the greatest distance on its side of its map; above 0, so that it can be divided by."""
    spatial = tuple(range(2, sides.ndim))
    inside = torch.where(sides, distance, 0).amax(spatial, keepdim=True)
    outside = torch.where(sides, 0, distance).amax(spatial, keepdim=True)
    return torch.where(sides, inside, outside).clamp_(min=torch.finfo(torch.float32).tiny)


def transform(masks: Tensor, steps: tuple[float, ...], *, within: float | None = None) -> Tensor:
    """`euclidean_distance` of bool masks that were checked. steps: the size of a pixel along each spatial axis.

    within: a distance up to which values must be exact; larger ones need only be larger than it.
    """
    if masks.device.type != "cpu":
        return transform_by_torch(masks, steps, within=within)
    return transform_by_scipy(masks, steps) if find_edt() is None else transform_by_edt(masks, steps)


@functools.cache
def find_edt() -> Any:
    """The package edt, or None where it is not installed."""
    try:
        return importlib.import_module("edt")
    except ImportError:
        return None


def transform_by_edt(masks: Tensor, steps: tuple[float, ...]) -> Tensor:
    """The transform by the package edt, one map after the other: it would take a batch of planes for one volume."""
    distance = torch.empty(masks.shape, dtype=torch.float32)
    # edt 3.1.2 adds up the steps along the last axis in float32, 4e-5 off over 4096 pixels; steps of 1 add up exactly, so the
    # last axis is the unit. Its path for bool is slower than that for the same bytes as uint8. Threads pay off in volumes.
    measure, threads, unit = find_edt().edt, torch.get_num_threads() if len(steps) == 3 else 1, steps[-1]
    anisotropy = tuple(step / unit for step in steps) if len(steps) > 1 else 1.0
    for mask, values in zip(_flatten_maps(masks.view(torch.uint8)), _flatten_maps(distance), strict=True):
        np.multiply(measure(mask, anisotropy=anisotropy, black_border=False, parallel=threads), unit, out=values)
    return distance


def transform_by_scipy(masks: Tensor, steps: tuple[float, ...]) -> Tensor:
    """The transform by SciPy, one map after the other, in float64 and rounded at the end."""
    from scipy.ndimage import distance_transform_edt

    distance = torch.empty(masks.shape, dtype=torch.float32)
    for mask, values in zip(_flatten_maps(masks), _flatten_maps(distance), strict=True):
        # SciPy measures a map without a False pixel from a place outside it.
        values[...] = np.inf if mask.all() else distance_transform_edt(mask, sampling=steps)
    return distance


def _flatten_maps(maps: Tensor) -> np.ndarray:
    """Maps (B, K, *spatial) as a contiguous NumPy array (B * K, *spatial), without a copy where they were contiguous."""
    return maps.flatten(0, 1).contiguous().numpy()


def transform_by_torch(masks: Tensor, steps: tuple[float, ...], *, within: float | None = None) -> Tensor:
    """The transform in torch, axis by axis, on the device of the masks: d^2 = min over j of (d_j^2 + (step * (i - j))^2).

    Source: the separable squared distances of Saito and Toriwaki 1994; with steps of 1 they are exact up to 2^24. within:
    candidates farther than it along an axis are left out.
    """
    # The first axis needs a scan alone, the others a minimum over candidates: so the longest axis goes first.
    longest, *others = sorted(range(2, masks.ndim), key=lambda axis: masks.shape[axis], reverse=True)
    squared = _scan_axis(masks, longest).mul_(steps[longest - 2]).square_()
    for axis in others:
        step, pixels = steps[axis - 2], masks.shape[axis]
        reach = pixels - 1 if within is None else math.ceil(min(pixels - 1, within / step))
        squared = _minimise_axis(squared, axis, step, reach)
    return squared.contiguous().sqrt_()


def _scan_axis(masks: Tensor, axis: int) -> Tensor:
    """The number of pixels, float32, to the nearest False pixel on the same line along the axis; inf without one."""
    shape = [1] * masks.ndim
    shape[axis] = -1
    position = torch.arange(masks.shape[axis], dtype=torch.float32, device=masks.device).reshape(shape)
    before = torch.where(masks, -torch.inf, position).cummax(axis).values
    after = torch.where(masks, torch.inf, position).flip(axis).cummin(axis).values.flip(axis)
    return torch.minimum(position - before, after - position)


def _minimise_axis(squared: Tensor, axis: int, step: float, reach: int) -> Tensor:
    """The minimum over j of squared_j + (step * (i - j))^2 along the axis, for j at most `reach` from i."""
    moved = squared.movedim(axis, -1)
    lines = moved.reshape(-1, moved.shape[-1])
    pixels, window = lines.shape[-1], 2 * reach + 1
    if window < pixels:
        candidates = F.pad(lines, (reach, reach), value=torch.inf).unfold(1, window, 1)  # (lines, pixels, window)
        offset = torch.arange(-reach, reach + 1, dtype=torch.float32, device=squared.device)
    else:
        candidates = lines.unsqueeze(1)  # (lines, 1, pixels)
        position = torch.arange(pixels, dtype=torch.float32, device=squared.device)
        offset = position.unsqueeze(1) - position
    cost = (offset * step).square_()
    least = torch.empty_like(lines)
    # In chunks of lines, which bounds the memory.
    chunk = max(1, MOST_CANDIDATES // (pixels * cost.shape[-1]))
    for few, result in zip(torch.split(candidates, chunk), torch.split(least, chunk), strict=True):
        torch.amin(few + cost, dim=-1, out=result)
    return least.reshape(moved.shape).movedim(-1, axis)


def _check_masks(masks: Tensor) -> Tensor:
    """The masks as bool. Raises ShapeError unless they are (B, K, *spatial) with a pixel in every map."""
    if not 3 <= masks.ndim <= 5:
        raise ShapeError(f"masks have shape {tuple(masks.shape)}; expected (B, K, *spatial) with 1 to 3 spatial axes.")
    if 0 in masks.shape[2:]:
        raise ShapeError(f"masks have shape {tuple(masks.shape)}; expected at least one pixel along every spatial axis.")
    return masks if masks.dtype == torch.bool else masks != 0


def _check_valid(valid: Tensor | None, masks: Tensor) -> Tensor | None:
    """`valid` as (B, 1, *spatial) bool, None for None. Raises ShapeError where it does not fit the masks."""
    if valid is None:
        return None
    batch, _, *spatial = masks.shape
    if list(valid.shape) not in ([batch, *spatial], [batch, 1, *spatial]):
        raise ShapeError(
            f"valid has shape {tuple(valid.shape)}; for masks of shape {tuple(masks.shape)} expected "
            f"{(batch, *spatial)} or {(batch, 1, *spatial)}."
        )
    return valid.reshape(batch, 1, *spatial) != 0


def check_spacing(spacing_mm: Sequence[float] | None, axes: int) -> tuple[float, ...]:
    """The size of a pixel along each spatial axis, 1 without a spacing. Raises SettingError where the spacing does not fit."""
    if spacing_mm is None:
        return (1.0,) * axes
    steps = tuple(map(float, np.ravel(spacing_mm)))
    if len(steps) != axes or not all(math.isfinite(step) and step > 0 for step in steps):
        raise SettingError(
            f"spacing_mm is {spacing_mm}; expected positive, finite numbers, one for each of the {axes} spatial axes."
        )
    return steps
