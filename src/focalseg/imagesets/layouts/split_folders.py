"""One folder per side of the split: `train/`, `val/` and `test/`, each with images and masks, as sets with a split often lie.

Ours, not a release's. Each side is laid out as a plain folder is, or with the masks beside their images; `training/`, `valid/`,
`validation/` and `testing/` are known too. Where both training and test cases have masks, the sides are the official split.
Where they have not, no such split can be scored, and all cases are one free set, to be divided anew. `cases.csv` lies in each
side or at the top, `labels.csv` at the top, in a side or with its masks.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from focalseg.findings import Finding
from focalseg.imagesets.case import CaseFiles, Part
from focalseg.imagesets.folders.files import find_folders, list_images_in
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.layouts import one_folder, plain
from focalseg.imagesets.layouts.case_table import find_case_tables
from focalseg.imagesets.nesting.sides import SIDES

TITLE = "train, validation and test folders"
EXPECTED = "train/, val/ and test/ with images/ and masks/ each, with files of the same names"


def recognise(folder: Path) -> bool:
    """The layout is marked by a side with images and masks in it, in any case."""
    return any(_is_labelled(place) for names in SIDES.values() for place in find_folders(folder, *names))


def read(folder: Path) -> Listing:
    """Cases by side and name, `train/case_1`, so that equal names on two sides stay apart."""
    findings: list[Finding] = []
    sides = _find_sides(folder, findings)
    labelled = {part: place for part, place in sides.items() if _is_labelled(place)}
    official = "train" in labelled and "test" in labelled
    cases: list[CaseFiles] = []
    for part, place in sides.items():
        if part not in labelled:
            findings += _find_fault(place, part)
            continue
        side = part if official else ""
        listed = _read_side(place, folder, findings)
        cases += [replace(case, name=f"{place.name}/{case.name}", part=side) for case in listed]
    cases = plain.group_by_table(cases, folder, findings, whole=True)
    masks = [found for place in labelled.values() for found in find_folders(place, *plain.MASK_FOLDERS)]
    return plain.list_coded(folder, cases, findings, *labelled.values(), *masks)


def _find_sides(folder: Path, findings: list[Finding]) -> dict[Part, Path]:
    """The folder of each side; a second one is at fault."""
    sides: dict[Part, Path] = {}
    for part, names in SIDES.items():
        found = find_folders(folder, *names)
        if found:
            sides[part] = found[0]
        findings += [plain.second(other, found[0], f"folder for {part}") for other in found[1:]]
    return sides


def _is_labelled(place: Path) -> bool:
    return plain.recognise(place) or one_folder.recognise(place)


def _read_side(place: Path, root: Path, findings: list[Finding]) -> list[CaseFiles]:
    """The cases of one side, with the groups of its own table unless one for all sides is there."""
    read_cases = plain.read_cases if plain.recognise(place) else one_folder.read_cases
    cases = read_cases(place, root, findings)
    if not find_case_tables(root):
        return plain.group_by_table(cases, place, findings, whole=True)
    findings += [plain.second(own, find_case_tables(root)[0], "table of cases") for own in find_case_tables(place)]
    return cases


def _find_fault(place: Path, part: Part) -> Iterator[Finding]:
    """The finding for a side without images and masks. Test images are often handed on without masks."""
    within = [place, *find_folders(place, *plain.IMAGE_FOLDERS)]
    if any(map(list_images_in, within)):
        kind, mend = "no_mask", "Add the masks or take the folder out."
        if part == "test":
            kind, mend = "unlabelled", "Nothing need be done: the other cases are used, and divided anew."
        yield KINDS[kind].at(place, "holds images without masks", expected="images/ and masks/ in it", mend=mend)
    elif part != "test" or find_folders(place, *plain.MASK_FOLDERS):
        mend = "Put them there or take the folder out."
        yield KINDS["empty_folder"].at(place, "holds no images", expected="images/ and masks/ in it", mend=mend)
