"""How far work is that can be counted: who does it tells, who shows it listens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[int, int], None]
"""Hears how many of how many are done."""
Count = Callable[[str], AbstractContextManager[Advance]]
"""(what is being done) -> a context that gives whom to tell."""


def ignore(_done: int, _total: int) -> None:
    """For a caller who shows no progress."""


@contextmanager
def count_for_nobody(_title: str) -> Iterator[Advance]:
    """Shows nothing."""
    yield ignore
