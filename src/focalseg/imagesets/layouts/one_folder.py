"""Masks beside their images, told by their names: all in one folder, or in one folder per patient, or per image.

Ours, not a release's, and the least marked: `case_0.png` + `case_0_mask.png`, with whatever stands around a name that
`pairing` knows. One level down, `patient_3/x_1.tif` + `patient_3/x_1_mask.tif`, as the LGG set has it (Buda et al. 2019,
Computers in Biology and Medicine 109:218-225), or `patient_3/images/` + `patient_3/masks/`, or a folder deeper
(`patient_3/visit_1/`): what is in a patient's folder belongs together, unless `cases.csv` says otherwise. Where each folder has
one image and masks of other names, as in the Data Science Bowl 2018 (Caicedo et al. 2019, Nature Methods 16:1247-1253), these
are joined. A set that is itself a folder too deep is not taken for a patient: there have to be two such folders, without tables
of cases of their own.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from focalseg.findings import Finding
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import (
    FolderFiles,
    cut_suffix,
    find_folders,
    find_name_fault,
    list_files,
    list_folders,
    list_images_in,
    note_inner,
)
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import (
    KNOWN_RULES,
    MASK_AFFIXES,
    PLAIN,
    Rule,
    choose_rule,
    find_common_parts,
    match_pairs,
)
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.layouts import plain
from focalseg.imagesets.layouts.case_table import find_case_tables
from focalseg.imagesets.nesting.joining import Folders, holds_one_image_each, join_by_folder
from focalseg.imagesets.nesting.naming import name_cases
from focalseg.imagesets.nesting.reading import is_nested

TITLE = "masks beside their images"
EXPECTED = "case_1.png and case_1_mask.png side by side, in one folder or in a folder a patient"
_RULES: tuple[Rule, ...] = tuple(rule for rule in KNOWN_RULES if rule[1] != PLAIN)
"""The rules that tell a mask from an image."""
_LEAST = 2
"""The fewest pairs of names, or folders of patients, by which the layout is recognised."""
_MOST_DEPTH = 3
"""Folders of a patient are followed so far down."""
_MOST_LOOKED = 2000
"""Folders that are looked into at most before a set is taken for none of this layout."""


def recognise(folder: Path) -> bool:
    """The layout is marked by two images with a mask beside each, here or in two folders at least."""
    return _count_pairs(_list_stems(folder)) >= _LEAST or _holds_patients(folder)


def read(folder: Path) -> Listing:
    """Cases by the common part of their files' names, with the folder before it where that recurs; grouped by folder."""
    findings: list[Finding] = []
    cases = plain.group_by_table(read_cases(folder, folder, findings), folder, findings, whole=True)
    return plain.list_coded(folder, cases, findings)


def read_cases(folder: Path, root: Path, findings: list[Finding]) -> list[CaseFiles]:
    """The cases of a folder that `recognise` knows, its tables left aside. root: the data folder; links should not leave it."""
    stems = _list_stems(folder)
    if _count_pairs(stems) >= _LEAST:
        return _read_flat(list_files(folder, root=root), choose_rule(stems, stems, _RULES), findings)
    places = [inner for place in list_folders(folder) for inner in _find_inner(place)]
    usual = _find_usual_rule(places)
    by_folder = _read_images_a_folder(places, folder, root, findings)
    for place in places:
        if place not in by_folder and _is_named(place, folder, findings):
            by_folder[place] = _read_patient(place, root, usual, findings)
    for above in dict.fromkeys(above for place in places for above in (folder, *_list_between(place, folder))):
        if loose := list_images_in(above):
            expected, mend = "every image in a folder of its patient", "Move what should be read into such a folder."
            found = f"holds {list_names(loose)} beside the folders, which is not read"
            findings.append(KINDS["passed_over"].at(above, found, expected=expected, mend=mend))
    composed = {place: unicodedata.normalize("NFC", place.relative_to(folder).as_posix()) for place in places}
    return name_cases([(tuple(composed[place].split("/")), case) for place in places for case in by_folder.get(place, ())])


def _holds_patients(folder: Path) -> bool:
    """Whether masks lie beside images in several folders, none of which is a set with tables of its own."""
    pairs = folders = 0
    budget = [_MOST_LOOKED]
    for place in list_folders(folder):
        if find_case_tables(place):
            return False
        if min(pairs, folders) < _LEAST:
            inner = _find_inner(place, budget)
            if any(find_case_tables(deeper) for deeper in inner):
                return False
            found = sum(map(_count_all, inner))
            pairs, folders = pairs + found, folders + bool(found)
    return min(pairs, folders) >= _LEAST


def _count_all(place: Path) -> int:
    """Images with a mask in a folder; of one with images/ and masks/, as many as a layout needs."""
    if plain.recognise(place):
        return _LEAST
    return 1 if _has_one_image(place) else _count_pairs(_list_stems(place))


def _has_one_image(place: Path) -> bool:
    """Whether a folder holds one image, and a folder of masks beside it."""
    return bool(find_folders(place, *plain.MASK_FOLDERS)) and len(list_images_in(place)) == 1


def _list_one_image(place: Path, root: Path) -> Folders:
    """That image, and the masks in the folder beside it."""
    images = list_files(place, root=root)
    findings = tuple(finding for finding in images.findings if finding.kind != "passed_over")
    return Folders(replace(images, findings=findings), list_files(find_folders(place, *plain.MASK_FOLDERS)[0], root=root))


def _find_inner(place: Path, budget: list[int] | None = None, depth: int = 0) -> list[Path]:
    """The folders within one, a visit each or deeper, that hold images with masks; where none does, the folder itself.

    budget: how many folders may still be looked into, counted down; no bound without one.
    """
    if budget is not None:
        budget[0] -= 1
    if depth >= _MOST_DEPTH or (budget is not None and budget[0] < 0) or _count_all(place):
        return [place]
    inner = [
        found for deeper in list_folders(place) if not deeper.is_symlink() for found in _find_inner(deeper, budget, depth + 1)
    ]
    return inner if any(map(_count_all, inner)) else [place]


def _list_between(place: Path, folder: Path) -> list[Path]:
    """The folders that a place lies in, below the folder of all."""
    return [above for above in place.parents if folder in above.parents]


def _read_images_a_folder(
    places: Iterable[Path], folder: Path, root: Path, findings: list[Finding]
) -> dict[Path, list[CaseFiles]]:
    """The cases of folders of one image each, with images/ and masks/ in them; none where they are folders of patients."""
    listed: dict[Path, Folders] = {}
    faults: list[Finding] = []
    for place in places:
        if plain.recognise(place) and _is_named(place, folder, []):
            images, masks = plain.list_trees(place, root, faults)
            if is_nested(images, masks) or len(images.top.files) > 1:
                return {}
            listed[place] = Folders(images.top, masks.top)
        elif _has_one_image(place) and _is_named(place, folder, []):
            listed[place] = _list_one_image(place, root)
    if not holds_one_image_each(list(listed.values())):
        return {}
    findings += faults
    findings += [finding for pair in listed.values() for files in (pair.images, pair.masks) for finding in files.findings]
    cases = iter(join_by_folder(list(listed.values()), folder, plain.read_declared(folder, root), findings))
    found: dict[Path, list[CaseFiles]] = {}
    for place, pair in listed.items():
        case = next(cases, None) if pair.complete else None
        found[place] = plain.add_observers([case], place, root, findings) if case else []
    return found


def _find_usual_rule(places: Iterable[Path]) -> Rule:
    """The rule that most folders follow, for those that tell none by themselves."""
    told = Counter(choose_rule(stems, stems, _RULES) for place in places if _count_pairs(stems := _list_stems(place)))
    return told.most_common(1)[0][0] if told else _RULES[0]


def _is_named(place: Path, folder: Path, findings: list[Finding]) -> bool:
    """Whether the names on the way from a folder down may stand in those of cases; else a finding is added."""
    fault = find_name_fault(str(place.relative_to(folder)))
    if fault:
        findings.append(KINDS["name_unreadable"].at(place, f"has {fault} in its name", mend="Rename the folder."))
    return not fault


def _read_patient(place: Path, root: Path, usual: Rule, findings: list[Finding]) -> list[CaseFiles]:
    """The cases of one folder. One without images is passed over, with a note where they lie deeper."""
    if plain.recognise(place):
        return plain.read_cases(place, root, findings)
    if _has_one_image(place):
        own = _list_one_image(place, root)
        paired = match_pairs(own.images, own.masks)
        findings += own.images.findings + own.masks.findings + paired.findings
        return [CaseFiles(name=name, images=(image,), masks=(mask,)) for name, (image, mask) in paired.pairs.items()]
    files = list_files(place, root=root)
    if files.blank:
        findings += [note for name in files.folders if (note := note_inner(place / name))]
        return []
    rule = choose_rule(files.files, files.files, _RULES) if _count_pairs(files.files) else usual
    return _read_flat(files, rule, findings)


def _read_flat(files: FolderFiles, rule: Rule, findings: list[Finding]) -> list[CaseFiles]:
    """The cases of files that lie side by side."""
    findings += files.findings
    images, masks = _tell_apart(files, rule)
    if files.listed and (images.blank or masks.blank):
        findings.append(_one_sided(files, rule, masks.blank))
        return []
    paired = match_pairs(images, masks, _RULES)
    findings += paired.findings
    return [CaseFiles(name=name, images=(image,), masks=(mask,)) for name, (image, mask) in paired.pairs.items()]


def _tell_apart(files: FolderFiles, rule: Rule) -> tuple[FolderFiles, FolderFiles]:
    """Images, and masks: what is named as most masks are, and further masks of a pair by another name."""
    image_affix, mask_affix = rule
    own = set(find_common_parts(files.files, mask_affix).values())
    pairs = find_common_parts(own, mask_affix).keys() & find_common_parts(set(files.files) - own, image_affix).keys()
    others = (find_common_parts(set(files.files) - own, affix) for affix in MASK_AFFIXES if affix != PLAIN)
    further = {stem for known in others for key, stem in known.items() if key in pairs}
    at_fault = set(find_common_parts(files.left_out, mask_affix).values())

    masks = own | further
    return files.choose(files.files.keys() - masks, files.left_out - at_fault), files.choose(masks, at_fault)


def _one_sided(files: FolderFiles, rule: Rule, no_masks: bool) -> Finding:
    """One finding for a folder of images alone, or of masks alone."""
    held, lacking, kind = ("images", "masks", "no_mask") if no_masks else ("masks", "images", "no_image")
    named = [file.name for file in files.files.values()]
    expected = f"{lacking} beside them, such as {rule[0].add('1')}.png and {rule[1].add('1')}.png"
    mend = f"Add the {lacking} or take the folder out."
    return KINDS[kind].at(files.folder, f"holds {held} without {lacking}: {list_names(named)}", expected=expected, mend=mend)


def _count_pairs(stems: Collection[str]) -> int:
    """Images with a mask beside them, by the rule that finds the most."""
    image_affix, mask_affix = choose_rule(stems, stems, _RULES)
    return len(find_common_parts(stems, image_affix).keys() & find_common_parts(stems, mask_affix).keys())


def _list_stems(folder: Path) -> list[str]:
    """The stems of the names of images in a folder."""
    return [cut_suffix(name)[0] for name in list_images_in(folder)]
