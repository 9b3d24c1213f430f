"""How far the runs are, read from the files they write: bars on a terminal, plain lines elsewhere."""

import math
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from focalseg.cli.terminal.counting import PLAIN_LINE_SECONDS, show_counting
from focalseg.findings import counted
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.local import describe_threads
from focalseg.study.running.runs import RunPlan
from focalseg.study.running.work import Work, measure_work

_POLL_SECONDS = 0.5


def _show_note(note: str) -> None:
    """Prints, on stderr, a line that a person should see before a long run starts."""
    print(f"note: {note}", file=sys.stderr, flush=True)


def build_listeners(*, verbose: bool = False, workers: int | None = None) -> Listeners:
    """The listeners for a person at the command line: notes, counts and trainings are all shown on stderr.

    verbose: also how the cores are shared out. workers: as the person said, or nothing.
    """

    def show_threads_and_progress(title: str, plans: Sequence[RunPlan]) -> AbstractContextManager[object]:
        if not all(plan.is_tuned for plan in plans):
            _show_note(describe_threads(plans, workers))
        return show_progress(title, plans)

    watch = show_threads_and_progress if verbose else show_progress
    return Listeners(tell=_show_note, count=show_counting, watch=watch)


@contextmanager
def show_progress(title: str, plans: Sequence[RunPlan]) -> Iterator[None]:
    """Shows, on stderr, the steps of all the runs until the block ends; nothing where all is done."""
    if all(plan.is_tuned for plan in plans):
        yield
        return
    ended = threading.Event()
    console = Console(stderr=True)
    show = _show_bars if console.is_terminal else _show_lines
    watcher = threading.Thread(target=show, args=(title, plans, ended, console), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _show_bars(title: str, plans: Sequence[RunPlan], ended: threading.Event, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        console.print(title)
        bars = {
            progress.add_task(_name_run(plan), total=measure_work(plan).total, start=False, said=""): plan for plan in plans
        }
        while True:
            last = ended.wait(_POLL_SECONDS)
            for bar, plan in bars.items():
                work = measure_work(plan)
                if work.done and not progress.tasks[bar].started:
                    progress.start_task(bar)
                progress.update(bar, completed=work.done, said=describe_work(work))
            if last:
                return


def _show_lines(title: str, plans: Sequence[RunPlan], ended: threading.Event, _console: Console) -> None:
    before, started = _add_up(plans), time.monotonic()
    print(f"{title}: {counted(len(plans), 'training')}, {before.of_steps} steps", file=sys.stderr, flush=True)
    while not ended.wait(PLAIN_LINE_SECONDS):
        work = _add_up(plans)
        left = describe_left(work, before, time.monotonic() - started)
        print(f"{title}: {describe_work(work)}{left}", file=sys.stderr, flush=True)


def _add_up(plans: Sequence[RunPlan]) -> Work:
    return sum(map(measure_work, plans), start=Work())


def _name_run(plan: RunPlan) -> str:
    return f"{plan.arm}, seed {plan.config.seed}"


def describe_work(work: Work) -> str:
    """`360 of 720 steps`; once it has begun, how much of what follows the steps is done."""
    share = f", scores and evidence {100 * work.after / work.of_after:.0f} %" if work.after else ""
    return f"{work.steps} of {work.of_steps} steps{share}"


def describe_left(work: Work, before: Work, seconds: float) -> str:
    """The time that is left at the speed of so many seconds since `before`: never none while there is something to do. Empty
    where no speed is known."""
    if work.done <= before.done:
        return ""
    left = seconds * (work.total - work.done) / (work.done - before.done)
    return f", about {max(math.ceil(left), 1)} s left" if work.done < work.total else ""
