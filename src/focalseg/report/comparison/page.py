"""A comparison as a folder: one self-contained HTML page, the record, and tables for a spreadsheet and for LaTeX."""

from pathlib import Path

from focalseg.comparison.comparing import Compared
from focalseg.comparison.tables import format_cases, format_latex, format_systems
from focalseg.files import write_text
from focalseg.records.record import write_record
from focalseg.records.scores.comparison import COMPARISON, describe_needed
from focalseg.report.comparison.drawing import HEIGHT, WIDTH, draw_cases, lay_differences
from focalseg.report.rendering import render

PAGE, CASES, SYSTEMS, LATEX = "index.html", "cases.csv", "systems.csv", "systems.tex"
_COLOURS = {"better": "helps", "worse": "harms", "no_difference_shown": "no_difference_shown"}
"""The page's names of colours, by verdict."""
MOST_LEFT_OUT = 200
"""Cases left out beyond which the page names no more; the record has them all."""


def write_comparison(folder: Path, compared: Compared) -> Path:
    """Writes the page, the record and the tables into the folder, made where it is absent; returns the page's path.

    The same scores give the same bytes. Raises MachineError where that cannot be written.
    """
    texts = {
        CASES: format_cases(compared.paired, compared.record.metric),
        SYSTEMS: format_systems(compared.record),
        LATEX: format_latex(compared.record),
        PAGE: render_comparison(compared),
    }
    write_record(folder / COMPARISON, compared.record)
    for name, text in texts.items():
        write_text(folder / name, text)
    return folder / PAGE


def render_comparison(compared: Compared) -> str:
    """The page as HTML."""
    record = compared.record
    axis, rows = lay_differences(record)
    return render(
        "comparison.html.j2",
        record=record,
        arms={name: name for name in record.systems},
        axis=axis,
        rows=rows,
        colours=_COLOURS,
        bars={pair.other: draw_cases(pair, compared.paired) for pair in record.comparisons},
        width=WIDTH,
        height=HEIGHT,
        needed={
            pair.other: list(describe_needed(pair, trainings=record.systems[pair.other].trainings))
            for pair in record.comparisons
        },
        latex=format_latex(record),
        most_left_out=MOST_LEFT_OUT,
        files=(COMPARISON, SYSTEMS, CASES, LATEX),
    )
