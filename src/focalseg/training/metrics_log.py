"""The metrics of a run in `metrics.csv`, with a line every few steps."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from focalseg.files import write_text

Row = dict[str, str]


class MetricsLog:
    """Appends rows to a CSV file; on resuming, rows later than the checkpoint are dropped, since they will be made again."""

    def __init__(self, path: Path, columns: Sequence[str], *, resume_step: int) -> None:
        self.path, self.columns = path, list(columns)
        rows = [row for row in read_metrics(path) if int(row["step"]) <= resume_step] if resume_step and path.exists() else []
        write_text(path, _as_csv([dict(zip(self.columns, self.columns, strict=True)), *rows], self.columns))

    def append(self, row: Mapping[str, float | int | str]) -> None:
        """Writes a row to the file at once; columns that it does not name stay empty."""
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(_as_csv([row], self.columns))


def read_metrics(path: Path) -> list[Row]:
    """Every complete row of the file, as text by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]


def _as_csv(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writerows(rows)
    return text.getvalue()
