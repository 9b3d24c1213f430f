"""What a picture says of itself before it is decoded, and whether that can be used."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from focalseg.errors import DataError
from focalseg.findings import Finding
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.pictures.damage import DamageError, OversizeError, check_bmp, check_gif, check_png
from focalseg.imagesets.pictures.files import MOST_BYTES, START, identify, open_file
from focalseg.imagesets.pictures.jpeg import find_jpeg_end
from focalseg.imagesets.pictures.quiet import quietly
from focalseg.imagesets.pictures.stacks import open_tiff
from focalseg.imagesets.pictures.tiff import MOST_PAGES, MOST_UNPACKED, ORIENTATION, check_tiff, count_pages

CHECKS: dict[str, Callable[[bytes], object]] = {
    "PNG": check_png,
    "JPEG": find_jpeg_end,
    "TIFF": check_tiff,
    "BMP": check_bmp,
    "GIF": check_gif,
}
"""Checks by format; each raises DamageError or an error of unpacking for content that is not whole."""
MOST_PIXELS = 100_000_000
"""The most pixels of a file, all pages together. Decoding takes at most four bytes per pixel."""
_QUARTER_TURNS = range(5, 9)
"""The EXIF numbers of turns that exchange width and height."""
WIDE_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_GREY_MODES = ("1", "L", "LA", "La", *WIDE_MODES, "I", "F")
COLOUR_MODES = ("RGB", "RGBA", "RGBX", "P", "PA")
_PRINT_MODE = "CMYK"
_PNG_GREY_AND_ALPHA = 4
_MOST_REASON = 100


@dataclass(frozen=True, kw_only=True)
class PictureHeader:
    """format: one of CHECKS. mode: Pillow's name for the kind of its pixels; empty for a TIFF that Pillow does not open.

    size: (width, height) in pixels. pages: of a TIFF; frames of a PNG or GIF. orientation: 1 for a picture stored upright, else
    the EXIF number that turns it.
    """

    format: str
    mode: str
    size: tuple[int, int]
    pages: int
    orientation: int


def read_header(path: Path) -> PictureHeader:
    """What the file says of itself, nothing decoded. Raises DataError for what is no picture, or too large to be decoded."""
    with open_file(path) as (file, _):
        found = identify(path, file.read(START))
        try:
            return open_picture(path, file, found)[1]
        except DataError:
            raise
        except Exception as error:
            file.seek(0)
            raise explain_failure(path, found, file.read(MOST_BYTES), error) from error


def open_picture(path: Path, file: BinaryIO, found: str) -> tuple[Image.Image | None, PictureHeader]:
    """Pillow's image, not decoded, and its header, within the limits; no image for a TIFF that Pillow does not open.

    Raises DataError, or whatever Pillow raises.
    """
    pages = count_pages(file) if found == "TIFF" else 1
    file.seek(0)
    try:
        with quietly():
            image = Image.open(file, formats=(found,))
            if found in ("PNG", "GIF"):
                pages = getattr(image, "n_frames", 1)
            orientation = read_orientation(image)
    except Image.DecompressionBombError as error:
        pixels = next(iter(re.findall(r"\((\d+) pixels\)", str(error))), "0")
        raise DataError(too_large(path, f"has {int(pixels):,} pixels")) from error
    except UnidentifiedImageError:
        if found != "TIFF":
            raise
        header = _read_tiff_header(file, pages)
        _check_limits(path, header)
        return None, header
    header = PictureHeader(format=found, mode=image.mode, size=image.size, pages=pages, orientation=orientation)
    _check_limits(path, header)
    return image, header


def _read_tiff_header(file: BinaryIO, pages: int) -> PictureHeader:
    """The header of a TIFF that Pillow does not open. Raises DamageError, or whatever tifffile raises."""
    file.seek(0)
    content = file.read(MOST_BYTES)
    check_tiff(content)
    with open_tiff(content) as opened, quietly():
        page = opened.pages.first
        tag = page.tags.get(ORIENTATION)
        orientation = tag.value if tag is not None and tag.value in range(1, 9) else 1
        size = page.imagewidth, page.imagelength
    return PictureHeader(format="TIFF", mode="", size=size, pages=pages, orientation=orientation)


def read_orientation(image: Image.Image) -> int:
    """The EXIF number that turns a picture upright; 1 where there is none, or one without a meaning."""
    tags = getattr(image, "tag_v2", None)
    if tags is None and "exif" in image.info:
        tags = Image.Exif()
        try:
            tags.load(image.info["exif"])
        except Exception:
            # What cannot be read turns nothing, in any program; the pixels are sound without it.
            return 1
    value = tags.get(ORIENTATION, 1) if tags is not None else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def check_use(path: Path, image: Image.Image, header: PictureHeader, content: bytes) -> None:
    """Raises DataError with everything that is legal in the format and yet cannot be used here."""
    faults = []
    if header.orientation != 1:
        faults.append(turned(path, header.orientation))
    if header.pages > 1 and header.format != "TIFF":
        faults.append(KINDS["several_pages"].at(path, f"is an animation of {header.pages:,} frames"))
    if header.mode == _PRINT_MODE:
        faults.append(KINDS["print_colours"].at(path, "has colours for print (CMYK)"))
    elif header.mode not in _GREY_MODES + COLOUR_MODES:
        found = f"has the colour model {header.mode}"
        faults.append(KINDS["not_supported"].at(path, found, expected="RGB or grey", mend="Convert it to RGB."))
    if odd := _describe_odd(image, header, content):
        mend = "Save it without the alpha channel." if header.format == "PNG" else "Save it as PNG."
        faults.append(KINDS["not_supported"].at(path, odd, expected="a plain image", mend=mend))
    if faults:
        raise DataError(faults)


def measure_upright(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture once it is turned as its note says; None where it cannot be read."""
    try:
        with quietly(), Image.open(path, formats=tuple(CHECKS)) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.load()  # the note of a PNG may stand after its pixels
            width, height = image.size
            return (height, width) if read_orientation(image) in _QUARTER_TURNS else (width, height)
    except Exception:
        # Pillow raises a dozen kinds on damaged files.
        return None


def turned(path: Path, orientation: int) -> Finding:
    """The finding for a picture that is not stored upright."""
    return KINDS["turned"].at(path, f"is stored turned (EXIF orientation {orientation})")


def explain_failure(path: Path, found: str, content: bytes, error: Exception) -> DataError:
    """Why Pillow could not read a file: damage where there is any, else a variety of the format that it does not know."""
    try:
        if not isinstance(error, DamageError):
            CHECKS[found](content)
    except DamageError as damage:
        error = damage
    except Exception:
        error = DamageError("is cut short or altered")
    if isinstance(error, OversizeError):
        return DataError(KINDS["too_large"].at(path, str(error), expected=f"at most {MOST_UNPACKED:,} bytes"))
    if isinstance(error, DamageError):
        return DataError(KINDS["damaged"].at(path, str(error)))
    reason = "".join(character for character in str(error) if character.isprintable())[:_MOST_REASON]
    if "cannot identify image file" in reason:
        said = f"is a {found} of a kind that is not read"
        return DataError(KINDS["not_supported"].at(path, said, expected="8 or 16 bits, or float32, in grey or RGB"))
    return DataError(KINDS["damaged"].at(path, f"cannot be decoded ({reason or type(error).__name__})"))


def _check_limits(path: Path, header: PictureHeader) -> None:
    width, height = header.size
    if header.pages > MOST_PAGES:
        found = f"has more than {MOST_PAGES:,} pages"
        raise DataError(KINDS["too_large"].at(path, found, expected=f"at most {MOST_PAGES:,}", mend="Cut it into parts."))
    if width * height * header.pages > MOST_PIXELS:
        times = f"{header.pages} pages of " if header.pages > 1 else ""
        raise DataError(too_large(path, f"has {times}{width} x {height} pixels"))


def too_large(path: Path, found: str) -> Finding:
    """The finding for more pixels than are decoded."""
    return KINDS["too_large"].at(path, found, expected=f"at most {MOST_PIXELS:,} pixels")


def _describe_odd(image: Image.Image, header: PictureHeader, content: bytes) -> str:
    """What Pillow would misread or squeeze into 8 bits; nothing for a plain image."""
    if header.format == "BMP":
        small = content[14] == 12
        bits = int.from_bytes(content[24:26] if small else content[28:30], "little")
        if not small and content[30] in (1, 2):
            return "is a BMP in run lengths"
        # Pillow takes a palette of few greys for the bits of a sample.
        return f"is a BMP of {bits} bits with few greys" if bits != {"1": 1, "L": 8}.get(header.mode, bits) else ""
    if header.format == "GIF":
        whole: object = (0, 0, int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little"))
        tiles: Any = getattr(image, "tile", ())
        return "" if len(tiles) == 1 and tiles[0].extents == whole else "has a frame that does not fill its canvas"
    bits, colours = content[24:26] if header.format == "PNG" else (8, 0)
    return "has an alpha channel beside grey of 16 bits" if bits > 8 and colours == _PNG_GREY_AND_ALPHA else ""
