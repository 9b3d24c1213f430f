"""The masks of one image as one: objects are united, and of two labels the later one has the pixel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from focalseg.findings import Finding, plural, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.masks import VOID, leave_void, names_void
from focalseg.imagesets.pictures.masks import CodedMask


class JoinedMask:
    """Masks are added one after the other, so that a thousand of them take the memory of two.

    labels: (*spatial) uint8, meaningless where sizes differ. sizes: of each mask. marks: what stands for foreground in each,
    once, with its label's name before it where it is of one label.
    """

    labels: np.ndarray

    def __init__(self, names: Sequence[str]) -> None:
        """names: of the labels, in their order, for masks that are of one label each; `VOID` has what nobody judged."""
        self._numbers = {name: number for number, name in enumerate(leave_void(names), start=1)}
        self._numbers |= {name: VOID for name in names if names_void(name)}
        self._overlap: dict[tuple[int, int], int] = {}
        self.sizes: list[tuple[int, ...]] = []
        self.marks: dict[str, None] = {}

    def add(self, path: Path, mask: CodedMask, label: str) -> list[Finding]:
        """Joins a mask. label: the one that it is of; empty where its values say it. Gives what is wrong with it."""
        values = mask.labels
        if mask.mark:
            self.marks[f"{label}: {mask.mark}" if label else mask.mark] = None
        faults = []
        if label:
            found = np.unique(values[values > 0])
            if len(found) > 1:
                said = f"holds {', '.join(map(str, found.tolist()[:6]))}, and is of the label {show_path(label)} alone"
                faults.append(KINDS["not_declared"].at(path, said, expected="0 and one other value"))
            values = np.where(values > 0, np.uint8(self._numbers[label]), np.uint8(0))
        if not self.sizes:
            self.labels = values
        elif values.shape == self.labels.shape:
            if label:
                self._count_overlap(values)
            self.labels = np.maximum(self.labels, values)
        self.sizes.append(values.shape)
        return faults

    def _count_overlap(self, values: np.ndarray) -> None:
        both = (values > 0) & (self.labels > 0) & (values != self.labels)
        if both.any():
            pairs = np.sort(np.stack([values[both], self.labels[both]]), axis=0)
            found, counts = np.unique(pairs, axis=1, return_counts=True)
            for low, high, count in zip(*found.tolist(), counts.tolist(), strict=True):
                self._overlap[low, high] = self._overlap.get((low, high), 0) + count

    def describe(self, files: CaseFiles) -> list[Finding]:
        """What is to be known of the joining."""
        names = {number: show_path(name) for name, number in self._numbers.items()}
        notes = []
        for (low, high), count in sorted(self._overlap.items()):
            found = f"has {count:,} {plural(count, 'pixel')} of both {names[low]} and {names[high]}, taken for {names[high]}"
            own = [mask for mask, label in zip(files.masks, files.mask_labels, strict=True) if label == self._name(high)]
            notes.append(KINDS["labels_overlap"].at(own[0], found, others=[m for m in files.masks if m not in own]))
        objects = len(files.masks) - len(set(files.mask_labels)) if files.mask_labels else len(files.masks) - 1
        if objects > 0:
            found = f"is one of {len(files.masks)} masks of {files.images[0].name}"
            notes.append(KINDS["several_masks"].at(files.masks[0], found, others=files.masks[1:]))
        return notes

    def _name(self, number: int) -> str:
        return next(name for name, known in self._numbers.items() if known == number)
