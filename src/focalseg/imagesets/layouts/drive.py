"""DRIVE (Staal et al. 2004, IEEE Transactions on Medical Imaging 23(4):501-509).

Official: 40 fundus photographs of as many people, 20 for training (21 to 40) and 20 for testing (1 to 20); vessels by
a first observer, for the test images by a second one too, and the field of view of each. The public release of the test images
may lack the observers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from focalseg.findings import Finding
from focalseg.imagesets.case import CaseFiles, Part
from focalseg.imagesets.folders.files import PICTURES, find_folders
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import Affix, Rule, pair_folders
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.layouts import plain

TITLE = "DRIVE"
EXPECTED = "training/ and test/ with images/ (21_training.tif), 1st_manual/ (21_manual1.gif) and mask/ each"
IMAGES, FIRST_OBSERVER, SECOND_OBSERVER, FIELD_OF_VIEW = "images", "1st_manual", "2nd_manual", "mask"


_HALVES: Mapping[str, Part] = {"training": "train", "test": "test"}
"""The side of the split by the half of the release: the name of its folder, and the end of its files' names."""


def recognise(folder: Path) -> bool:
    """The layout is marked by `training/` or `test/` with `images/` and `1st_manual/` in it."""
    return any(find_folders(half, IMAGES) and find_folders(half, FIRST_OBSERVER) for half in find_folders(folder, *_HALVES))


def read(folder: Path) -> Listing:
    """Images by the name of their file, in the release's split, with both observers and the field of view."""
    cases: list[CaseFiles] = []
    findings: list[Finding] = []
    for half in _HALVES:
        for place in find_folders(folder, half)[:1]:
            listed, faults = _read_half(folder, place, half)
            cases += listed
            findings += faults
    if len({case.part for case in cases}) == 1:  # half of a split is none, and the cases are dealt anew
        cases = [replace(case, part="") for case in cases]
    return Listing(cases=tuple(cases), findings=tuple(findings))


def _read_half(root: Path, place: Path, half: str) -> tuple[list[CaseFiles], list[Finding]]:
    images, masks = find_folders(place, IMAGES), find_folders(place, FIRST_OBSERVER)
    if not images or not masks:
        return [], [_incomplete(place, half, images)]
    paired = pair_folders(root, images[0], masks[0], suffixes=PICTURES, rules=_make_rules(half, "_manual1"))
    findings = list(paired.findings)
    part = _HALVES[half]
    cases = [CaseFiles(name=image.stem, images=(image,), masks=(mask,), part=part) for image, mask in paired.pairs.values()]
    seconds = (SECOND_OBSERVER, _make_rules(half, "_manual2"))
    fields = (FIELD_OF_VIEW, _make_rules(half, f"_{half}_mask", "_mask"))
    return plain.add_observers(cases, place, root, findings, seconds=seconds, fields=fields, suffixes=PICTURES), findings


def _make_rules(half: str, *suffixes: str) -> Sequence[Rule]:
    """Names such as 21_training and 21_manual1."""
    return tuple((Affix(suffix=f"_{half}"), Affix(suffix=suffix)) for suffix in suffixes)


def _incomplete(place: Path, half: str, images: Sequence[Path]) -> Finding:
    """The finding for a half without images or without the first observer: legal for the test half of the public release."""
    if not images:
        return KINDS["empty_folder"].at(place, f"has no folder {IMAGES}/", expected=f"{IMAGES}/ and {FIRST_OBSERVER}/")
    found = f"has no masks, since {place.name}/ has no folder {FIRST_OBSERVER}/"
    if half == "test":
        return KINDS["unlabelled"].at(images[0], found, expected=f"{FIRST_OBSERVER}/, as in the full release")
    return KINDS["no_mask"].at(images[0], found, expected=f"{FIRST_OBSERVER}/, as in the release", mend="Add the folder.")
