"""What can be wrong with the planes of a TIFF: promised and not there, of several times, or not those of its mask."""

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from imagesets.corpus.fault import Make, fault
from imagesets.corpus.pictures import (
    COUNT,
    PLANTED,
    black_and_white,
    draw_image,
    encode,
    replace,
    write_pictures,
)


def write_tiff(pixels: np.ndarray, **options: Any) -> bytes:
    """The bytes of a TIFF by tifffile; grey unless it is told otherwise."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **{"photometric": "minisblack", **options})
    return buffer.getvalue()


def encode_imagej(description: str, pixels: np.ndarray, directories: int = 1, order: str = ">") -> bytes:
    """As ImageJ writes by itself: one directory, the description, and all planes one after another. pixels: (P, H, W)."""
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    text = f"ImageJ=1.54f\n{description}\n\0".encode()
    mark = b"II" if order == "<" else b"MM"
    bits, plane = 8 * pixels.itemsize, pixels[0].nbytes
    content = mark + struct.pack(f"{order}HI", 42, 8)
    size = 2 + 12 * 11 + 4
    start = 8 + size * directories + len(text)
    for number in range(directories):
        height, width = pixels.shape[1:]
        entries = {
            256: (3, 1, width), 257: (3, 1, height), 258: (3, 1, bits), 259: (3, 1, 1), 262: (3, 1, 1),
            270: (2, len(text), 8 + size * directories), 273: (4, 1, start + number * plane), 277: (3, 1, 1),
            278: (3, 1, height), 279: (4, 1, plane), 339: (3, 1, 3 if pixels.dtype.kind == "f" else 1),
        }  # fmt: skip
        content += struct.pack(f"{order}H", len(entries))
        for tag, (code, count, value) in sorted(entries.items()):
            field = struct.pack(f"{order}H2x", value) if code == 3 else struct.pack(f"{order}I", value)
            content += struct.pack(f"{order}HHI", tag, code, count) + field
        content += struct.pack(f"{order}I", 8 + size * (number + 1) if number + 1 < directories else 0)
    return content + text + data


def grey(count: int, first: int = PLANTED) -> np.ndarray:
    """(count, H, W) uint8: planes that all differ."""
    return np.stack([draw_image(first + COUNT * number)[..., 0] for number in range(count)])


def only(content: Callable[[], bytes], part: str = "images") -> Make:
    """One image, or mask, as the bytes say, among good colour images."""
    return lambda folder: replace(write_pictures(folder), part, content(), suffix=".tif")


def both(image: Callable[[], bytes], mask: Callable[[], bytes]) -> Make:
    """Image and mask of a set of one case, as the bytes say."""

    def make(folder: Path) -> tuple[Path, Path]:
        write_pictures(folder, 1)
        return (
            replace(folder, "images", image(), number=0, suffix=".tif"),
            replace(folder, "masks", mask(), number=0, suffix=".tif"),
        )

    return make


def promise(description: str, pixels: np.ndarray, **options: Any) -> bytes:
    """Pixels with a description that speaks of other ones."""
    return write_tiff(pixels, description=description, metadata=None, **options)


def masks(count: int) -> np.ndarray:
    """(count, H, W) uint8 of 0 and 255: the mask of the first case, and others."""
    return np.stack([black_and_white(COUNT * number) for number in range(count)])


def ome_text() -> str:
    """The OME-XML of five slices."""
    with tifffile.TiffFile(io.BytesIO(write_tiff(grey(5), ome=True, metadata={"axes": "ZYX"}))) as file:
        return str(file.ome_metadata)


IMAGEJ = "ImageJ=1.54f\nimages=5\n"
CHANNELS, SLICES, TIMES = ({"axes": f"{axis}YX"} for axis in "CZT")

TIFF_FAULTS = [
    fault("five images promised by ImageJ and one there", "damaged", only(lambda: promise(IMAGEJ, grey(1)[0]))),
    fault("five slices promised by ImageJ and one there", "damaged", only(lambda: promise(IMAGEJ + "slices=5\n", grey(1)[0]))),
    fault("five slices promised by ImageJ and four there", "damaged", only(lambda: promise(IMAGEJ + "slices=5\n", grey(4)))),
    fault("five slices promised by ImageJ and one there, packed", "damaged",
          only(lambda: promise(IMAGEJ + "slices=5\n", grey(1)[0], compression="zlib"))),
    fault("five masks promised by ImageJ and one there", "damaged",
          only(lambda: promise(IMAGEJ, black_and_white(PLANTED)), "masks")),
    fault("five slices promised in JSON and one there", "damaged",
          only(lambda: promise(json.dumps({"shape": [5, 32, 40]}), grey(1)[0], compression="zlib"))),
    fault("five slices promised in OME-XML and one there", "damaged several_pages",
          only(lambda: promise(ome_text(), grey(1)[0]))),
    fault("a stack of ImageJ cut in its third slice", "damaged",
          only(lambda: write_tiff(grey(5), imagej=True, metadata=SLICES)[: -2 * 32 * 40 - 9])),
    fault("four points in time", "several_pages", only(lambda: write_tiff(grey(4), imagej=True, metadata=TIMES))),
    fault("four points in time in OME-XML", "several_pages", only(lambda: write_tiff(grey(4), ome=True, metadata=TIMES))),
    fault("times and slices", "several_pages",
          only(lambda: write_tiff(grey(4).reshape(2, 2, 32, 40), imagej=True, metadata={"axes": "TZYX"}))),
    fault("two channels of ImageJ among colour", "unlike", only(lambda: write_tiff(grey(2), imagej=True, metadata=CHANNELS))),
    fault("two channels, and a mask of two pages", "several_pages",
          both(lambda: write_tiff(grey(2), imagej=True, metadata=CHANNELS), lambda: write_tiff(masks(2)))),
    fault("one picture, and a mask of two pages", "several_pages",
          both(lambda: encode(draw_image(0), "TIFF"), lambda: write_tiff(masks(2)))),
    fault("one picture, and a mask of two channels", "several_pages",
          both(lambda: encode(draw_image(0), "TIFF"), lambda: write_tiff(masks(2), imagej=True, metadata=CHANNELS))),
    fault("one picture, and a mask of two samples", "several_pages",
          both(lambda: encode(draw_image(0), "TIFF"),
               lambda: write_tiff(masks(2).transpose(1, 2, 0), planarconfig="contig"))),
    fault("two pages of which nothing is said, and a mask of one", "several_pages",
          both(lambda: write_tiff(grey(2)), lambda: write_tiff(masks(1)[0]))),
    fault("three pages and a mask of two", "sizes_differ", both(lambda: write_tiff(grey(3)), lambda: write_tiff(masks(2))),
          also="unmarked_pages"),
    fault("slices of which nothing is said", "unmarked_pages", both(lambda: write_tiff(grey(9)), lambda: write_tiff(masks(9)))),
    fault("a fourth sample that is no alpha among colour", "unlike",
          only(lambda: write_tiff(np.dstack([draw_image(PLANTED), grey(1, 50)[0]]), photometric="rgb",
                                  extrasamples=["unspecified"]))),
]  # fmt: skip
"""The list of them."""
