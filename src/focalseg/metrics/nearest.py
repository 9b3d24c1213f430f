"""The distance of every element of a surface to the nearest element of another, exact, in two searches.

Most elements of a prediction lie near the reference: the places around an element are looked at first, nearest first, all
elements at a time (`_look_around`). What finds nothing there is far away: in volumes it is searched along lines
(`_search_lines`), and elsewhere, where elements are few, by a k-d tree.
"""

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

from focalseg.metrics.surfaces import REACH, Grid

ROUNDING = 1e-9
"""Distances, and shares of a surface, that differ by less are the same: 3 * 0.1 is within a tolerance of 0.3."""
_LEAST_AT_A_TIME, _PART = 2**13, 128  # so many elements are searched at a time, or such a part of the grid if that is more
_NEAR, _MOSTLY_FAR = 2, 0.5  # where a larger share than this is farther than so many pixels, looking around stops
_LEAF = 32  # points in a leaf of the tree, which is asked once
_SAMPLE, _OTHERS = 16, 256  # elements, and others, that tell about how far the far ones are
_MARGIN = 1.25  # by which the farthest of the sample may be surpassed
_ROOM = 3 * 2**17  # bytes that are worked on at a time, which the processor's cache holds
_WIDEST = 180  # steps whose squares, of two axes together, fit into 16 bits
_SLOWER = 4  # so much longer take distances that are no whole numbers


def measure_nearest(places: np.ndarray, others: np.ndarray, grid: Grid, spacing: tuple[float, ...]) -> np.ndarray:
    """The distance of every place on the grid to the nearest of the others, (N,) float64; nan where there are no others."""
    distances = np.full(places.size, np.nan)
    if not (places.size and others.size):
        return distances
    many = max(_LEAST_AT_A_TIME, grid.size // _PART)
    parts = [slice(start, start + many) for start in range(0, places.size, many)]
    held = np.zeros(grid.size, bool)
    held[others] = True
    for part in parts:
        _look_around(places[part], held, grid, spacing, distances[part])
    del held  # the lines take its room
    there = None
    for part in parts:
        far = part.start + np.flatnonzero(np.isnan(distances[part]))
        if far.size:
            there = _list_steps(others, grid) if there is None else there
            search = _search_far if len(spacing) == 3 else _ask_tree
            distances[far] = search(_list_steps(places[far], grid), there, spacing)
    return distances


def _look_around(places: np.ndarray, held: np.ndarray, grid: Grid, spacing: tuple[float, ...], distances: np.ndarray) -> None:
    """Writes the distances of the places that have another within reach. held: where others are, of the whole grid."""
    left, count = np.arange(places.size), places.size
    for length, offsets in list_shells(spacing):
        found = np.zeros(places.size, bool)
        for offset in offsets:
            found |= held[places + sum(step * stride for step, stride in zip(offset, grid.strides, strict=True))]
        distances[left[found]] = length
        missed = ~found
        left, places = left[missed], places[missed]
        if not left.size or (length >= _NEAR * min(spacing) and left.size > _MOSTLY_FAR * count):
            break


@functools.lru_cache(maxsize=64)
def list_shells(spacing: tuple[float, ...]) -> tuple[tuple[float, tuple[tuple[int, ...], ...]], ...]:
    """All steps in places up to a length that keeps every one within REACH of its place: lengths, the shortest first, each with
    the steps of that length."""
    longest = REACH[len(spacing)] * min(spacing)
    steps = [range(-int(longest / step), int(longest / step) + 1) for step in spacing]
    lengths = [
        (math.sqrt(sum((count * step) ** 2 for count, step in zip(offset, spacing, strict=True))), offset)
        for offset in itertools.product(*steps)
    ]
    shells: list[tuple[float, list[tuple[int, ...]]]] = []
    for length, offset in sorted(one for one in lengths if one[0] <= longest):
        if not shells or length > shells[-1][0] * (1 + ROUNDING):
            shells.append((length, []))
        shells[-1][1].append(offset)
    return tuple((length, tuple(offsets)) for length, offsets in shells)


def _list_steps(places: np.ndarray, grid: Grid) -> np.ndarray:
    """The places in steps along the axes, (axes, N) whole numbers, small ones where the grid is."""
    kind = np.int16 if 2 * max(grid.shape) < np.iinfo(np.int16).max else np.int32  # so that differences fit, too
    steps = np.empty((len(grid.shape), places.size), kind)
    for axis, (stride, side) in enumerate(zip(grid.strides, grid.shape, strict=True)):
        steps[axis] = places // stride % side
    return steps


def _ask_tree(here: np.ndarray, there: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The distance of every place to the nearest of the others, (N,) float64. here, there: (axes, N), (axes, M) in steps."""
    from scipy.spatial import KDTree

    _, nearest = KDTree(there.T * spacing, leafsize=_LEAF, balanced_tree=False).query(here.T * spacing)
    # The tree subtracts multiples of the spacing, which rounds; whole steps are subtracted exactly.
    return np.asarray(np.sqrt(_square_steps(here - there[:, nearest], spacing)))


def _square_steps(steps: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The squared length of steps, (axes, ...) whole numbers."""
    return np.asarray(sum((along * np.float64(size)) ** 2 for along, size in zip(steps, spacing, strict=True)))


def _search_far(here: np.ndarray, there: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """As `_ask_tree`, in volumes."""
    distances = np.empty(here.shape[1])
    left = np.arange(distances.size)
    while left.size:
        # The places left are farther than the last window, so that the next is larger and holds the sample at least.
        some, others = here[:, :: -(-here.shape[1] // _SAMPLE)], there[:, :: -(-there.shape[1] // _OTHERS)]
        window = _MARGIN * math.sqrt(_square_steps(some[:, :, None] - others[:, None], spacing).min(axis=1).max())
        found = _search_lines(here, there, spacing, window)
        sure = found <= window
        distances[left[sure]] = found[sure]
        left, here = left[~sure], here.compress(~sure, axis=1)
    return distances


def _search_lines(here: np.ndarray, there: np.ndarray, spacing: tuple[float, ...], window: float) -> np.ndarray:
    """`_search_far` up to the window; a distance beyond it may be too large.

    A squared distance is a sum over the axes, so that the least is found an axis at a time: along lines; over rows, for all
    places of a row at once; and over planes, for the places that are asked for alone. Rows, planes and places on lines where
    there is nothing are left out, so that few places far apart take little.
    """
    reach = [int(window / step + ROUNDING) for step in spacing]
    near = np.ones(there.shape[1], bool)
    for mine, other, steps in zip(here, there, reach, strict=True):
        near &= (other >= int(mine.min()) - steps) & (other <= int(mine.max()) + steps)
    counts = [(_number(mine)[0].size, _number(other[near])[0].size) for mine, other in zip(here, there, strict=True)]
    axes = _choose_axes(here.shape[1], counts, spacing, reach)
    order = np.lexsort((here[axes[1]], here[axes[0]]))  # by row, and there by plane
    search = _LineSearch([here[axis][order] for axis in axes], [spacing[axis] for axis in axes], [reach[axis] for axis in axes])
    along = there[axes[1]]
    planes, _ = _number(along[near])
    depth = search.count_planes(counts[axes[0]][1])
    for start in range(0, planes.size, depth):
        some = near & (along >= planes[start]) & (along <= planes[start : start + depth][-1])
        slab = there.compress(some, axis=1)
        search.search_slab([slab[axis] for axis in axes])
    distances = np.empty_like(search.squares)
    distances[order] = np.sqrt(search.squares)
    return distances


def _number(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole numbers that there are, in order, and of every place which of them it is."""
    start = int(places.min())
    held = np.zeros(int(places.max()) - start + 1, bool)
    held[places - start] = True
    return start + np.flatnonzero(held), (np.cumsum(held, dtype=np.int32) - 1)[places - start]


def _choose_axes(count: int, counts: list[tuple[int, int]], spacing: tuple[float, ...], reach: list[int]) -> tuple[int, ...]:
    """The axes of rows, of planes and of lines, by number, that should take the least work. count: of the places that are asked
    for. counts: by axis, how many steps along it hold any of these, and how many hold others."""

    def count_work(axes: tuple[int, ...]) -> int:
        row, plane, line = axes
        sums = counts[row][0] * min(counts[row][1], 2 * reach[row] + 1) * counts[plane][1] * counts[line][0]
        return sums * (1 if _is_whole(spacing, reach, row, line) else _SLOWER) + _SLOWER * counts[plane][1] * count

    return min(itertools.permutations(range(3)), key=count_work)


def _is_whole(spacing: Sequence[float], reach: Sequence[int], row: int, line: int) -> bool:
    """Whether a step along a line is as long as one between rows, so that squares are whole numbers of steps, in 16 bits."""
    return spacing[row] == spacing[line] and max(reach[row], reach[line]) < _WIDEST


class _LineSearch:
    """The squared distances of places to others that are given a slab of planes at a time.

    here: the row, plane and place on its line of each, (N,), in the order of rows, and there of planes. spacing, reach: along
    these, the size of a step, and the steps that fit into the window. squares: (N,) float64, the least so far.
    """

    def __init__(self, here: list[np.ndarray], spacing: list[float], reach: list[int]) -> None:
        self.spacing, self.reach = spacing, reach
        self.squares = np.full(here[0].size, np.inf)
        self._whole = _is_whole(spacing, reach, 0, 2)
        self._type = np.dtype(np.uint16 if self._whole else np.float64)
        self._rows, row_numbers = _number(here[0])
        self._ends = np.searchsorted(row_numbers, np.arange(self._rows.size + 1)).tolist()
        self._planes, (self._plane_values, self._plane_numbers) = here[1], _number(here[1])
        self._line_values, self._line_numbers = _number(here[2])

    def count_planes(self, rows: int) -> int:
        """How many planes of the others, which lie on so many rows, fit into the room."""
        plane = max(rows * self._line_values.size * self._type.itemsize, 8 * self._plane_values.size)
        return max(1, _ROOM // plane)

    def search_slab(self, slab: list[np.ndarray]) -> None:
        """Lowers the squared distances to what they are to the others of a slab of planes, (M,) three times as `here`."""
        (rows, _), (planes, _) = _number(slab[0]), _number(slab[1])
        lines, length = self._square_lines(slab), self._line_values.size
        over_planes = ((planes[:, None] - self._plane_values) * self.spacing[1]) ** 2
        unit = self.spacing[0] if self._whole else 1.0
        within = planes[0] - self.reach[1], planes[-1] + self.reach[1] + 1
        many = max(1, _ROOM // (32 * planes.size))
        lows, highs = (np.searchsorted(rows, self._rows + steps).tolist() for steps in (-self.reach[0], self.reach[0] + 1))
        for row, low, high, start, end in zip(self._rows.tolist(), lows, highs, self._ends[:-1], self._ends[1:], strict=True):
            first, last = (start + np.searchsorted(self._planes[start:end], within)).tolist()
            if low == high or first == last:
                continue
            over_rows = ((rows[low:high, None] - row) * (self.spacing[0] / unit)) ** 2
            nearest = (lines[low:high] + over_rows.astype(self._type)).min(axis=0).reshape(-1, length) * unit**2
            for begin in range(first, last, many):
                some = slice(begin, min(last, begin + many))
                every = nearest.take(self._line_numbers[some], axis=1)
                every += over_planes.take(self._plane_numbers[some], axis=1)
                np.minimum(self.squares[some], every.min(axis=0), out=self.squares[some])

    def _square_lines(self, slab: list[np.ndarray]) -> np.ndarray:
        """By row, plane and place on lines where we are, the squared distance to the nearest of the others on the line,
        (rows, planes * length)."""
        (rows, row_numbers), (planes, plane_numbers) = _number(slab[0]), _number(slab[1])
        steps, numbers = _number(np.concatenate([slab[2], self._line_values.astype(slab[2].dtype)]))
        beyond = self.reach[2] + 1  # where none is within the window
        gaps = np.full((steps.size, rows.size, planes.size), beyond, self._type)
        places = numbers[: slab[2].size].astype(np.intp)  # one number per place takes less memory than three
        for numbers_along, count in ((row_numbers, rows.size), (plane_numbers, planes.size)):
            places *= count
            places += numbers_along
        gaps.reshape(-1)[places] = 0
        del places, row_numbers, plane_numbers
        sizes = np.minimum(np.diff(steps), beyond).tolist()
        for place, size in enumerate(sizes, 1):
            np.minimum(gaps[place], gaps[place - 1] + size, out=gaps[place])
        for place, size in reversed(list(enumerate(sizes))):
            np.minimum(gaps[place], gaps[place + 1] + size, out=gaps[place])
        gaps = gaps[numbers[slab[2].size :]]
        lines = np.ascontiguousarray(gaps.transpose(1, 2, 0)).reshape(rows.size, -1)
        if not self._whole:
            lines *= self.spacing[2]
        lines *= lines
        return lines
