"""The directories of a TIFF (revision 6.0, and BigTIFF), to know that every page is there with all of its strips or tiles."""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from focalseg.imagesets.pictures.damage import DamageError, OversizeError, check_deflate
from focalseg.imagesets.pictures.jpeg import find_jpeg_end

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""The bytes that a value takes, by its type."""
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES = 256, 257, 258, 259, 262, 277
STRIP_OFFSETS, STRIP_ROWS, STRIP_COUNTS, PLANAR = 273, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
DEPTH, TILE_DEPTH = 32997, 32998
ORIENTATION, SAMPLE_FORMAT = 274, 339
PLAIN, JPEG, DEFLATE = 1, 7, (8, 32946)
_YCBCR = 6
_SLACK = 3
"""Bytes by which writers round a strip up."""
MOST_PAGES = 4096
MOST_UNPACKED = 400_000_000
"""The most bytes that all pages take once they are unpacked: four for each pixel that is decoded at most."""
_MOST_TILE = 1 << 26
"""The most pixels of a tile, which libtiff unpacks in one go."""


class _Kind(NamedTuple):
    """How the file writes, as `struct` has it, an address, a number of entries and an entry's head; entry: the bytes of one."""

    order: str
    pointer: str
    number: str
    head: str
    entry: int


def _read_kind(start: bytes) -> tuple[_Kind, int]:
    """How the file writes numbers, and where its first directory lies."""
    order, big = "<" if start[:2] == b"II" else ">", 43 in (start[2], start[3])
    pointer, number, head = ("Q", "Q", "HHQ") if big else ("I", "H", "HHI")
    kind = _Kind(order, order + pointer, order + number, order + head, 20 if big else 12)
    return kind, struct.unpack_from(kind.pointer, start, 8 if big else 4)[0]


def count_pages(file: BinaryIO) -> int:
    """Pages of a TIFF, up to one more than MOST_PAGES, by its chain of directories. Raises DamageError where that breaks."""
    file.seek(0)
    seen: set[int] = set()
    try:
        kind, position = _read_kind(file.read(16))
        while position and len(seen) <= MOST_PAGES:
            if position in seen:
                raise DamageError("is altered: its pages form a circle")
            seen.add(position)
            file.seek(position)
            entries = struct.unpack(kind.number, file.read(struct.calcsize(kind.number)))[0]
            file.seek(entries * kind.entry, 1)
            position = struct.unpack(kind.pointer, file.read(struct.calcsize(kind.pointer)))[0]
    except (struct.error, IndexError, OverflowError, OSError, ValueError) as error:
        if isinstance(error, DamageError):
            raise
        raise DamageError(
            f"is cut short: the list of its pages breaks off after {len(seen)}" if seen else "is cut short"
        ) from error
    return len(seen)


def check_tiff(content: bytes) -> None:
    """Raises DamageError unless the entries, strips and tiles of every page are in the file, with the bytes its size needs.

    Raises OversizeError, before anything is unpacked that is beyond it, for more than MOST_UNPACKED.
    """
    kind, position = _read_kind(content)
    unpacked = 0
    seen: set[int] = set()
    while position and len(seen) <= MOST_PAGES:
        if position in seen:
            raise DamageError("is altered: its pages form a circle")
        seen.add(position)
        try:
            entries, position = _read_directory(content, kind, position)
        except struct.error as error:
            raise DamageError(
                f"is cut short: the directory of page {len(seen)} is not within its {len(content):,} bytes"
            ) from error
        needs = list(_list_needs(entries))
        unpacked += sum(least for least, _ in needs)
        if unpacked > MOST_UNPACKED:
            raise OversizeError(f"takes {unpacked:,} bytes once it is unpacked")
        _check_page(content, entries, needs, len(seen))
    if not seen:
        raise DamageError("is cut short: it has no pages")


def _read_directory(content: bytes, kind: _Kind, position: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """Whole-number entries of a directory by tag, and where the next one lies. Every entry's data is checked to be there."""
    number = struct.unpack_from(kind.number, content, position)[0]
    position += struct.calcsize(kind.number)
    if position + number * kind.entry > len(content):
        raise DamageError(f"is cut short: a directory of {number:,} entries begins at byte {position:,} of {len(content):,}")
    room = struct.calcsize(kind.pointer)
    entries: dict[int, tuple[int, ...]] = {}
    for start in range(position, position + number * kind.entry, kind.entry):
        tag, code, count = struct.unpack_from(kind.head, content, start)
        length = count * _SIZES.get(code, 0)
        place = start + kind.entry - room
        if length > room:
            place = struct.unpack_from(kind.pointer, content, place)[0]
        if place + length > len(content):
            raise DamageError(f"is cut short: its entry {tag} lies at byte {place + length:,} of {len(content):,}")
        if code in _NUMBERS:
            entries[tag] = struct.unpack_from(f"{kind.order}{count}{_NUMBERS[code]}", content, place)
    return entries, struct.unpack_from(kind.pointer, content, position + number * kind.entry)[0]


def _check_page(content: bytes, entries: dict[int, tuple[int, ...]], needs: list[tuple[int, int]], page: int) -> None:
    compression = _first(entries, COMPRESSION, PLAIN)
    offsets = entries.get(STRIP_OFFSETS) or entries.get(TILE_OFFSETS) or ()
    counts = entries.get(STRIP_COUNTS) or entries.get(TILE_COUNTS) or ()
    if not counts and compression == PLAIN:
        counts = tuple(least for least, _ in needs)
    if not len(offsets) == len(counts) == len(needs):
        raise DamageError(f"is altered: page {page} has {len(offsets)} strips or tiles of {len(needs)}")
    subsampled = _first(entries, PHOTOMETRIC, 1) == _YCBCR
    for offset, count, (least, most) in zip(offsets, counts, needs, strict=True):
        if offset + count > len(content):
            raise DamageError(f"is cut short: page {page} reaches to byte {offset + count:,} of {len(content):,}")
        if compression == PLAIN and not subsampled and not least <= count <= most + _SLACK:
            raise DamageError(f"is altered: page {page} has {count:,} bytes in a strip or tile where its size needs {least:,}")
        if compression in DEFLATE:
            check_deflate(content[offset : offset + count], least, most, f"the pixels of page {page}")
        elif compression == JPEG:
            find_jpeg_end(content[offset : offset + count])


def _list_needs(entries: dict[int, tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """Bytes that each strip or tile takes unpacked: with the rows that are left to it, and with all rows."""
    width, height = _first(entries, WIDTH, 0), _first(entries, HEIGHT, 0)
    samples = _first(entries, SAMPLES, 1)
    bits = entries.get(BITS, (1,))
    planes = samples if _first(entries, PLANAR, 1) == 2 else 1
    pixel = bits[0] if planes > 1 else sum(bits) if len(bits) == samples else bits[0] * samples
    rows = min(_first(entries, STRIP_ROWS, height), height)
    across, depth, thick = 1, _first(entries, DEPTH, 1), 1
    if TILE_OFFSETS in entries and STRIP_OFFSETS not in entries:
        rows, span = _first(entries, TILE_HEIGHT, 0), _first(entries, TILE_WIDTH, 0)
        across = -(-width // span) if span else 0
        width, thick = span, max(_first(entries, TILE_DEPTH, 1), 1)
        if rows * span * thick > _MOST_TILE:
            raise DamageError(f"is altered: its tiles are of {span:,} x {rows:,} pixels")
    planes *= -(-depth // thick)
    if rows < 1 or width < 1 or across * planes * -(-height // rows) > sum(map(len, entries.values())):
        raise DamageError(f"is altered: it gives {width:,} x {height:,} pixels in strips or tiles that do not hold them")
    row = (width * pixel + 7) // 8
    for _ in range(planes):
        for top in range(0, height, rows):
            tiled = across > 1 or TILE_OFFSETS in entries
            yield from [(row * thick * (rows if tiled else min(rows, height - top)), row * thick * rows)] * across


def _first(entries: dict[int, tuple[int, ...]], tag: int, default: int) -> int:
    return (entries.get(tag) or (default,))[0]
