"""Scores of every case of a run, and the table `cases.csv` that keeps them: one row a case and label."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from focalseg.evaluation.metrics import Distances, Overlap, average_labels
from focalseg.records.distances import DISTANCE_SCORES, Unit
from focalseg.records.escapes import format_table, read_cell

KEYS = ("case", "group", "part", "label")
NUMBERS = tuple(Overlap.__dataclass_fields__)
"""Columns of every row, in their order."""
DISTANCES = tuple(Distances.__dataclass_fields__)
"""Columns that are empty where no distances were measured; versions before they were did not write them."""
_TUNED = "tuned_"
TUNED = tuple(f"{_TUNED}{name}" for name in NUMBERS if name != "true_pixels")
"""Columns of what the same network scores at its tuned threshold; versions that knew 0.5 alone did not write them."""
SCORES = (*NUMBERS, *DISTANCES, *TUNED)
"""All columns of a row after those that say what it is of."""


@dataclass(frozen=True, kw_only=True)
class CaseScore:
    """Scores of one case of the validation or test part by label, at the case's own resolution.

    A score of the case is the mean over its labels, its pixels are the sum. distances: of the same labels; none where they were
    not measured, as those of validation cases are not. tuned: overlaps at the threshold that was tuned on the validation cases
    of the training, where the others are at 0.5; none where an earlier version scored the case.
    """

    case: str
    group: str
    part: str
    overlaps: Mapping[str, Overlap]
    distances: Mapping[str, Distances] = field(default_factory=dict)
    tuned: Mapping[str, Overlap] = field(default_factory=dict)

    @property
    def at_tuned(self) -> "CaseScore":
        """The same case as it is at the tuned threshold, with nothing that is of 0.5. Raises ValueError where it was not scored
        there."""
        if not self.tuned:
            raise ValueError(f"{self.case} was not scored at a tuned threshold; expected scores that this version wrote.")
        return replace(self, overlaps=self.tuned, distances={})

    @property
    def dice(self) -> float:
        """Mean over labels."""
        return self.average("dice")

    @property
    def true_pixels(self) -> int:
        """Pixels of any label in the true mask."""
        return sum(overlap.true_pixels for overlap in self.overlaps.values())

    @property
    def predicted_pixels(self) -> int:
        """Pixels of any label in the prediction."""
        return sum(overlap.predicted_pixels for overlap in self.overlaps.values())

    def of_label(self, label: str) -> "CaseScore":
        """The same case with that label alone."""
        distances = {label: self.distances[label]} if self.distances else {}
        tuned = {label: self.tuned[label]} if self.tuned else {}
        return replace(self, overlaps={label: self.overlaps[label]}, distances=distances, tuned=tuned)

    def average(self, score: str) -> float:
        """A score of `Overlap` or, where they were measured, of `Distances` by name: the mean over labels. With `tuned_` before
        it one of `Overlap` at the tuned threshold, nan where the case was not scored there."""
        if score.startswith(_TUNED):
            return self.at_tuned.average(score.removeprefix(_TUNED)) if self.tuned else math.nan
        if score in DISTANCE_SCORES:
            return average_labels(tuple(self.distances.values()), score)
        return average_labels(tuple(self.overlaps.values()), score)


def format_scores(scores: Sequence[CaseScore]) -> str:
    """Scores as CSV text, in which no name is a formula."""
    rows: list[list[object]] = [[*KEYS, *SCORES]]
    rows += [row for score in scores for row in list_rows(score)]
    return format_table(rows)


def list_rows(score: CaseScore) -> Iterator[list[object]]:
    """The rows of a case, one per label, with the columns KEYS and SCORES."""
    for label, overlap in score.overlaps.items():
        values: list[Any] = [*asdict(overlap).values()]
        values += asdict(score.distances[label]).values() if score.distances else [""] * len(DISTANCES)
        tuned = asdict(score.tuned[label]) if score.tuned else {}
        values += [tuned.get(name.removeprefix(_TUNED), "") for name in TUNED]
        cells = [f"{value:.6f}" if isinstance(value, float) else value for value in values]
        yield [score.case, score.group, score.part, label, *cells]


def read_scores(path: Path) -> tuple[CaseScore, ...]:
    """Scores from the CSV file of a run, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    overlaps: dict[tuple[str, str, str], dict[str, Overlap]] = {}
    tuned: dict[tuple[str, str, str], dict[str, Overlap]] = {}
    distances: dict[tuple[str, str, str], dict[str, Distances]] = {}
    for row in rows:
        case, group, part, label = (read_cell(row[name]) for name in KEYS)
        overlaps.setdefault((case, group, part), {})[label] = _read_overlap(row)
        if row.get(TUNED[0]):
            renamed = {name: row[f"{_TUNED}{name}"] for name in NUMBERS if f"{_TUNED}{name}" in TUNED}
            tuned.setdefault((case, group, part), {})[label] = _read_overlap({**row, **renamed})
        if row.get("unit"):
            distances.setdefault((case, group, part), {})[label] = _read_distances(row)
    return tuple(
        CaseScore(
            case=key[0], group=key[1], part=key[2], overlaps=labels, distances=distances.get(key, {}), tuned=tuned.get(key, {})
        )
        for key, labels in overlaps.items()
    )


def _read_overlap(row: Mapping[str, str]) -> Overlap:
    """The columns NUMBERS."""
    kinds = {name: float if column.type is float else int for name, column in Overlap.__dataclass_fields__.items()}
    return Overlap(**{name: kind(row[name]) for name, kind in kinds.items()})  # type: ignore[arg-type]


def _read_distances(row: Mapping[str, str]) -> Distances:
    """Raises ValueError for a unit that there is not."""
    if row["unit"] not in get_args(Unit):
        raise ValueError(f"the unit {row['unit'][:20]!r}; expected {' or '.join(get_args(Unit))}")
    numbers = {name: float(row[name]) for name in DISTANCES if name != "unit"}
    return Distances(**numbers, unit="mm" if row["unit"] == "mm" else "pixels")


def count_empty(scores: Sequence[CaseScore]) -> dict[str, int]:
    """Cases times labels with both masks empty (every score 1) and with one of them empty (every score 0)."""
    overlaps = [overlap for score in scores for overlap in score.overlaps.values()]
    return {
        "both_empty": sum(overlap.both_empty for overlap in overlaps),
        "one_empty": sum(overlap.one_empty for overlap in overlaps),
    }
