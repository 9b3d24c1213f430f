"""Kvasir-SEG (Jha et al. 2020, MultiMedia Modeling, LNCS 11962:451-462).

Official: 1,000 polyp images with masks of the same names in `images/` and `masks/`, all JPEG, and their boxes in
`kavsir_bboxes.json` (sic). There is no official split. The masks being JPEG, what is above 127 counts.
"""

from dataclasses import replace
from pathlib import Path

from focalseg.imagesets.folders.files import find_file
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.layouts import plain
from focalseg.imagesets.masks import MaskCoding

TITLE = "Kvasir-SEG"
EXPECTED = "images/ and masks/ with files of the same names, and kavsir_bboxes.json"
_MARKS = ("kavsir_bboxes.json", "kvasir_bboxes.json")


def recognise(folder: Path) -> bool:
    """The layout is marked by the file of boxes beside `images/` and `masks/`."""
    return plain.recognise(folder) and any(find_file(folder, name) for name in _MARKS)


def read(folder: Path) -> Listing:
    """As a plain folder, with whatever tables somebody put beside it; the masks are thresholded unless labels.csv says more."""
    listing = plain.read(folder)
    return listing if listing.coding.table else replace(listing, coding=MaskCoding(threshold=True))
