"""Who listens while a job runs: notes a person should see, the progress of what is counted, the progress of trainings."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from focalseg.data.survey import Advance
from focalseg.data.survey import ignore as ignore_count
from focalseg.study.runs import RunPlan

Tell = Callable[[str], None]
"""Hears a sentence that a person should see before a long run starts."""
Count = Callable[[str], AbstractContextManager[Advance]]
"""(what is being done) -> a context that gives whom to tell how many of how many are done."""
Watch = Callable[[str, Sequence[RunPlan]], AbstractContextManager[object]]
"""(what is being done, the runs it consists of) -> a context that may show their progress."""


def ignore(_note: str) -> None:
    """For a caller who shows no notes."""


@contextmanager
def _count_for_nobody(_title: str) -> Iterator[Advance]:
    yield ignore_count


def _watch_for_nobody(_title: str, _plans: Sequence[RunPlan]) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Nobody, unless told otherwise."""

    tell: Tell = ignore
    count: Count = _count_for_nobody
    watch: Watch = _watch_for_nobody
