"""Which findings a corrected copy mends, so that nothing else is promised: what one finding says of others is known here."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from focalseg.findings import Finding
from focalseg.imagesets.case import Dataset
from focalseg.imagesets.pictures.headers import measure_upright

_CODING_TABLES = ("labels.csv", "dataset.json")


def leave_labels_open(errors: Sequence[Finding]) -> bool:
    """Whether nothing tells what a value means: the table of the labels is at fault, or masks hold labels that it lacks."""
    return any(
        error.kind == "not_declared" or (error.kind == "bad_table" and error.file.endswith(_CODING_TABLES)) for error in errors
    )


def settle_repairs(dataset: Dataset, findings: Sequence[Finding]) -> list[Finding]:
    """The findings, those that would be mended by themselves but are not for the sake of others marked so.

    No value between is cut where labels are open, and a case with a fault that only a person can mend is left out.
    """
    errors = [finding for finding in findings if finding.level == "error"]
    hopeless = {error.file for error in errors if not error.repairable}
    if leave_labels_open(errors):
        hopeless |= {error.file for error in errors if error.kind == "in_between"}
    turned = {error.file for error in errors if error.kind == "turned"}
    for number in range(len(dataset) if hopeless or turned else 0):
        if files := dataset.files(number):
            beside = (file for file in (files.field_of_view, files.second_observer) if file)
            every = {str(file): file for file in (*files.images, *files.masks, *beside)}
            if not hopeless.isdisjoint(every) or (not turned.isdisjoint(every) and _differ_upright(every.values())):
                hopeless |= every.keys()
    return [replace(one, repairable=one.repairable and one.file not in hopeless) for one in findings]


def _differ_upright(files: Iterable[Path]) -> bool:
    """Whether the pictures of a case would still be of several sizes once they are turned as their notes say."""
    return len({size for file in files if (size := measure_upright(file))}) > 1
