"""A folder of images and a folder of masks, as most sets are handed on, with tables at will.

Ours, not a release's: `images/` + `masks/`, of the same names or names that differ by _mask and the like; `labels.csv`, there
or with the masks, for what the values mean, `cases.csv` or `sequences.csv` for what belongs together, `masks_2nd_observer/`,
`fov/`.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from focalseg.findings import Finding, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import SUFFIXES, VOLUMES, cut_suffix, find_file, find_folders, list_files
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import KNOWN_RULES, PLAIN, Affix, Rule, attach_files, pair_folders
from focalseg.imagesets.folders.tables import attempt
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.layouts.case_table import find_case_tables, group_cases, read_case_table
from focalseg.imagesets.layouts.label_table import LABEL_TABLE, read_label_table
from focalseg.imagesets.masks import MaskCoding

TITLE = "images and masks"
EXPECTED = "images/ and masks/ with files of the same names (case_1.png in both)"
IMAGE_FOLDERS = ("images", "imgs", "image", "img")
MASK_FOLDERS = (
    "masks", "labels", "mask", "label", "gt", "ground_truth", "groundtruth", "segmentations", "segmentation", "segs",
    "annotations", "annotation",
)  # fmt: skip
SECOND_OBSERVER, FIELD_OF_VIEW = "masks_2nd_observer", "fov"
_FIELD_OF_VIEW_RULES = tuple((PLAIN, affix) for affix in (PLAIN, Affix(suffix="_fov"), Affix(suffix="_mask")))


def recognise(folder: Path) -> bool:
    """The layout is marked by a folder of IMAGE_FOLDERS and one of MASK_FOLDERS, in any case."""
    return bool(find_folders(folder, *IMAGE_FOLDERS) and find_folders(folder, *MASK_FOLDERS))


def read(folder: Path) -> Listing:
    """Cases by the common part of their files' names."""
    findings: list[Finding] = []
    cases = group_by_table(read_cases(folder, folder, findings), folder, findings)
    return list_coded(folder, cases, findings, *find_folders(folder, *MASK_FOLDERS))


def read_cases(folder: Path, root: Path, findings: list[Finding]) -> list[CaseFiles]:
    """The cases of a folder that `recognise` knows, its tables left aside. root: the data folder; links should not leave it."""
    images = _choose_folder(find_folders(folder, *IMAGE_FOLDERS), findings)
    masks = _choose_folder(find_folders(folder, *MASK_FOLDERS), findings)
    paired = pair_folders(root, images, masks)
    findings += paired.findings
    cases = [CaseFiles(name=name, images=(image,), masks=(mask,)) for name, (image, mask) in paired.pairs.items()]
    return add_observers(cases, folder, root, findings)


def group_by_table(cases: list[CaseFiles], folder: Path, findings: list[Finding], *, whole: bool = False) -> list[CaseFiles]:
    """The cases with the groups of the folder's table, where it has one. whole: whether their names have a folder in them."""
    tables = find_case_tables(folder)
    if len(tables) > 1:
        findings.append(second(tables[1], tables[0], "table of cases"))
    if tables and (table := attempt(findings, read_case_table, tables[0], whole=whole)):
        cases, missing = group_cases(cases, table)
        findings += missing
    return cases


def add_observers(
    cases: list[CaseFiles],
    folder: Path,
    root: Path,
    findings: list[Finding],
    *,
    seconds: tuple[str, Sequence[Rule]] = (SECOND_OBSERVER, KNOWN_RULES),
    fields: tuple[str, Sequence[Rule]] = (FIELD_OF_VIEW, _FIELD_OF_VIEW_RULES),
    suffixes: Sequence[str] = SUFFIXES,
) -> list[CaseFiles]:
    """The cases with second observers and fields of view, from the folders so named. Each case needs a field if any has."""
    names = {case.images[0]: case.name for case in cases}
    masks: dict[str, Path] = {}
    views: dict[str, Path] = {}
    if found := find_folders(folder, seconds[0]):
        what = "second observer's mask"
        masks, faults = attach_files(names, found[0], root, what=what, suffixes=suffixes, rules=seconds[1])
        findings += faults
    if found := find_folders(folder, fields[0]):
        what = "field of view"
        views, faults = attach_files(names, found[0], root, what=what, suffixes=suffixes, rules=fields[1], required=True)
        findings += faults
        cases = [case for case in cases if case.name in views]
    return [replace(case, second_observer=masks.get(case.name), field_of_view=views.get(case.name)) for case in cases]


def list_coded(folder: Path, cases: Sequence[CaseFiles], findings: list[Finding], *further: Path) -> Listing:
    """The cases, coded as labels.csv says, of several the first; without it one label, or for volumes whatever the masks hold.

    further: folders it may lie in where it is not in the first. No cases for a table at fault: no mask can be read then, and
    none of them is to blame.
    """
    masks = [mask for case in cases for mask in case.masks]
    all_volumes = bool(masks) and all(cut_suffix(mask.name, VOLUMES)[1] for mask in masks)
    coding: MaskCoding | None = MaskCoding(labels=None) if all_volumes else MaskCoding()
    if table := next((table for place in (folder, *further) if (table := find_file(place, LABEL_TABLE))), None):
        coding = attempt(findings, read_label_table, table)
    return Listing(cases=tuple(cases) if coding else (), coding=coding or MaskCoding(), findings=tuple(findings))


def _choose_folder(found: list[Path], findings: list[Finding]) -> Path:
    """The first that holds images; others that do are at fault. Outlines as texts may lie in a folder beside the masks."""
    if len(found) > 1:
        found = [folder for folder in found if _may_hold_images(folder)] or found[:1]
    first, *others = found
    findings += [second(other, first, "such folder") for other in others]
    return first


def _may_hold_images(folder: Path) -> bool:
    listed = list_files(folder)
    return bool(listed.files) or not listed.listed


def second(path: Path, first: Path, what: str) -> Finding:
    """The finding for a folder or table of which there is a second one."""
    return KINDS["two_files"].at(path, f"stands beside {show_path(first.name)}", expected=f"one {what}", others=(first,))
