"""The metrics of a run in `metrics.csv`, with a line every few steps."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from focalseg.files import write_text

Row = dict[str, str]
FIRST_COLUMNS = ("step", "loss", "learning_rate", "validation_dice")
"""What every log begins with; what else a training has to tell follows."""


class MetricsLog:
    """The rows of a run, each in the CSV file as soon as it is there.

    The file is for those who watch. What counts are the rows in memory, which a checkpoint keeps. rows: those of the
    checkpoint, from which the file is written anew when a run goes on, whatever became of it meanwhile.
    """

    def __init__(self, path: Path, columns: Sequence[str], rows: Sequence[Row] = ()) -> None:
        self.path, self.columns, self.rows = path, list(columns), list(rows)
        self.write()

    def append(self, row: Mapping[str, float | int | str]) -> None:
        """Keeps a row and writes it to the file at once; columns that it does not name stay empty."""
        self.rows.append({column: str(row.get(column, "")) for column in self.columns})
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(self._format(self.rows[-1:]))

    def write(self) -> None:
        """Writes the whole file from the rows."""
        write_text(self.path, self._format([dict(zip(self.columns, self.columns, strict=True)), *self.rows]))

    def _format(self, rows: Sequence[Row]) -> str:
        text = io.StringIO()
        csv.DictWriter(text, self.columns, lineterminator="\n").writerows(rows)
        return text.getvalue()


def is_log(path: Path) -> bool:
    """Whether a file begins as the log of a run does."""
    beginning = ",".join(FIRST_COLUMNS).encode()
    if path.suffix != ".csv" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(beginning)) == beginning


def read_metrics(path: Path) -> list[Row]:
    """Every complete row of the file, as text by column. Raises OSError, and ValueError for what is no table."""
    with path.open(encoding="utf-8", newline="") as file:
        try:
            return [row for row in csv.DictReader(file) if None not in row.values()]
        except csv.Error as error:
            raise ValueError(str(error)) from error
