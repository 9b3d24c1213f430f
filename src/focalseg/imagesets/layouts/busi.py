"""BUSI (Al-Dhabyani et al. 2020, Data in Brief 28:104863).

Official: 780 breast ultrasound images of 600 women in `benign/`, `malignant/` and `normal/`, `benign (1).png` with the mask
`benign (1)_mask.png`; 17 images have further masks, `benign (4)_mask_1.png`, one per lesion. Masks of normal images are empty.
There is no official split, and no table of the women; many images are near duplicates (Pawlowska et al. 2023).
"""

import re
from collections import defaultdict
from pathlib import Path

from focalseg.findings import Finding, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import PICTURES, FolderFiles, cut_suffix, find_folders, list_files, list_names_in
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.kinds import KINDS

TITLE = "BUSI"
EXPECTED = "benign/, malignant/ and normal/ with images and masks side by side (benign (1).png, benign (1)_mask.png)"
_CLASSES = ("benign", "malignant", "normal")
_RELEASE = "Dataset_BUSI_with_GT"
_IMAGE_NAME = re.compile(rf"({'|'.join(_CLASSES)}) \(\d+\)(_mask(_\d+)?)?", re.IGNORECASE)
_MASK_NAME = re.compile(r"(?P<image>.+)_mask(_\d+)?", re.IGNORECASE)


def recognise(folder: Path) -> bool:
    """The layout is marked by files such as `benign (1).png` in a folder of that class, here or in `Dataset_BUSI_with_GT/`."""
    return any(_holds_class(place) for place in (folder, *find_folders(folder, _RELEASE)))


def read(folder: Path) -> Listing:
    """Images by the name of their file, several masks joined; the class is in the columns."""
    place = next(place for place in (folder, *find_folders(folder, _RELEASE)) if _holds_class(place))
    cases: dict[str, CaseFiles] = {}
    findings: list[Finding] = []
    for name in _CLASSES:
        for class_folder in find_folders(place, name)[:1]:
            files = list_files(class_folder, PICTURES, root=folder)
            listed, faults = _read_class(files, name)
            findings += [*files.findings, *faults]
            for case in listed:
                if case.name in cases:
                    first = cases[case.name].images[0]
                    found = f"has the same name as {show_path(first)}"
                    findings.append(KINDS["two_files"].at(case.images[0], found, others=(first,)))
                else:
                    cases[case.name] = case
    doubled = {file for finding in findings if finding.kind == "two_files" for file in finding.others}
    kept = (case for case in cases.values() if str(case.images[0]) not in doubled)
    return Listing(cases=tuple(kept), findings=tuple(findings))


def _holds_class(folder: Path) -> bool:
    return any(
        _IMAGE_NAME.fullmatch(cut_suffix(file)[0])
        for name in _CLASSES
        for place in find_folders(folder, name)
        for file in list_names_in(place)
    )


def _read_class(files: FolderFiles, class_name: str) -> tuple[list[CaseFiles], list[Finding]]:
    """Cases and findings of a class's folder, where masks lie beside their images."""
    if files.blank:
        return [], [files.empty_finding()]
    images: dict[str, Path] = {}
    masks: dict[str, list[Path]] = defaultdict(list)
    for stem, file in files.files.items():
        if match := _MASK_NAME.fullmatch(stem):
            masks[match["image"]].append(file)
        else:
            images[stem] = file
    left_out = {match["image"] for stem in files.left_out if (match := _MASK_NAME.fullmatch(stem))} | files.left_out
    cases: list[CaseFiles] = []
    findings: list[Finding] = []
    for stem, image in images.items():
        own = masks.pop(stem, [])
        if own and stem not in left_out:
            cases.append(CaseFiles(name=stem, images=(image,), masks=tuple(own), columns={"class": class_name}))
        elif stem not in left_out:
            wanted = f"{show_path(stem)}_mask.png beside it"
            findings.append(KINDS["no_mask"].at(image, "has no mask", expected=wanted))
    for stem, own in masks.items():
        if stem not in left_out:
            findings.append(KINDS["no_image"].at(own[0], "has no image", expected=f"{show_path(stem)}.png beside it"))
    return cases, findings
