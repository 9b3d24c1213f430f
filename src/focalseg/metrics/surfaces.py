"""The surface of a mask as elements on a grid: surfels with their areas, or the voxels at the border. Outside is background.

surfels: where the 2 x 2 (2 x 2 x 2) voxels around a corner are not all alike there is an element, at the corner, with the
length (area) of the piece of the contour that marching cubes puts there. This is the definition of the surface Dice (Nikolov
et al. 2018, arXiv 1809.04430), and the areas are those of DeepMind's surface-distance.
voxels: every voxel of the mask with a face neighbour outside of it is an element, and all weigh the same, as in MONAI.
"""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from focalseg.errors import SettingError

SurfaceKind = Literal["surfels", "voxels"]
DEFAULT_SURFACE: SurfaceKind = "surfels"
REACH = {1: 8, 2: 3, 3: 4}
"""By axes, so many places beside an element can be looked at without a test for the grid's end."""
_CHUNK = 2**15  # places at a time: what is computed in between stays in the cache, and takes no memory to speak of

_EIGHTHS = {
    1: ((1, 1, 1),),
    3: ((2, 2, 0), (2, 2, 0)),
    6: ((1, 1, 1), (1, 1, 1)),
    7: ((4, 0, 0), (2, 2, 2), (1, 1, 1)),
    15: ((4, 0, 0), (4, 0, 0)),
    22: ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
    23: ((1, 1, 1), (2, 2, 2), (2, 2, 2), (1, 1, 1)),
    24: ((1, 1, 1), (1, 1, 1)),
    25: ((0, 2, 2), (0, 2, 2), (1, 1, 1)),
    27: ((1, 1, 1), (3, 3, 3), (0, 2, 2), (2, 0, 2)),
    30: ((4, 0, 0), (1, 1, 1), (2, 2, 2), (1, 1, 1)),
    60: ((2, 2, 0), (2, 2, 0), (2, 2, 0), (2, 2, 0)),
    105: ((1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
}
"""The triangles of marching cubes by code, in eighths: each as the areas that it shows along the three axes. All other codes
are these, turned, mirrored or inside out. A code's bit is 2^(7 - 4 i - 2 j - k) for the voxel (i, j, k) of the eight."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A box of an image with room around, so that places in it are numbers: one step along an axis adds its stride.

    box: the shape of the part of an image that lies on it, one place after its beginning along every axis. A step over the end
    of a line lands in the room of the next line; one before the first line, a negative number, lands in the room at the very
    end. That is why `REACH` places of room on one side are enough, and why the first axis has twice as many.
    """

    box: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The box with its room."""
        reach = REACH[len(self.box)]
        first, *others = (side + 2 + reach for side in self.box)
        return first + reach, *others

    @property
    def strides(self) -> tuple[int, ...]:
        """The places that one step along every axis is worth."""
        steps = [1]
        for side in self.shape[:0:-1]:
            steps.insert(0, steps[0] * side)
        return tuple(steps)

    @property
    def size(self) -> int:
        """How many places there are."""
        return math.prod(self.shape)

    def lay(self, mask: np.ndarray) -> np.ndarray:
        """A mask of the box, bool, as a row of places; False in the room around it."""
        laid = np.zeros(self.shape, bool)
        laid[tuple(slice(1, 1 + side) for side in self.box)] = mask
        return laid.reshape(-1)


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Elements of a surface. places: (N,) int64 on the grid. codes: (N,) uint8. areas: float64, what a code weighs."""

    places: np.ndarray
    codes: np.ndarray
    areas: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """What every element weighs, (N,) float64."""
        return np.asarray(self.areas[self.codes])


def check_surface(surface: str) -> None:
    """Raises SettingError for a definition that there is not."""
    if surface not in get_args(SurfaceKind):
        raise SettingError(f'surface is {surface!r}; expected "surfels" (areas, as DeepMind) or "voxels" (counts, as MONAI).')


def find_box(*masks: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds every True of the masks, a slice per axis; empty slices where there is none."""
    sides: list[slice] = []
    for axis in range(masks[0].ndim):
        others = tuple(one for one in range(masks[0].ndim) if one != axis)
        held = np.flatnonzero(functools.reduce(np.logical_or, (mask.any(axis=others) for mask in masks)))
        sides.append(slice(int(held[0]), int(held[-1]) + 1) if held.size else slice(0, 0))
        # The next axis looks at no more than this one left.
        masks = tuple(mask[(*(slice(None),) * axis, sides[-1])] for mask in masks)
    return tuple(sides)


def extract_surface(mask: np.ndarray, grid: Grid, spacing: tuple[float, ...], kind: SurfaceKind) -> Surface:
    """The surface of a mask of the grid's box, bool."""
    laid = grid.lay(mask)
    if kind == "voxels":
        places = _find_border(laid, grid.strides)
        return Surface(places=places, codes=np.zeros(places.size, np.uint8), areas=np.ones(1))
    places = _find_corners(laid, grid.strides)
    codes = np.zeros(places.size, np.uint8)
    for corner in itertools.product((0, 1), repeat=len(grid.shape)):
        codes = 2 * codes + laid[places + sum(one * stride for one, stride in zip(corner, grid.strides, strict=True))]
    return Surface(places=places, codes=codes, areas=measure_codes(spacing))


def _find_border(laid: np.ndarray, strides: tuple[int, ...]) -> np.ndarray:
    """The places of a mask with a face neighbour outside of it."""
    found = []
    margin = strides[0]
    for start in range(margin, laid.size - margin, _CHUNK):
        end = min(start + _CHUNK, laid.size - margin)
        inner = laid[start:end].copy()
        for stride in strides:
            inner &= laid[start - stride : end - stride]
            inner &= laid[start + stride : end + stride]
        found.append(start + np.flatnonzero(laid[start:end] > inner))
    return np.concatenate(found)


def _find_corners(laid: np.ndarray, strides: tuple[int, ...]) -> np.ndarray:
    """The places that, with those one step on along any of the axes, are not all alike."""
    found = []
    margin = sum(strides)
    for start in range(0, laid.size - margin, _CHUNK):
        end = min(start + _CHUNK, laid.size - margin)
        some = every = laid[start : end + margin]
        for stride in strides:
            some, every = some[:-stride] | some[stride:], every[:-stride] & every[stride:]
        found.append(start + np.flatnonzero(some != every))
    return np.concatenate(found)


@functools.lru_cache(maxsize=64)
def measure_codes(spacing: tuple[float, ...]) -> np.ndarray:
    """The length (area) of the surface by code, (4,), (16,) or (256,) float64, in mm (mm2) where the spacing is; 1 in 1-D."""
    if len(spacing) == 1:
        return np.array([0.0, 1.0, 1.0, 0.0])
    if len(spacing) == 2:
        corner, (along, across) = 0.5 * float(np.hypot(*spacing)), spacing
        one_or_three = dict.fromkeys((1, 2, 4, 7, 8, 11, 13, 14), corner)
        lengths = one_or_three | {3: across, 12: across, 5: along, 10: along, 6: 2 * corner, 9: 2 * corner}
        return np.array([lengths.get(code, 0.0) for code in range(16)])
    faces = np.array([spacing[1] * spacing[2], spacing[0] * spacing[2], spacing[0] * spacing[1]]) / 8
    return np.array([np.linalg.norm(np.array(triangles) * faces, axis=1).sum() for triangles in _list_triangles()])


@functools.cache
def _list_triangles() -> tuple[tuple[tuple[int, ...], ...], ...]:
    """The triangles of all 256 codes: those of `_EIGHTHS`, turned, mirrored and inside out."""
    found: dict[int, tuple[tuple[int, ...], ...]] = {0: ((0, 0, 0),), 255: ((0, 0, 0),)}
    for code, triangles in _EIGHTHS.items():
        cube = np.array([code >> 7 - place & 1 for place in range(8)]).reshape(2, 2, 2)
        for axes, flips in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
            turned = cube.transpose(axes)[tuple(slice(None, None, flip) for flip in flips)]
            other = int(turned.reshape(-1) @ (1 << np.arange(7, -1, -1)))
            found[other] = found[255 - other] = tuple(tuple(areas[axis] for axis in axes) for areas in triangles)
    return tuple(found[code] for code in range(256))
