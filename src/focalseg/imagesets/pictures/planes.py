"""Decodes what Pillow does not: planes behind one directory, more than one or three samples a pixel, 16 bits a colour.

Only plain numbers and deflate come here, since what is missing in them has been found before (`tiff.check_tiff`).
"""

from pathlib import Path
from typing import Any

import numpy as np

from focalseg.errors import DataError
from focalseg.findings import Finding, counted
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.pictures.headers import COLOUR_MODES, MOST_PIXELS, too_large, turned
from focalseg.imagesets.pictures.pages import Page, split_samples
from focalseg.imagesets.pictures.stacks import Stack, decode_planes
from focalseg.imagesets.pictures.tiff import BITS, DEFLATE, ORIENTATION, PLAIN

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_NO_PREDICTOR, _DIFFERENCES = 1, 2
_ALPHA = (1, 2)
_BITS = (1, 8, 16, 32, 64)
_TURNED_RIGHT = (np.bool_, np.uint8, np.int8, np.uint16)
"""Numbers that Pillow reads rightly from a packed file in big-endian order."""


def suits_pillow(image: Any, stack: Stack) -> bool:
    """Whether Pillow gives every sample of the planes, as stored or, in 16 bits, in two halves (`wide`)."""
    page = stack.series.keyframe
    if image is None or not stack.directories or page.imagedepth > 1 or page.samplesperpixel != len(image.getbands()):
        return False
    if page.parent.byteorder == ">" and page.compression != PLAIN and page.dtype not in _TURNED_RIGHT:
        # libtiff gives numbers in the machine's order, and Pillow turns all but these once more.
        return False
    bits = max(getattr(image, "tag_v2", {}).get(BITS, (1,)))
    return bits <= 8 or page.samplesperpixel == 1 or (bits == 16 and page.planarconfig == 1 and image.mode in COLOUR_MODES)


def take_planes(path: Path, file: Any, stack: Stack) -> tuple[list[list[Page]], tuple[Finding, ...]]:
    """The pages of every plane, several where its samples are channels, and the notes.

    Raises DataError for what is not read.
    """
    page = stack.series.keyframe
    _check_page(path, page)
    if stack.planes * page.imagewidth * page.imagelength > MOST_PIXELS:
        found = f"has {counted(stack.planes, 'plane')} of {page.imagewidth} x {page.imagelength} pixels"
        raise DataError(too_large(path, found))
    planes = decode_planes(stack, file)
    if page.photometric == _WHITE_IS_ZERO:
        planes = np.iinfo(planes.dtype).max - planes if planes.dtype != bool else ~planes
    samples = planes.shape[-1]
    colours = 3 if page.photometric == _RGB else 0
    first = samples - len(page.extrasamples)
    alpha = [first + at for at, kind in enumerate(page.extrasamples) if kind in _ALPHA]
    taken: list[list[Page]] = []
    notes: list[Finding] = []
    for plane in planes:
        pages, more = split_samples(path, plane, colours=colours, alpha=alpha)
        taken.append(pages)
        notes += more
    return taken, tuple(notes)


def _check_page(path: Path, page: Any) -> None:
    """Raises DataError for orientation, colours, numbers and compression that are not read."""
    faults = []
    tag = page.tags.get(ORIENTATION)
    if tag is not None and tag.value in range(2, 9):
        faults.append(turned(path, tag.value))
    numbers = page.dtype
    plain = page.compression == PLAIN or (page.compression in DEFLATE and page.predictor in (_NO_PREDICTOR, _DIFFERENCES))
    white = page.photometric == _WHITE_IS_ZERO and numbers is not None and numbers.kind in "ub"
    what = f"has {counted(page.samplesperpixel, 'sample')} of {page.bitspersample} bits"
    if numbers is None or page.bitspersample not in _BITS or not (white or page.photometric in (_BLACK_IS_ZERO, _RGB)):
        expected, mend = "8 or 16 bits, or float32, in grey, RGB or channels", "Convert it to one of these."
        name = getattr(page.photometric, "name", page.photometric)
        faults.append(KINDS["not_supported"].at(path, f"{what} ({name})", expected=expected, mend=mend))
    elif not plain:
        name = getattr(page.compression, "name", page.compression)
        such = "a big-endian BigTIFF" if page.parent.tiff.is_bigtiff and page.parent.byteorder == ">" else "such samples"
        expected, mend = f"no compression or deflate, for {such}", "Save it without compression, or with deflate."
        faults.append(KINDS["not_supported"].at(path, f"{what} in the compression {name}", expected=expected, mend=mend))
    if faults:
        raise DataError(faults)
