"""Volumes as the Medical Segmentation Decathlon lays them out: `imagesTr/<id>.nii.gz` and `labelsTr/<id>.nii.gz`.

Axes are handed on as a stack of slices, (D, H, W): the file's last axis, along the body in most scans, comes first.
"""

import gzip
import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from focalseg.data.case import Case, Dataset
from focalseg.data.folder import natural_key
from focalseg.errors import DataError
from focalseg.labels import MOST_LABELS

SUFFIXES = (".nii.gz", ".nii")
IMAGES, LABELS, TABLE = "imagesTr", "labelsTr", "dataset.json"
MOST_VOXELS = 100_000_000
AFFINE_TOLERANCE_MM = 1e-3
MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
DAMAGE = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, KeyError, TypeError, zlib.error)
"""What nibabel and gzip may raise for a cut or altered file."""
Content = TypeVar("Content")


@dataclass(frozen=True, kw_only=True)
class Volume:
    """image (C, D, H, W) float32, finite; spacing_mm by axis in this order. affine (4, 4): of the file, from its own axes."""

    image: np.ndarray
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says before its voxels are decoded. shape: in the file's order. kind: the class of nibabel that reads it."""

    shape: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray
    kind: Any


class DecathlonDataset(Dataset):
    """Pairs of image and label volumes."""

    def __init__(self, folder: Path) -> None:
        self.source = str(folder)
        self._table = folder / TABLE
        self._named = read_label_names(self._table) if self._table.is_file() else ()
        self._pairs = find_volumes(folder)
        self.names = self.groups = tuple(self._pairs)

    @cached_property
    def labels(self) -> tuple[str, ...]:  # type: ignore[override]
        """From dataset.json; without it `label_1` and on, as many as the masks hold, for which every mask is decoded once."""
        if self._named:
            return self._named
        count = max(int(read_labels(path).max(initial=0)) for _, path in self._pairs.values())
        return tuple(f"label_{number}" for number in range(1, max(count, 1) + 1))

    def read_case(self, number: int) -> Case:
        name = self.names[number]
        image_path, mask_path = self._pairs[name]
        if faults := compare_headers(image_path, mask_path):
            raise DataError(faults)
        volume, mask = read_volume(image_path), read_labels(mask_path)
        if self._named and mask.max() > len(self._named):
            raise DataError(
                f"{mask_path}: holds the label {mask.max()}; expected 0 to {len(self._named)} ({', '.join(self._named)}). "
                f"Mend the mask, or name the label in {self._table}."
            )
        return Case(name=name, group=name, image=volume.image, mask=mask, spacing_mm=volume.spacing_mm)

    def check_headers(self) -> None:
        """Opens every file without decoding it. Raises DataError with a line for each that cannot be used with its partner."""
        faults = [fault for pair in self._pairs.values() for fault in compare_headers(*pair)]
        if faults:
            raise DataError(faults)


def is_decathlon(folder: Path) -> bool:
    """Whether the folder has `imagesTr/` and `labelsTr/`."""
    return (folder / IMAGES).is_dir() and (folder / LABELS).is_dir()


def find_volumes(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Image and label files by id, in natural order. Raises DataError naming every file without a partner."""
    images, labels = list_volumes(folder / IMAGES), list_volumes(folder / LABELS)
    faults = [
        f"{path}: no labels of that name in {folder / LABELS}/; expected {name}.nii.gz. Add them or take the image out."
        for name, path in images.items()
        if name not in labels
    ]
    faults += [
        f"{path}: no image of that name in {folder / IMAGES}/; expected {name}.nii.gz. Add it or take the labels out."
        for name, path in labels.items()
        if name not in images
    ]
    if not images:
        faults.append(f"{folder / IMAGES} holds no volumes; expected files such as case_1.nii.gz. Put them there.")
    if faults:
        raise DataError(faults)
    return {name: (path, labels[name]) for name, path in images.items()}


def list_volumes(folder: Path) -> dict[str, Path]:
    """NIfTI files of a folder by id, hidden ones left out. Raises DataError where two files share an id."""
    files: dict[str, Path] = {}
    faults = []
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), "")
        if not suffix or path.name.startswith("."):
            continue
        name = path.name.removesuffix(suffix)
        if name in files:
            faults.append(f"{path}: has the same name as {files[name].name}; expected one file a case. Rename or remove one.")
        files[name] = path
    if faults:
        raise DataError(faults)
    return dict(sorted(files.items(), key=lambda item: natural_key(item[0])))


def read_label_names(path: Path) -> tuple[str, ...]:
    """Names of the foreground labels 1 to L from `"labels": {"0": "background", "1": NAME, ...}`."""
    expected = 'expected "labels": {"0": "background", "1": "a name", ...}, numbered without gaps. Mend or remove the file.'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({type(error).__name__}); {expected}") from error
    table = content.get("labels") if isinstance(content, Mapping) else None
    if not isinstance(table, Mapping) or not 2 <= len(table) <= MOST_LABELS + 1:
        raise DataError(f"{path}: names no labels; {expected}")
    names = [table.get(str(number)) for number in range(len(table))]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise DataError(f"{path}: has the labels {str(dict(table))[:80]}; {expected}")
    return tuple(str(name) for name in names[1:])


def read_volume(path: Path) -> Volume:
    """The image of a file, of three axes, or of four with the channels last. Raises DataError, file named."""
    header = read_header(path)
    voxels = _decode(path, header)
    if not np.isfinite(voxels).all():
        raise DataError(f"{path}: has voxels that are no finite numbers; expected finite intensities. Mend or remove the case.")
    image = np.ascontiguousarray(voxels.T).reshape(-1, *header.shape[2::-1])
    return Volume(image=image, spacing_mm=header.spacing_mm, affine=header.affine)


def read_labels(path: Path) -> np.ndarray:
    """(D, H, W) uint8. Raises DataError for voxels that are no whole numbers from 0 to MOST_LABELS."""
    voxels = _decode(path, read_header(path))
    wrong = voxels[~((voxels >= 0) & (voxels <= MOST_LABELS) & (voxels == np.round(voxels)))]
    if wrong.size:
        raise DataError(f"{path}: holds {wrong.flat[0]:g}; expected labels, whole numbers from 0 on. Export the labels again.")
    return np.ascontiguousarray(voxels.T.astype(np.uint8))


def read_header(path: Path) -> Header:
    """Shape, spacing and place in space. Raises DataError for what is no NIfTI, no volume, or larger than we decode."""
    image = _guard(path, lambda: nibabel.load(path))
    if not isinstance(image, nibabel.Nifti1Image):
        raise DataError(f"{path}: is a {type(image).__name__}; expected a NIfTI volume. Convert the file.")
    shape = tuple(int(side) for side in image.shape)
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise DataError(
            f"{path}: has the shape {' x '.join(map(str, shape))}; expected three axes, or four with the channels last. "
            "Save one volume a file."
        )
    if math.prod(shape) > MOST_VOXELS:
        raise DataError(
            f"{path}: promises {' x '.join(map(str, shape))} voxels; at most {MOST_VOXELS:,} are decoded. Make it smaller."
        )
    header: Any = image.header
    unit = _guard(path, lambda: MM_PER_UNIT[header.get_xyzt_units()[0]])
    width, height, depth = (float(zoom) * unit for zoom in header.get_zooms()[:3])
    if not all(math.isfinite(side) and side > 0 for side in (width, height, depth)) or not np.isfinite(image.affine).all():
        raise DataError(f"{path}: has voxels of {width} x {height} x {depth} mm; expected positive sizes. Mend the header.")
    return Header(shape=shape, spacing_mm=(depth, height, width), affine=np.asarray(image.affine), kind=type(image))


def compare_headers(image_path: Path, mask_path: Path) -> list[str]:
    """What keeps the two files of a case from being used together, a line a fault."""
    headers: list[Header] = []
    faults: list[str] = []
    for path in (image_path, mask_path):
        try:
            headers.append(read_header(path))
        except DataError as error:
            faults += error.faults
    if faults:
        return faults
    image, mask = headers
    if mask.shape != image.shape[:3]:
        sizes = [" x ".join(map(str, shape)) for shape in (mask.shape, image.shape[:3])]
        return [
            f"{mask_path}: is {sizes[0]} voxels but its image is {sizes[1]}; expected the same size. Export the labels again."
        ]
    if not np.allclose(mask.affine, image.affine, atol=AFFINE_TOLERANCE_MM, rtol=0):
        faults.append(
            f"{mask_path}: lies elsewhere in space than its image (their affines differ by up to "
            f"{np.abs(mask.affine - image.affine).max():g}); expected the same place. Export the labels on the image's grid."
        )
    return faults


def _decode(path: Path, header: Header) -> np.ndarray:
    """Voxels in the file's order, float32, the header's slope applied.

    The file is read to its end: that is where gzip keeps the sum that tells a damaged file, which nibabel does not look at.
    """
    most = math.prod(header.shape) * 16 + 2**20

    def decode() -> np.ndarray:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise ValueError("it goes on after its last voxel")
        with np.errstate(over="ignore"):  # beyond float32 is no finite number, which the caller looks for
            voxels: np.ndarray = header.kind.from_bytes(content).get_fdata(dtype=np.float32, caching="unchanged")
        return voxels

    return _guard(path, decode)


def _guard(path: Path, read: Callable[[], Content]) -> Content:
    """What read() gives; whatever a damaged file makes it raise becomes a DataError that names the file."""
    try:
        return read()
    except DAMAGE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:80]
        raise DataError(
            f"{path}: cannot be decoded ({reason}); expected an undamaged NIfTI volume. Replace the file."
        ) from error
