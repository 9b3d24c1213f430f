"""The distance of every element of a surface to the nearest element of another, exact, by three searches.

Most elements of a prediction lie near the reference: the places around an element are looked at first, nearest first, all
elements at a time (`_look_around`). What finds nothing there is far away, and is searched by a k-d tree or, in volumes, along
lines (`_search_lines`), whichever should be faster by how many elements there are and how far they lie.
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from focalseg.metrics.surfaces import REACH, Grid

ROUNDING = 1e-9
"""Distances, and shares of a surface, that differ by less are the same: 3 * 0.1 is within a tolerance of 0.3."""
_LEAF = 32  # points in a leaf of the tree, which is asked once
_NEAR, _MOSTLY_FAR = 2, 0.5  # where a larger share than this is farther than so many pixels, looking around stops
_SAMPLE, _OTHERS = 16, 1024  # elements, and others, that tell about how far the far ones are
_ROOM = 2**17  # numbers that are worked on at a time, which the processor's cache holds
_MANY_ROOMS = 8  # the distances along lines may take so much more, of which a part is looked at at a time
_MARGIN = 1.25  # by which the farthest of the sample may be surpassed
_WIDEST = 180  # steps whose squares, of two axes together, fit into 16 bits
# Nanoseconds on some processor; their ratios decide which search is taken, and nothing else.
_BUILD_TREE, _ASK_TREE, _MARK, _SWEEP_WHOLE, _SWEEP, _PICK, _TURN = 250.0, 5000.0, 6.0, 0.3, 1.2, 2.0, 40_000.0


def measure_nearest(places: np.ndarray, others: np.ndarray, grid: Grid, spacing: tuple[float, ...]) -> np.ndarray:
    """The distance of every place on the grid to the nearest of the others, (N,) float64; nan where there are no others."""
    distances = np.full(places.size, np.nan)
    if not (places.size and others.size):
        return distances
    left = _look_around(places, others, grid, spacing, distances)
    if left.size:
        here, there = (np.array(np.unravel_index(some, grid.shape), np.int32) for some in (places[left], others))
        distances[left] = _search_far(here, there, spacing)
    return distances


def _look_around(
    places: np.ndarray, others: np.ndarray, grid: Grid, spacing: tuple[float, ...], distances: np.ndarray
) -> np.ndarray:
    """Writes the distances of the places that have another within reach, and gives the numbers of those that are left."""
    held = np.zeros(grid.size, bool)
    held[others] = True
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
    return left


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


def _search_far(here: np.ndarray, there: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The distance of every place to the nearest of the others, (N,) float64. here, there: (axes, N), (axes, M) in steps."""
    distances = np.empty(here.shape[1])
    left = np.arange(distances.size)
    while left.size:
        plan = _plan_lines(here, there, spacing) if len(spacing) == 3 else None
        if plan is None:
            distances[left] = _ask_tree(here, there, spacing)
            break
        found = _search_lines(here, there, plan)
        sure = found <= plan.window
        distances[left[sure]] = found[sure]
        left, here = left[~sure], here.compress(~sure, axis=1)
    return distances


def _ask_tree(here: np.ndarray, there: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """`_search_far` by a k-d tree."""
    from scipy.spatial import KDTree

    _, nearest = KDTree(there.T * spacing, leafsize=_LEAF, balanced_tree=False).query(here.T * spacing)
    # The tree subtracts multiples of the spacing, which rounds; whole steps are subtracted exactly.
    return _measure_steps(here - there[:, nearest], spacing)


def _measure_steps(steps: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The length of steps, (axes, ...) whole numbers."""
    lengths: np.ndarray = np.sqrt(sum((along * size) ** 2 for along, size in zip(steps, spacing, strict=True)))
    return lengths


@dataclass(frozen=True, kw_only=True)
class _LinePlan:
    """How lines are searched. window: distances up to it are found. axes: by number, that of rows, of planes and of lines.
    spacing, reach: along these, the size of a step, and the steps that fit into the window. whole: whether a step along a line
    is as long as one between rows, so that squares are whole numbers of steps. depth: how many planes are searched at a time.
    cost: in nanoseconds or so."""

    window: float
    axes: tuple[int, int, int]
    spacing: tuple[float, float, float]
    reach: tuple[int, int, int]
    whole: bool
    depth: int
    cost: float


def _plan_lines(here: np.ndarray, there: np.ndarray, spacing: tuple[float, ...]) -> _LinePlan | None:
    """The cheapest way to search along lines; None where a tree is cheaper."""
    some, others = here[:, :: -(-here.shape[1] // _SAMPLE)], there[:, :: -(-there.shape[1] // _OTHERS)]
    window = _MARGIN * float(_measure_steps(some[:, :, None] - others[:, None], spacing).min(axis=1).max())
    reach = [int(window / step + ROUNDING) for step in spacing]
    # Others that are farther than the window from everything here are left out.
    first, last = here.min(axis=1), here.max(axis=1)
    start, end = np.maximum(there.min(axis=1), first - reach), np.minimum(there.max(axis=1), last + reach)
    ours, theirs = (last - first + 1).tolist(), (end - start + 1).tolist()
    joint = (np.maximum(last, end) - np.minimum(first, start) + 1).tolist()
    plans = []
    for row, plane, line in itertools.permutations(range(3)):
        whole = spacing[row] == spacing[line] and max(reach[row], reach[line]) < _WIDEST
        table, marks = joint[line] * min(2 * reach[row] + 1, theirs[row]), joint[line] * theirs[row]  # of every plane
        depth = max(1, min(_ROOM // table, _MANY_ROOMS * _ROOM // marks))
        cost = theirs[plane] * (_MARK * marks + _PICK * here.shape[1])
        cost += ours[row] * (theirs[plane] * table * (_SWEEP_WHOLE if whole else _SWEEP) + _TURN * -(-theirs[plane] // depth))
        plans.append(
            _LinePlan(
                window=window,
                axes=(row, plane, line),
                spacing=(spacing[row], spacing[plane], spacing[line]),
                reach=(reach[row], reach[plane], reach[line]),
                whole=whole,
                depth=depth,
                cost=cost,
            )
        )
    best = min(plans, key=lambda plan: plan.cost)
    return best if best.cost < _BUILD_TREE * there.shape[1] + _ASK_TREE * here.shape[1] else None


def _search_lines(here: np.ndarray, there: np.ndarray, plan: _LinePlan) -> np.ndarray:
    """`_search_far` up to the window of the plan; a distance beyond it may be too large.

    A squared distance is a sum over the axes, so that the least is found an axis at a time: along lines; over rows, for all
    places of a row at once; and over planes, for the places that are asked for alone.
    """
    near = np.ones(there.shape[1], bool)
    for axis, reach in zip(plan.axes, plan.reach, strict=True):
        near &= (there[axis] >= here[axis].min() - reach) & (there[axis] <= here[axis].max() + reach)
    order = np.lexsort((here[plan.axes[1]], here[plan.axes[0]]))  # by row, and there by plane
    here, there = (np.stack([some[axis][chosen] for axis in plan.axes]) for some, chosen in ((here, order), (there, near)))
    squares = np.full(order.size, np.inf)
    start = min(int(here[2].min()), int(there[2].min()))
    here[2] -= start
    there[2] -= start
    length = int(max(here[2].max(), there[2].max())) + 1
    for plane in range(int(there[1].min()), int(there[1].max()) + 1, plan.depth):
        slab = there.compress((there[1] >= plane) & (there[1] < plane + plan.depth), axis=1)
        if slab.size:
            _search_slab(here, slab, plan, length, squares)
    distances = np.empty_like(squares)
    distances[order] = np.sqrt(squares)
    return distances


def _search_slab(here: np.ndarray, slab: np.ndarray, plan: _LinePlan, length: int, squares: np.ndarray) -> None:
    """Lowers the squared distances to what they are to the others of a slab of planes. here: in the order of their rows."""
    (bottom, plane), (top, end_plane) = (slab[:2].min(axis=1)).tolist(), (slab[:2].max(axis=1) + 1).tolist()
    unit, reach = plan.spacing[0] if plan.whole else 1.0, plan.reach[0]
    lines = _square_lines(slab, (bottom, plane), (top - bottom, end_plane - plane, length), plan)
    room = np.empty((min(2 * reach + 1, len(lines)), lines.shape[1]), lines.dtype)
    over_rows = ((np.arange(-reach, reach + 1)[:, None] * (plan.spacing[0] / unit)) ** 2).astype(lines.dtype)
    over_planes = ((np.arange(plane, end_plane)[:, None] - np.arange(here[1].max() + 1)) * plan.spacing[1]) ** 2
    rows, starts = (found.tolist() for found in np.unique(here[0], return_index=True))
    many = max(1, _ROOM // 8 // (end_plane - plane))
    for row, start, end in zip(rows, starts, [*starts[1:], here.shape[1]], strict=True):
        low, high = max(bottom, row - reach), min(top, row + reach + 1)
        within = plane - plan.reach[1], end_plane + plan.reach[1]
        start, end = (start + np.searchsorted(here[1, start:end], within)).tolist()  # noqa: PLW2901
        if low >= high or start == end:
            continue
        near = lines[low - bottom : high - bottom]
        sums = np.add(near, over_rows[low - row + reach : high - row + reach], out=room[: high - low])
        nearest = sums.min(axis=0).reshape(-1, length) * unit**2
        for first in range(start, end, many):
            some = slice(first, min(end, first + many))
            every = nearest.take(here[2, some], axis=1)
            every += over_planes.take(here[1, some], axis=1)
            np.minimum(squares[some], every.min(axis=0), out=squares[some])


def _square_lines(slab: np.ndarray, corner: tuple[int, int], shape: tuple[int, int, int], plan: _LinePlan) -> np.ndarray:
    """Of every place of a slab the squared distance to the nearest of the others on its line, (rows, planes * length)."""
    rows, planes, length = shape
    beyond = plan.reach[2] + 1  # where none is within the window
    gaps = np.full((length, rows, planes), beyond, np.uint16 if plan.whole else np.float64)
    gaps[slab[2], slab[0] - corner[0], slab[1] - corner[1]] = 0
    for place in range(1, length):
        np.minimum(gaps[place], gaps[place - 1] + 1, out=gaps[place])
    for place in range(length - 1, 0, -1):
        np.minimum(gaps[place - 1], gaps[place] + 1, out=gaps[place - 1])
    lines = np.ascontiguousarray(gaps.transpose(1, 2, 0)).reshape(rows, -1)
    if not plan.whole:
        lines *= plan.spacing[2]
    lines *= lines
    return lines
