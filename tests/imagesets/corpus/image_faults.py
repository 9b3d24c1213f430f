"""What can be wrong with one image among seven good ones in a plain folder."""

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagesets.corpus.fault import Make, fault
from imagesets.corpus.pictures import (
    COUNT,
    PLANTED,
    black_and_white,
    draw_image,
    encode,
    encode_image,
    encode_mask,
    encode_pages,
    encode_png,
    encode_png_bomb,
    join_chunks,
    replace,
    split_chunks,
    write_pictures,
)

Write = Callable[[np.ndarray], bytes]


def image(write: Write, suffix: str = ".png") -> Make:
    """A folder with one image as `write` gives it."""

    def make(folder: Path) -> Path:
        return replace(write_pictures(folder), "images", write(draw_image(PLANTED)), suffix=suffix)

    return make


def saved(file_format: str, mode: str = "RGB", **options: Any) -> Write:
    """As Pillow saves it in a format and a mode."""
    return lambda pixels: encode(Image.fromarray(pixels).convert(mode), file_format, **options)


def with_alpha(alpha: int, mode: str = "RGBA") -> Write:
    """With an alpha channel that is 255, and `alpha` in one corner."""

    def write(pixels: np.ndarray) -> bytes:
        picture = Image.fromarray(pixels).convert(mode)
        channel = np.full(pixels.shape[:2], 255, np.uint8)
        channel[:4, :4] = alpha
        picture.putalpha(Image.fromarray(channel))
        return encode(picture)

    return write


def turned(orientation: int, file_format: str) -> Write:
    """With an EXIF note of that orientation."""

    def write(pixels: np.ndarray) -> bytes:
        exif = Image.Exif()
        exif[0x0112] = orientation
        return encode(pixels, file_format, exif=exif)

    return write


def floats(value: float) -> Write:
    """A TIFF of floats, one pixel of it that value."""

    def write(pixels: np.ndarray) -> bytes:
        grey = pixels[..., 0].astype(np.float32)
        grey[5, 6] = value
        return encode(grey, "TIFF")

    return write


def altered_chunk(kind: bytes, byte: int = 0) -> Write:
    """A PNG with one flipped bit in a chunk, its checksum as it was."""

    def write(pixels: np.ndarray) -> bytes:
        content = bytearray(encode(pixels))
        content[content.index(kind) + 4 + byte] ^= 16
        return bytes(content)

    return write


def wrong_deflate_sum(pixels: np.ndarray) -> bytes:
    """A PNG whose chunks are right and whose pixels have a wrong Adler-32."""
    chunks = split_chunks(encode(pixels))
    return join_chunks([(kind, data[:-1] + bytes([data[-1] ^ 1]) if kind == b"IDAT" else data) for kind, data in chunks])


def pixels_missing(pixels: np.ndarray) -> bytes:
    """A PNG with right checksums whose rows stop half way."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels[: len(pixels) // 2])
    return join_chunks([
        (kind, zlib.compress(rows) if kind == b"IDAT" else data) for kind, data in split_chunks(encode(pixels))
    ])  # fmt: skip


def huge_header(pixels: np.ndarray) -> bytes:
    """A PNG that promises 100,000 x 100,000 pixels and holds a few."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return join_chunks([(kind, header if kind == b"IHDR" else data) for kind, data in split_chunks(encode(pixels))])


def tiff_promise(pixels: np.ndarray) -> bytes:
    """A TIFF whose header says a width of 200,000 and a height of 200,000."""
    content = encode(pixels, "TIFF")
    place = int.from_bytes(content[4:8], "little")
    for tag in (256, 257):
        at = content.index(struct.pack("<H", tag), place)
        content = content[: at + 2] + struct.pack("<HII", 4, 1, 200_000) + content[at + 12 :]
    return content


def cut(share: float, file_format: str, **options: Any) -> Write:
    """The first share of the bytes."""

    def write(pixels: np.ndarray) -> bytes:
        content = encode(pixels, file_format, **options)
        return content[: int(len(content) * share)]

    return write


def frames(file_format: str) -> Write:
    """Two pictures in one file."""
    return lambda pixels: encode(
        pixels, file_format, save_all=True, append_images=[Image.fromarray(draw_image(PLANTED + COUNT))]
    )


def swapped(folder: Path) -> tuple[Path, Path]:
    """The mask in images/ and the image in masks/."""
    write_pictures(folder)
    return (
        replace(folder, "images", encode_mask(PLANTED)),
        replace(folder, "masks", encode_image(PLANTED)),
    )


def two_pages(folder: Path) -> tuple[Path, Path]:
    """A TIFF of two pages, which is a volume, and a mask of one."""
    path = replace(write_pictures(folder), "images", frames("TIFF")(draw_image(PLANTED)), suffix=".tif")
    return path, folder / "masks" / f"case_{PLANTED}.png"


def same_image_twice(write: Write) -> Make:
    """Two cases of one image."""

    def make(folder: Path) -> tuple[Path, Path]:
        write_pictures(folder)
        return folder / "images" / "case_1.png", replace(folder, "images", write(draw_image(1)))

    return make


def both_small(height: int, width: int) -> Make:
    """Image and mask of so few pixels."""

    def make(folder: Path) -> tuple[Path, Path]:
        write_pictures(folder)
        mask = black_and_white(PLANTED)[:height, :width].copy()
        mask[0, 0] = 255
        return (
            replace(folder, "images", encode(draw_image(PLANTED)[:height, :width])),
            replace(folder, "masks", encode(mask)),
        )

    return make


def pipe(folder: Path) -> Path:
    """A pipe that nobody writes to: whoever opens it waits for ever."""
    path = replace(write_pictures(folder), "images", b"")
    path.unlink()
    os.mkfifo(path)
    return path


def directory(folder: Path) -> Path:
    """A folder with the name of an image."""
    path = replace(write_pictures(folder), "images", b"")
    path.unlink()
    path.mkdir()
    return path


def slightly_brighter(pixels: np.ndarray) -> bytes:
    """The same picture through a JPEG."""
    return encode(np.clip(pixels.astype(int) + 2, 0, 255).astype(np.uint8), "JPEG", quality=92)


def palette(pixels: np.ndarray) -> bytes:
    """A palette of which one entry is transparent, and used."""
    return encode(Image.fromarray(pixels).quantize(16), transparency=0)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="32"><rect width="9" height="9"/></svg>'
DICOM = bytes(128) + b"DICM" + bytes(range(200))
UNREAD = "not_supported not_an_image"

IMAGE_FAULTS = [
    # Damage
    fault("an image of no bytes", "empty_file", image(lambda _: b"")),
    fault("text named PNG", "not_an_image", image(lambda _: b"These are not the pixels you are looking for.\n")),
    fault("zeros named PNG", "not_an_image", image(lambda _: bytes(3000))),
    fault("a web page named JPEG", "not_an_image", image(lambda _: b"<!DOCTYPE html><html>404</html>", ".jpg")),
    fault("a PDF named PNG", UNREAD, image(lambda _: b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n")),
    fault("an SVG named PNG", UNREAD, image(lambda _: SVG)),
    fault("DICOM named PNG", UNREAD, image(lambda _: DICOM)),
    fault("a gzipped PNG named PNG", UNREAD, image(lambda pixels: gzip.compress(encode(pixels)))),
    fault("a PNG's eight first bytes alone", "damaged not_an_image", image(lambda pixels: encode(pixels)[:8])),
    fault("a PNG cut in half", "damaged", image(cut(0.5, "PNG"))),
    fault("a PNG without its end", "damaged", image(lambda pixels: encode(pixels)[:-12])),
    fault("a PNG with its last two bytes missing", "damaged", image(lambda pixels: encode(pixels)[:-2])),
    fault("a PNG with a flipped bit in its pixels", "damaged", image(altered_chunk(b"IDAT", 40))),
    fault("a PNG with a flipped bit in its header", "damaged", image(altered_chunk(b"IHDR", 3))),
    fault("a PNG with a wrong Adler-32", "damaged", image(wrong_deflate_sum)),
    fault("a PNG with half its rows", "damaged", image(pixels_missing)),
    fault("a JPEG cut in half", "damaged", image(cut(0.5, "JPEG"), ".jpg")),
    fault("a progressive JPEG cut at nine tenths", "damaged", image(cut(0.9, "JPEG", progressive=True), ".jpg")),
    fault("a TIFF cut in half", "damaged", image(cut(0.5, "TIFF"), ".tif")),
    fault("an LZW TIFF cut at nine tenths", "damaged", image(cut(0.9, "TIFF", compression="tiff_lzw"), ".tif")),
    fault("a BMP cut in half", "damaged", image(cut(0.5, "BMP"), ".bmp")),
    fault("a GIF cut in half", "damaged", image(cut(0.5, "GIF", optimize=False), ".gif"), also="unlike"),
    # Size
    fault("a PNG bomb of 900 million pixels", "too_large", image(lambda _: encode_png_bomb(30_000)), also="sizes_differ"),
    fault("a PNG that promises ten thousand million pixels", "too_large", image(huge_header), also="sizes_differ"),
    fault("a TIFF that promises 200,000 x 200,000 pixels", "too_large damaged",
          image(tiff_promise, ".tif"), also="sizes_differ"),
    fault("a TIFF of 65,535 pages", "several_pages too_large",
          image(lambda _: encode_pages(65_535), ".tif"), also="sizes_differ unlike"),
    fault("a picture of one pixel", "too_small", both_small(1, 1), also="full_mask constant"),
    fault("a picture of 4 x 40 pixels", "too_small", both_small(4, 40)),
    # What a picture can be and a training image not
    *(
        fault(f"EXIF orientation {number} in a JPEG", "turned", image(turned(number, "JPEG"), ".jpg"), also="sizes_differ")
        for number in (3, 6, 8)
    ),
    fault("EXIF orientation 2, a mirror, in a JPEG", "turned", image(turned(2, "JPEG"), ".jpg")),
    fault("EXIF orientation 6 in a PNG", "turned", image(turned(6, "PNG")), also="sizes_differ"),
    fault("EXIF orientation 3 in a TIFF", "turned", image(turned(3, "TIFF"), ".tif")),
    fault("an animated PNG", "several_pages", image(frames("PNG"))),
    fault("an animated GIF", "several_pages", image(frames("GIF"), ".gif"), also="unlike"),
    fault("a TIFF of two pages beside a mask of one", "several_pages sizes_differ",
          two_pages),
    fault("a CMYK JPEG", "print_colours", image(saved("JPEG", "CMYK"), ".jpg")),
    fault("a CMYK TIFF", "print_colours", image(saved("TIFF", "CMYK"), ".tif")),
    fault("a transparent corner", "transparent", image(with_alpha(0)), also="alpha_dropped"),
    fault("a half transparent corner", "transparent", image(with_alpha(128)), also="alpha_dropped"),
    fault("grey with a transparent corner", "transparent", image(with_alpha(0, "L")), also="alpha_dropped unlike"),
    fault("a palette with a transparent entry", "transparent", image(palette), also="alpha_dropped"),
    fault("an opaque alpha channel", "alpha_dropped", image(with_alpha(255))),
    fault("a NaN pixel", "not_finite", image(floats(float("nan")), ".tif"), also="unlike"),
    fault("an infinite pixel", "not_finite", image(floats(float("inf")), ".tif"), also="unlike"),
    # Among others
    fault("grey among colour", "unlike", image(saved("PNG", "L"))),
    fault("opaque grey with alpha among colour", "unlike", image(with_alpha(255, "L")), also="alpha_dropped"),
    fault("16-bit grey among colour", "unlike", image(lambda pixels: encode(pixels[..., 0].astype(np.uint16) * 257))),
    fault("16-bit colour among 8-bit colour", "unlike not_supported",
          image(lambda pixels: encode_png(pixels.astype(np.uint16) * 257 + 1, depth=16))),
    fault("floats among colour", "unlike", image(floats(1.5), ".tif")),
    fault("1-bit among colour", "unlike", image(saved("PNG", "1"))),
    fault("an image of one colour", "constant", image(lambda pixels: encode(np.full_like(pixels, 77)))),
    fault("the same image twice", "identical", same_image_twice(encode)),
    fault("the same pixels in another file", "identical", same_image_twice(lambda pixels: encode(pixels, compress_level=0))),
    fault("nearly the same image twice", "near_duplicate",
          same_image_twice(lambda pixels: encode(np.clip(pixels.astype(int) + 2, 0, 255).astype(np.uint8)))),
    fault("image and mask swapped", "unlike photograph colours_unknown not_declared", swapped, also="sizes_differ full_mask"),
    # Not what its name says
    fault("a JPEG named PNG", "wrong_suffix", image(saved("JPEG", quality=90))),
    fault("a PNG named JPEG", "wrong_suffix", image(saved("PNG"), ".jpg")),
    fault("a TIFF named PNG", "wrong_suffix", image(saved("TIFF"))),
    fault("a BMP named TIFF", "wrong_suffix", image(saved("BMP"), ".tif")),
    fault("WebP", "not_supported", image(saved("WEBP", lossless=True), ".webp"), also="no_image"),
    fault("WebP named PNG", UNREAD, image(saved("WEBP", lossless=True))),
    fault("JPEG 2000 named PNG", UNREAD, image(saved("JPEG2000"))),
    fault("a pipe named PNG", "not_a_file", pipe, also="no_image"),
    fault("a folder named PNG", "not_a_file", directory, also="no_image"),
]  # fmt: skip
"""The list of them."""
