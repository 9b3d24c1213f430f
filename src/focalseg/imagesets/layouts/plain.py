"""A folder of images and a folder of masks, as most sets are handed on, with tables at will.

Ours, not a release's: `images/` + `masks/`, of the same names or names that differ by _mask and the like; `labels.csv`, there
or with the masks, for what the values mean, `cases.csv` or `sequences.csv` for what belongs together, `masks_2nd_observer/`,
`fov/`.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from focalseg.findings import Finding, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import SUFFIXES, VOLUMES, cut_suffix, find_file, find_folders, natural_key
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import KNOWN_RULES, PLAIN, Affix, Rule, attach_files, match_pairs
from focalseg.imagesets.folders.tables import attempt
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.layouts.case_table import find_case_tables, group_cases, read_case_table
from focalseg.imagesets.layouts.label_table import LABEL_TABLE, read_folder_labels, read_label_table
from focalseg.imagesets.masks import MOST_LABELS, MaskCoding, names_background
from focalseg.imagesets.nesting.reading import is_nested, read_nested
from focalseg.imagesets.nesting.tree import FolderTree, list_tree

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
    cases = read_cases(folder, folder, findings)
    cases = group_by_table(cases, folder, findings, whole=any("/" in case.name for case in cases))
    return list_coded(folder, cases, findings, *find_folders(folder, *MASK_FOLDERS))


def read_cases(folder: Path, root: Path, findings: list[Finding]) -> list[CaseFiles]:
    """The cases of a folder that `recognise` knows, its tables left aside. root: the data folder; links should not leave it."""
    images, masks = list_trees(folder, root, findings)
    if is_nested(images, masks):
        cases = read_nested(images, masks, read_declared(root, folder, masks.folder), findings)
    else:
        paired = match_pairs(images.top, masks.top)
        findings += images.top.findings + masks.top.findings + paired.findings
        cases = [CaseFiles(name=name, images=(image,), masks=(mask,)) for name, (image, mask) in paired.pairs.items()]
    return add_observers(cases, folder, root, findings, home=images.folder)


def list_trees(folder: Path, root: Path, findings: list[Finding]) -> tuple[FolderTree, FolderTree]:
    """The images and the masks of a folder that `recognise` knows, with the folders inside."""
    images = _choose_folder(find_folders(folder, *IMAGE_FOLDERS), findings)
    masks = _choose_folder(find_folders(folder, *MASK_FOLDERS), findings)
    return list_tree(images, root=root), list_tree(masks, root=root)


def read_declared(*places: Path) -> Mapping[str, str]:
    """Labels by folder, where a table in one of the places says so; what is wrong with it is told once all cases are known."""
    table = _find_label_table(*places)
    return attempt([], read_folder_labels, table) or {} if table else {}


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
    home: Path | None = None,
) -> list[CaseFiles]:
    """The cases with second observers and fields of view, from the folders so named. Each case needs a field if any has.

    home: the folder of the images, whose inner folders those two have as well.
    """
    by_folder: dict[Path, dict[Path, str]] = defaultdict(dict)
    for case in cases:
        by_folder[case.images[0].parent][case.images[0]] = case.name
    masks: dict[str, Path] = {}
    views: dict[str, Path] = {}
    seen, viewed = find_folders(folder, seconds[0]), find_folders(folder, fields[0])
    for parent, names in by_folder.items():
        place = parent.relative_to(home) if home else Path()
        if seen and (place == Path() or (seen[0] / place).is_dir()):
            what = "second observer's mask"
            more, faults = attach_files(names, seen[0] / place, root, what=what, suffixes=suffixes, rules=seconds[1])
            masks |= more
            findings += faults
        if viewed:
            what, rules = "field of view", fields[1]
            more, faults = attach_files(
                names, viewed[0] / place, root, what=what, suffixes=suffixes, rules=rules, required=True
            )
            views |= more
            findings += faults
    if viewed:
        cases = [case for case in cases if case.name in views]
    return [replace(case, second_observer=masks.get(case.name), field_of_view=views.get(case.name)) for case in cases]


def list_coded(folder: Path, cases: Sequence[CaseFiles], findings: list[Finding], *further: Path) -> Listing:
    """The cases, coded as labels.csv says, of several the first; without it one label, or for volumes whatever the masks hold.

    further: folders it may lie in where it is not in the first. No cases for a table at fault: no mask can be read then, and
    none of them is to blame.
    """
    table = _find_label_table(folder, *further)
    if any(case.mask_labels for case in cases):
        return _list_labelled(cases, findings, table, further[0] if further else folder)
    masks = [mask for case in cases for mask in case.masks]
    all_volumes = bool(masks) and all(cut_suffix(mask.name, VOLUMES)[1] for mask in masks)
    coding: MaskCoding | None = MaskCoding(labels=None) if all_volumes else MaskCoding()
    if table:
        coding = attempt(findings, read_label_table, table)
    return Listing(cases=tuple(cases) if coding else (), coding=coding or MaskCoding(), findings=tuple(findings))


def _list_labelled(cases: Sequence[CaseFiles], findings: list[Finding], table: Path | None, home: Path) -> Listing:
    """The cases whose masks are of one label each. The table says in which order the labels are; else their names do."""
    declared = attempt(findings, read_folder_labels, table) if table else {}
    if declared is None:
        return Listing(cases=(), findings=tuple(findings))
    order = list(dict.fromkeys(declared.values()))
    kept = _settle_labels(cases, order, findings)
    names = sorted({label for case in kept for label in case.mask_labels}, key=natural_key)
    if table:
        if strange := [name for name in names if name not in order]:
            found = f"does not declare {list_names(strange)}, of which there are masks"
            expected, mend = "a line with label,folder for each, and no values", "Add the lines or remove the file."
            findings.append(KINDS["bad_table"].at(table, found, expected=expected, mend=mend))
            return Listing(cases=(), findings=tuple(findings))
        names = [name for name in order if not names_background(name)]
    if len(names) > MOST_LABELS:
        found, expected = f"has masks of {len(names)} labels", f"at most {MOST_LABELS}"
        findings.append(KINDS["folders_unclear"].at(home, found, expected=expected))
        return Listing(cases=(), findings=tuple(findings))
    volumes = all(cut_suffix(mask.name, VOLUMES)[1] for case in kept for mask in case.masks)
    coding = MaskCoding(labels=None) if volumes else MaskCoding()
    return Listing(cases=tuple(kept), coding=coding, labels=tuple(names), table=str(table or home), findings=tuple(findings))


def _settle_labels(cases: Sequence[CaseFiles], order: Sequence[str], findings: list[Finding]) -> list[CaseFiles]:
    """The cases without masks of the background, each label spelt in one way: as in the order, else as where it came first.

    Cases whose masks have no labels, and those of which nothing but background is left, are at fault.
    """
    spelt = {_fold(name): name for name in reversed(order)}
    settled = []
    for case in cases:
        named = [
            (mask, label if label in order else spelt.setdefault(_fold(label), label))
            for mask, label in zip(case.masks, case.mask_labels, strict=bool(case.mask_labels))
            if not names_background(label)
        ]
        if named:
            masks, labels = zip(*named, strict=True)
            settled.append(replace(case, masks=masks, mask_labels=labels))
        elif case.mask_labels:
            found, expected = "has no mask but that of the background", "a mask of a label, be it an empty one"
            findings.append(KINDS["no_mask"].at(case.images[0], found, expected=expected, others=case.masks))
        else:
            found = "has no label of its own, where other masks have one each"
            findings.append(KINDS["folders_unclear"].at(case.masks[0], found, others=case.masks[1:]))
    return settled


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _find_label_table(*places: Path) -> Path | None:
    return next((table for place in places if (table := find_file(place, LABEL_TABLE))), None)


def _choose_folder(found: list[Path], findings: list[Finding]) -> Path:
    """The first that holds images; others that do are at fault. Outlines as texts may lie in a folder beside the masks."""
    if len(found) > 1:
        found = [folder for folder in found if _may_hold_images(folder)] or found[:1]
    first, *others = found
    findings += [second(other, first, "such folder") for other in others]
    return first


def _may_hold_images(folder: Path) -> bool:
    return any(files.files or not files.listed for files in list_tree(folder).places.values())


def second(path: Path, first: Path, what: str) -> Finding:
    """The finding for a folder or table of which there is a second one."""
    return KINDS["two_files"].at(path, f"stands beside {show_path(first.name)}", expected=f"one {what}", others=(first,))
