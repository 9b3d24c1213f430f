"""How many of how many cases are done: a bar on a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from focalseg.counting import Advance

PLAIN_LINE_SECONDS = 10.0
_FIRST_LINE_SECONDS = 2.0


@contextmanager
def show_counting(title: str) -> Iterator[Advance]:
    """Gives a function to call with (done, total); shows a bar on a terminal, and elsewhere a line once it takes long."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _CountLines(title).advance
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


class _CountLines:
    """Prints a line every few seconds with the time that is left; prints nothing for what is done in a moment."""

    def __init__(self, title: str) -> None:
        self.title, self.started = title, time.monotonic()
        self.told = self.started - PLAIN_LINE_SECONDS + _FIRST_LINE_SECONDS

    def advance(self, done: int, total: int) -> None:
        """Prints how many units of how many are done, if it is time for a line."""
        now = time.monotonic()
        if now - self.told < PLAIN_LINE_SECONDS or done == total:
            return
        self.told = now
        left = (now - self.started) * (total - done) / done
        print(f"{self.title}: {done} of {total}, about {max(math.ceil(left), 1)} s left", file=sys.stderr, flush=True)
