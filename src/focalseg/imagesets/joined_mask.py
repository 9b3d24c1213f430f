"""The masks of one image as one: objects are united, and of two labels the inner or the later one has the pixel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from focalseg.findings import NOTHING, Finding, plural, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.masks import VOID, leave_void, names_void
from focalseg.imagesets.pictures.masks import CodedMask

_INSIDE = 0.95
"""The share of a label within another from which it lies inside: borders drawn apart differ by a pixel here and there."""


class JoinedMask:
    """Masks are added one after the other, so that a thousand of them take the memory of two.

    labels: (*spatial) uint8, meaningless where sizes differ. sizes: of each mask. marks: what stands for foreground in each,
    once, with its label's name before it where it is of one label.
    """

    labels: np.ndarray

    def __init__(self, names: Sequence[str]) -> None:
        """names: of the labels, in their order, and of what nobody judged, which has `VOID`."""
        self._numbers = {name: number for number, name in enumerate(leave_void(names), start=1)}
        self._numbers |= {name: VOID for name in names if names_void(name)}
        # By two labels, the one that has the pixel, and whether that one lies inside.
        self._overlap: dict[tuple[int, int, int, bool], int] = {}
        self.sizes: list[tuple[int, ...]] = []
        self.marks: dict[str, None] = {}

    def add(self, path: Path, mask: CodedMask, label: str) -> list[Finding]:
        """Joins a mask. label: the one that it is of; empty where its values say it. Gives what is wrong with it."""
        values = mask.labels
        if mask.mark:
            self.marks[f"{label}: {mask.mark}" if label else mask.mark] = None
        faults = []
        if label:
            found = _list_labels(values)
            if len(found) > 1:
                said = f"holds {', '.join(map(str, found[:6]))}, and is of the label {show_path(label)} alone"
                faults.append(KINDS["not_declared"].at(path, said, expected="0 and one other value"))
            values = np.where(values > 0, np.uint8(self._numbers[label]), np.uint8(0))
        if not self.sizes:
            self.labels = values
        elif values.shape == self.labels.shape:
            for number in _list_labels(values):
                self.labels = self._lay_over(values == number, number)
        self.sizes.append(values.shape)
        return faults

    def _lay_over(self, mask: np.ndarray, number: int) -> np.ndarray:
        """The labels with a mask of one more. Where two meet, the one inside of the other has the pixel, else the later one.

        So a nodule stays visible in its lung and a cup in its disc, whatever their order.
        """
        before = self.labels
        joined: np.ndarray = np.where(mask, np.maximum(before, np.uint8(number)), before)
        area = np.count_nonzero(mask)
        met, counts = np.unique(before[mask], return_counts=True)
        for other, count in zip(met.tolist(), counts.tolist(), strict=True):
            if other in (0, number):
                continue
            own, its = count / area, count / np.count_nonzero(before == other)
            inside = max(own, its) >= _INSIDE and own != its and VOID not in (number, other)
            winner = max(number, other)
            if inside:
                winner = number if own > its else other
            joined[mask & (before == other)] = winner
            meeting = (min(number, other), max(number, other), winner, inside)
            self._overlap[meeting] = self._overlap.get(meeting, 0) + count
        return joined

    def describe(self, files: CaseFiles) -> list[Finding]:
        """What is to be known of the joining."""
        names = {number: show_path(name) for name, number in self._numbers.items()}
        notes = []
        for (low, high, winner, inner), count in sorted(self._overlap.items()):
            one, other, taken = (names.get(number, f"label {number}") for number in (low, high, winner))
            found = f"has {count:,} {plural(count, 'pixel')} of both {one} and {other}, taken for {taken}"
            own = [mask for mask, label in zip(files.masks, files.mask_labels, strict=False) if self._numbers[label] == winner]
            file = (own or files.masks)[0]
            mend = f"{NOTHING} if it is a part of the other." if inner else ""
            mend = f"{NOTHING}: what one of several masks leaves open is open." if high == VOID else mend
            others = [mask for mask in files.masks if mask not in (file, *own)]
            found += ", which lies inside" if inner else ""
            notes.append(KINDS["labels_overlap"].at(file, found, mend=mend, others=others))
        objects = len(files.masks) - len(set(files.mask_labels)) if files.mask_labels else len(files.masks) - 1
        if objects > 0:
            found = f"is one of {len(files.masks)} masks of {files.images[0].name}"
            notes.append(KINDS["several_masks"].at(files.masks[0], found, others=files.masks[1:]))
        return notes


def _list_labels(values: np.ndarray) -> list[int]:
    """The labels that a mask holds, in order."""
    labels: list[int] = np.unique(values[values > 0]).tolist()
    return labels
