"""What a job takes, told anew once its first training has shown how fast the machine really is."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from focalseg.errors import SettingError
from focalseg.records.record import read_record
from focalseg.records.result import RESULT, Result
from focalseg.study.budget.fitting import Forecast, describe_seconds
from focalseg.study.running.listeners import Tell, Watch
from focalseg.study.running.runs import RunPlan

NOTABLE_CHANGE = 1.25
"""How many times as long, or as short, as was said, from where on it is told."""
NOTABLE_SECONDS = 60.0
"""Of the whole job, below which nobody waits otherwise for it."""
_POLL_SECONDS = 1.0


def correcting(watch: Watch, forecast: Forecast, tell: Tell) -> Watch:
    """The same watch, which besides tells the time that is left as soon as the first training has ended, if it was far off."""
    started, told = time.monotonic(), threading.Event()

    @contextmanager
    def watching(title: str, plans: Sequence[RunPlan]) -> Iterator[None]:
        left = [plan for plan in plans if not (plan.folder / RESULT).exists()]
        ended = threading.Event()

        def wait_for_the_first() -> None:
            while not told.is_set():
                last = ended.wait(_POLL_SECONDS)
                first = next((plan for plan in left if (plan.folder / RESULT).exists()), None)
                if first is not None:
                    told.set()
                    if note := describe_correction(first, forecast, time.monotonic() - started):
                        tell(note)
                if last:
                    return

        watcher = threading.Thread(target=wait_for_the_first, daemon=True)
        with watch(title, plans):
            watcher.start()
            try:
                yield
            finally:
                ended.set()
                watcher.join()

    return watching


def describe_correction(plan: RunPlan, forecast: Forecast, elapsed: float) -> str:
    """The time that is left of a job, by what a training of it took; nothing where that is about what was said.

    elapsed: seconds since it was said.
    """
    pace = forecast.paces.get(bool(plan.config.attention))
    item = next((item for item in forecast.items if item.arm == plan.arm), None)
    if pace is None or item is None:
        return ""
    try:
        result = read_record(Result, plan.folder / RESULT)
    except SettingError:  # whoever needs the file says what is wrong with it
        return ""
    said = item.work * pace.training_seconds(plan.config.training)
    ratio = result.seconds / said if said > 0 else 1.0
    change = abs(ratio - 1) * forecast.seconds()
    if 1 / NOTABLE_CHANGE < ratio < NOTABLE_CHANGE or change < NOTABLE_SECONDS:
        return ""
    step = "" if result.step_seconds is None else f"; a step keeps a processor busy for {result.step_seconds:.2g} s"
    left = max(ratio * forecast.seconds() - elapsed, 1.0)
    return (
        f"corrected after the first training, which took {describe_seconds(result.seconds)} and not "
        f"{describe_seconds(said)}: about {describe_seconds(left)} left of the whole job{step}."
    )
