"""What stands for each label in the masks of a set, and masks written in the same way.

A mark is a value as text, such as `255`, or a colour, such as `#FF0000`. The marks of a set stand in the order of the numbers
that masks have once they are read: the background's first, then one per label.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from focalseg.errors import SettingError
from focalseg.imagesets.masks import MOST_LABELS, MaskCoding

_MARK = re.compile(r"[0-9]{1,5}|#[0-9A-Fa-f]{6}")
_MOST_VALUE = 65_535
"""Masks have at most 16 bits."""
_YES = "255"
"""What stands for the only label of pictures where the set leaves it open: 0 and 255 can be told apart by eye."""
_Written = TypeVar("_Written")


def list_marks(coding: MaskCoding, labels: int) -> tuple[str, ...]:
    """The marks that a table declares, one for the background and one per label; empty where it declares none, or not all."""
    if coding.colours:
        chosen = _invert(coding.colours)
        marks = {number: "#{:02X}{:02X}{:02X}".format(*colour) for number, colour in chosen.items()}
    else:
        marks = {number: str(value) for number, value in _invert(coding.values).items()}
    numbers = range(labels + 1)
    return tuple(marks[number] for number in numbers) if all(number in marks for number in numbers) else ()


def choose_marks(declared: Sequence[str], labels: int, found: Iterable[Sequence[str]], *, volumes: bool) -> tuple[str, ...]:
    """The marks of a set, one for the background and one per label.

    declared: by a table; empty without one. found: of each case, what stands for foreground in its masks, as `Case.marks` has
    it. volumes: whether masks are volumes, whose values are numbers of labels.
    """
    if declared:
        return tuple(declared)
    if labels > 1 or volumes:
        return tuple(map(str, range(labels + 1)))
    counts = Counter(mark.rpartition(": ")[2] for marks in found for mark in marks)
    usual = counts.most_common(1)[0][0] if counts else _YES
    return ("#000000" if usual.startswith("#") else "0", usual)


def code_values(labels: np.ndarray, marks: Sequence[str]) -> np.ndarray:
    """(*spatial) labels -> (*spatial) uint8 values as the set has them, uint16 where one is above 255.

    marks: as `choose_marks` gives them. Without any, or with colours, which a value is none of, labels keep their numbers.
    Raises SettingError for marks that are none, or too few of them.
    """
    values = read_values(marks)
    if not values:
        return labels.astype(np.uint8, copy=False)
    _check_enough(labels, marks)
    lookup = np.array(values, np.uint8 if max(values) <= 255 else np.uint16)
    coded: np.ndarray = lookup[labels]
    return coded


def code_colours(labels: np.ndarray, marks: Sequence[str]) -> np.ndarray:
    """(*spatial) labels -> (*spatial, 3) uint8 colours as the set has them. Raises SettingError as `code_values` does."""
    _check_enough(labels, marks)
    coded: np.ndarray = np.array([list(bytes.fromhex(mark[1:])) for mark in marks], np.uint8)[labels]
    return coded


def has_colours(marks: Sequence[str]) -> bool:
    """Whether the marks are colours."""
    return bool(marks) and all(mark.startswith("#") for mark in marks)


def read_values(marks: Sequence[str]) -> tuple[int, ...]:
    """The values that marks name; none for colours. Raises SettingError for marks that are neither, or not all different."""
    if strange := [mark for mark in marks if not _MARK.fullmatch(mark) or (mark[0] != "#" and int(mark) > _MOST_VALUE)]:
        raise SettingError(f"marks held {strange[0]!r:.40}; expected values from 0 to {_MOST_VALUE}, or colours as #FF0000.")
    if len(set(marks)) < len(marks) or len({mark[0] == "#" for mark in marks}) > 1 or len(marks) > MOST_LABELS + 1:
        raise SettingError(f"marks were {', '.join(marks)!r:.80}; expected values or colours, a different one per label.")
    return () if has_colours(marks) else tuple(map(int, marks))


def _invert(table: Mapping[_Written, int]) -> dict[int, _Written]:
    """By number the first that stands for it."""
    first: dict[int, _Written] = {}
    for written, number in table.items():
        first.setdefault(number, written)
    return first


def _check_enough(labels: np.ndarray, marks: Sequence[str]) -> None:
    if int(labels.max(initial=0)) >= len(marks):
        raise SettingError(f"A mask holds label {labels.max()}, and there are {len(marks)} marks; expected one per label.")
