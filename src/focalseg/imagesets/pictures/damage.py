"""Whether the bytes of a picture are all there and as they were written, as far as its format lets anybody know.

Decoders are lenient: Pillow opens a PNG whose end is cut off, a JPEG whose middle is gone (the rest turns grey) and a TIFF
whose pages are missing. What can be known: every chunk of a PNG carries a checksum, and so does every strip of a TIFF in
deflate. What cannot: the pixels of a JPEG, a GIF, a BMP and any other TIFF have none, so that a flipped bit among them stays
unnoticed. Cuts are found in every format: each says how long it is or how it ends.
"""

import struct
import zlib
from collections.abc import Iterator

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PNG_PASSES = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
"""Start and step along x, start and step along y of the seven passes of an interlaced PNG."""
PIECE = 1 << 20
GIF_PICTURE, GIF_EXTENSION, GIF_END = 0x2C, 0x21, 0x3B


class DamageError(ValueError):
    """What is wrong with the content, as a verb phrase that continues the file's name."""


class OversizeError(DamageError):
    """How much a sound file would unpack, as a verb phrase that continues the file's name."""


def _iterate_png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the data of every chunk, its checksum verified. Raises DamageError."""
    position, name, size = len(PNG_SIGNATURE), b"", len(content)
    view = memoryview(content)
    while name != b"IEND":
        if position + 12 > size:
            raise DamageError(f"is cut short: it ends after {size:,} bytes, without the end of a PNG")
        length = int.from_bytes(view[position : position + 4], "big")
        start, end = position + 8, position + 8 + length
        name = content[position + 4 : start]
        if end + 4 > size:
            raise DamageError(f"is cut short: a part of {length:,} bytes begins at byte {position:,} of {size:,}")
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise DamageError(f"is altered: the checksum of its part {ascii(name)[2:-1]} at byte {position:,} is wrong")
        yield name, start, end
        position = end + 4
    if position != size:
        raise DamageError(f"has {size - position:,} bytes after the end of the image")


def check_png(content: bytes) -> None:
    """Raises DamageError unless it is a chain of sound chunks from the header to the end and nothing more."""
    names = [name for name, _, _ in _iterate_png_chunks(content)]
    if names[0] != b"IHDR" or b"IDAT" not in names or names.count(b"IHDR") > 1:
        raise DamageError("lacks the header or the pixels of a PNG")
    last = len(names) - 1 - names[::-1].index(b"IDAT")
    if b"acTL" in names[last:]:
        raise DamageError("announces an animation after its pixels")


def is_interlaced(content: bytes) -> bool:
    """Whether a PNG's rows come in seven passes."""
    return content[28] != 0


def check_png_stream(content: bytes) -> None:
    """Inflates the pixels of a PNG to count them. Raises DamageError where they are too few, too many or lack their checksum.

    The memory is bounded. It takes as long as decoding, hence only what decoding leaves in doubt comes here.
    """
    width, height, bits, colour = struct.unpack_from(">IIBB", content, 16)
    passes = PNG_PASSES if is_interlaced(content) else ((0, 1, 0, 1),)
    expected = 0
    for left, step_x, top, step_y in passes:
        columns, rows = -((left - width) // step_x), -((top - height) // step_y)
        if columns > 0 and rows > 0:
            expected += rows * (1 + (columns * bits * PNG_CHANNELS.get(colour, 1) + 7) // 8)
    stream = b"".join(content[start:end] for name, start, end in _iterate_png_chunks(content) if name == b"IDAT")
    check_deflate(stream, expected, expected, "its pixels")


def check_deflate(stream: bytes, least: int, most: int, what: str) -> None:
    """Raises DamageError unless a zlib stream is whole, its checksum right and what it holds within the bounds, in bytes."""
    inflater, count, rest = zlib.decompressobj(), 0, stream
    try:
        while not inflater.eof and count <= most:
            piece = inflater.decompress(rest, PIECE)
            count, rest = count + len(piece), inflater.unconsumed_tail
            if not piece and not rest and not inflater.eof:
                raise DamageError(f"is cut short: {what} end early")
    except zlib.error as error:
        raise DamageError(f"is altered: {what} cannot be unpacked ({error})") from error
    if not least <= count <= most:
        more = "more than " if count > most else ""
        raise DamageError(f"is altered: {what} take {more}{min(count, most):,} bytes where its size needs {least:,}")


def check_gif(content: bytes) -> int:
    """How many pictures a GIF holds. Raises DamageError unless its blocks reach from the header to the end mark."""
    flags = content[10]
    position = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    count = 0
    while True:
        if position >= len(content):
            raise DamageError(f"is cut short: it ends after {len(content):,} bytes, without the end of a GIF")
        mark = content[position]
        if mark == GIF_END:
            break
        if mark == GIF_PICTURE:
            flags = content[position + 9]
            position += 11 + (3 << (flags & 7) + 1 if flags & 128 else 0)
            count += 1
        elif mark == GIF_EXTENSION:
            position += 2
        else:
            raise DamageError(f"is altered: a block was expected at byte {position:,}")
        while length := content[position]:
            position += length + 1
        position += 1
    if not count:
        raise DamageError("is cut short: it has no pixels")
    return count


def check_bmp(content: bytes) -> None:
    """Raises DamageError where a BMP is shorter than its header says or its pixels need."""
    declared, _, offset, header = struct.unpack_from("<IIII", content, 2)
    width, height, _, bits = struct.unpack_from("<HHHH" if header == 12 else "<iiHH", content, 18)
    needed = offset + (abs(width) * bits + 31) // 32 * 4 * abs(height)
    compressed = header != 12 and struct.unpack_from("<I", content, 30)[0] in (1, 2)
    least = declared if compressed else max(declared, needed)
    if len(content) < least:
        raise DamageError(f"is cut short: it has {len(content):,} bytes of {least:,}")
    if offset < 14 + header:
        raise DamageError(f"is altered: its pixels begin at byte {offset:,}, within its header")
