"""Good sets of TIFFs of several planes, as ImageJ, OME and tifffile write them."""

import io
from typing import Any

import numpy as np
import tifffile

from imagesets.corpus.good_pictures import Case, GoodSet, plain
from imagesets.corpus.pictures import draw_image, draw_mask, encode_mask
from imagesets.corpus.tiff_faults import grey, write_tiff

WAYS: list[dict[str, Any]] = [
    {"imagej": True}, {"imagej": True, "byteorder": "<"}, {"ome": True}, {"ome": True, "bigtiff": True, "byteorder": ">"},
    {}, {"compression": "zlib", "predictor": 2}, {"byteorder": ">", "bigtiff": True},
]  # fmt: skip
"""Ways to write planes whose axes are told."""
SLICES = 10


def channels_set() -> GoodSet:
    """Two channels in every way, with masks of one picture."""
    cases: list[Case] = [
        (f"c{n}.tif", write_tiff(grey(2, n), metadata={"axes": "CYX"}, **way), f"c{n}.png", encode_mask(n))
        for n, way in enumerate(WAYS)
    ]
    return plain("two channels of TIFFs", cases)


def volume_mask(number: int) -> np.ndarray:
    """(SLICES, H, W) bool: boxes that differ by slice."""
    return np.stack([draw_mask(20 * number + at) for at in range(SLICES)])


def slices_set() -> GoodSet:
    """Slices of two channels, interleaved, with masks whose slices are told or not."""
    cases: list[Case] = []
    for number, way in enumerate(WAYS):
        first, second = (np.stack([draw_image(20 * number + at + 500 * c)[..., 0] for at in range(SLICES)]) for c in (0, 1))
        image = write_tiff(np.stack([first, second], axis=1), metadata={"axes": "ZCYX"}, **way)
        told: dict[str, Any] = {"imagej": True, "metadata": {"axes": "ZYX"}} if number % 2 else {}
        mask = write_tiff(volume_mask(number).astype(np.uint8) * 255, **told)
        cases.append((f"v{number}.tif", image, f"v{number}.tif", mask))
    return plain("slices of two channels", cases, truth=volume_mask)


def wide_set() -> GoodSet:
    """Colour of 16 bits in TIFFs, a few of them with an opaque alpha."""
    cases: list[Case] = []
    for number, way in enumerate(WAYS[4:] * 2):
        pixels = draw_image(number).astype(np.uint16) * 200 + number
        cases.append((f"w{number}.tif", write_tiff(pixels, photometric="rgb", **way), f"w{number}.png", encode_mask(number)))
    return plain("colour of 16 bits", cases)


def smaller_copies_set() -> GoodSet:
    """Images with a reduced copy of themselves behind them."""
    cases: list[Case] = []
    for number in range(3):
        buffer = io.BytesIO()
        with tifffile.TiffWriter(buffer) as file:
            file.write(draw_image(number), photometric="rgb", metadata=None)
            file.write(draw_image(number)[::2, ::2], photometric="rgb", metadata=None, subfiletype=1)
        cases.append((f"r{number}.tif", buffer.getvalue(), f"r{number}.png", encode_mask(number)))
    return plain("reduced copies behind images", cases)


def tiff_sets() -> list[GoodSet]:
    """All of them."""
    return [channels_set(), slices_set(), wide_set(), smaller_copies_set()]
