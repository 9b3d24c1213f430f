"""Pictures from files: PNG, JPEG, TIFF, BMP and GIF, told apart by their content, whole or not at all.

A file is read once: the bytes that are checked are the bytes that are decoded.
"""

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from focalseg.errors import DataError
from focalseg.findings import Finding
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.pictures.damage import check_png_stream, is_interlaced
from focalseg.imagesets.pictures.files import START, identify, read_content, sniff
from focalseg.imagesets.pictures.headers import (
    BITS,
    CHECKS,
    COLOUR_MODES,
    MOST_PIXELS,
    WIDE_MODES,
    PictureHeader,
    check_use,
    explain_failure,
    open_picture,
    quietly,
    read_header,
    read_orientation,
    turned,
)
from focalseg.imagesets.pictures.jpeg import find_jpeg_end

__all__ = ["MOST_PIXELS", "SUFFIXES", "Page", "PictureHeader", "read_header", "read_image", "read_pages", "sniff"]

FORMAT_SUFFIXES = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "TIFF": (".tif", ".tiff"), "BMP": (".bmp",), "GIF": (".gif",)}
SUFFIXES = tuple(itertools.chain.from_iterable(FORMAT_SUFFIXES.values()))
PHOTOMETRIC, SAMPLE_FORMAT = 262, 339
_SIGNED = 2
_EXACT_IN_FLOAT32 = 1 << 24
_MARK = 165
"""The value put into the last row before decoding, which decoding has to overwrite."""
_JPEG_GREY = 128
"""What a JPEG decoder gives where data is missing."""
_JPEG_FILLER = bytes(range(1, 128, 2))
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Page:
    """A decoded page. bits: of a sample, as stored. signed: they may be negative. white_is_zero: of 16 bits, as stored."""

    path: Path
    image: Image.Image
    bits: int
    signed: bool = False
    white_is_zero: bool = False


def read_image(path: Path) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """Pixels, and notes about the file. (C, H, W), or (C, D, H, W) for several pages; C is 1 for grey and 3 for colour.

    uint8, uint16, int16 or float32, as stored; whole numbers of 32 bits become float32, where it holds them exactly.
    Raises DataError for anything else: damaged, turned, transparent, animated, too large, for print.
    """
    pages, notes = read_pages(path, _take_channels)
    return pages[0] if len(pages) == 1 else np.stack(pages, axis=1), notes


def read_pages(path: Path, take: Callable[[Page], tuple[T, tuple[Finding, ...]]]) -> tuple[list[T], tuple[Finding, ...]]:
    """What `take` makes of each page, and all notes once. Raises DataError unless the whole file is sound."""
    content = read_content(path)
    found = identify(path, content[:START])
    try:
        image, header = open_picture(path, io.BytesIO(content), found)
        CHECKS[found](content)
        check_use(path, image, header, content)
        taken = [take(_load_page(path, image, header, content, number)) for number in range(header.pages)]
    except DataError:
        raise
    except Exception as error:
        # Pillow raises a dozen kinds on damaged files, MemoryError, ZeroDivisionError and struct.error among them.
        raise explain_failure(path, found, content, error) from error
    notes = [note for _, more in taken for note in more]
    if path.suffix.lower() in set(SUFFIXES).difference(FORMAT_SUFFIXES[found]):
        expected = f"a name that does not end in {path.suffix}"
        notes.insert(0, KINDS["wrong_suffix"].at(path, f"is a {found} by its content", expected=expected))
    return [content for content, _ in taken], tuple(dict.fromkeys(notes))


def read_numbers(page: Page) -> np.ndarray:
    """A page of one channel as numbers: (H, W) uint8 (0 and 1 for one bit), uint16, int16 or float32. Raises DataError."""
    mode, image = page.image.mode, page.image
    if mode == "1":
        # Pillow's booleans may hold 255.
        ones: np.ndarray = (np.asarray(image).view(np.uint8) != 0).view(np.uint8)
        return ones
    if mode in WIDE_MODES:
        numbers = np.asarray(image).astype(np.uint16, copy=False)
        return np.uint16(65535) - numbers if page.white_is_zero else numbers
    if mode == "F":
        numbers = np.asarray(image)
        if not np.isfinite(numbers).all():
            strange = int(np.count_nonzero(~np.isfinite(numbers)))
            what = "pixel that is no finite number" if strange == 1 else "pixels that are no finite numbers"
            found = f"has {strange:,} {what}"
            raise DataError(KINDS["not_finite"].at(page.path, found))
        return numbers
    if mode == "I":
        return _narrow(page, np.asarray(image))
    numbers = np.asarray(image if mode == "L" else image.getchannel(0))
    return numbers.view(np.int8).astype(np.int16) if page.signed else numbers


def check_opaque(page: Page) -> tuple[Finding, ...]:
    """The note alpha_dropped for an alpha channel that hides nothing. Raises DataError where pixels are transparent."""
    image, alpha = page.image, None
    if image.getbands()[-1] in ("A", "a"):
        alpha = np.asarray(image.getchannel(len(image.getbands()) - 1))
        if alpha.min() == 255:
            return (KINDS["alpha_dropped"].at(page.path, "has an alpha channel that is opaque everywhere"),)
        clear = int(np.count_nonzero(alpha < 255))
    else:
        clear = _count_clear(image, page.bits)
    if clear:
        raise DataError(KINDS["transparent"].at(page.path, f"has {clear:,} transparent pixels"))
    # What hides nothing must not make Pillow warn of it when it converts.
    image.info.pop("transparency", None)
    return ()


def _take_channels(page: Page) -> tuple[np.ndarray, tuple[Finding, ...]]:
    notes = check_opaque(page)
    image = page.image
    if image.mode not in COLOUR_MODES:
        numbers = read_numbers(page)
        if image.mode == "1":
            numbers = numbers * np.uint8(255)
        return np.require(numbers, requirements=["C", "W"])[None], notes
    colours = image if image.mode == "RGB" else image.convert("RGB")
    # Line by line is how Pillow gives the channels fastest.
    lines = np.frombuffer(colours.tobytes("raw", "RGB;L"), np.uint8).reshape(image.height, 3, image.width)
    return np.ascontiguousarray(lines.transpose(1, 0, 2)), notes


def _load_page(path: Path, image: Image.Image, header: PictureHeader, content: bytes, number: int) -> Page:
    """Decodes a page and looks whether all of it was there. Raises DataError, or whatever Pillow raises."""
    if header.format == "TIFF":
        return _load_tiff_page(path, image, header, number)
    if header.format == "PNG":
        _load_png(image, content)
        # Only now is known what follows the pixels.
        if (orientation := read_orientation(image)) != 1:
            raise DataError(turned(path, orientation))
    else:
        image.load()
    if header.format == "JPEG":
        _check_jpeg_tail(path, image, content)
    bits = content[24] if header.format == "PNG" else 8
    return Page(path=path, image=image, bits=1 if image.mode == "1" else bits)


def _load_tiff_page(path: Path, image: Image.Image, header: PictureHeader, number: int) -> Page:
    with quietly():
        image.seek(number)
    if image.size != header.size or image.mode != header.mode:
        first, other = (
            f"{width} x {height} ({mode})" for (width, height), mode in ((header.size, header.mode), (image.size, image.mode))
        )
        found = f"has pages of {first} and of {other} pixels"
        raise DataError(KINDS["several_pages"].at(path, found, expected="pages alike, or one"))
    if (orientation := read_orientation(image)) != 1:
        raise DataError(turned(path, orientation))
    tags: Any = getattr(image, "tag_v2", {})
    bits = max(tags.get(BITS, (1,)))
    signed, white_is_zero = _SIGNED in tags.get(SAMPLE_FORMAT, (1,)), bits == 16 and tags.get(PHOTOMETRIC, 1) == 0
    with quietly(deaf=image.info.get("compression") != "raw"):
        image.load()
    return Page(path=path, image=image, bits=bits, signed=signed, white_is_zero=white_is_zero)


def _load_png(image: Any, content: bytes) -> None:
    """Decodes, with a mark in the last row: where the mark is still there, rows may be missing, and the data is counted."""
    last = (0, image.height - 1, image.width, image.height)
    blank: Any = Image.new(image.mode, image.size, None)
    blank.paste((_MARK,) * len(image.getbands()) if len(image.getbands()) > 1 else _MARK, last)
    left = blank.crop(last).getextrema()
    image.im = blank.im
    image.load()
    if is_interlaced(content) or image.crop(last).getextrema() == left:
        check_png_stream(content)


def _check_jpeg_tail(path: Path, image: Image.Image, content: bytes) -> None:
    """Looks whether the data reached the last pixel. Where it did not, the decoder gave grey, and would use more data.

    Hence only a picture that ends in this grey is decoded again, with data added that is needed by none that is whole.
    """
    last = image.getpixel((image.width - 1, image.height - 1))
    if last not in (_JPEG_GREY, (_JPEG_GREY,) * 3):
        return
    end = find_jpeg_end(content)
    with quietly(), Image.open(io.BytesIO(content[:end] + _JPEG_FILLER + content[end:]), formats=("JPEG",)) as longer:
        longer.load()
        if longer.tobytes() != image.tobytes():
            raise DataError(KINDS["damaged"].at(path, "lacks a part of its pixels, which would come out grey"))


def _narrow(page: Page, numbers: np.ndarray) -> np.ndarray:
    """Pillow's 32-bit whole numbers -> int16 where stored so, else float32. Raises DataError where that is not exact."""
    if page.bits == 16:
        return numbers.astype(np.int16)
    largest = max(abs(int(numbers.min())), abs(int(numbers.max())))
    if largest > _EXACT_IN_FLOAT32 or (numbers.min() < 0 and not page.signed):
        found, expected = "has whole numbers of 32 bits that are too large", f"numbers up to {_EXACT_IN_FLOAT32:,}"
        raise DataError(KINDS["not_supported"].at(page.path, found, expected=expected, mend="Save it in 16 bits or as float."))
    return numbers.astype(np.float32)


def _count_clear(image: Image.Image, bits: int) -> int:
    """Pixels of the one colour, or of the palette's entries, that a PNG or GIF declares transparent."""
    declared = image.info.get("transparency")
    if declared is None:
        return 0
    if image.mode == "P":
        used = image.histogram()
        entries = [declared] if isinstance(declared, int) else [at for at, alpha in enumerate(declared) if alpha < 255]
        return sum(used[entry] for entry in entries if entry < len(used))
    if image.mode == "RGB":
        return int(np.count_nonzero((np.asarray(image) == declared).all(axis=2)))
    pixels = np.asarray(image)
    value = bool(declared) if image.mode == "1" else declared * (255 // (2**bits - 1) if bits < 8 else 1)
    return int(np.count_nonzero(pixels == value))
