"""What lies in wait where a file is expected: pipes, devices, folders, links to nothing, files that nobody looks at."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from imagesets.corpus import volumes
from imagesets.corpus.csv_faults import GROUPED, write_labelled
from imagesets.corpus.fault import Fault, Make, fault
from imagesets.corpus.image_faults import DICOM, image
from imagesets.corpus.manifest_faults import write_manifest
from imagesets.corpus.mask_faults import alternating
from imagesets.corpus.pictures import (
    COUNT,
    PLANTED,
    black_and_white,
    encode,
    encode_image,
    encode_mask,
    join_chunks,
    replace,
    split_chunks,
    write_pictures,
)

Plant = Callable[[Path], object]


def write_grouped(folder: Path) -> Path:
    """A plain folder with cases.csv."""
    (write_pictures(folder) / "cases.csv").write_text(GROUPED)
    return folder


def write_listed(folder: Path) -> Path:
    """A folder with a manifest."""
    return write_manifest(folder).parent


PLACES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "labels.csv": (write_labelled, "labels.csv"),
    "cases.csv": (write_grouped, "cases.csv"),
    "manifest.csv": (write_listed, "manifest.csv"),
    "dataset.json": (volumes.write_decathlon, "dataset.json"),
    "a volume": (volumes.write_decathlon, f"imagesTr/case_{PLANTED}.nii.gz"),
    "labels of a volume": (volumes.write_decathlon, f"labelsTr/case_{PLANTED}.nii.gz"),
    "a listed image": (write_listed, f"scans/case_{PLANTED}.png"),
    "a mask": (write_pictures, f"masks/case_{PLANTED}.png"),
}
"""Sets and a file of each."""
STAND_INS: dict[str, tuple[Plant, str]] = {
    "a pipe": (os.mkfifo, "not_a_file"),
    "a device without end": (lambda path: path.symlink_to("/dev/zero"), "not_a_file outside"),
    "a folder": (lambda path: path.mkdir(), "not_a_file"),
    "a link to nothing": (lambda path: path.symlink_to("gone"), "dead_link"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "dead_link"),
}
"""What stands in for the file, and what it is."""


def stand_in(write: Callable[[Path], Path], place: str, plant: Plant) -> Make:
    """A set in which something else has the name of a file. The manifest may be named for the file that it names."""

    def make(folder: Path) -> tuple[Path, ...]:
        path = write(folder) / place
        path.unlink()
        plant(path)
        return (path, folder / "manifest.csv") if write is write_listed else (path,)

    return make


def stand_ins() -> list[Fault]:
    """Each of them in each place. The table or partner that then lacks a file may say so too."""
    lacking = "bad_table no_mask no_image wrong_count layout link_leaves"
    return [
        fault(f"{what} in the place of {where}", f"{kind} bad_table", stand_in(*PLACES[where], plant), also=lacking)
        for where in PLACES
        for what, (plant, kind) in STAND_INS.items()
    ]


def beside(*names: str, content: Callable[[int], bytes] = encode_image) -> Make:
    """Further files of those names in images/ and masks/."""

    def make(folder: Path) -> tuple[Path, ...]:
        write_pictures(folder)
        paths = tuple(folder / name for name in names)
        for path in paths:
            path.write_bytes(encode_mask(COUNT) if path.parts[len(folder.parts)] == "masks" else content(COUNT))
        return paths

    return make


def observed(part: str, write: Callable[[np.ndarray], bytes]) -> Make:
    """A plain folder with second observers or fields of view, of which the planted one is as `write` gives it."""

    def make(folder: Path) -> Path:
        write_pictures(folder)
        (folder / part).mkdir()
        for number in range(COUNT):
            (folder / part / f"case_{number}.png").write_bytes(encode_mask(number))
        return replace(folder, part, write(black_and_white(PLANTED)))

    return make


def viewed(write: Callable[[np.ndarray], bytes], *, at_mask: bool) -> Make:
    """A plain folder whose fields of view show everything, but for the planted one."""

    def make(folder: Path) -> Path:
        write_pictures(folder)
        (folder / "fov").mkdir()
        for number in range(COUNT):
            mask = black_and_white(number)
            content = write(mask) if number == PLANTED else encode(np.full_like(mask, 255))
            (folder / "fov" / f"case_{number}.png").write_bytes(content)
        return folder / ("masks" if at_mask else "fov") / f"case_{PLANTED}.png"

    return make


def cut_in_half(mask: np.ndarray) -> bytes:
    """Half the bytes of a PNG."""
    content = encode(mask)
    return content[: len(content) // 2]


def smaller(mask: np.ndarray) -> bytes:
    """A row and a column less."""
    return encode(mask[1:, 1:].copy())


def blended(mask: np.ndarray) -> bytes:
    """With a value between."""
    mask = mask.copy()
    mask[0, 0] = 100
    return encode(mask)


def colour_key(pixels: np.ndarray) -> bytes:
    """A PNG that says which of its colours is transparent."""
    key = pixels[0, 0].astype(">u2").tobytes()
    chunks = split_chunks(encode(pixels))
    return join_chunks([chunks[0], (b"tRNS", key), *chunks[1:]])


def tiff_of(pixels: np.ndarray, bits: int, sample_format: int) -> bytes:
    """A plain little-endian TIFF of any type of numbers, as few readers know it."""
    data = np.ascontiguousarray(pixels).tobytes()
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    height, width = pixels.shape[:2]
    entries = [
        (256, width), (257, height), (258, bits), (259, 1), (262, 2 if channels == 3 else 1), (273, 8), (277, channels),
        (278, height), (279, len(data)), (339, sample_format),
    ]  # fmt: skip
    directory = b"".join(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little") for tag, value in entries)
    if channels == 3:  # bits and formats of three samples do not fit into the entry itself
        after = 8 + len(data) + 2 + len(directory) + 4
        for tag, shift in ((258, 0), (339, 6)):
            at = directory.index(tag.to_bytes(2, "little") + b"\4\0")
            entry = tag.to_bytes(2, "little") + b"\3\0\3\0\0\0" + (after + shift).to_bytes(4, "little")
            directory = directory[:at] + entry + directory[at + 12 :]
        extra = bits.to_bytes(2, "little") * 3 + sample_format.to_bytes(2, "little") * 3
    else:
        extra = b""
    head = b"II*\0" + (8 + len(data)).to_bytes(4, "little")
    return head + data + len(entries).to_bytes(2, "little") + directory + bytes(4) + extra


UNREAD = "not_supported not_an_image"
RARE = "not_supported not_real damaged unlike"

SPECIAL_FAULTS = [
    *stand_ins(),
    fault("two labels, one a file, that no table declares", "not_declared",
          alternating(lambda values: encode(values // 255), lambda values: encode(values // 255 * 2))),
    fault("a field of view without a pixel", "empty_view",
          viewed(lambda mask: encode(np.zeros_like(mask)), at_mask=False)),
    fault("a field of view turned inside out", "outside_view", viewed(lambda mask: encode(255 - mask), at_mask=True)),
    *(
        fault(f"{what} in {part}", kind, observed(part, write))
        for part, stray in (("masks_2nd_observer", "in_between not_declared"), ("fov", "thresholded"))
        for what, kind, write in (
            ("a damaged file", "damaged", cut_in_half),
            ("another size", "sizes_differ", smaller),
            ("a value between", stray, blended),
        )
    ),
    fault("DICOM", UNREAD, image(lambda _: DICOM, ".dcm"), also="no_image"),
    fault("JPEG 2000", UNREAD, image(lambda pixels: encode(pixels, "JPEG2000"), ".jp2"), also="no_image"),
    fault("an array of NumPy", UNREAD, image(lambda _: b"\x93NUMPY\1\0" + bytes(200), ".npy"), also="no_image"),
    fault("MetaImage", UNREAD, image(lambda _: b"ObjectType = Image\nNDims = 3\n", ".mha"), also="no_image"),
    fault("a case by a name without a suffix", UNREAD,
          beside("images/case_8", "masks/case_8"), also="no_image"),
    fault("a colour that counts as transparent", "transparent", image(colour_key), also="alpha_dropped"),
    fault("a TIFF of 16-bit colour", RARE, image(lambda pixels: tiff_of(pixels.astype(np.uint16) * 257, 16, 1), ".tif")),
    fault("a TIFF of 64-bit floats", RARE, image(lambda pixels: tiff_of(pixels[..., 0].astype(np.float64), 64, 3), ".tif")),
    fault("a TIFF of complex numbers", RARE, image(lambda pixels: tiff_of(pixels[..., 0].astype(np.complex64), 64, 6), ".tif")),
    fault("a TIFF of 16-bit floats", RARE, image(lambda pixels: tiff_of(pixels[..., 0].astype(np.float16), 16, 3), ".tif")),
]  # fmt: skip
"""The list of them."""
