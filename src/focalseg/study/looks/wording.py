"""The looks of a job in sentences."""

from typing import Any

from focalseg.configuration import to_mapping
from focalseg.findings import counted
from focalseg.records.outcome.looks import LookHistory
from focalseg.study.looks.tails import ERROR, has_error_left


def describe_looks(history: LookHistory) -> str:
    """How often the job was judged, what this look may err and what is left for others; what earlier looks found."""
    last, number = history.last, len(history.looks)
    design = f"{counted(last.seeds, 'training')} per arm on {'each of ' if last.folds > 1 else ''}{counted(last.folds, 'fold')}"
    trainings = [look.trainings for look in history.looks]
    rest = f"{100 * (ERROR - last.spent):.2g} % are left for others"
    if not has_error_left(trainings, history.most_trainings):
        rest = "nothing is left for others"
    looked = (
        f"look {number}, at {design}: its intervals are of {100 * (1 - 2 * last.tail):.4g} %; of the {100 * ERROR:g} % "
        f"that all looks may err, {rest}."
    )
    before = ", ".join(
        f"{look.verdict} ({look.difference.estimate}) with {look.seeds} x {counted(look.folds, 'fold')}"
        for look in history.looks[:-1]
        if look.difference
    )
    return looked + (f" Before: {before}." if before else "")


def list_looks(history: LookHistory) -> dict[str, Any]:
    """All looks as plain data, with how many were taken and what the last one may err, as placement.json tells them."""
    plain = to_mapping(history)
    return {
        "taken": len(history.looks),
        "tail": history.last.tail,
        "most_trainings": history.most_trainings,
        "history": plain["looks"],
    }
