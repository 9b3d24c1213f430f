"""An evaluation as a folder: one self-contained HTML page, the record, and tables for a spreadsheet and for LaTeX."""

from pathlib import Path

from focalseg.files import write_text
from focalseg.records.scores.emptiness import describe_empty, title_stratum
from focalseg.records.scores.evaluation import EVALUATION, FEW, MAIN, EvaluationRecord, show_optional
from focalseg.report.evaluation.drawing import HEIGHT, WIDTH, draw_labels
from focalseg.report.evaluation.tables import ALL_LABELS, format_cases, format_latex, format_summary
from focalseg.report.rendering import render

PAGE, CASES, SUMMARY, LATEX = "index.html", "cases.csv", "summary.csv", "summary.tex"
MOST_SHOWN = 20
"""Of the worst cases so many stand on the page."""
MOST_LABELS = 12
"""Labels that are drawn; more of them would bury the page, and the tables have them all."""


def write_evaluation(folder: Path, record: EvaluationRecord) -> Path:
    """Writes the page, the record and the tables into the folder, made where it is absent; returns the page's path.

    The same scores give the same bytes. Raises MachineError where that cannot be written.
    """
    texts = {
        CASES: format_cases(record),
        SUMMARY: format_summary(record),
        LATEX: format_latex(record),
        PAGE: render_evaluation(record),
    }
    record.save(folder / EVALUATION)
    for name, text in texts.items():
        write_text(folder / name, text)
    return folder / PAGE


def render_evaluation(record: EvaluationRecord) -> str:
    """The page as HTML."""
    return render(
        "evaluation.html.j2",
        {"optional": show_optional, "title_stratum": title_stratum},
        record=record,
        shown=[score for score in dict.fromkeys((*MAIN, *record.scores)) if score in record.scores],
        main=[score for score in FEW if score in record.scores],
        all_labels=ALL_LABELS,
        worst=[record.cases[place] for place in record.worst[:MOST_SHOWN]],
        drawings=draw_labels(record)[:MOST_LABELS],
        width=WIDTH,
        height=HEIGHT,
        meaning=describe_empty(record.empty),
        strata=({"": record.strata} if len(record.labels) == 1 else {ALL_LABELS: record.strata, **record.strata_by_label}),
        latex=format_latex(record),
        files=(EVALUATION, CASES, SUMMARY, LATEX),
    )
