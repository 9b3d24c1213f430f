"""A job that goes on until its verdict is decided, or cannot be within the hours that a person has."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focalseg.evaluation.needed import count_needed_cases, count_needed_trainings
from focalseg.findings import counted
from focalseg.placement.policies.questions import SMALLEST_WORTH
from focalseg.records.outcome.looks import LookHistory
from focalseg.records.placement import NONE, PLACED
from focalseg.records.record import read_record
from focalseg.records.splits import SPLITS, Splits
from focalseg.study.arms.search import PROBE_COUNT
from focalseg.study.budget.fitting import Forecast, describe_seconds
from focalseg.study.looks.history import Extension, list_trainings
from focalseg.study.looks.tails import has_error_left
from focalseg.study.place import PlaceResult, place
from focalseg.study.presets import MOST_TRAININGS, Settings
from focalseg.study.running.listeners import NOBODY, Listeners
from focalseg.study.running.local import choose_workers
from focalseg.study.running.runs import read_result

_FEWEST_FOLDS = 5
"""To which one fold is extended at the least: with two or three nobody knows how much folds differ."""


@dataclass(frozen=True, kw_only=True)
class Needed:
    """What it would take to decide. trainings: per arm and fold, folds: tested ones, cases: test cases; None where no number
    would do, or nobody knows."""

    trainings: int | None
    folds: int | None
    cases: int | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a job that is not decided stands after a look.

    seeds, folds: of that look; all_folds: of the split. arms: how many are trained. training_seconds: of one training, by the
    clock, with so many at a time as there are. seconds_left: of the hours that were given. room: trainings per arm and fold
    that may still be added.
    """

    seeds: int
    folds: int
    all_folds: int
    arms: int
    training_seconds: float
    seconds_left: float
    needed: Needed
    room: int = MOST_TRAININGS

    def price(self, extension: Extension) -> float:
        """Seconds that an extension takes."""
        more = self.folds * extension.more_trainings * self.arms
        probes = PROBE_COUNT * extension.more_folds
        more += extension.more_folds * (self.seeds + extension.more_trainings) * self.arms + probes
        return more * self.training_seconds


def place_until_decided(
    source: str,
    folder: Path,
    settings: Settings,
    *,
    hours: float,
    workers: int | None = None,
    listeners: Listeners = NOBODY,
    **how: Any,
) -> tuple[PlaceResult, str]:
    """`place`, again and again with more trainings or more folds, whichever decides sooner; what was found, and why it ended.

    A job that begins is planned up to the trainings that fit into the hours, which settles what each look may claim. Those that
    earlier calls have spent are counted, by what their trainings took. how: as `place` has it.
    """
    started = time.monotonic()
    spent = _add_up_seconds(folder, workers)
    how |= {"workers": workers, "listeners": listeners}
    result = place(source, folder, settings, plan_most=_plan_by(hours), **how)
    while True:
        left = hours * 3600 - spent - (time.monotonic() - started)
        step = _choose_step(result, left, workers)
        if isinstance(step, str):
            return result, step
        listeners.tell(f"not decided yet; going on with {step}.")
        result = place(source, folder, settings, extension=step, **how)


def _plan_by(hours: float) -> Callable[[Forecast], int]:
    """How many trainings per arm fit into the hours, by what those of the first look are said to take."""

    def plan(forecast: Forecast) -> int:
        settings = forecast.settings
        first = settings.seeds * settings.split.test_folds
        seconds = forecast.seconds()
        return max(first, math.floor(first * hours * 3600 / seconds)) if seconds > 0 else first

    return plan


def _add_up_seconds(folder: Path, workers: int | None) -> float:
    """Of all trainings that are there, by the clock."""
    results = list(folder.glob("runs/*/*/*/result.json"))
    together = max(min(workers or choose_workers(len(results), "auto"), len(results)), 1) if results else 1
    return sum(read_result(path.parent).seconds for path in results) / together


def _choose_step(result: PlaceResult, seconds_left: float, workers: int | None) -> Extension | str:
    """What comes next, or why nothing does."""
    verdict, history = result.verdict, result.looks
    if verdict.collapses.too_many:
        return "Stopped: too many trainings predict nothing, and more of them would tell nothing."
    if not verdict.open:
        return f"Decided at look {len(history.looks)}."
    if not has_error_left(list_trainings(history), history.most_trainings):
        return f"Stopped: the {history.most_trainings} trainings per arm that were planned are there, and it is not decided."
    return choose_next(_describe_standing(result, history, seconds_left, workers))


def _describe_standing(result: PlaceResult, history: LookHistory, seconds_left: float, workers: int | None) -> Standing:
    runs, folder, last = result.record.runs, result.folder, history.last
    everything = [read_result(folder / run) for run in dict.fromkeys(run for arm in runs.values() for run in arm)]
    together = workers or choose_workers(len(everything), "auto")
    room = MOST_TRAININGS - last.seeds
    if history.most_trainings:
        room = min(room, math.ceil((history.most_trainings - last.trainings) / last.folds))
    return Standing(
        seeds=last.seeds,
        folds=last.folds,
        all_folds=len(read_record(Splits, folder / SPLITS).folds),
        arms=len({arm: 0 for arm in runs if arm != PLACED or runs[PLACED] != runs[NONE]}),
        training_seconds=sum(one.seconds for one in everything) / len(everything) / together,
        seconds_left=seconds_left,
        needed=_find_needed(result, last.folds),
        room=room,
    )


def _find_needed(result: PlaceResult, folds: int) -> Needed:
    """What it would take, were the true difference one standard error farther from what cannot be told from it than was found:
    a job is not given up for a first look's bad luck."""
    results = result.results
    one, other = results.asked
    found, scores = results.comparisons[one, other].estimate, results.endpoint
    half = (found.high - found.low) / 2
    error = half / 2
    target = abs(found.mean) + error
    if result.verdict.plain:  # nothing is placed: whether attention everywhere gains anything that matters is asked as well
        target = max(target, SMALLEST_WORTH - found.mean + error)
    told = scores.arms[one] - scores.arms[other], scores.groups, scores.folds, target
    more_folds = math.ceil(folds * (half / target) ** 2) if math.isfinite(half) else None
    return Needed(
        trainings=count_needed_trainings(*told),
        folds=None if more_folds is None else max(more_folds, folds + 1, _FEWEST_FOLDS),
        cases=count_needed_cases(*told),
    )


def choose_next(standing: Standing) -> Extension | str:
    """The extension that decides soonest, taken by at most as many trainings as there are; or why there is none."""
    options = [one for one in _list_options(standing) if standing.price(one) <= standing.seconds_left]
    if not options:
        return f"Stopped: {_explain(standing)}"
    chosen = min(options, key=standing.price)
    return Extension(
        more_trainings=min(chosen.more_trainings, standing.seeds),
        more_folds=min(chosen.more_folds, max(standing.folds, _FEWEST_FOLDS - standing.folds)),
    )


def _list_options(standing: Standing) -> Sequence[Extension]:
    """What would decide, whatever it takes."""
    needed = standing.needed
    options = []
    if needed.trainings is not None:
        more = max(needed.trainings - standing.seeds, 1)
        if more <= standing.room:
            options.append(Extension(more_trainings=more))
    if needed.folds is not None and needed.folds <= standing.all_folds:
        options.append(Extension(more_folds=needed.folds - standing.folds))
    return options


def _explain(standing: Standing) -> str:
    """Why no extension decides, and what would."""
    needed = standing.needed
    if options := _list_options(standing):
        cheapest = min(options, key=standing.price)
        hours = describe_seconds(standing.price(cheapest))
        return (
            f"to decide, it would take about {cheapest} and {hours}, and {describe_seconds(max(standing.seconds_left, 0))} of "
            "--most are left."
        )
    subjects = "" if needed.cases is None else f": about {counted(needed.cases, 'test case')} like these"
    folds = f"--more-folds {standing.all_folds - standing.folds} and " if standing.folds < standing.all_folds else ""
    if needed.trainings is None:
        return f"more trainings cannot decide it, however many; {folds}more subjects would{subjects}."
    return (
        f"it would take {needed.trainings} trainings per arm and fold, of which {standing.room + standing.seeds} may be had; "
        f"{folds}more subjects would do{subjects}."
    )
