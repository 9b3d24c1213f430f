"""Who listens while a job runs: notes a person should see, the progress of what is counted, the progress of trainings."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from focalseg.counting import Count, count_for_nobody
from focalseg.study.running.runs import RunPlan

Tell = Callable[[str], None]
"""Hears a sentence that a person should see before a long run starts."""
Watch = Callable[[str, Sequence[RunPlan]], AbstractContextManager[object]]
"""(what is being done, the runs it consists of) -> a context that may show their progress."""


def ignore(_note: str) -> None:
    """For a caller who shows no notes."""


def _watch_for_nobody(_title: str, _plans: Sequence[RunPlan]) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Nobody, unless told otherwise."""

    tell: Tell = ignore
    count: Count = count_for_nobody
    watch: Watch = _watch_for_nobody


NOBODY = Listeners()
