"""What a job leaves for a paper: tables for a spreadsheet and for LaTeX, every score, and the methods paragraph."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from focalseg.files import write_text
from focalseg.records.distances import DistanceSummary
from focalseg.report.placement.contents import PlacementContents
from focalseg.report.placement.methods import describe_job
from focalseg.report.placement.tables import (
    ARMS_CSV,
    ARMS_TEX,
    CASES_CSV,
    common_measure,
    define_distances,
    format_arms,
    format_latex_arms,
    format_test_scores,
)

_TABLES = (ARMS_CSV, ARMS_TEX, CASES_CSV)


@dataclass(frozen=True, kw_only=True)
class Paper:
    """tables: the text of each by the name of its file. methods: a paragraph. measured: the distances of the first arm, where
    all arms have them in one unit; definitions: what each of them is."""

    tables: Mapping[str, str]
    methods: str
    measured: DistanceSummary | None
    definitions: Mapping[str, str]

    @property
    def latex(self) -> str:
        """The table of the arms in LaTeX."""
        return self.tables[ARMS_TEX]


def read_paper(folder: Path, contents: PlacementContents) -> Paper:
    """All of it from a job's folder and what was read of it. Raises SettingError for scores that were altered."""
    arms, record = contents.arms, contents.record
    scores = format_test_scores(folder, record, arms)
    measured = common_measure(arms)
    return Paper(
        tables={
            ARMS_CSV: format_arms(record, arms),
            ARMS_TEX: format_latex_arms(record, arms),
            **({} if scores is None else {CASES_CSV: scores}),
        },
        methods=describe_job(folder, contents),
        measured=measured,
        definitions=define_distances(measured) if measured else {},
    )


def write_tables(folder: Path, paper: Paper) -> None:
    """Writes the tables into the folder of the report, each whole or not at all. One of an earlier report that cannot be made
    any more, since a training is gone, is removed: it would not be of these files."""
    for name in _TABLES:
        if name in paper.tables:
            write_text(folder / name, paper.tables[name])
        else:
            (folder / name).unlink(missing_ok=True)
