"""CVC-ClinicDB (Bernal et al. 2015): 612 colonoscopy frames in 29 video sequences, which no split may cut.

Frames of one sequence show the same polyp from nearly the same view: a random split of frames puts a direct neighbour of
88 % of the test frames into training.
"""

import bisect
import csv
from pathlib import Path

from focalseg.data.folder import FolderDataset, find_pairs
from focalseg.errors import DataError

LAST_FRAMES = (
    25, 50, 67, 78, 103, 126, 151, 177, 199, 205, 227, 252, 277, 297, 317,
    342, 363, 383, 408, 428, 447, 466, 478, 503, 528, 546, 571, 591, 612,
)  # fmt: skip
SEQUENCE_TABLE = "sequences.csv"


def is_official_release(folder: Path) -> bool:
    """Whether the folder looks like the release: `Original/` and `Ground Truth/`."""
    return (folder / "Original").is_dir() and (folder / "Ground Truth").is_dir()


def is_plain_with_sequences(folder: Path) -> bool:
    """Whether the folder is `images/` and `masks/` with a table `sequences.csv` (columns frame, sequence)."""
    return (folder / "images").is_dir() and (folder / "masks").is_dir() and (folder / SEQUENCE_TABLE).is_file()


def read_official_release(folder: Path) -> FolderDataset:
    """Frames grouped by the table of the release."""
    pairs = find_pairs(folder / "Original", folder / "Ground Truth")
    faults = [
        f"{image}: is not named by a frame number from 1 to {LAST_FRAMES[-1]}; "
        "rename it as in the release, so that its sequence is known."
        for name, (image, _) in pairs.items()
        if not (name.isascii() and name.isdecimal() and 1 <= int(name) <= LAST_FRAMES[-1])
    ]
    if faults:
        raise DataError(faults)
    groups = {name: sequence_name(bisect.bisect_left(LAST_FRAMES, int(name)) + 1) for name in pairs}
    return FolderDataset(str(folder), pairs, groups)


def read_plain_with_sequences(folder: Path) -> FolderDataset:
    """Frames grouped by `sequences.csv`. Raises DataError for a frame that the table does not name."""
    pairs = find_pairs(folder / "images", folder / "masks")
    table = read_sequences(folder / SEQUENCE_TABLE)
    missing = [
        f"{image}: is not in {folder / SEQUENCE_TABLE}; add a line with its frame and sequence, so that no split cuts it."
        for name, (image, _) in pairs.items()
        if name not in table
    ]
    if missing:
        raise DataError(missing)
    return FolderDataset(str(folder), pairs, {name: table[name] for name in pairs})


def read_sequences(path: Path) -> dict[str, str]:
    """Sequence by frame."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected a CSV table with the columns frame, sequence.") from error
    if not rows or not {"frame", "sequence"} <= set(rows[0]):
        raise DataError(f"{path}: has no columns frame and sequence; expected one line a frame. Add the header line.")
    table: dict[str, str] = {}
    faults = []
    for number, row in enumerate(rows, start=2):
        frame, sequence = (row["frame"] or "").strip(), (row["sequence"] or "").strip()
        if not frame or not sequence:
            faults.append(f"{path}, line {number}: names no frame or no sequence; expected both. Complete the line.")
        elif table.setdefault(frame, sequence_name(sequence)) != sequence_name(sequence):
            faults.append(f"{path}, line {number}: puts frame {frame} into a second sequence; expected one. Take a line out.")
    if faults:
        raise DataError(faults)
    return table


def sequence_name(sequence: int | str) -> str:
    """The group's name as it stands in splits and tables."""
    return f"sequence_{sequence}"
