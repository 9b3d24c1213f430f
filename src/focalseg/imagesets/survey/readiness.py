"""Whether a job could start on a set whose every case can be read: enough groups, and foreground on every side of a split."""

from collections.abc import Sequence

from focalseg.errors import DataError
from focalseg.findings import counted
from focalseg.imagesets.splits import SIDES, split_by_group, split_officially
from focalseg.imagesets.survey.summary import CaseSummary
from focalseg.imagesets.survey.survey import Survey
from focalseg.records.splits import Split

USUAL_FOLDS, FEWEST_FOLDS = 5, 3
"""The folds that a job deals cases into unless split.folds says otherwise, and the fewest that there can be."""


def find_foreground_faults(survey: Survey, split: Split) -> list[str]:
    """What is wrong with a split: a label that no training case has, or a side to validate or test on without foreground. A
    side without cases is nobody's fault here."""
    by_name = {case.name: case for case in survey.cases}
    sides = {side: [by_name[name] for name in getattr(split, side)] for side in SIDES}
    if not any(case.foreground for case in sides["train"]):
        found = f"{survey.source}: every mask of the {counted(len(sides['train']), 'training case')} is empty"
        return [f"{found}; expected foreground in some. Check how the masks were exported (0 and 255)."]
    faults = [
        f"{survey.source}: none of the {counted(len(sides['train']), 'training case')} has the label {label}; expected some. "
        "Take the label out of its table, add cases, or deal anew with another split.seed."
        for number, label in enumerate(survey.labels, start=1)
        if not any(len(case.label_pixels) > number and case.label_pixels[number] for case in sides["train"])
    ]
    faults += [
        f"{survey.source}: every mask of the {counted(len(sides[side]), f'{side} case')} is empty; expected foreground in "
        "some. Deal anew with another split.seed, or mend the official split."
        for side in ("validation", "test")
        if sides[side] and not any(case.foreground for case in sides[side])
    ]
    return faults


def find_folds(survey: Survey) -> tuple[int, str]:
    """The number of folds with which a job could start, the usual one where that is enough; 0 and the reason without any."""
    reason, dealt = "", False
    for folds in range(USUAL_FOLDS, FEWEST_FOLDS - 1, -1):
        try:
            faults = find_foreground_faults(survey, _deal(survey.cases, survey, folds))
        except DataError as error:
            reason = reason if dealt else str(error)
            continue
        if not faults:
            return folds, ""
        reason, dealt = reason if dealt else faults[0], True
    return 0, reason


def _deal(cases: Sequence[CaseSummary], survey: Survey, folds: int) -> Split:
    """The first split of a job that is told nothing else about splits."""
    names, foreground = [case.name for case in cases], [case.foreground for case in cases]
    groups, parts = [survey.groups[name] for name in names], [case.part for case in cases]
    if any(parts):
        return split_officially(names, groups, parts, folds=folds, foreground=foreground)[0]
    return split_by_group(names, groups, folds=folds, foreground=foreground)[0]
