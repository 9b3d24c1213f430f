"""What the values between the darkest and the brightest of a mask are: labels form areas, JPEG and resizing leave edges.

A label's pixels have equal ones beside and above them, and some are surrounded by their like; where two values were blended,
the values change across the edge. That holds however many other values there are, so that a label is known behind whatever
resizing left at its rims. Measured on masks of polyps, tumours, nuclei and vessels: of two values, through JPEG of any quality
or resized by 0.25 to 8 in any way, no pixel was found whose surroundings are alike and well between black and white.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Reason = Literal["labels", "edges", "image"]

END = 16
"""What JPEG makes of black and of white is at most so far from them, of 255."""
_FULL = 255
_EXACT, _MOSTLY = 2, 0.7
"""A mask of two values has so large a share of its pixels within 2, of 255, of what is most near black or white; an image has
fewer."""
_NEAR_END = 0.15
"""What lies farther than this share of the range from both ends is well between."""
_ALIKE = 12
"""The largest difference, of 255, among a pixel and its eight neighbours where they are alike but for the noise of JPEG."""
_AREA, _AREA_AMONG_MANY, _MANY = 4, 9, 8
"""The fewest pixels that are an area: two by two, and more where there are so many values that a few agree by chance."""
_NOISE = 4
"""How far JPEG takes most pixels of an area from its value, of 255."""
_MOST_LABELS, _COVERED = 6, 0.8
"""Labels are at a few values, which hold this share of all that is alike; an image has such places at every brightness."""
_FEW_ENDS, _EVEN = 0.45, 0.4
"""Where fewer pixels are at the ends, it is an image unless such a share of what is between is even to the bit."""
_BLOCK = 8
"""Pixels along a side of what JPEG codes at a time."""
_MOST_PLANES, _MOST_SPOTS = 16, 2**20
"""Of a stack so many planes are looked at, those with the most values between, and about so many of their pixels."""


@dataclass(frozen=True, kw_only=True)
class Between:
    """Why a mask has values between two: those of labels, of edges that were blended, or of an image. labels: their values.

    pixels: how many differ from the lowest and the highest value. near: the share of all that are near one of the two.
    """

    reason: Reason
    pixels: int
    near: float
    labels: tuple[int, ...] = ()


def explain_between(values: np.ndarray, *, lossy: bool = False) -> Between:
    """(*spatial) whole numbers from 0 on, of two spatial axes at least and more than two values -> what those between are.

    lossy: whether they come from a JPEG, in which a few values near an end are no sign of anything.
    """
    low, high = int(values.min()), int(values.max())
    step = (high - low) / _FULL
    between = _lie_within(values, low + END * step, high - END * step)
    every, counts = count_values(values)
    pixels = int(counts[1:-1].sum())
    near = 1 - float(between.mean())
    ends = _measure_ends(every, counts, END * step, _EXACT * step)
    planes, spots = _choose_planes(values, between)
    found = _take(planes, spots)
    around = np.stack([_take(planes, spots, down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)])
    spread = np.ptp(around, axis=0)
    margin = _NEAR_END * (high - low)
    well_between = _lie_within(found, low + margin, high - margin)
    alike = (spread == 0) | ((spread <= _ALIKE * step) & well_between)
    exact = len(every) <= _MANY and not lossy  # such as 0, 1, 2 and 255
    if exact:
        candidates = (values != low) & (values != high)
    else:
        few = len(count_values(found)[0]) <= _MANY
        candidates = between if few else _lie_within(values, low + margin, high - margin)
    labels = sorted(
        {
            *find_areas(values, candidates),
            *_find_peaks(found[alike], _NOISE * step),
            *(set(find_second_levels(values)) - {low, high}),
        }
    )
    # Blending leaves several values; beside many near the ends a few pixels may have gone a bit farther.
    enough = len(found) >= (1 if exact else _AREA_AMONG_MANY)
    one_value = enough and bool((found == found[0]).all())
    even = ends >= _FEW_ENDS or (spread == 0).mean() >= _EVEN
    if one_value or (labels and len(labels) <= _MOST_LABELS and even):
        return Between(reason="labels", pixels=pixels, near=near, labels=tuple(labels or [int(found[0])]))
    is_image = bool(labels) or bool(alike.any()) or ends < _MOSTLY
    return Between(reason="image" if is_image else "edges", pixels=pixels, near=near)


def count_values(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `np.unique` gives with counts; of 8 bits in a fraction of its time, since nothing need be sorted."""
    if values.dtype != np.uint8:
        every, counts = np.unique(values, return_counts=True)
        return every, counts
    pixels = np.bincount(values.ravel(), minlength=1)
    held = np.flatnonzero(pixels)
    return held.astype(np.uint8), pixels[held]


def _lie_within(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Which whole numbers lie between two others; compared with whole ones, which takes a fraction of the time."""
    within: np.ndarray = (values > math.floor(low)) & (values < math.ceil(high))
    return within


def _measure_ends(every: np.ndarray, counts: np.ndarray, end: float, width: float) -> float:
    """The share of pixels within the width of the most frequent value near either end. every, counts: values and pixels."""
    near = np.zeros(len(every), bool)
    for band in (every <= every[0] + end, every >= every[-1] - end):
        most = float(every[np.where(band, counts, -1).argmax()])
        near |= np.abs(every.astype(float) - most) <= width
    return float(counts[near].sum() / counts.sum())


def find_areas(values: np.ndarray, candidates: np.ndarray) -> tuple[int, ...]:
    """The values of candidates, (*spatial) bool, whose pixels mostly have an equal one beside and one above or below them.

    Of a volume, in its planes along each axis: an edge that faces an axis is an area in the planes across it.
    """
    if values.ndim < 3:
        return tuple(sorted(_find_areas_in_planes(values, candidates)))
    views = ((np.moveaxis(values, axis, 0), np.moveaxis(candidates, axis, 0)) for axis in range(3))
    return tuple(sorted(set.intersection(*(_find_areas_in_planes(*view) for view in views))))


def find_second_levels(values: np.ndarray) -> tuple[int, ...]:
    """The values that large flat places have near one end, where they are several there, such as 0, 1 and 2 below 255.

    What is flat comes out of JPEG with one value, which may be next to black or white, and other values near the edges alone.
    """
    low, high = int(values.min()), int(values.max())
    height, width = (side // _BLOCK * _BLOCK for side in values.shape[-2:])
    stack = values.reshape(-1, *values.shape[-2:])
    planes = stack[:: -(-len(stack) // _MOST_PLANES), :height, :width]  # all along it: the first ones may show nothing
    lines = planes.reshape(len(planes), height // _BLOCK, _BLOCK, width)
    # Down first, whole lines at a time, then along: in one go it takes three times as long.
    lowest, highest = (
        extreme(extreme(lines, axis=2).reshape(len(planes), height // _BLOCK, width // _BLOCK, _BLOCK), axis=3)
        for extreme in (np.min, np.max)
    )
    one, others = lowest[:, :-1, :-1], (lowest[:, 1:, :-1], lowest[:, :-1, 1:], lowest[:, 1:, 1:])
    flat = lowest == highest
    # Four blocks of one value: a single one may be the faint remainder of an edge.
    square = flat[:, :-1, :-1] & flat[:, 1:, :-1] & flat[:, :-1, 1:] & flat[:, 1:, 1:]
    for other in others:
        square &= one == other
    levels = np.unique(one[square])
    end = (high - low) * END / _FULL
    sides = (levels[levels <= low + end], levels[levels >= high - end])
    return tuple(int(level) for side in sides if len(side) > 1 for level in side)


def _find_areas_in_planes(values: np.ndarray, candidates: np.ndarray) -> set[int]:
    """The same of single planes, along the first axis of a stack."""
    planes, spots = _choose_planes(values, candidates)
    if not len(spots):
        return set()
    middle = _take(planes, spots)
    across = (_take(planes, spots, 0, -1) == middle) | (_take(planes, spots, 0, 1) == middle)
    along = (_take(planes, spots, -1, 0) == middle) | (_take(planes, spots, 1, 0) == middle)
    found, numbers = np.unique(middle, return_inverse=True)
    every = np.bincount(numbers, minlength=len(found))
    inside = np.bincount(numbers, weights=across & along, minlength=len(found))
    least = _AREA if len(found) <= _MANY else _AREA_AMONG_MANY
    return set(map(int, found[(inside >= least) & (2 * inside > every)]))


def _find_peaks(alike: np.ndarray, width: float) -> list[int]:
    """The few values about which nearly all of these lie; none where they lie at many."""
    left = alike.astype(np.int64)
    peaks: list[int] = []
    while len(left) > (1 - _COVERED) * len(alike) and len(peaks) < _MOST_LABELS:
        values, counts = np.unique(left, return_counts=True)
        peaks.append(int(values[counts.argmax()]))
        left = left[np.abs(left - peaks[-1]) > width]
    return peaks if len(left) <= (1 - _COVERED) * len(alike) else []


def _choose_planes(values: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The planes (N, H + 2, W + 2) with the most candidates, mirrored at their borders, and where candidates are in them."""
    height, width = values.shape[-2:]
    stack, marked = values.reshape(-1, height, width), candidates.reshape(-1, height, width)
    if len(stack) > _MOST_PLANES:
        chosen = np.argsort(-np.count_nonzero(marked, axis=(1, 2)), kind="stable")[:_MOST_PLANES]
        stack, marked = stack[chosen], marked[chosen]
    # Mirrored about the border pixel: repeated, every pixel at the border would have its like beyond it.
    planes = np.pad(stack, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    flat = np.flatnonzero(marked)
    flat = flat[:: -(-len(flat) // _MOST_SPOTS) or 1]
    return planes, np.stack(np.unravel_index(flat, marked.shape), axis=1)


def _take(planes: np.ndarray, spots: np.ndarray, down: int = 0, right: int = 0) -> np.ndarray:
    """The values so many pixels from the spots."""
    taken: np.ndarray = planes[spots[:, 0], spots[:, 1] + 1 + down, spots[:, 2] + 1 + right]
    return taken
