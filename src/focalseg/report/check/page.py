"""One self-contained HTML page on a data set: what it is, what is wrong with it, and what it looks like."""

import json
from pathlib import Path

from focalseg.files import write_text
from focalseg.findings import show_path
from focalseg.imagesets.case import Dataset
from focalseg.imagesets.survey.readiness import find_folds
from focalseg.imagesets.survey.survey import Survey
from focalseg.report.check import wording as check_wording
from focalseg.report.check.charts import draw_charts
from focalseg.report.check.pictures import draw_check
from focalseg.report.check.record import measure_fingerprint, record_check
from focalseg.report.rendering import render

PAGE, RECORD = "index.html", "check.json"
_MOST_OPEN = 30
"""Notes of one kind beyond which their table is folded; errors are never folded."""


def write_check(folder: Path, dataset: Dataset, survey: Survey) -> Path:
    """Writes index.html and check.json into the folder, made where it is absent; returns the page's path.

    The same set gives the same bytes. Raises MachineError where that cannot be written.
    """
    write_text(folder / RECORD, show_record(survey))
    write_text(folder / PAGE, render_check(dataset, survey))
    return folder / PAGE


def show_record(survey: Survey) -> str:
    """What was found as strict JSON."""
    return json.dumps(record_check(survey), indent=2, allow_nan=False) + "\n"


def render_check(dataset: Dataset, survey: Survey) -> str:
    """The page as HTML; reads the cases that it shows."""
    fingerprint = measure_fingerprint(survey)
    groups = check_wording.group_findings(survey.findings)
    return render(
        "check.html.j2",
        survey=survey,
        fingerprint=fingerprint,
        facts=check_wording.describe_set(survey, fingerprint),
        errors=[group for group in groups if group.level == "error"],
        notes=[group for group in groups if group.level == "note" and not group.quiet],
        quiet=[group for group in groups if group.quiet],
        obstacle="" if survey.errors or not survey.cases else find_folds(survey)[1],
        to_look_at=check_wording.count_to_look_at(survey),
        mendable=check_wording.count_mendable(survey.errors),
        most_open=_MOST_OPEN,
        pictures=draw_check(dataset, survey),
        charts=draw_charts(survey),
        show_path=show_path,
        show_share=check_wording.show_share,
        show_shares=check_wording.show_shares,
        name_others=check_wording.name_others,
    )
