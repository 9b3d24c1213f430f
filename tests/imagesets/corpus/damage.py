"""Two hundred damaged files: cut, one bit flipped, wrong checksums."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from imagesets.corpus import pictures, volumes
from imagesets.corpus.pictures import SIGNATURE, encode
from imagesets.corpus.tiff_faults import encode_imagej, grey

LOSSY_HEADER = 10
"""Bytes at the start of gzip that no sum covers: time, system and the like."""
Write = Callable[[Path, bytes], tuple[Path, Path]]
"""Writes a good set but for one file of those bytes; gives the folder and the file."""


def in_pictures(suffix: str) -> Write:
    """As an image of a plain folder."""
    return lambda folder, content: (
        folder,
        pictures.replace(pictures.write_pictures(folder, 4), "images", content, suffix=suffix),
    )


def in_volumes(suffix: str) -> Write:
    """As a volume of a Decathlon folder."""
    return lambda folder, content: (
        folder,
        volumes.replace(volumes.write_decathlon(folder, 4), "imagesTr", content, suffix=suffix),
    )


def whole_files() -> dict[str, tuple[bytes, Write]]:
    """A whole file of each format, and where it belongs. The last bytes of each are needed to decode it."""
    pixels = pictures.draw_image(pictures.PLANTED)
    volume = volumes.encode_image(volumes.PLANTED)
    return {
        "PNG": (encode(pixels), in_pictures(".png")),
        "JPEG": (encode(pixels, "JPEG", quality=90), in_pictures(".jpg")),
        "progressive JPEG": (encode(pixels, "JPEG", quality=90, progressive=True), in_pictures(".jpg")),
        "TIFF": (encode(pixels, "TIFF"), in_pictures(".tif")),
        "LZW TIFF": (encode(pixels, "TIFF", compression="tiff_lzw"), in_pictures(".tif")),
        "ImageJ TIFF": (encode_imagej("images=3\nchannels=3", grey(3)), in_pictures(".tif")),
        "BMP": (encode(pixels, "BMP"), in_pictures(".bmp")),
        ".nii": (volume, in_volumes(".nii")),
        ".nii.gz": (volumes.pack(volume), in_volumes(".nii.gz")),
    }


def damaged_files(seed: int = 0, flips: int = 40) -> Iterator[tuple[str, bytes, Write]]:
    """Each damage in words, the bytes, and where they belong. A flipped bit counts where a checksum covers it."""
    random = np.random.default_rng(seed)
    for name, (content, write) in whole_files().items():
        for tenths in range(1, 10):
            yield f"{name} cut at {tenths} tenths", content[: len(content) * tenths // 10], write
        for last in range(1, 9):
            yield f"{name} without its last {last} bytes", content[:-last], write
    for name, start in (("PNG", 0), (".nii.gz", LOSSY_HEADER)):
        content, write = whole_files()[name]
        for place in random.choice(np.arange(start, len(content)), flips, replace=False):
            bit = 1 << int(random.integers(8))
            yield f"{name} with bit {bit} of byte {place} flipped", flip(content, int(place), bit), write
    yield from wrong_sums()


def wrong_sums() -> Iterator[tuple[str, bytes, Write]]:
    """Every checksum of a PNG and of a gzip, one after the other, with another value."""
    content, write = whole_files()["PNG"]
    place = len(SIGNATURE)
    for kind, data in pictures.split_chunks(content):
        place += 12 + len(data)
        yield f"PNG with a wrong sum of {kind.decode()}", content[: place - 4] + b"\1\2\3\4" + content[place:], write
    content, write = whole_files()[".nii.gz"]
    yield ".nii.gz with another sum", content[:-8] + b"\1\2\3\4" + content[-4:], write
    yield ".nii.gz with another length", content[:-4] + b"\1\2\3\4", write


def flip(content: bytes, place: int, bit: int) -> bytes:
    """One bit the other way."""
    return content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
