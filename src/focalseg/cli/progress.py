"""How far the runs are, read from the metrics they write: bars on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import Progress

from focalseg.cli.counting import PLAIN_LINE_SECONDS, columns, show_counting
from focalseg.findings import counted
from focalseg.records.result import RESULT
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.local import describe_threads
from focalseg.study.running.runs import RunPlan
from focalseg.training.loop import METRICS
from focalseg.training.metrics_log import read_metrics

_POLL_SECONDS = 0.5


def _show_note(note: str) -> None:
    """Prints, on stderr, a line that a person should see before a long run starts."""
    print(f"note: {note}", file=sys.stderr, flush=True)


def build_listeners(*, verbose: bool = False, workers: int | None = None) -> Listeners:
    """The listeners for a person at the command line: notes, counts and trainings are all shown on stderr.

    verbose: also how the cores are shared out. workers: as the person said, or nothing.
    """

    def show_threads_and_progress(title: str, plans: Sequence[RunPlan]) -> AbstractContextManager[object]:
        if not all(plan.is_finished for plan in plans):
            _show_note(describe_threads(plans, workers))
        return show_progress(title, plans)

    watch = show_threads_and_progress if verbose else show_progress
    return Listeners(tell=_show_note, count=show_counting, watch=watch)


@contextmanager
def show_progress(title: str, plans: Sequence[RunPlan]) -> Iterator[None]:
    """Shows, on stderr, the steps of all the runs until the block ends; nothing where all are finished."""
    if all(plan.is_finished for plan in plans):
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


def _count_steps(plan: RunPlan) -> int:
    """The number of steps that a run has done so far, read from its metrics file."""
    steps = plan.config.training.steps
    if (plan.folder / RESULT).exists():
        return steps
    path = plan.folder / METRICS
    rows = read_metrics(path) if path.exists() else []
    return int(rows[-1]["step"]) if rows else 0


def _show_bars(title: str, plans: Sequence[RunPlan], ended: threading.Event, console: Console) -> None:
    with Progress(*columns("steps"), console=console) as progress:
        console.print(title)
        bars = {
            progress.add_task(f"{plan.arm}, seed {plan.config.seed}", total=plan.config.training.steps, start=False): plan
            for plan in plans
        }
        while True:
            last = ended.wait(_POLL_SECONDS)
            for bar, plan in bars.items():
                steps = _count_steps(plan)
                if steps and not progress.tasks[bar].started:
                    progress.start_task(bar)
                progress.update(bar, completed=steps)
            if last:
                return


def _show_lines(title: str, plans: Sequence[RunPlan], ended: threading.Event, _console: Console) -> None:
    total = sum(plan.config.training.steps for plan in plans)
    started, done_before = time.monotonic(), sum(_count_steps(plan) for plan in plans)
    print(f"{title}: {counted(len(plans), 'training')}, {total} steps", file=sys.stderr, flush=True)
    while not ended.wait(PLAIN_LINE_SECONDS):
        done = sum(_count_steps(plan) for plan in plans)
        seconds = time.monotonic() - started
        left = f", about {seconds * (total - done) / (done - done_before):.0f} s left" if done > done_before else ""
        print(f"{title}: {done} of {total} steps{left}", file=sys.stderr, flush=True)
