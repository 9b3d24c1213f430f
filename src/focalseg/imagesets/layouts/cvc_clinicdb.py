"""CVC-ClinicDB (Bernal et al. 2015, Computerized Medical Imaging and Graphics 43:99-111), the release itself.

Official: 612 colonoscopy frames of 384 x 288 pixels, `Original/1.tif` to `612.tif`, polyp masks in `Ground Truth/`, and the
table of the 29 video sequences in its README. There is no official split. Frames of one sequence show the same polyp from
nearly the same view: a random split of frames puts a direct neighbour of 88 % of the test frames into training. 138 of the
612 masks hold stray grey values, mostly below 120, where an outline runs over the dark border.
"""

import bisect
from collections import defaultdict
from pathlib import Path

from focalseg.findings import Finding
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import PICTURES, find_folders
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import SAME_NAME, pair_folders
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.masks import MaskCoding

TITLE = "CVC-ClinicDB"
EXPECTED = "Original/ and Ground Truth/ with frames named by their number (1.tif in both)"
IMAGES, MASKS = "Original", "Ground Truth"
LAST_FRAMES = (
    25, 50, 67, 78, 103, 126, 151, 177, 199, 205, 227, 252, 277, 297, 317,
    342, 363, 383, 408, 428, 447, 466, 478, 503, 528, 546, 571, 591, 612,
)  # fmt: skip
"""The last frame of each sequence."""


def recognise(folder: Path) -> bool:
    """The layout is marked by `Original/` and `Ground Truth/`."""
    return bool(find_folders(folder, IMAGES) and find_folders(folder, MASKS))


def read(folder: Path) -> Listing:
    """Frames grouped by the table of the release."""
    images, masks = find_folders(folder, IMAGES)[0], find_folders(folder, MASKS)[0]
    paired = pair_folders(folder, images, masks, suffixes=PICTURES, rules=SAME_NAME)
    findings: list[Finding] = list(paired.findings)
    by_frame: dict[int, list[CaseFiles]] = defaultdict(list)
    for name, (image, mask) in paired.pairs.items():
        if name.isascii() and name.isdecimal() and len(name) <= 9 and 1 <= int(name) <= LAST_FRAMES[-1]:
            group = f"sequence_{find_sequence(int(name))}"
            by_frame[int(name)].append(CaseFiles(name=name, images=(image,), masks=(mask,), group=group))
        else:
            found = f"is not named by a frame number from 1 to {LAST_FRAMES[-1]}, which tells its sequence"
            mend = "Rename it as in the release."
            findings.append(KINDS["not_released"].at(image, found, expected="a name such as 17.tif", mend=mend))
    for frame, cases in by_frame.items():
        if len(cases) > 1:
            first, second, *rest = (case.images[0] for case in cases)
            findings.append(KINDS["two_files"].at(second, f"is frame {frame} again", others=(first, *rest)))
    cases = [files[0] for files in by_frame.values() if len(files) == 1]
    return Listing(cases=tuple(cases), coding=MaskCoding(threshold=True), findings=tuple(findings))


def find_sequence(frame: int) -> int:
    """The number, from 1, of the sequence to which a frame (1 to 612) belongs."""
    return bisect.bisect_left(LAST_FRAMES, frame) + 1
