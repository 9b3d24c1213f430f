"""Small files altered at random, put to the readers through whole folders."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from focalseg.errors import DataError
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.survey import survey_dataset
from imagesets.corpus import csv_faults, manifest_faults, pictures, volumes
from imagesets.corpus.pictures import encode
from imagesets.corpus.tiff_faults import CHANNELS, grey, write_tiff
from imagesets.mutation import mutate

Look = Callable[[Path], str]
"""Reads a set and gives a digest of what it read."""


Alter = Callable[[bytes, np.random.Generator], bytes]
TOKENS = (
    ",", ";", '"', "'", "\n", "\r", "\t", " ", "\\", "\0", ":", "{", "}", "[", "]", "0", "1", "2", "-", ".", "/", "../", "#",
    "=", "NaN", "Infinity", "null", "true", "1e999", "-1", "255", "65536", "\u00e4", "\u202e", "\ufeff", "\ud7ff", "\U0001f600",
)  # fmt: skip
"""What tables trip over."""


@dataclass(frozen=True)
class Target:
    """folder: a good set. path: its file that is altered; content: as it was. alter: what alters it."""

    name: str
    folder: Path
    path: Path
    content: bytes
    alter: Alter = mutate


@dataclass
class Tally:
    """What came of so many altered files. slowest: seconds of the process's time. strangers: what no reader may raise.

    other: read without a word though the data differ from those of the good file, which a format without checksums allows.
    """

    files: int = 0
    refused: int = 0
    accepted: int = 0
    other: int = 0
    slowest: float = 0.0
    strangers: Counter[str] = field(default_factory=Counter)
    examples: dict[str, bytes] = field(default_factory=dict)


def make_targets(folder: Path) -> Iterator[Target]:
    """A set for each format, with a file to alter."""
    pixels, labels = pictures.draw_image(0), pictures.black_and_white(0)
    seeds: list[tuple[str, str, str, bytes]] = [
        ("PNG", "images", ".png", encode(pixels)),
        ("palette PNG", "images", ".png", encode(pictures.Image.fromarray(pixels).quantize(8))),
        ("PNG mask", "masks", ".png", encode(labels)),
        ("JPEG", "images", ".jpg", encode(pixels, "JPEG")),
        ("progressive JPEG", "images", ".jpg", encode(pixels, "JPEG", progressive=True)),
        ("TIFF", "images", ".tif", encode(pixels, "TIFF")),
        ("LZW TIFF", "images", ".tif", encode(pixels, "TIFF", compression="tiff_lzw")),
        ("float TIFF mask", "masks", ".tif", encode((labels > 0).astype(np.float32), "TIFF")),
        ("ImageJ TIFF", "images", ".tif", write_tiff(grey(2), imagej=True, metadata=CHANNELS)),
        ("OME TIFF", "images", ".tif", write_tiff(grey(2), ome=True, metadata=CHANNELS, compression="zlib")),
        ("BMP", "images", ".bmp", encode(pixels, "BMP")),
        ("GIF mask", "masks", ".gif", encode(labels, "GIF")),
    ]
    for name, part, suffix, content in seeds:
        place = pictures.write_pictures(folder / name, 1)
        yield Target(name, place, pictures.replace(place, part, content, number=0, suffix=suffix), content)
    for name, part, suffix, content in (
        (".nii", "imagesTr", ".nii", volumes.encode_image(0)),
        (".nii labels", "labelsTr", ".nii", volumes.encode_labels(0)),
        (".nii.gz", "imagesTr", ".nii.gz", volumes.pack(volumes.encode_image(0))),
    ):
        place = volumes.write_decathlon(folder / name, 1)
        yield Target(name, place, volumes.replace(place, part, content, number=0, suffix=suffix), content)
    for name, place, table in (
        ("dataset.json", volumes.write_decathlon(folder / "decathlon", 1), "dataset.json"),
        ("dataset.json of nnU-Net", volumes.write_raw(folder / "raw", 1), "dataset.json"),
        ("labels.csv", csv_faults.write_labelled(folder / "labels"), "labels.csv"),
        ("cases.csv", pictures.write_pictures(folder / "cases"), "cases.csv"),
        ("manifest.csv", manifest_faults.write_manifest(folder / "manifest").parent, "manifest.csv"),
    ):
        path = place / table
        if table == "cases.csv":
            path.write_text(csv_faults.GROUPED)
        yield Target(name, place, path, path.read_bytes())
        yield Target(f"{name}, as text", place, path, path.read_bytes(), alter_text)


def alter_text(content: bytes, random: np.random.Generator) -> bytes:
    """One to three changes as by hand: a token put in, a few characters taken out, a line doubled, moved or taken out."""
    text = content.decode()
    for _ in range(int(random.integers(1, 4))):
        place, deed = int(random.integers(len(text) + 1)), int(random.integers(5))
        lines = text.split("\n")
        line = lines.pop(int(random.integers(len(lines)))) if deed > 2 else ""
        if deed == 0:
            text = text[:place] + str(random.choice(TOKENS)) + text[place:]
        elif deed == 1:
            text = text[:place] + text[place + int(random.integers(1, 6)) :]
        elif deed == 2:
            text = text[:place] + str(random.choice(TOKENS)) + text[place + 1 :]
        else:
            lines[0:0] = [] if deed == 4 else [line, line][: int(random.integers(3))]
            text = "\n".join(lines)
    return text.encode()


def fuzz(target: Target, count: int, seed: int, look: Look | None = None) -> Tally:
    """So many altered copies in the place of the file, each read through the folder; the good file is put back."""
    random = np.random.default_rng([seed, *target.name.encode()])
    tally, read = Tally(), look or read_first
    good = read(target.folder)
    try:
        for _ in range(count):
            content = target.alter(target.content, random)
            target.path.write_bytes(content)
            start = time.process_time()
            try:
                found = read(target.folder)
                tally.accepted += 1
                tally.other += found != good
            except DataError:
                tally.refused += 1
            except Exception as error:
                stranger = f"{type(error).__name__}: {error}"[:160]
                tally.strangers[stranger] += 1
                tally.examples.setdefault(stranger, content)
            tally.slowest = max(tally.slowest, time.process_time() - start)
            tally.files += 1
    finally:
        target.path.write_bytes(target.content)
    return tally


def read_first(folder: Path) -> str:
    """A digest of the first case of a set. Raises DataError for whatever it is told of."""
    dataset = open_dataset(str(folder))
    if errors := [finding for finding in dataset.findings if finding.level == "error"]:
        raise DataError(errors)
    case = dataset.read_case(0)
    parts = (case.image.tobytes(), case.mask.tobytes(), repr((case.image.shape, case.image.dtype, case.spacing_mm)).encode())
    return hashlib.sha256(b"|".join(parts)).hexdigest()


def survey_all(folder: Path) -> str:
    """The digests of all cases, through the survey."""
    survey = survey_dataset(open_dataset(str(folder)))
    if survey.errors:
        raise DataError(survey.errors)
    return " ".join(case.digest + case.mask_digest for case in survey.cases)
