"""The images that a person names, as files and folders: which are read, what the masks are called, and what is passed over.

Names alone are looked at, and headers where a name may number a channel. No torch.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focalseg.errors import SettingError
from focalseg.files import PARTIAL
from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.dataset import is_volume
from focalseg.imagesets.folders.files import cut_suffix, find_file_fault, list_files
from focalseg.imagesets.kinds import IMAGE_FORMATS, list_names
from focalseg.inference.cases.channels import NamedImage, join_channels
from focalseg.inference.cases.sources import choose_folder, find_masks

_LONGEST_NAME = 255
"""Bytes of a file's name on the file systems that are in use."""
_CLASHES = ("two_files", "names_clash")


@dataclass(frozen=True, kw_only=True)
class InputCase:
    """An image to predict. images: one file, or one per channel. mask: the name of its file."""

    images: tuple[Path, ...]
    mask: str

    @property
    def stem(self) -> str:
        """The name without its suffix, for what is written besides the mask."""
        return cut_suffix(self.mask)[0]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """cases: in a stable order. faults: what cannot be predicted, by its name or kind alone. notes: for the person."""

    cases: tuple[InputCase, ...]
    faults: tuple[str | Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Gathered:
    """What has been found so far. files: by the folder that they lie in."""

    files: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str | Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_inputs(given: Sequence[Path], *, channels: int, axes: int) -> Inputs:
    """The cases of files and folders, in the order given and in natural order within a folder; what is given twice, once.

    channels, axes: of the images that the model takes. Raises SettingError for a path that is not there, a folder without
    images, and names of which two would have the same mask.
    """
    gathered = _Gathered()
    for path in given:
        if not path.exists() and not path.is_symlink():
            raise SettingError(f"No file or folder {show_path(path)}; expected images, or folders of images. Check the path.")
        if path.is_dir():
            _add_folder(path, gathered)
        else:
            _add_file(path, gathered)
    cases: list[InputCase] = []
    for files in gathered.files.values():
        named, faults, notes = join_channels(list(dict.fromkeys(files)), channels)
        gathered.faults += faults
        gathered.notes += notes
        cases += [InputCase(images=one.images, mask=one.name + _choose_suffix(one, axes)) for one in named]
    long = [case for case in cases if len((case.mask + PARTIAL).encode()) > _LONGEST_NAME]
    gathered.faults += [
        f"{show_path(case.images[0])}: has a name that is too long for that of a mask; expected at most "
        f"{_LONGEST_NAME - len(PARTIAL)} bytes. Rename it."
        for case in long
    ]
    cases = [case for case in cases if case not in long]
    _refuse_clashes(cases)
    return Inputs(cases=tuple(cases), faults=tuple(gathered.faults), notes=tuple(gathered.notes))


def _add_folder(given: Path, gathered: _Gathered) -> None:
    folder = choose_folder(given)
    if folder != given:
        gathered.notes.append(f"{show_path(given)} holds no images itself; those in {show_path(folder)} are predicted.")
    listed = list_files(folder)
    errors = [finding for finding in listed.findings if finding.level == "error"]
    if clashes := [finding for finding in errors if finding.kind in _CLASHES]:
        raise SettingError("\n".join(f"{clash} Both would have one mask; nothing was predicted." for clash in clashes))
    if not listed.files and not errors:
        raise SettingError(f"{show_path(folder)} holds no images; expected {IMAGE_FORMATS} files. Check the path.")
    masks = find_masks(folder)
    if masks:
        found = f"{counted(len(masks), 'file')} in {show_path(folder)} ({list_names(sorted(mask.name for mask in masks))})"
        gathered.notes.append(f"{found} are masks of others by their names, and are not predicted.")
    gathered.faults += errors
    gathered.files[folder.resolve()] += [file for file in listed.files.values() if file not in masks]


def _add_file(path: Path, gathered: _Gathered) -> None:
    try:
        fault = find_file_fault(path, path.stat().st_mode)
    except OSError as error:
        gathered.faults.append(f"{show_path(path)}: cannot be read ({error.strerror or error}); expected an image. Replace it.")
        return
    if fault:
        gathered.faults.append(fault)
    else:
        gathered.files[path.parent.resolve()].append(path)


def _choose_suffix(image: NamedImage, axes: int) -> str:
    """The format of a mask: that of volumes for a volume, and for pictures PNG, or TIFF for those of several slices."""
    if is_volume(image.images[0]):
        return ".nii.gz"
    return ".png" if axes < 3 else ".tif"


def _refuse_clashes(cases: Iterable[InputCase]) -> None:
    """Raises SettingError where two masks would have one name, also on disks that do not tell upper from lower case."""
    alike: dict[str, list[InputCase]] = defaultdict(list)
    for case in cases:
        # Overlays and probabilities go by the stem: a.png and a.nii.gz would meet there.
        alike[unicodedata.normalize("NFC", case.stem).casefold()].append(case)
    clashes = [group for group in alike.values() if len(group) > 1]
    if clashes:
        one, other = (show_path(case.images[0]) for case in clashes[0][:2])
        more = f" So would {counted(len(clashes) - 1, 'other pair')}." if len(clashes) > 1 else ""
        raise SettingError(
            f"{one} and {other} would both have the mask {clashes[0][0].mask}; expected a name of its own for each.{more} "
            "Nothing was predicted. Rename one, or predict them by two commands, each with an --out of its own."
        )
