"""CHASE_DB1 (Fraz et al. 2012, IEEE Transactions on Biomedical Engineering 59(9):2538-2548).

Official: 28 fundus photographs, of both eyes of 14 children, and the vessels by two observers, all in one folder:
`Image_01L.jpg`, `Image_01L_1stHO.png`, `Image_01L_2ndHO.png`. There is no official split; both eyes of a child belong together.
"""

import re
from pathlib import Path

from focalseg.findings import Finding
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import PICTURES, FolderFiles, cut_suffix, list_files, list_names_in
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import PLAIN, Affix, match_further, match_pairs
from focalseg.imagesets.kinds import KINDS

TITLE = "CHASE_DB1"
EXPECTED = "Image_01L.jpg, Image_01L_1stHO.png and Image_01L_2ndHO.png in one folder"
FIRST, SECOND = "_1stHO", "_2ndHO"
_IMAGE_NAME = re.compile(r"Image_(?P<child>\d{1,4})(?P<eye>[LR])", re.IGNORECASE)
_MARK = re.compile(_IMAGE_NAME.pattern + FIRST, re.IGNORECASE)


def recognise(folder: Path) -> bool:
    """The layout is marked by a file such as `Image_01L_1stHO.png`."""
    return any(_MARK.fullmatch(cut_suffix(name, PICTURES)[0]) for name in list_names_in(folder))


def read(folder: Path) -> Listing:
    """Photographs grouped by child; the first observer is the reference."""
    files = list_files(folder, PICTURES)
    images, first, second = (_choose(files, suffix) for suffix in ("", FIRST, SECOND))
    paired = match_pairs(images, first, ((PLAIN, Affix(suffix=FIRST)),))
    findings: list[Finding] = [*files.findings, *paired.findings]
    seconds: dict[str, Path] = {}
    if second.files and paired.pairs:
        names = {image: name for name, (image, _) in paired.pairs.items()}
        rules = ((PLAIN, Affix(suffix=SECOND)),)
        seconds, faults = match_further(names, images, second, rules, what="second observer's mask")
        findings += faults
    cases = []
    for name, (image, mask) in paired.pairs.items():
        if match := _IMAGE_NAME.fullmatch(name):
            group, other = f"subject_{match['child']}", seconds.get(name)
            cases.append(CaseFiles(name=name, images=(image,), masks=(mask,), group=group, second_observer=other))
        else:
            found, mend = "is not named by child and eye", "Rename it as in the release."
            findings.append(KINDS["not_released"].at(image, found, expected="a name such as Image_01L.jpg", mend=mend))
    return Listing(cases=tuple(cases), findings=tuple(findings))


def _choose(files: FolderFiles, suffix: str) -> FolderFiles:
    """The files of one role: an observer's, or the photographs."""
    own, left_out = ({stem for stem in stems if _role(stem) == suffix} for stems in (files.files, files.left_out))
    return files.choose(own, left_out)


def _role(stem: str) -> str:
    return next((suffix for suffix in (FIRST, SECOND) if stem.lower().endswith(suffix.lower())), "")
