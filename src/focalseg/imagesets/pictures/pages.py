"""A decoded page of a picture as numbers, and whether any of its pixels are transparent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from focalseg.errors import DataError
from focalseg.findings import Finding
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.pictures.headers import WIDE_MODES

_EXACT_IN_FLOAT32 = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Page:
    """A decoded page. bits: of a sample, as stored. signed: they may be negative. white_is_zero: of 16 bits, as stored."""

    path: Path
    image: Image.Image
    bits: int
    signed: bool = False
    white_is_zero: bool = False


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
            raise DataError(KINDS["not_finite"].at(page.path, f"has {strange:,} {what}"))
        return numbers
    if mode == "I":
        return _narrow(page, np.asarray(image))
    numbers = np.asarray(image if mode == "L" else image.getchannel(0))
    return numbers.view(np.int8).astype(np.int16) if page.signed else numbers


def check_opaque(page: Page) -> tuple[Finding, ...]:
    """The note alpha_dropped for an alpha channel that hides nothing. Raises DataError where pixels are transparent."""
    image = page.image
    if image.getbands()[-1] in ("A", "a"):
        return _check_alpha(page.path, np.asarray(image.getchannel(len(image.getbands()) - 1)), 255)
    refuse_transparent(page.path, _count_clear(image, page.bits))
    # What hides nothing must not make Pillow warn of it when it converts.
    image.info.pop("transparency", None)
    return ()


def _check_alpha(path: Path, alpha: np.ndarray, full: int) -> tuple[Finding, ...]:
    """The note alpha_dropped for an alpha channel (H, W) that is full everywhere. Raises DataError for any other."""
    refuse_transparent(path, int(np.count_nonzero(alpha < full)))
    return (KINDS["alpha_dropped"].at(path, "has an alpha channel that is opaque everywhere"),)


def refuse_transparent(path: Path, clear: int) -> None:
    """Raises DataError where so many pixels are transparent, unless there are none."""
    if clear:
        raise DataError(KINDS["transparent"].at(path, f"has {clear:,} transparent pixels"))


def _wrap_numbers(path: Path, numbers: np.ndarray) -> Page:
    """(H, W) numbers of any type, or (H, W, 3) or (H, W, 4) uint8 -> a page as Pillow would give it.

    Raises DataError for numbers that a page does not hold: complex ones, and those of more than 32 bits.
    """
    kind, bits = numbers.dtype.kind, 8 * numbers.dtype.itemsize
    if kind == "c":
        raise DataError(KINDS["not_real"].at(path, "has complex numbers"))
    if bits > 32:
        found = f"has numbers of {bits} bits"
        expected = "8 or 16 bits, or float32"
        raise DataError(KINDS["not_supported"].at(path, found, expected=expected, mend="Save it with 32 bits a number."))
    numbers = np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("="))
    if kind == "b":
        return Page(path=path, image=Image.fromarray(numbers), bits=1)
    if kind == "f":
        return Page(path=path, image=Image.fromarray(numbers.astype(np.float32)), bits=bits)
    if bits == 8:
        return Page(path=path, image=Image.fromarray(numbers.view(np.uint8)), bits=bits, signed=kind == "i")
    if kind == "u" and bits == 32 and numbers.max(initial=0) > _EXACT_IN_FLOAT32:
        raise _too_large(path)
    whole = numbers if kind == "u" and bits == 16 else numbers.astype(np.int32)
    return Page(path=path, image=Image.fromarray(whole), bits=bits, signed=kind == "i")


def split_samples(
    path: Path, samples: np.ndarray, *, colours: int, alpha: Sequence[int]
) -> tuple[list[Page], tuple[Finding, ...]]:
    """(H, W, S) -> a page for each channel, or one page for three colours of 8 bits; and the notes.

    colours: 3 where the first three samples are red, green and blue, else 0. alpha: the samples that say how opaque a pixel is.
    Raises DataError where they hide anything.
    """
    notes: tuple[Finding, ...] = ()
    for number in alpha:
        kind = samples.dtype
        full = np.iinfo(kind).max if kind.kind == "u" else 1
        notes += _check_alpha(path, samples[..., number], int(full))
    kept = [number for number in range(samples.shape[-1]) if number not in alpha]
    if colours and len(kept) == colours and samples.dtype == np.uint8:
        return [_wrap_numbers(path, samples[..., kept])], notes
    return [_wrap_numbers(path, samples[..., number]) for number in kept], notes


def _too_large(path: Path) -> DataError:
    found, expected = "has whole numbers of 32 bits that are too large", f"numbers up to {_EXACT_IN_FLOAT32:,}"
    return DataError(KINDS["not_supported"].at(path, found, expected=expected, mend="Save it in 16 bits or as float."))


def _narrow(page: Page, numbers: np.ndarray) -> np.ndarray:
    """Pillow's 32-bit whole numbers -> int16 where stored so, else float32. Raises DataError where that is not exact."""
    if page.bits == 16:
        return numbers.astype(np.int16)
    largest = max(abs(int(numbers.min())), abs(int(numbers.max())))
    if largest > _EXACT_IN_FLOAT32 or (numbers.min() < 0 and not page.signed):
        raise _too_large(page.path)
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
