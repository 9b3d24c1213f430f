"""Pictures from files: PNG, JPEG, TIFF, BMP and GIF, told apart by their content, whole or not at all.

A file is read once: the bytes that are checked are the bytes that are decoded.
"""

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from PIL import Image

from focalseg.errors import DataError
from focalseg.findings import Finding
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.pictures.damage import check_png_stream, is_interlaced
from focalseg.imagesets.pictures.files import START, identify, read_content, sniff
from focalseg.imagesets.pictures.headers import (
    CHECKS,
    COLOUR_MODES,
    MOST_PIXELS,
    PictureHeader,
    check_use,
    explain_failure,
    open_picture,
    read_header,
    read_orientation,
    turned,
)
from focalseg.imagesets.pictures.jpeg import find_jpeg_end
from focalseg.imagesets.pictures.pages import Page, check_opaque, read_numbers, refuse_transparent, split_samples
from focalseg.imagesets.pictures.planes import suits_pillow, take_planes
from focalseg.imagesets.pictures.quiet import quietly
from focalseg.imagesets.pictures.stacks import note_unmarked, open_tiff, read_stack
from focalseg.imagesets.pictures.tiff import BITS, PHOTOMETRIC, SAMPLE_FORMAT
from focalseg.imagesets.pictures.wide import join_halves

__all__ = ["MOST_PIXELS", "SUFFIXES", "Page", "PictureHeader", "read_header", "read_image", "read_pages", "sniff"]

FORMAT_SUFFIXES = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "TIFF": (".tif", ".tiff"), "BMP": (".bmp",), "GIF": (".gif",)}
SUFFIXES = tuple(itertools.chain.from_iterable(FORMAT_SUFFIXES.values()))
_SIGNED = 2
_WIDE = 16
_MARK = 165
"""The value put into the last row before decoding, which decoding has to overwrite."""
_JPEG_GREY = 128
"""What a JPEG decoder gives where data is missing."""
_JPEG_FILLER = bytes(range(1, 128, 2))
_Notes = tuple[Finding, ...]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Taken(Generic[T]):
    """What was taken of each page of a file, by channel and slice. unmarked: slices that nothing says to be slices."""

    table: list[list[T]]
    notes: _Notes
    unmarked: bool


def read_image(path: Path) -> tuple[np.ndarray, _Notes]:
    """Pixels, and notes about the file. (C, H, W), or (C, D, H, W) for slices.

    C is 1 for grey, 3 for colour, and as many as a TIFF says it has. uint8, uint16, int16 or float32, as stored; whole numbers
    of 32 bits become float32, where it holds them exactly. Raises DataError for anything else: damaged, turned, transparent,
    animated, too large, for print, of several times or positions.
    """
    taken = read_pages(path, _take_channels)
    slices = len(taken.table[0])
    rows = [row[0] if slices == 1 else np.stack(row, axis=1) for row in taken.table]
    notes = (*taken.notes, note_unmarked(path, slices)) if taken.unmarked else taken.notes
    return rows[0] if len(rows) == 1 else np.concatenate(rows), notes


def gives_all(content: bytes) -> bool:
    """Whether Pillow gives all that is in a sound picture: one page, all its samples, all their bits."""
    found = sniff(content)
    image, _ = open_picture(Path(), io.BytesIO(content), found)
    if image is None or (_count_bits(image, content) > 8 and image.mode in ("LA", "La", *COLOUR_MODES)):
        return False
    if found != "TIFF":
        return True
    with open_tiff(content) as file, quietly():
        stack = read_stack(Path(), file)
        return stack.planes == 1 and suits_pillow(image, stack)


def read_pages(path: Path, take: Callable[[Page], tuple[T, _Notes]]) -> Taken[T]:
    """What `take` makes of each page, and all notes once. Raises DataError unless the whole file is sound."""
    content = read_content(path)
    found = identify(path, content[:START])
    try:
        taken = (_take_tiff if found == "TIFF" else _take_picture)(path, found, content, take)
    except DataError:
        raise
    except Exception as error:
        # Pillow raises a dozen kinds on damaged files, MemoryError, ZeroDivisionError and struct.error among them.
        raise explain_failure(path, found, content, error) from error
    notes = list(taken.notes)
    if path.suffix.lower() in set(SUFFIXES).difference(FORMAT_SUFFIXES[found]):
        expected = f"a name that does not end in {path.suffix}"
        notes.insert(0, KINDS["wrong_suffix"].at(path, f"is a {found} by its content", expected=expected))
    return replace(taken, notes=tuple(dict.fromkeys(notes)))


def _take_picture(path: Path, found: str, content: bytes, take: Callable[[Page], tuple[T, _Notes]]) -> Taken[T]:
    """A picture that is one page. Raises DataError, or whatever Pillow raises."""
    image, header = open_picture(path, io.BytesIO(content), found)
    CHECKS[found](content)
    if image is None:
        raise ValueError("cannot identify image file")
    check_use(path, image, header, content)
    pages, notes = _load_page(path, image, header, content)
    taken, more = _take_all(take, pages)
    return Taken(table=[[one] for one in taken], notes=notes + more, unmarked=False)


def _take_tiff(path: Path, found: str, content: bytes, take: Callable[[Page], tuple[T, _Notes]]) -> Taken[T]:
    """The planes of a TIFF, by Pillow where it gives all that they hold, else by tifffile, which also knows what they are."""
    image, header = open_picture(path, io.BytesIO(content), found)
    CHECKS[found](content)
    if image is not None:
        check_use(path, image, header, content)
    planes: list[list[T]] = []
    notes: _Notes = ()
    with open_tiff(content) as file:
        with quietly():
            stack = read_stack(path, file)
        if image is not None and suits_pillow(image, stack):
            for number in stack.directories:
                pages, told = _load_tiff_page(path, image, header, number, content)
                taken, more = _take_all(take, pages)
                planes.append(taken)
                notes += told + more
        else:
            with quietly():
                decoded, notes = take_planes(path, file, stack)
            for pages in decoded:
                taken, more = _take_all(take, pages)
                planes.append(taken)
                notes += more
    samples = range(len(planes[0]))
    table = [[planes[plane][sample] for plane in row] for row in stack.order.tolist() for sample in samples]
    return Taken(table=table, notes=notes, unmarked=stack.unmarked)


def _take_all(take: Callable[[Page], tuple[T, _Notes]], pages: list[Page]) -> tuple[list[T], _Notes]:
    """What `take` makes of the pages of a plane, and its notes."""
    taken = [take(page) for page in pages]
    return [one for one, _ in taken], tuple(note for _, notes in taken for note in notes)


def _take_channels(page: Page) -> tuple[np.ndarray, _Notes]:
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


def _load_page(path: Path, image: Image.Image, header: PictureHeader, content: bytes) -> tuple[list[Page], _Notes]:
    """Decodes a picture and looks whether all of it was there. Raises DataError, or whatever Pillow raises."""
    if header.format == "PNG":
        _load_png(image, content)
        # Only now is known what follows the pixels.
        if (orientation := read_orientation(image)) != 1:
            raise DataError(turned(path, orientation))
    else:
        image.load()
    if header.format == "JPEG":
        _check_jpeg_tail(path, image, content)
    bits = _count_bits(image, content)
    if bits == _WIDE and image.mode in COLOUR_MODES:
        return _load_wide(path, image, lambda: Image.open(io.BytesIO(content), formats=("PNG",)))
    return [Page(path=path, image=image, bits=1 if image.mode == "1" else bits)], ()


def _count_bits(image: Any, content: bytes) -> int:
    """Bits of a sample, as stored."""
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(BITS, (1,))))
    return content[24] if image.format == "PNG" else 8


def _load_wide(path: Path, image: Image.Image, reopen: Callable[[], Any]) -> tuple[list[Page], _Notes]:
    """The channels of a picture of 16 bits a colour, decoded already, as pages of their own."""
    with quietly(deaf=True):
        samples = join_halves(image, reopen)
    declared = image.info.get("transparency")
    if declared is not None:
        refuse_transparent(path, int(np.count_nonzero((samples == declared).all(axis=2))))
    return split_samples(path, samples, colours=0, alpha=[3] if len(image.getbands()) > 3 else [])


def _load_tiff_page(
    path: Path, image: Image.Image, header: PictureHeader, number: int, content: bytes
) -> tuple[list[Page], _Notes]:
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
    bits = _count_bits(image, content)
    signed, white_is_zero = _SIGNED in tags.get(SAMPLE_FORMAT, (1,)), bits == 16 and tags.get(PHOTOMETRIC, 1) == 0
    with quietly(deaf=image.info.get("compression") != "raw"):
        image.load()
    if bits == _WIDE and image.mode in COLOUR_MODES:
        return _load_wide(path, image, lambda: _open_tiff_page(content, number))
    return [Page(path=path, image=image, bits=bits, signed=signed, white_is_zero=white_is_zero)], ()


def _open_tiff_page(content: bytes, number: int) -> Image.Image:
    image = Image.open(io.BytesIO(content), formats=("TIFF",))
    image.seek(number)
    return image


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
