"""Small good sets of pictures, and the bytes of pictures in every format."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COUNT, PLANTED = 8, 3
"""Cases of a set, and the one that is spoilt."""
HEIGHT, WIDTH = 32, 40
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@cache
def draw_image(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(height, width, 3) uint8: smooth blotches of its own for each number, brighter where its mask is."""
    random = np.random.default_rng(1000 + number)
    coarse = Image.fromarray(random.integers(0, 160, (6, 7, 3)).astype(np.uint8))
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    pixels += random.integers(0, 20, pixels.shape) + 60 * draw_mask(number, height, width)[..., None]
    return np.clip(pixels, 0, 255).astype(np.uint8)


@cache
def draw_mask(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(height, width) bool: a box within the picture, away from its border."""
    random = np.random.default_rng(2000 + number)
    mask = np.zeros((height, width), bool)
    row, column = (int(random.integers(3, side // 2 - 2)) for side in (height, width))
    tall, wide = (int(random.integers(side // 4, side // 3)) for side in (height, width))
    mask[row : row + tall, column : column + wide] = True
    return mask


def encode(pixels: np.ndarray | Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """The bytes of a file."""
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    content = io.BytesIO()
    image.save(content, file_format, **options)
    return content.getvalue()


@cache
def encode_image(number: int) -> bytes:
    """A colour PNG."""
    return encode(draw_image(number))


@cache
def encode_mask(number: int) -> bytes:
    """A grey PNG of 0 and 255."""
    return encode(black_and_white(number))


def black_and_white(number: int) -> np.ndarray:
    """(height, width) uint8 of 0 and 255."""
    return draw_mask(number).astype(np.uint8) * 255


def write_pictures(folder: Path, count: int = COUNT, images: str = "images", masks: str = "masks") -> Path:
    """A plain folder: colour images and their masks by the same names."""
    for part, encoded in ((images, encode_image), (masks, encode_mask)):
        (folder / part).mkdir(parents=True)
        for number in range(count):
            (folder / part / f"case_{number}.png").write_bytes(encoded(number))
    return folder


def replace(folder: Path, part: str, content: bytes, *, number: int = PLANTED, suffix: str = ".png") -> Path:
    """The file of a case in `images` or `masks`, written anew."""
    (folder / part / f"case_{number}.png").unlink()
    path = folder / part / f"case_{number}{suffix}"
    path.write_bytes(content)
    return path


def split_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG, kind and content each."""
    chunks, place = [], len(SIGNATURE)
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def join_chunks(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of those chunks, with the right checksums."""
    return SIGNATURE + b"".join(
        len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    )


def encode_png(pixels: np.ndarray, *, depth: int, interlaced: bool = False) -> bytes:
    """A PNG by hand, for what Pillow cannot write: (H, W) or (H, W, 3) of 8 or 16 bits, interlaced by Adam7."""
    colour = 2 if pixels.ndim == 3 else 0
    whole = pixels.astype({8: ">u1", 16: ">u2"}[depth])
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b"".join(
        b"\0" + row.tobytes() for top, left, down, right in passes for row in whole[top::down, left::right] if row.size
    )
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, colour, 0, 0, int(interlaced))
    return join_chunks([(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


def encode_png_bomb(side: int) -> bytes:
    """A true grey PNG of side x side zeros, a thousandth of their size, made without them in memory."""
    length = side * (side + 1)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    # Adler-32 of n zeros: the low half stays 1, the high half counts them modulo 65521.
    sum_of_zeros = (length % 65521 << 16) | 1
    return join_chunks([(b"IHDR", header), (b"IDAT", deflate_zeros(length) + sum_of_zeros.to_bytes(4, "big")), (b"IEND", b"")])


def deflate_zeros(length: int, header: bytes = b"\x78\x9c") -> bytes:
    """A deflate stream of so many zeros without its checksum: blocks of a mebibyte, the last one shorter."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, wbits=-15)
    rest = last.compress(bytes(length % 2**20)) + last.flush()
    return header + block * (length // 2**20) + rest


def encode_pages(count: int) -> bytes:
    """A TIFF of so many pages of 8 x 8 grey pixels, which all share their 64 bytes."""
    entries = [(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, 64)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    first = 8 + 64
    step = len(directory) + 4
    pages = [directory + struct.pack("<I", first + step * (page + 1) if page + 1 < count else 0) for page in range(count)]
    return b"II*\0" + struct.pack("<I", first) + bytes(range(64)) + b"".join(pages)
