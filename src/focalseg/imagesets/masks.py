"""Turns the values of a mask into labels: which value, or which colour, means which label."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from focalseg.errors import DataError
from focalseg.imagesets.kinds import KINDS

FOREGROUND = "foreground"
"""The name of the label where there is but one and nothing names it."""
MOST_LABELS = 255
"""A mask holds one byte per pixel."""

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class MaskCoding:
    """How the masks of a set are written. labels: names of the foreground labels, None where only the masks can tell.

    values: label number (0: background) by the value that stands for it; colours: the same by colour (R, G, B). Without both a
    picture has one label, 0 and one other value, and a volume has the label numbers themselves. threshold: the release is
    known for stray values, and what is above 127 counts. table: the file that says so.
    """

    labels: tuple[str, ...] | None = (FOREGROUND,)
    values: Mapping[int, int] = field(default_factory=dict)
    colours: Mapping[Colour, int] = field(default_factory=dict)
    threshold: bool = False
    table: str = ""


def code_labels(path: Path, values: np.ndarray, coding: MaskCoding) -> np.ndarray:
    """(*spatial) whole numbers of any type -> (*spatial) uint8 labels. Raises DataError for values that are not declared."""
    found = [int(value) for value in np.unique(values)]
    known = coding.values or {number: number for number in range(MOST_LABELS + 1)}
    if strange := [value for value in found if value not in known]:
        wanted = ", ".join(map(str, sorted(known))) if coding.values else f"whole numbers from 0 to {MOST_LABELS}"
        said = f"{wanted}, as {coding.table} says" if coding.table else wanted
        mend = "Write 1 where it has 255." if found == [0, 255] else ""
        shown = ", ".join(map(str, strange[:6])) + (" and more" if len(strange) > 6 else "")
        raise DataError(KINDS["not_declared"].at(path, f"holds {shown}", expected=said, mend=mend))
    lookup = np.zeros(max(found, default=0) + 1, np.uint8)
    lookup[found] = [known[value] for value in found]
    labels: np.ndarray = lookup[values if values.dtype.kind in "iu" else values.astype(np.int64)]
    return labels
