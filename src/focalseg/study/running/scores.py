"""Scores of every case of a run, and the table `cases.csv` that keeps them: one row a case and label."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from focalseg.evaluation.metrics import Overlap, average_labels
from focalseg.records.escapes import format_table, read_cell

KEYS = ("case", "group", "part", "label")


@dataclass(frozen=True, kw_only=True)
class CaseScore:
    """Overlap of one case of the validation or test part by label, at the case's own resolution.

    A score of the case is the mean over its labels, its pixels are the sum.
    """

    case: str
    group: str
    part: str
    overlaps: Mapping[str, Overlap]

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
        return replace(self, overlaps={label: self.overlaps[label]})

    def average(self, score: str) -> float:
        """A score of `Overlap` by name, the mean over labels."""
        return average_labels(tuple(self.overlaps.values()), score)


def format_scores(scores: Sequence[CaseScore]) -> str:
    """Scores as CSV text, in which no name is a formula."""
    rows: list[list[object]] = [[*KEYS, *Overlap.__dataclass_fields__]]
    for score in scores:
        for label, overlap in score.overlaps.items():
            numbers = [f"{value:.6f}" if isinstance(value, float) else value for value in asdict(overlap).values()]
            rows.append([score.case, score.group, score.part, label, *numbers])
    return format_table(rows)


def read_scores(path: Path) -> tuple[CaseScore, ...]:
    """Scores from the CSV file of a run, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = {name: float if field.type is float else int for name, field in Overlap.__dataclass_fields__.items()}
    overlaps: dict[tuple[str, str, str], dict[str, Overlap]] = {}
    for row in rows:
        case, group, part, label = (read_cell(row[name]) for name in KEYS)
        numbers = {name: kind(row[name]) for name, kind in kinds.items()}
        overlaps.setdefault((case, group, part), {})[label] = Overlap(**numbers)  # type: ignore[arg-type]
    return tuple(
        CaseScore(case=case, group=group, part=part, overlaps=labels) for (case, group, part), labels in overlaps.items()
    )


def count_empty(scores: Sequence[CaseScore]) -> dict[str, int]:
    """Cases times labels with both masks empty (every score 1) and with one of them empty (every score 0)."""
    overlaps = [overlap for score in scores for overlap in score.overlaps.values()]
    return {
        "both_empty": sum(overlap.both_empty for overlap in overlaps),
        "one_empty": sum(overlap.one_empty for overlap in overlaps),
    }
