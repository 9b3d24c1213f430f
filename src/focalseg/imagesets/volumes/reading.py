"""Volumes read on canonical axes, the axis along the body first; `writing` brings masks back to the axes of their file.

A volume has three axes in space, or two where the file has two or a third of length 1; a further axis is channels. Images come
as (C, D, H, W), masks as (D, H, W), without D where there are two axes; `orientation` says which way they run, and `nifti` what
damage cannot be found in a plain .nii.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from focalseg.errors import DataError
from focalseg.findings import Finding, plural
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.masks import MaskCoding, can_be_rounded, code_labels
from focalseg.imagesets.volumes.nifti import VolumeHeader, open_content, parse_header, parse_voxels
from focalseg.imagesets.volumes.orientation import (
    canonical_affine,
    describe_differences,
    to_canonical_axes,
)

SUFFIXES = (".nii.gz", ".nii")
_BLOCK = 2**16
"""Numbers converted at a time, so that they stay in the processor's cache."""
_KEPT_DTYPES = (np.uint8, np.int16, np.uint16)
_WHOLE = 1e-6
"""How far float32 slopes take a label from a whole number, relative to the label, or to 1 where it is smaller."""
_FINE_STEP = 1e-3
"""Labels stored in steps finer than this may be off by half a step: the file cannot tell them from whole numbers."""
_MOST_LABEL = 2**31 - 1
_MEND_CHANNEL = "Resample the channel onto the grid of {0}, or copy the qform and sform of that file where only they are wrong."


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """image (C, D, H, W) or (C, H, W): uint8, int16 or uint16 as stored, else float32, finite. spacing_mm: in this order."""

    image: np.ndarray
    spacing_mm: tuple[float, ...]
    header: VolumeHeader
    notes: tuple[Finding, ...]


def read_header(path: Path) -> VolumeHeader:
    """What a file says before it is decoded. Raises DataError for what cannot be used, whether or not its voxels are sound."""
    with open_content(path) as content:
        return parse_header(path, content)


def read_volume(path: Path) -> Volume:
    """The image of a file, a slope applied. Raises DataError naming the file for anything that cannot be used."""
    header, stored = _read(path)
    image = _arrange(_scale(path, stored, header), header)
    spacing_mm = tuple(header.place.spacing_mm[axis] for axis in header.orientation.order)
    return Volume(image=image, spacing_mm=spacing_mm, header=header, notes=header.notes)


def read_labels(path: Path, coding: MaskCoding) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """(D, H, W) or (H, W) uint8 labels, and what is noteworthy of the file.

    Raises DataError as read_volume does, and for numbers that are not whole or not declared. Whole is meant to the bit; in a
    file with a slope, within 1e-6, or within half of a step where whole numbers are stored in steps finer than 0.001.
    """
    header, stored = _read(path, one_channel=True)
    labels = code_labels(path, _as_whole(path, stored, header), coding, shape=tuple(header.shape))
    return _arrange(labels, header)[0], header.notes


def compare_headers(
    image: VolumeHeader, other: VolumeHeader, image_path: Path, other_path: Path, *, labels: bool = True
) -> list[Finding]:
    """What keeps a mask, or another channel (labels=False), from being laid over an image: another size, or another place.

    The same grid stored along other axes is the same place, as both are read on canonical axes. Where a header states its place
    twice, the two are apart by rounding at most, and either may be the one that the other file was made from.
    """
    if labels and other.channels > 1:
        return [_several(other_path, other)]
    whose = "its image" if labels else image_path.name
    if image.shape != other.shape and image.canonical_shape != other.canonical_shape:
        found = f"is {_show(other.shape)} voxels but {whose} is {_show(image.shape)}"
        turned = sorted(image.shape) == sorted(other.shape)
        what = "mask" if labels else "channel"
        mend = "" if labels else f"Export the channel again at the size of {whose}."
        if turned:
            mend = f"Turn the {what}: its sides are those of {'the image' if labels else whose} in another order."
        return [KINDS["sizes_differ"].at(other_path, found, mend=mend, others=[image_path])]
    mend = "" if labels else _MEND_CHANNEL.format(whose)
    if image.place.stated != other.place.stated:
        found = f"says where it lies in space but {whose} does not"
        if image.place.stated:
            found = f"does not say where it lies in space but {whose} does"
        expected = "a qform or an sform in both, or in neither"
        return [KINDS["elsewhere"].at(other_path, found, expected=expected, mend=mend, others=[image_path])]
    pairs = [(one, two) for one in other.place.affines for two in image.place.affines]
    if any(not _compare_grids(other, image, *pair) for pair in pairs):
        return []
    apart, axes = [], [*range(len(image.shape)), 3]
    if other.shape == image.shape:  # then the axes are compared as they are stored, which says more
        apart = describe_differences(other.place.affine[:, axes], image.place.affine[:, axes], image.shape)
    apart = apart or _compare_grids(other, image, other.place.affine, image.place.affine)
    found = f"lies elsewhere in space than {whose}: {', '.join(apart)}"
    return [KINDS["elsewhere"].at(other_path, found, mend=mend, others=[image_path])]


def _read(path: Path, *, one_channel: bool = False) -> tuple[VolumeHeader, np.ndarray]:
    with open_content(path) as content:
        header = parse_header(path, content)
        if one_channel and header.channels > 1:
            raise DataError(_several(path, header))
        return header, parse_voxels(path, content, header)


def _arrange(flat: np.ndarray, header: VolumeHeader) -> np.ndarray:
    """(N,) in the file's order -> (C, *canonical axes)."""
    channels_last = flat.reshape(*header.shape, header.channels, order="F")
    return to_canonical_axes(np.moveaxis(channels_last, -1, 0), header.orientation)


def _scale(path: Path, stored: np.ndarray, header: VolumeHeader) -> np.ndarray:
    """(N,) voxels of the stored numbers. Raises DataError for those that are not finite, or not in float32."""
    if not header.scaled and stored.dtype in _KEPT_DTYPES:
        return stored
    image = stored if stored.dtype == np.float32 and not header.scaled else np.empty(stored.size, np.float32)
    strange = beyond = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, stored.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            if image is not stored:
                image[part] = _apply_slope(stored[part], header) if header.scaled else stored[part]
            wrong = _tally(~np.isfinite(image[part]))
            if wrong:
                given = _tally(~np.isfinite(stored[part]))
                strange, beyond = strange + given, beyond + wrong - given
    if strange or beyond:
        found = [f"NaN or infinity in {_count(strange)}"] * bool(strange)
        found += [f"values beyond those of float32 (3.4e38) in {_count(beyond)}"] * bool(beyond)
        raise DataError(KINDS["not_finite"].at(path, f"has {' and '.join(found)}"))
    return image


def _apply_slope(stored: np.ndarray, header: VolumeHeader) -> np.ndarray:
    """Applies the slope in float64, so that only the result is rounded."""
    real: np.ndarray = stored.astype(np.float64) * header.slope + header.intercept
    return real


def _as_whole(path: Path, stored: np.ndarray, header: VolumeHeader) -> np.ndarray:
    """(N,) whole numbers of any type. Raises DataError for those that are not."""
    if not header.scaled and stored.dtype.kind in "iu":
        return stored
    step = abs(header.slope) if header.scaled and stored.dtype.kind in "iu" else 0.0
    half = step / 2 if step <= _FINE_STEP else 0.0
    whole = np.empty(stored.size, np.int32)
    strange, between, example = 0, 0, ""
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, stored.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            real = _apply_slope(stored[part], header) if header.scaled else stored[part]
            nearest = np.rint(real)
            off = np.maximum(half, _WHOLE * np.maximum(np.abs(nearest), 1)) if header.scaled else 0.0
            finite = np.isfinite(real)
            wrong = finite & ~((np.abs(real - nearest) <= off) & (np.abs(nearest) <= _MOST_LABEL))
            if not between and wrong.any():
                example = f"{real[wrong][0]:.7g}" if header.scaled else str(real[wrong][0])
            strange, between = strange + _tally(~finite), between + _tally(wrong)
            whole[part] = nearest
    if strange:
        raise DataError(KINDS["not_finite"].at(path, f"has NaN or infinity in {_count(strange)}", expected="labels"))
    if between:
        found = f"has numbers that are no labels in {_count(between)}, such as {example}"
        near = can_be_rounded(_apply_slope(stored, header) if header.scaled else stored)
        raise DataError(KINDS["not_whole"].at(path, found, repairable=near))
    return whole


def _compare_grids(mask: VolumeHeader, image: VolumeHeader, mask_affine: np.ndarray, image_affine: np.ndarray) -> list[str]:
    """How the two grids differ in space, once axes are canonical."""
    one = canonical_affine(mask_affine, mask.shape, mask.orientation)
    other = canonical_affine(image_affine, image.shape, image.orientation)
    return describe_differences(one, other, image.canonical_shape)


def _several(path: Path, header: VolumeHeader) -> Finding:
    return KINDS["wrong_axes"].at(path, f"has {header.channels} volumes in one file", expected="one volume of labels")


def _tally(which: np.ndarray) -> int:
    return int(np.count_nonzero(which))


def _count(voxels: int) -> str:
    return f"{voxels:,} {plural(voxels, 'voxel')}"


def _show(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
