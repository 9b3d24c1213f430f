"""UDIAT, also BUS dataset B (Yap et al. 2018, IEEE Journal of Biomedical and Health Informatics 22(4):1218-1226).

Official: 163 breast ultrasound images of as many women, 110 benign and 53 malignant, `original/000001.png` on, lesion masks
in `GT/`. There is no official split.
"""

from pathlib import Path

from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import PICTURES, find_folders
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import SAME_NAME, pair_folders

TITLE = "UDIAT"
EXPECTED = "original/ and GT/ with files of the same names (000001.png in both)"
IMAGES, MASKS = "original", "GT"


def recognise(folder: Path) -> bool:
    """The layout is marked by `original/` and `GT/`."""
    return bool(find_folders(folder, IMAGES) and find_folders(folder, MASKS))


def read(folder: Path) -> Listing:
    """Images with the mask of the same name."""
    images, masks = find_folders(folder, IMAGES)[0], find_folders(folder, MASKS)[0]
    paired = pair_folders(folder, images, masks, suffixes=PICTURES, rules=SAME_NAME)
    cases = (CaseFiles(name=name, images=(image,), masks=(mask,)) for name, (image, mask) in paired.pairs.items())
    return Listing(cases=tuple(cases), findings=paired.findings)
