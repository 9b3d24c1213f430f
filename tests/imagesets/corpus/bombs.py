"""Small files that promise or hold far more than anybody can read."""

import gzip
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from imagesets.corpus import pictures, volumes
from imagesets.corpus.fault import Make
from imagesets.corpus.tiff_faults import grey, promise
from imagesets.corpus.volumes import HEADER, PLANTED, encode_image, pack, patched


def picture(content: Callable[[], bytes], suffix: str = ".png") -> Make:
    """A plain folder with that image."""
    return lambda folder: pictures.replace(pictures.write_pictures(folder), "images", content(), suffix=suffix)


def volume(content: Callable[[], bytes], suffix: str = ".nii.gz") -> Make:
    """A Decathlon folder with that volume."""
    return lambda folder: volumes.replace(volumes.write_decathlon(folder), "imagesTr", content(), suffix=suffix)


def table(content: Callable[[], bytes]) -> Make:
    """A Decathlon folder with that table."""

    def make(folder: Path) -> Path:
        path = volumes.write_decathlon(folder) / "dataset.json"
        path.write_bytes(content())
        return path

    return make


def gzip_of_zeros(start: bytes, length: int) -> bytes:
    """A true gzip of start and so many zeros, made without them in memory."""
    total = zlib.crc32(start)
    for _ in range(length // 2**20):
        total = zlib.crc32(bytes(2**20), total)
    total = zlib.crc32(bytes(length % 2**20), total)
    # Two deflate streams in one: the first is left open at a byte's end, where the zeros' own blocks go on.
    packer = zlib.compressobj(9, wbits=-15)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    size = (len(start) + length) % 2**32
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + head + pictures.deflate_zeros(length, b"") + struct.pack("<II", total, size)


def header_of(*sides: int) -> bytes:
    """The header of a float32 volume of those sides."""
    dim = (len(sides), *sides, *(1 for _ in range(7 - len(sides))))
    return patched(dim=dim)(encode_image(PLANTED))[:HEADER]


def huge_text_chunk() -> bytes:
    """A PNG with a compressed comment of 512 MiB."""
    chunks = pictures.split_chunks(pictures.encode_image(PLANTED))
    zeros = pictures.deflate_zeros(2**29) + ((2**29 % 65521 << 16) | 1).to_bytes(4, "big")
    return pictures.join_chunks([chunks[0], (b"zTXt", b"Comment\0\0" + zeros), *chunks[1:]])


def many_samples() -> bytes:
    """A TIFF of 65,535 samples a pixel, as its header says."""
    content = pictures.encode(pictures.draw_image(PLANTED), "TIFF")
    at = content.index(struct.pack("<HH", 277, 3), int.from_bytes(content[4:8], "little"))
    return content[: at + 8] + struct.pack("<I", 65_535) + content[at + 12 :]


def described(text: str) -> Callable[[], bytes]:
    """A small TIFF with that description."""
    return lambda: promise(text, grey(1)[0])


def ome_of(sizes: str, planes: str = "") -> str:
    """OME-XML of an image with those sizes."""
    pixels = f'<Pixels ID="P:0" DimensionOrder="XYCZT" Type="uint8" SizeX="40" SizeY="32" {sizes}><TiffData {planes}/></Pixels>'
    return f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="I:0">{pixels}</Image></OME>'


def deflated_samples() -> bytes:
    """A TIFF of 9,999 x 9,999 pixels of eight samples, all of them zeros."""
    side, samples = 9_999, 8
    length = side * side * samples
    low, high = 1, length % 65521
    strip = pictures.deflate_zeros(length) + (high << 16 | low).to_bytes(4, "big")
    entries = {256: side, 257: side, 258: 8, 259: 8, 262: 1, 273: 8, 277: samples, 278: side, 279: len(strip)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    start = 8 + len(strip)
    return b"II*\0" + struct.pack("<I", start) + strip + struct.pack("<H", len(entries)) + directory + bytes(4)


ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
XML_BOMB = f'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY e0 "ten letters">{ENTITIES}]>' + ome_of('SizeZ="1"').replace(
    "</OME>", "<Note>&e11;</Note></OME>"
)
LATE = patched(vox_offset=2.0**31)(encode_image(PLANTED))
BOMBS: dict[str, Make] = {
    "PNG, 13,000 x 13,000 pixels": picture(lambda: pictures.encode_png_bomb(13_000)),
    "PNG, 20,000 x 20,000 pixels": picture(lambda: pictures.encode_png_bomb(20_000)),
    "PNG, 30,000 x 30,000 pixels": picture(lambda: pictures.encode_png_bomb(30_000)),
    "PNG, a comment of 512 MiB": picture(huge_text_chunk),
    "TIFF, 65,535 pages": picture(lambda: pictures.encode_pages(65_535), ".tif"),
    "TIFF, 65,535 samples a pixel": picture(many_samples, ".tif"),
    "TIFF, a thousand million planes of ImageJ": picture(
        described("ImageJ=1.54f\nimages=1000000000\nslices=1000000000\n"), ".tif"),
    "TIFF, a thousand million slices of OME": picture(described(ome_of('SizeZ="999999999" SizeC="1" SizeT="1"')), ".tif"),
    "TIFF, a thousand million planes of OME": picture(
        described(ome_of('SizeZ="1" SizeC="1" SizeT="1"', 'PlaneCount="999999999"')), ".tif"),
    "TIFF, a thousand million planes in JSON": picture(described('{"shape": [1000000000, 32, 40]}'), ".tif"),
    "TIFF, entities of entities": picture(described(XML_BOMB), ".tif"),
    "TIFF, 800 million samples of zeros": picture(deflated_samples, ".tif"),
    "NIfTI, 32,000 voxels a side": volume(lambda: pack(header_of(32_000, 32_000, 32_000))),
    "NIfTI, 2 thousand million voxels of zeros": volume(lambda: gzip_of_zeros(header_of(1280, 1280, 1311), 8_591_769_600)),
    "NIfTI, 4 GiB after the last voxel": volume(lambda: gzip_of_zeros(encode_image(PLANTED), 2**32)),
    "NIfTI, a header that says it is 2 GiB long": volume(lambda: gzip_of_zeros(LATE, 2**31)),
    "JSON, 100,000 lists deep": table(lambda: b"[" * 100_000),
    "JSON, 100 MB of one string": table(lambda: b'{"name": "' + b"a" * 100_000_000 + b'"}'),
    "JSON, five million numbers": table(lambda: b'{"labels": [' + b"1," * 5_000_000 + b"1]}"),
    "gzip in gzip in gzip": volume(lambda: gzip.compress(gzip.compress(gzip_of_zeros(encode_image(PLANTED), 2**29)))),
}  # fmt: skip
"""Each of them in a small set, by what it is."""
