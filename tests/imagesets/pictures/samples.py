"""Small pictures of every format, as bytes, and how a refusal is looked at."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from focalseg.errors import DataError
from focalseg.imagesets.pictures.reading import read_image

ROWS, COLUMNS = np.mgrid[:45, :60]
GREY = (np.sin(COLUMNS / 9) * 60 + np.cos(ROWS / 7) * 50 + 120 + (COLUMNS * ROWS) % 7).astype(np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)
WIDE = GREY.astype(np.uint16) * 200
WIDE_COLOUR = COLOUR.astype(np.uint16) * 251 + 7


def encode(pixels, picture_format, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, picture_format, **options)
    return buffer.getvalue()


def planes(*shape, kind=np.uint16):
    """Planes of (45, 60) that all differ: (*shape, 45, 60)."""
    count = int(np.prod(shape))
    return np.stack([np.roll(WIDE, number, axis=1) + number for number in range(count)]).reshape(*shape, 45, 60).astype(kind)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def make_png(stream, *, width=60, height=45, bits=8, colour=0, before=b"", after=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", stream) + after + chunk(b"IEND", b"")


def make_tiff(entries, data, order="<"):
    """One page: the header, the pixels at byte 8, the directory."""
    start = 8 + len(data) + len(data) % 2
    entries = {**entries, 273: (4, 8), 279: (4, len(data))}
    directory = struct.pack(order + "H", len(entries))
    for tag, (code, value) in sorted(entries.items()):
        field = struct.pack(order + "H", value) + b"\0\0" if code == 3 else struct.pack(order + "I", value)
        directory += struct.pack(order + "HHI", tag, code, 1) + field
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HI", 42, start) + data + b"\0" * (len(data) % 2) + directory + bytes(4)


SIZE_TAGS = {256: (3, 60), 257: (3, 45), 278: (3, 45), 277: (3, 1), 259: (3, 1)}
PICTURES = {
    "colour.png": encode(COLOUR, "PNG"),
    "grey.png": encode(GREY, "PNG"),
    "wide.png": encode(WIDE, "PNG"),
    "palette.png": encode(Image.fromarray(GREY).quantize(16), "PNG"),
    "bits.png": encode(Image.fromarray(GREY).convert("1"), "PNG"),
    "colour.jpg": encode(COLOUR, "JPEG"),
    "grey.jpeg": encode(GREY, "JPEG"),
    "progressive.jpg": encode(COLOUR, "JPEG", progressive=True),
    "restarts.jpg": encode(COLOUR, "JPEG", restart_marker_blocks=2),
    "colour.bmp": encode(COLOUR, "BMP"),
    "palette.bmp": encode(Image.fromarray(GREY).quantize(16), "BMP"),
    "grey.gif": encode(GREY, "GIF"),
    "colour.tif": encode(COLOUR, "TIFF"),
    "lzw.tif": encode(COLOUR, "TIFF", compression="tiff_lzw"),
    "deflate.tif": encode(COLOUR, "TIFF", compression="tiff_adobe_deflate"),
    "packbits.tif": encode(GREY, "TIFF", compression="packbits"),
    "jpeg.tif": encode(COLOUR, "TIFF", compression="jpeg"),
    "wide.tif": encode(WIDE, "TIFF"),
    "float.tiff": encode(GREY.astype(np.float32) / 7, "TIFF"),
    "big.tif": encode(GREY, "TIFF", big_tiff=True),
    "pages.tif": encode(Image.fromarray(GREY), "TIFF", save_all=True, append_images=[Image.fromarray(GREY // 2)]),
}


def refuse(path, read=read_image):
    with pytest.raises(DataError) as caught:
        read(path)
    assert all(fault.startswith(f"{path}: ") for fault in caught.value.faults)
    return caught.value


def kinds(error):
    return [finding.kind for finding in error.findings]
