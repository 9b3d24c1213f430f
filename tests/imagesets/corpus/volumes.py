"""Small good sets of NIfTI volumes, and their bytes with every field of the header at hand."""

import gzip
import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

COUNT, PLANTED = 6, 3
SHAPE = (13, 12, 10)
SPACING_MM = (0.5, 1.0, 2.0)
HEADER = 352
"""Bytes of a NIfTI-1 header with its empty extension."""
FIELDS = {
    "sizeof_hdr": (0, "i"),
    "dim": (40, "8h"),
    "datatype": (70, "h"),
    "bitpix": (72, "h"),
    "pixdim": (76, "8f"),
    "vox_offset": (108, "f"),
    "scl_slope": (112, "f"),
    "scl_inter": (116, "f"),
    "xyzt_units": (123, "B"),
    "qform_code": (252, "h"),
    "sform_code": (254, "h"),
    "quatern": (256, "3f"),
    "qoffset": (268, "3f"),
    "srow": (280, "12f"),
    "magic": (344, "4s"),
}
"""Where NIfTI-1 keeps what, little-endian: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h."""
Change = Callable[[bytes], bytes]


@cache
def draw_volume(number: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """shape float32: noise of its own for each number, brighter where the labels are."""
    random = np.random.default_rng(3000 + number)
    coarse = random.normal(0, 40, tuple(-(-side // 3) for side in shape))
    for axis in range(len(shape)):
        coarse = coarse.repeat(3, axis)
    voxels = coarse[tuple(slice(side) for side in shape)] + random.normal(0, 5, shape)
    return (200 + voxels + 50 * draw_labels(number, shape)).astype(np.float32)


@cache
def draw_labels(number: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """shape uint8: a box of label 1 and one of label 2 beside it."""
    random = np.random.default_rng(4000 + number)
    labels = np.zeros(shape, np.uint8)
    start, low = int(random.integers(1, 4)), int(random.integers(1, 3))
    labels[start : start + 4, low : low + 7, 2:8] = 1
    labels[start + 4 : start + 8, low : low + 7, 2:8] = 2
    return labels


def affine(*, spacing_mm: tuple[float, ...] = SPACING_MM, origin: tuple[float, ...] = (-20, -10, 5)) -> np.ndarray:
    """(4, 4): upright, without rotation."""
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = origin
    return matrix


def encode(voxels: np.ndarray, place: np.ndarray | None = None, kind: Any = nibabel.Nifti1Image, **header: Any) -> bytes:
    """The bytes of a .nii file, in mm, its qform and sform both set; header: fields that nibabel takes as they are."""
    image = kind(voxels, affine() if place is None else place)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, 1)
    for name, value in header.items():
        image.header[name] = value
    return image.to_bytes()


def pack(content: bytes) -> bytes:
    """Gzipped, the same bytes each time."""
    return gzip.compress(content, 1, mtime=0)


def patched(**fields: Any) -> Change:
    """Writes fields of the header, of which each may be a tuple."""

    def change(content: bytes) -> bytes:
        altered = bytearray(content)
        for name, value in fields.items():
            place, code = FIELDS[name]
            struct.pack_into(f"<{code}", altered, place, *(value if isinstance(value, tuple) else (value,)))
        return bytes(altered)

    return change


@cache
def encode_image(number: int) -> bytes:
    """A float32 volume."""
    return encode(draw_volume(number))


@cache
def encode_labels(number: int) -> bytes:
    """A uint8 volume of 0, 1 and 2."""
    return encode(draw_labels(number))


def write_decathlon(folder: Path, count: int = COUNT, table: dict[str, Any] | None = None) -> Path:
    """`imagesTr/`, `labelsTr/` and `dataset.json` as the Medical Segmentation Decathlon has them."""
    for part, encoded in (("imagesTr", encode_image), ("labelsTr", encode_labels)):
        (folder / part).mkdir(parents=True)
        for number in range(count):
            (folder / part / f"case_{number}.nii.gz").write_bytes(pack(encoded(number)))
    write_table(folder, count, table)
    return folder


def decathlon_table(count: int = COUNT) -> dict[str, Any]:
    """The `dataset.json` of such a folder."""
    names = [f"case_{number}.nii.gz" for number in range(count)]
    return {
        "name": "Boxes",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "left box", "2": "right box"},
        "numTraining": count,
        "numTest": 0,
        "training": [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names],
        "test": [],
    }


def write_table(folder: Path, count: int, changes: dict[str, Any] | None) -> Path:
    """`dataset.json` with some entries changed; None takes one out."""
    table = {**decathlon_table(count), **(changes or {})}
    path = folder / "dataset.json"
    path.write_text(json.dumps({key: value for key, value in table.items() if value is not None}, indent=1), encoding="utf-8")
    return path


def replace(folder: Path, part: str, content: bytes, *, number: int = PLANTED, suffix: str = ".nii.gz") -> Path:
    """The file of a case in `imagesTr` or `labelsTr`, written anew as the bytes are."""
    (folder / part / f"case_{number}.nii.gz").unlink()
    path = folder / part / f"case_{number}{suffix}"
    path.write_bytes(content)
    return path


def write_raw(folder: Path, count: int = COUNT, channels: int = 2, changes: dict[str, Any] | None = None) -> Path:
    """An nnU-Net v2 raw data set: `case_0_0000.nii.gz` and on, a file a channel, and its `dataset.json`."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        (folder / "labelsTr" / f"case_{number}.nii.gz").write_bytes(pack(encode_labels(number)))
        for channel in range(channels):
            path = folder / "imagesTr" / f"case_{number}_{channel:04d}.nii.gz"
            path.write_bytes(pack(encode_image(number + 100 * channel) if channel else encode_image(number)))
    table = {
        "channel_names": {str(channel): f"contrast {channel}" for channel in range(channels)},
        "labels": {"background": 0, "left box": 1, "right box": 2},
        "numTraining": count,
        "file_ending": ".nii.gz",
        **(changes or {}),
    }
    (folder / "dataset.json").write_text(json.dumps({key: value for key, value in table.items() if value is not None}))
    return folder
