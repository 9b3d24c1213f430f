"""Turns the values of a mask into labels: which value, or which colour, means which label."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from focalseg.errors import DataError
from focalseg.findings import Finding
from focalseg.imagesets.areas import END, find_areas
from focalseg.imagesets.kinds import KINDS

FOREGROUND = "foreground"
"""The name of the label where there is but one and nothing names it."""
VOID = 255
"""What a pixel that nobody judged has in every mask as it is read, whatever its file has: it counts nowhere."""
MOST_LABELS = VOID - 1
"""A mask holds one byte per pixel, and the largest one means that nobody judged it."""
_VOID_NAMES = re.compile(
    r"(void|ignored?|toignore|dontcare|donotcare|unlabell?ed|(not|un)(labell?ed|annotated|judged|evaluated)|nolabel"
    r"|out(side)?(of)?roi)(labels?|class|index|value|regions?|areas?|zones?|pixels?)?"
)
"""What such pixels are called, without what separates words: by Pascal VOC and CamVid (void), nnU-Net (ignore), labelme
(__ignore__), Cityscapes (unlabeled, out of roi), KITTI (DontCare) and BCSS (outside_roi); and the same as an ignore region."""
ROUNDED = 0.01
"""What is so near to a whole number was one before it was computed with."""
_FEWEST_BLENDED, _MOST_BLENDED = 3, 100
"""Interpolation leaves more values than the first; one or two are slips. More than the second, in most pixels, has an image."""
_DECLARE_MEND = "Declare them in the table, or take them out of the mask."
_BACKGROUND_NAMES = frozenset(("background", "bg"))
_SEPARATORS = re.compile(r"[\s_'\u2019-]+")

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class MaskCoding:
    """How the masks of a set are written. labels: names of the foreground labels, None where only the masks can tell.

    values: label number (0: background) by the value that stands for it; colours: the same by colour (R, G, B). Without both a
    picture has one label, 0 and one other value, and a volume has the label numbers themselves. threshold: the release is
    known for stray values, and what is above 127 counts. table: the file that says so. void: the names under which it declares
    what nobody judged; values and colours have `VOID` for it.
    """

    labels: tuple[str, ...] | None = (FOREGROUND,)
    values: Mapping[int, int] = field(default_factory=dict)
    colours: Mapping[Colour, int] = field(default_factory=dict)
    threshold: bool = False
    table: str = ""
    void: tuple[str, ...] = ()

    @property
    def void_values(self) -> frozenset[int]:
        """The values that stand for what nobody judged."""
        return frozenset(value for value, number in self.values.items() if number == VOID)


def names_void(name: str) -> bool:
    """Whether a table that has this name for a label means pixels that nobody judged: void, ignore, unlabeled and the like."""
    return _VOID_NAMES.fullmatch(_SEPARATORS.sub("", name.lower())) is not None


def leave_void(names: Iterable[str]) -> tuple[str, ...]:
    """The names of labels alone."""
    return tuple(name for name in names if not names_void(name))


def names_background(name: str) -> bool:
    """Whether a table or a folder of this name means the background; labelme writes _background_."""
    return _SEPARATORS.sub("", name.lower()) in _BACKGROUND_NAMES


def find_judged(mask: np.ndarray) -> np.ndarray | None:
    """(*spatial) labels -> where they are not `VOID`, (*spatial) bool; None where that is everywhere."""
    judged: np.ndarray = mask != VOID
    return None if judged.all() else judged


def find_foreground(mask: np.ndarray) -> np.ndarray:
    """(*spatial) labels -> where any label is, (*spatial) bool."""
    foreground: np.ndarray = (mask != 0) & (mask != VOID)
    return foreground


def can_be_rounded(values: np.ndarray) -> bool:
    """Whether all numbers are within `ROUNDED` of a whole one from 0 to 255, so that rounding them is no guess."""
    nearest = np.rint(values.astype(np.float64))
    off = np.abs(values - nearest)
    return bool((off <= ROUNDED).all() and nearest.min() >= 0 and nearest.max() <= VOID)


def code_labels(path: Path, values: np.ndarray, coding: MaskCoding, *, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """(*spatial) whole numbers of any type -> (*spatial) uint8 labels. Raises DataError for values that are not declared.

    shape: that of the mask where its values come in one row, the first axis changing fastest, to tell labels from edges.
    """
    found = [int(value) for value in np.unique(values)]
    known = coding.values or {number: number for number in range(MOST_LABELS + 1)}
    if strange := [value for value in found if value not in known]:
        laid = values if shape is None else values.reshape(shape, order="F")
        raise DataError(_explain_strange(path, laid, strange, known, coding))
    lookup = np.zeros(max(found, default=0) + 1, np.uint8)
    lookup[found] = [known[value] for value in found]
    labels: np.ndarray = lookup[values if values.dtype.kind in "iu" else values.astype(np.int64)]
    return labels


def _explain_strange(
    path: Path, values: np.ndarray, strange: list[int], known: Mapping[int, int], coding: MaskCoding
) -> Finding:
    """The finding for values that are not declared: an image, edges that were blended, or a label that was forgotten.

    values: laid out as (*spatial), where that is known. strange: what is not declared, in order. known: labels by value.
    """
    wanted = ", ".join(map(str, sorted(known))) if coding.values else f"whole numbers from 0 to {MOST_LABELS}"
    said = f"{wanted}, as {coding.table} says" if coding.table else wanted
    inside = min(known) < strange[0] and strange[-1] < max(known)
    if inside and len(strange) >= _FEWEST_BLENDED and values.ndim > 1:
        near = max(known) * END / 255  # JPEG takes a declared value so far away
        far = [value for value in strange if min(abs(value - one) for one in known) > near]
        pixels, far_pixels = (int(np.isin(values, some).sum()) for some in (strange, far))
        if len(strange) > _MOST_BLENDED and 2 * far_pixels > values.size:
            found = f"holds {len(strange):,} different values and looks like a photograph"
            return KINDS["photograph"].at(path, found, expected=said)
        areas = find_areas(values, np.isin(values, strange))
        labels = [area for area in areas if area in far]
        if not labels:
            share = f"{pixels:,} of {values.size:,} pixels ({pixels / values.size:.2%})"
            found = f"has {share} of {len(strange):,} values between the declared ones, as of resizing or JPEG"
            # What one label is cut at is known; a copy leaves it to a person all the same, as the value is the table's.
            kind = "in_between" if len(set(known.values())) == 2 else "blended"
            return KINDS[kind].at(path, found, expected=said, repairable=False)
        if len(strange) - len(areas) >= _FEWEST_BLENDED:
            others = f"{len(strange) - len(labels)} other values at their edges, as of JPEG or resizing"
            found = f"holds areas of {', '.join(map(str, labels))}, and {others}"
            mend = f"{_DECLARE_MEND} Export the mask again at its own size and as PNG, or resize it by the nearest pixel."
            return KINDS["not_declared"].at(path, found, expected=said, mend=mend)
    shown = ", ".join(map(str, strange[:6])) + (" and more" if len(strange) > 6 else "")
    mend = _find_mend([int(value) for value in np.unique(values)], strange, coding)
    return KINDS["not_declared"].at(path, f"holds {shown}", expected=said, mend=mend)


def _find_mend(found: list[int], strange: list[int], coding: MaskCoding) -> str:
    """What is likely to mend a mask with values that are not declared; empty where nothing says."""
    if found == [0, VOID]:
        return f"Write 1 where it has {VOID}."
    if strange != [VOID]:
        return ""
    where = coding.table or "a table of the labels, labels.csv with label,value"
    return f"Mend the mask; or, where {VOID} is what nobody judged, declare it under the name void in {where}."
