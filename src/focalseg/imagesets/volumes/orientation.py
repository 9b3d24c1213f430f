"""Which way the axes of a volume run, and where it lies in space.

World axes point to the patient's right (R), front (A) and head (S), in mm, as NIfTI has them. Canonical axes are the axes of a
file reordered and flipped, so that the first lies nearest to S, the next to A, the last to R, and each runs that way: a stack
of axial slices. An affine is (4, 4) float64 and takes a voxel's indices along the axes of the file to the place of its centre.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel.orientations
import nibabel.quaternions
import numpy as np
from nibabel.volumeutils import shape_zoom_affine

from focalseg.errors import DataError
from focalseg.findings import Finding
from focalseg.imagesets.kinds import KINDS

_TOLERANCE = 1e-3
"""What two affines may differ by: of a voxel's side in size, in radian in direction. So for right angles."""
_SHIFT, _DRIFT = 0.05, 0.25
"""How far voxels of one grid may lie from those of the other, in shares of a voxel: at the corner where the grids fit best, and
where they fit worst. Writers round sizes and offsets to three decimals or more: that shifts a grid by a few hundredths, and
rounded sizes add up over hundreds of slices from a corner that stays. The smallest slip that anybody makes, the middle of a
voxel taken for its corner, is half a voxel everywhere."""
_ROUNDING = 2e-6
"""Tolerance relative to the largest coordinate: a few steps of float32, in which NIfTI-1 stores coordinates."""
_QUATERNION_ROUNDING = 1e-6
LEAST_SPACING_MM, MOST_SPACING_MM = 1e-7, 1e4
_MM_BY_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres per unit, by the spatial bits of xyzt_units; 0 (unknown) counts as mm."""
_UNIT_NAMES = {1: "meter", 3: "micron"}
_UNIT_BITS = 0x07
_CODES = range(6)
"""The codes of qform and sform: 0 is none, 1 to 5 name the space."""
_ORDINALS = ("first", "second", "third")


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """order: the file's axis for each canonical axis. flipped: whether that axis of the file runs the other way."""

    order: tuple[int, ...]
    flipped: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Where a volume lies. spacing_mm: along the file's axes. affine: by the sform where there is one, else by the qform.

    affines: all that the header states, the chosen one first; they agree. stated: False where the header states none, and the
    affine is the one of nibabel for such files: upright, x running to the left, its centre at the origin.
    """

    spacing_mm: tuple[float, ...]
    affine: np.ndarray
    affines: tuple[np.ndarray, ...]
    stated: bool
    notes: tuple[Finding, ...]


def decide_orientation(affine: np.ndarray, axes: int) -> Orientation:
    """The axes of the file nearest to the canonical ones, as nibabel's `as_closest_canonical` has them.

    Directions are rounded first, so that two files that differ by rounding are read alike at 45 degrees, too.
    """
    columns = affine[:3, :axes]
    directions = np.zeros((4, axes + 1))
    directions[:3, :axes] = np.round(columns / np.linalg.norm(columns, axis=0), 3)
    nearest = nibabel.orientations.io_orientation(directions)  # type: ignore[no-untyped-call]
    order = tuple(sorted(range(axes), key=lambda axis: -nearest[axis, 0]))
    return Orientation(order=order, flipped=tuple(bool(nearest[axis, 1] < 0) for axis in order))


def to_canonical_axes(array: np.ndarray, orientation: Orientation) -> np.ndarray:
    """(*any, *file axes) -> (*any, *canonical axes), contiguous; a copy only where the order of elements changes."""
    leading = array.ndim - len(orientation.order)
    turned = array.transpose(*range(leading), *(leading + axis for axis in orientation.order))
    return np.ascontiguousarray(turned[_steps(orientation)])


def from_canonical_axes(array: np.ndarray, orientation: Orientation) -> np.ndarray:
    """(*any, *canonical axes) -> (*any, *file axes), a view: what to_canonical_axes does, undone."""
    leading = array.ndim - len(orientation.order)
    back = (leading + axis for axis in np.argsort(orientation.order).tolist())
    view: np.ndarray = array[_steps(orientation)].transpose(*range(leading), *back)
    return view


def canonical_affine(affine: np.ndarray, shape: tuple[int, ...], orientation: Orientation) -> np.ndarray:
    """(4, axes + 1): from indices along the canonical axes to mm. shape: along the axes of the file."""
    turned = np.zeros((4, len(shape) + 1))
    turned[:, -1] = affine[:, 3]
    for number, (axis, flipped) in enumerate(zip(orientation.order, orientation.flipped, strict=True)):
        turned[:, number] = -affine[:, axis] if flipped else affine[:, axis]
        turned[:, -1] += (shape[axis] - 1) * affine[:, axis] * flipped
    return turned


def describe_differences(one: np.ndarray, other: np.ndarray, shape: tuple[int, ...], slack: float = 0.0) -> list[str]:
    """What sets two affines (4, axes + 1) apart, beyond rounding: clauses of a sentence. Empty where they agree.

    shape: along those axes, which says how far rounding carries. slack: in radian, to allow for in directions.
    """
    sizes, other_sizes = (np.linalg.norm(matrix[:3, :-1], axis=0) for matrix in (one, other))
    found = []
    if (np.abs(sizes - other_sizes) > _TOLERANCE * np.minimum(sizes, other_sizes)).any():
        found.append(f"its voxels are {_show_sizes(sizes)} mm against {_show_sizes(other_sizes)} mm")
    directions, others = one[:3, :-1] / sizes, other[:3, :-1] / other_sizes
    opposite = (directions * others).sum(axis=0) < 0
    apart = np.linalg.norm(np.where(opposite, -directions, directions) - others, axis=0).max()
    found += [f"its {_ORDINALS[axis]} axis runs the other way" for axis in np.flatnonzero(opposite)]
    if apart > _TOLERANCE + slack:
        found.append(f"it is turned by {np.degrees(2 * np.arcsin(apart / 2)):.3g} degrees")
    reach = np.abs([one[:3, -1], other[:3, -1]]).max() + float(sizes @ shape)
    # What rounding may carry, in voxels: of float32 coordinates, which shifts a grid, and of directions, which turns it about
    # the first voxel and moves that by less than its own size.
    blurred = np.array([_ROUNDING * reach + slack * sizes.max(), slack * float(sizes @ shape)])
    shifted, turned = blurred / min(*sizes, *other_sizes)
    first, *corners = _measure_shares(one - other, other, shape)
    shift = one[:3, -1] - other[:3, -1]
    if (first if found else min(corners)) > _SHIFT + shifted:
        by = ", ".join(f"{step:.3g}" for step in np.where(np.abs(shift) < _ROUNDING * reach, 0, shift))
        found.append(f"its first voxel is {np.linalg.norm(shift):.3g} mm away (R, A, S: {by})")
    elif not found and max(corners) > _DRIFT + shifted + turned:
        found.append(f"its voxels drift away, by {max(corners):.2g} of a voxel at one corner")
    return found


def _measure_shares(apart: np.ndarray, grid: np.ndarray, shape: tuple[int, ...]) -> list[float]:
    """How far the middles of the first voxels of two grids lie apart, and their corners, all in shares of a voxel.

    apart: the difference of their affines (4, axes + 1). A share is the largest along any axis of the grid; what leaves the
    plane of a picture counts in its smallest pixel.
    """
    points = np.array([(0.0,) * len(shape), *itertools.product(*((-0.5, side - 0.5) for side in shape))])
    moved = apart[:3, :-1] @ points.T + apart[:3, -1:]
    columns = grid[:3, :-1]
    along = np.linalg.lstsq(columns, moved, rcond=None)[0]
    beside = np.linalg.norm(moved - columns @ along, axis=0) / np.linalg.norm(columns, axis=0).min()
    shares: list[float] = np.maximum(np.abs(along).max(axis=0), beside).tolist()
    return shares


@np.errstate(all="ignore")
def read_place(path: Path, stored: Any, shape: tuple[int, ...]) -> Place:
    """Where a file lies by its header, a record of nibabel's fields. shape: along its spatial axes, of which there are 2 or 3.

    Raises DataError for sizes that are none, axes that are sheared, and a qform and an sform that disagree.
    """
    unit = int(stored["xyzt_units"]) & _UNIT_BITS
    if unit not in _MM_BY_UNIT:
        raise _bad(path, f"has sizes in the unit {unit}, which there is not", expected="mm, micron or meter")
    for form in ("qform_code", "sform_code"):
        if int(stored[form]) not in _CODES:
            raise DataError(KINDS["damaged"].at(path, f"has the {form} {stored[form]}", expected="a code from 0 to 5"))
    spacing_mm = stored["pixdim"][1 : len(shape) + 1].astype(float) * _MM_BY_UNIT[unit]
    if not ((spacing_mm >= LEAST_SPACING_MM) & (spacing_mm <= MOST_SPACING_MM)).all():
        raise _bad(path, f"has voxels of {_show_sizes(spacing_mm)} mm")
    forms = {}
    if stored["sform_code"] > 0:
        forms["sform"] = _read_sform(path, stored, _MM_BY_UNIT[unit], spacing_mm)
    if stored["qform_code"] > 0:
        forms["qform"] = _read_qform(path, stored, _MM_BY_UNIT[unit])
    _check_forms(path, forms, stored, shape)
    affines = tuple(forms.values()) or (shape_zoom_affine(shape, spacing_mm),)
    notes = (KINDS["converted_unit"].at(path, f"has sizes in {_UNIT_NAMES[unit]}"),) if unit in _UNIT_NAMES else ()
    return Place(spacing_mm=tuple(spacing_mm.tolist()), affine=affines[0], affines=affines, stated=bool(forms), notes=notes)


def _show_sizes(sizes: Any) -> str:
    """Sizes in words, such as `0.5 x 1 x 2`."""
    return " x ".join(f"{float(size):.6g}" for size in sizes)


def _read_sform(path: Path, stored: Any, mm: float, spacing_mm: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3] = np.stack([stored[f"srow_{axis}"] for axis in "xyz"]).astype(float) * mm
    columns = affine[:3, : len(spacing_mm)]
    if not np.isfinite(affine).all():
        raise _bad(path, "has an sform with numbers that are not finite")
    sizes = np.linalg.norm(columns, axis=0)
    for one, other in itertools.combinations(range(len(sizes)), 2):
        cosine = columns[:, one] @ columns[:, other] / (sizes[one] * sizes[other])
        if abs(cosine) > _TOLERANCE:
            angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
            raise _bad(path, f"is sheared: its {_ORDINALS[one]} and {_ORDINALS[other]} axes meet at {angle:.3g} degrees")
    if (np.abs(sizes - spacing_mm) > _TOLERANCE * spacing_mm).any():
        found = f"has voxels of {_show_sizes(sizes)} mm by its sform and of {_show_sizes(spacing_mm)} mm by its pixdim"
        raise _bad(path, found, expected="the same positive sizes in both")
    return affine


def _read_qform(path: Path, stored: Any, mm: float) -> np.ndarray:
    """Method 2 of nifti1.h: a rotation by a unit quaternion, of which three parts are kept, and pixdim[0] for the hand."""
    quaternion = _read_quaternion(stored)
    offset = np.array([stored[f"qoffset_{axis}"] for axis in "xyz"], float)
    length = np.linalg.norm(quaternion[1:])
    if not length <= 1 + _TOLERANCE:
        found = f"has a qform that is no rotation: its quaternion has the length {length:.6g}"
        raise _bad(path, found, expected="a length of 1")
    if not np.isfinite(offset).all():
        raise _bad(path, "has a qform with numbers that are not finite")
    affine = np.eye(4)
    sizes = stored["pixdim"][1:4].astype(float) * mm
    hand = [1, 1, -1 if stored["pixdim"][0] < 0 else 1]
    rotation = nibabel.quaternions.quat2mat(quaternion)  # type: ignore[no-untyped-call]
    affine[:3, :3] = rotation * (np.nan_to_num(sizes) * hand)
    affine[:3, 3] = offset * mm
    return affine


def _check_forms(path: Path, forms: dict[str, np.ndarray], stored: Any, shape: tuple[int, ...]) -> None:
    """Raises DataError where qform and sform disagree.

    Near half a turn the part of the quaternion that is not kept is near 0, and rounding what is kept turns the axes by up to
    0.1 degrees; that much is allowed for.
    """
    if len(forms) < 2:
        return
    slack = 2 * _QUATERNION_ROUNDING / max(_read_quaternion(stored)[0], _QUATERNION_ROUNDING**0.5)
    axes = [*range(len(shape)), 3]
    if found := describe_differences(forms["qform"][:, axes], forms["sform"][:, axes], shape, slack):
        raise DataError(KINDS["two_places"].at(path, f"has a qform that disagrees with its sform: {', '.join(found)}"))


def _read_quaternion(stored: Any) -> np.ndarray:
    """(4,): the real part, which is not kept but follows from a length of 1, and the three others."""
    parts = np.array([stored[f"quatern_{name}"] for name in "bcd"], float)
    return np.array([max(0.0, 1 - parts @ parts) ** 0.5, *parts])


def _steps(orientation: Orientation) -> tuple[Any, ...]:
    return (..., *(slice(None, None, -1 if flipped else 1) for flipped in orientation.flipped))


def _bad(path: Path, found: str, *, expected: str = "") -> DataError:
    return DataError(KINDS["bad_spacing"].at(path, found, expected=expected))
