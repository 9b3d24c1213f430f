"""The masks that a path holds: a plain folder of them, or those of a set in any known layout."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from focalseg.errors import DataError, SettingError
from focalseg.findings import Finding, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.dataset import FileDataset
from focalseg.imagesets.folders.files import cut_suffix, find_file, find_folders, list_files, list_folders, list_images_in
from focalseg.imagesets.folders.tables import read_json
from focalseg.imagesets.kinds import IMAGE_FORMATS
from focalseg.imagesets.layouts.dataset_json import TABLE, read_labels, read_regions
from focalseg.imagesets.layouts.label_table import LABEL_TABLE, read_label_table
from focalseg.imagesets.layouts.plain import MASK_FOLDERS
from focalseg.imagesets.masks import MaskCoding
from focalseg.imagesets.opening import LAYOUTS
from focalseg.imagesets.phantoms.dataset import PREFIX

_INNER = (*MASK_FOLDERS, "labelsTr", "labelsTs", "labelsVal")
"""Folders in which masks are looked for, to name one as the mend."""
_BESIDE = (".npz", ".pkl", ".pickle")
"""What nnU-Net writes beside its masks when it is asked for probabilities."""
_OUTPUTS = ("overlays", "probabilities")
"""Folders that `focalseg predict` makes beside its masks."""
_OF_IMAGES = ("no_mask", "no_image", "wrong_count")
"""Findings on the images of a set, which do not keep its masks from being read."""
_EXPECTED = f"a folder of masks ({IMAGE_FORMATS}), or a set in a known layout"


@dataclass(frozen=True, kw_only=True)
class MaskFolder:
    """The masks of a side. cases: by name, their files. coding: how they are written, None where their values say it alone.

    labels: their names in the order of their numbers, empty where nothing names them; by_file: whether each mask is of one
    label. regions: by name, the values of each, where a table has nnU-Net's. void: names of what nobody judged. groups: by
    case, as the set says. is_set: whether it is one, with a layout. faults: what keeps masks from being read; notes: what is
    to be known.
    """

    path: Path
    cases: Mapping[str, CaseFiles]
    coding: MaskCoding | None = None
    labels: tuple[str, ...] = ()
    by_file: bool = False
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    void: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    is_set: bool = False
    faults: tuple[str | Finding, ...] = ()
    notes: tuple[str, ...] = ()


def open_masks(source: str) -> MaskFolder:
    """The masks that a path names, none of them decoded. Raises SettingError for a path that has none."""
    path = Path(source)
    if source.startswith(PREFIX):
        raise SettingError(f"{source} is made when it is needed and has no files; expected {_EXPECTED}. Give a folder.")
    if not path.exists():
        raise SettingError(f"No folder {show_path(path)}; expected {_EXPECTED}. Check the path.")
    layout = next((one for one in LAYOUTS.values() if one.recognise(path)), None)
    if layout is not None:
        data = FileDataset(source, layout.TITLE, layout.read(path))
        # Masks alone, without the images beside them, may have the names of a set.
        if data.listing.cases or not (path.is_dir() and list_images_in(path)):
            return _take_set(path, data)
    if not path.is_dir():
        raise SettingError(f"{show_path(path)} is a file; expected {_EXPECTED}. Give the folder that holds it.")
    return _take_folder(path)


def _take_set(path: Path, data: FileDataset) -> MaskFolder:
    listing = data.listing
    errors = [finding for finding in data.findings if finding.level == "error"]
    coding = listing.coding
    declared = bool(coding.values or coding.colours or coding.threshold)
    by_file = any(case.mask_labels for case in listing.cases)
    notes = [f"{finding} That has no bearing on its masks." for finding in errors if finding.kind in _OF_IMAGES][:3]
    return MaskFolder(
        path=path,
        cases={case.name: case for case in listing.cases},
        coding=coding if declared or by_file else None,
        labels=tuple(data.labels or ()) if declared or by_file else (),
        by_file=by_file,
        void=tuple(data.void),
        groups=dict(zip(data.names, data.groups, strict=True)) if data.grouped else {},
        is_set=True,
        faults=tuple(_offer_masks(finding, path) for finding in errors if finding.kind not in _OF_IMAGES),
        notes=tuple(notes),
    )


def _offer_masks(finding: Finding, path: Path) -> Finding:
    """A fault of a set's table with another way out: the folder of masks alone, whose labels are called by their values."""
    inner = [place for place in find_folders(path, *_INNER) if list_images_in(place)]
    if finding.kind != "bad_table" or not inner:
        return finding
    return replace(finding, mend=f"{finding.mend} Or give {show_path(inner[0])}, the masks alone.")


def _take_folder(path: Path) -> MaskFolder:
    listed = list_files(path)
    errors = [finding for finding in listed.findings if finding.level == "error" and not _lies_beside(finding)]
    if not listed.files and not errors:
        raise DataError(f"{show_path(path)}: holds no masks; expected {_EXPECTED}. {_find_inner(path)}")
    notes = [
        str(finding)
        for finding in listed.findings
        if finding.level == "note" and Path(finding.file).name.lower() not in _OUTPUTS
    ]
    cases = {stem: CaseFiles(name=stem, images=(), masks=(file,)) for stem, file in listed.files.items()}
    folder = MaskFolder(path=path, cases=cases, faults=tuple(errors), notes=tuple(notes))
    return _add_table(folder)


def _lies_beside(finding: Finding) -> bool:
    return finding.kind == "not_supported" and finding.file.lower().endswith(_BESIDE)


def _find_inner(path: Path) -> str:
    inner = [place for place in find_folders(path, *_INNER) if list_images_in(place)]
    inner += [place for place in list_folders(path) if place not in inner and list_images_in(place)]
    return f"Give one of the folders in it, such as {show_path(inner[0])}." if inner else "Check the path."


def _add_table(folder: MaskFolder) -> MaskFolder:
    """The same with what a table in or above the folder says of its labels."""
    path = folder.path.absolute()
    if (table := find_file(path, LABEL_TABLE) or find_file(path.parent, LABEL_TABLE)) is not None:
        coding = read_label_table(table)
        return replace(folder, coding=coding, labels=tuple(coding.labels or ()), void=coding.void)
    places = [path, path.parent]
    if path.name == "validation":  # of nnU-Net, in TRAINER/fold_0/validation
        places.append(path.parent.parent)
    table = next((found for place in places if (found := find_file(place, TABLE))), None)
    if table is None:
        return folder
    regions: Mapping[str, tuple[int, ...]] = {}
    try:
        content = read_json(table)
        with_regions = read_regions(content, table)
        if with_regions is None:
            coding = read_labels(content, table)
        else:
            coding, regions = with_regions
    except DataError as error:
        notes = (*folder.notes, f"{error.faults[0]} Labels are called by their values.")
        return replace(folder, notes=notes)
    return replace(folder, coding=coding, labels=tuple(coding.labels or ()), regions=regions, void=coding.void)


def name_of_mask(case: CaseFiles) -> str:
    """The name of the first mask's file without its ending."""
    return cut_suffix(case.masks[0].name)[0]
