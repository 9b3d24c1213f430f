"""A job on another set as a folder: one self-contained HTML page, the record, and the scores of every case."""

from pathlib import Path

from focalseg.comparison.basis import Basis, describe_basis
from focalseg.files import write_text
from focalseg.records.escapes import format_table
from focalseg.records.estimate import Estimate
from focalseg.records.outcome.strata import LEFT_EMPTY
from focalseg.records.placement import ALL, NONE, PLACED
from focalseg.records.record import write_record
from focalseg.records.scores.emptiness import describe_empty, name_endpoint
from focalseg.records.scores.external import EXTERNAL, ExternalRecord
from focalseg.report.placement.intervals import Axis, Row, difference_axis, lay_rows
from focalseg.report.placement.naming import DOUBTS, name_arm
from focalseg.report.rendering import render
from focalseg.study.external.outcome import External, average_cases

PAGE, CASES = "index.html", "cases.csv"
MOST_LEFT_OUT = 200
"""Cases left out beyond which the page names no more; the record has them all."""


def write_external(folder: Path, found: External) -> Path:
    """Writes the page, the record and the table of cases into the folder of the scores; returns the page's path.

    The same scores give the same bytes. Raises MachineError where that cannot be written.
    """
    write_text(folder / CASES, format_cases(found))
    write_text(folder / PAGE, render_external(found.record))
    write_record(folder / EXTERNAL, found.record)
    return folder / PAGE


def format_cases(found: External) -> str:
    """Dice of every case by arm as CSV, each the mean over all trainings; a column per arm, as `focalseg compare` reads it."""
    cases, means = average_cases(found.arms)
    rows: list[list[object]] = [["case", "group", *means]]
    for number, (case, group) in enumerate(cases):
        rows.append([case, group, *(round(float(scores[number]), 6) for scores in means.values())])
    return format_table(rows)


def render_external(record: ExternalRecord) -> str:
    """The page as HTML."""
    axis, rows = _lay_differences(record)
    return render(
        "external.html.j2",
        {"name_arm": name_arm},
        record=record,
        arms={name: name_arm(name) for name in record.arms},
        meaning=describe_empty(distances=False),
        score=name_endpoint(record.endpoint, lacking=LEFT_EMPTY in record.strata),
        basis=describe_basis(Basis(claim=record.claim, shared=record.overlap, told=True), len(record.folds)),
        axis=axis,
        rows=rows,
        other=ALL if record.same_networks else PLACED,
        doubts=DOUBTS,
        most_left_out=MOST_LEFT_OUT,
        files=(EXTERNAL, CASES, "runs"),
    )


def _lay_differences(record: ExternalRecord) -> tuple[Axis, tuple[Row, ...]]:
    """The differences that the verdict rests on, there and on the job's own test cases, on one axis."""
    shown = [(ALL, NONE)] if record.same_networks else [(PLACED, NONE), (PLACED, ALL)]
    named: list[tuple[str, Estimate]] = []
    for pair in shown:
        for where, found in (("there", record.find_comparison(*pair)), ("own cases", record.find_own(*pair))):
            if found:
                named.append((f"{pair[0]} - {pair[1]}, {where}", found.estimate))
    axis = difference_axis([estimate for _, estimate in named])
    return axis, lay_rows(axis, named)
