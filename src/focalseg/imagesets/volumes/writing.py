"""Masks and maps written back on the grid of the volume that they belong to: its axes, its place in space, its unit."""

import gzip
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from focalseg.errors import SettingError, ShapeError
from focalseg.files import write_whole
from focalseg.imagesets.volumes.nifti import EXTENDER_BYTES, LINE_ENDS, MAGIC, VolumeHeader
from focalseg.imagesets.volumes.orientation import from_canonical_axes
from focalseg.imagesets.volumes.reading import SUFFIXES

_KEPT_FIELDS = ("dim_info", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
               "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")  # fmt: skip
"""Fields of an image's header that its mask's header keeps."""
_CODES = {"u1": 2, "u2": 512, "f4": 16}
"""NIfTI's codes of the number types that are written."""


def to_file_axes(array: np.ndarray, header: VolumeHeader) -> np.ndarray:
    """(*any, *header.canonical_shape) -> (*any, *header.shape), a view: the axes as the file has them.

    Raises ShapeError for an array of another size.
    """
    spatial = array.shape[-len(header.shape) :]
    if spatial != header.canonical_shape:
        given, wanted = _show(spatial), _show(header.canonical_shape)
        raise ShapeError(f"An array of {given} does not fit a volume that is read as {wanted}; give it in that size.")
    return from_canonical_axes(array, header.orientation)


def write_grid(path: Path, numbers: np.ndarray, like: VolumeHeader) -> None:
    """Writes (*canonical axes), or channels (K, *canonical axes) as a fourth axis, on the grid of the file of that header.

    The file has the axes, qform, sform and unit of that one to the bit, and the same bytes each time. numbers: uint8, uint16
    or float32. Raises ShapeError for another size, SettingError for other numbers or another suffix, MachineError where it
    cannot be written.
    """
    code = numbers.dtype.newbyteorder("=").str[1:]
    if code not in _CODES:
        raise SettingError(f"Numbers of {numbers.dtype} are not written as a volume; convert them to uint8, uint16 or float32.")
    if not path.name.lower().endswith(SUFFIXES):
        raise SettingError(f"{path} names no NIfTI volume; end it in .nii.gz or .nii.")
    turned = to_file_axes(numbers, like)
    if turned.ndim > len(like.shape):
        turned = np.moveaxis(turned, 0, -1)
    voxels = turned.astype(f"<{code}", copy=False).tobytes(order="F")  # as NIfTI has them, the first axis fastest
    header = _encode_header(like, code, turned.shape[len(like.shape) :])
    gzipped = path.name.lower().endswith(".gz")
    write_whole(path, partial(_write, header=header, voxels=voxels, gzipped=gzipped))


def _encode_header(like: VolumeHeader, code: str, channels: tuple[int, ...]) -> bytes:
    """The header of a file on the same grid, of the same version of NIfTI, little-endian, and its empty extension.

    code: NumPy's of the number type. channels: how many, where a fourth axis has them.
    """
    size = like.record.dtype.itemsize
    header = np.zeros((), like.record.dtype.newbyteorder("<"))
    for name in _KEPT_FIELDS:
        header[name] = like.record[name]
    one_slice = len(like.shape) == 2 and (like.record["dim"][0] > 2 or channels)
    sides = (*like.shape, 1, *channels) if one_slice else (*like.shape, *channels)
    header["dim"] = [len(sides), *sides, *[1] * (7 - len(sides))]
    header["pixdim"] = 1
    header["pixdim"][0] = -1 if like.record["pixdim"][0] < 0 else 1
    header["pixdim"][1:4] = like.record["pixdim"][1:4]
    header["sizeof_hdr"], header["magic"] = size, MAGIC[size]
    header["datatype"], header["bitpix"], header["scl_slope"] = _CODES[code], 8 * int(code[1:]), 1
    header["vox_offset"] = size + EXTENDER_BYTES
    if "eol_check" in (header.dtype.names or ()):
        header["eol_check"] = LINE_ENDS
    return header.tobytes() + bytes(EXTENDER_BYTES)


def _write(file: BinaryIO, *, header: bytes, voxels: bytes, gzipped: bool) -> None:
    if not gzipped:
        file.writelines((header, voxels))
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
        packed.writelines((header, voxels))


def _show(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
