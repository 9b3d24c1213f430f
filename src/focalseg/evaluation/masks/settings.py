"""What is scored and how, as the caller says."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from focalseg.errors import SettingError
from focalseg.findings import show_value
from focalseg.imagesets.masks import VOID
from focalseg.metrics.case import DEFAULT_TOLERANCE, SCORES
from focalseg.metrics.distances import check_tolerance
from focalseg.metrics.emptiness import DEFAULT_EMPTY, Empty, check_empty
from focalseg.metrics.lesions import LesionRule
from focalseg.metrics.surfaces import DEFAULT_SURFACE, SurfaceKind, check_surface
from focalseg.metrics.tubes import find_skeletonize

_LARGEST_VALUE = 65_535
_LABEL = re.compile(r"(?P<name>[^=]+?)(?:=(?P<values>[0-9]{1,5}(?:\+[0-9]{1,5})*))?")
_LESIONS = tuple(name for name in SCORES if name.startswith("lesion"))


@dataclass(frozen=True, kw_only=True)
class WantedLabel:
    """A label that the caller names. values: those of the files that are of it, several for a region; empty: the set says."""

    name: str
    values: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """empty, tolerance_mm, surface, lesions, cldice: as `metrics.measure` takes them. ignore: the value of the true masks that
    nobody judged. spacing_mm: the sizes of a pixel of pictures, one for all axes or one each. labels: those to score, all by
    default. partial: whether cases without a prediction may be left out. Raises SettingError for what is out of range."""

    empty: Empty = DEFAULT_EMPTY
    tolerance_mm: float = DEFAULT_TOLERANCE
    surface: SurfaceKind = DEFAULT_SURFACE
    ignore: int | None = None
    spacing_mm: tuple[float, ...] | None = None
    lesions: bool = False
    cldice: bool = False
    labels: tuple[WantedLabel, ...] = ()
    partial: bool = False

    def __post_init__(self) -> None:
        check_empty(self.empty)
        check_surface(self.surface)
        check_tolerance(self.tolerance_mm)
        if self.ignore is not None and not 0 <= self.ignore <= VOID:
            raise SettingError(f"ignore was {show_value(self.ignore)}; expected a value of masks, from 0 to {VOID}.")
        if self.spacing_mm is not None and not all(math.isfinite(step) and step > 0 for step in self.spacing_mm):
            raise SettingError(f"spacing was {show_value(self.spacing_mm)}; expected positive, finite numbers, in mm.")
        if self.cldice:
            find_skeletonize()
        names = [label.name for label in self.labels]
        if twice := [name for name in names if names.count(name) > 1]:
            raise SettingError(f"The label {show_value(twice[0])} is named twice; expected each once. Leave one out.")

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the scores that are computed."""
        left = (*(() if self.lesions else _LESIONS), *(() if self.cldice else ("cldice",)))
        return tuple(name for name in SCORES if name not in left)

    @property
    def values(self) -> frozenset[int]:
        """All values that the caller names."""
        return frozenset(value for label in self.labels for value in label.values)

    @property
    def lesion_rule(self) -> LesionRule | None:
        """How lesions are matched, where they are scored: those that touch are the same."""
        return LesionRule() if self.lesions else None


def read_wanted_labels(texts: Sequence[str]) -> tuple[WantedLabel, ...]:
    """From `NAME`, `NAME=VALUE` and `NAME=1+2`. Raises SettingError for anything else."""
    labels = []
    for text in texts:
        match = _LABEL.fullmatch(text.strip())
        values = tuple(map(int, match["values"].split("+"))) if match and match["values"] else ()
        if match is None or any(not 0 < value <= _LARGEST_VALUE for value in values):
            raise SettingError(
                f"The label was {show_value(text)}; expected its name, NAME=VALUE with a value from 1 to {_LARGEST_VALUE}, or "
                "NAME=1+2 for a region of several, such as --label tumour=2."
            )
        labels.append(WantedLabel(name=match["name"].strip(), values=values))
    return tuple(labels)


def read_spacing_text(text: str) -> tuple[float, ...]:
    """From `0.5` or `2,0.5,0.5`. Raises SettingError for what is no positive numbers."""
    try:
        steps = tuple(map(float, text.split(",")))
    except ValueError:
        steps = ()
    if not 1 <= len(steps) <= 3 or not all(math.isfinite(step) and step > 0 for step in steps):
        raise SettingError(
            f"--spacing was {show_value(text)}; expected the size of a pixel in mm, as 0.5, or one for each axis from the "
            "first to the last, as 2,0.5,0.5."
        )
    return steps
