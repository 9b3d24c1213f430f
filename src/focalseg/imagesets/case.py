"""One case: an image, its mask, its name and the group it must never be separated from; and the files it is read from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from focalseg.findings import Finding
from focalseg.imagesets.masks import FOREGROUND

Part = Literal["", "train", "validation", "test"]
"""The side on which an official split puts a case; empty where no split says."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """image (C, *spatial) uint8, uint16, int16 or float32; mask (*spatial) uint8. name is unique in its data set.

    mask: 0 is background, 1 and up the data set's labels in their order, `masks.VOID` what nobody judged. group names what
    belongs together: a video sequence, a subject. A case that stands alone is its own group. spacing_mm: size of a
    pixel along each spatial axis, where known.
    field_of_view (*spatial) bool: where the image shows anything, for sets that say so; scores count there alone.
    marks: where nothing declares what stands for foreground, what does in each of its masks, such as 255 or #FF0000.
    notes: what is legal and noteworthy about its files.
    """

    name: str
    group: str
    image: np.ndarray
    mask: np.ndarray
    spacing_mm: tuple[float, ...] | None = None
    field_of_view: np.ndarray | None = None
    marks: tuple[str, ...] = ()
    notes: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CaseFiles:
    """The files of a case on disk. images: one file, or one per channel. masks: joined where there are several.

    mask_labels: by name the label that each mask is of, where folders or a table say so; empty where the values in a mask do.

    group: empty for a case that stands alone. columns: its line in the set's table, by column, for a grouping of one's own.
    """

    name: str
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    mask_labels: tuple[str, ...] = ()
    group: str = ""
    part: Part = ""
    field_of_view: Path | None = None
    second_observer: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


class Dataset(ABC):
    """A set of cases, each read by its number when asked for. `names` and `groups` are known without decoding an image.

    labels: names of the foreground labels, whose numbers in a mask start at 1; None where only the masks can tell how many
    there are. parts: the official split, empty without one. findings: what is known before a file is decoded.
    label_table: the file that declares the labels, where there is one. void, void_values: the names under which it declares
    what nobody judged, and the values of the files that stand for it. marks: what it declares for the background and for each
    label (`marks.list_marks`).
    """

    source: str
    layout: str
    names: Sequence[str]
    groups: Sequence[str]
    parts: Sequence[Part] = ()
    labels: Sequence[str] | None = (FOREGROUND,)
    findings: Sequence[Finding] = ()
    label_table: str = ""
    void: Sequence[str] = ()
    void_values: frozenset[int] = frozenset()
    marks: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of every case by its name."""
        return {name: number for number, name in enumerate(self.names)}

    @abstractmethod
    def read_case(self, number: int) -> Case:
        """The case of that number. Raises DataError naming the file for anything that cannot be used."""

    def files(self, number: int) -> CaseFiles | None:
        """The files of the case of that number; None where it has none."""
        _ = number
        return None

    def read_second_mask(self, number: int) -> np.ndarray | None:
        """(*spatial) uint8 labels by the second observer; None where the set has one observer."""
        _ = number
        return None

    @property
    def grouped(self) -> bool:
        """Whether any two cases belong together."""
        return len(set(self.groups)) < len(self.groups)
