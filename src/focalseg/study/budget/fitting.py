"""What the main job will cost on this machine, and what of it fits into the hours a person has."""

import heapq
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from focalseg.configuration import from_mapping, to_mapping
from focalseg.errors import SettingError
from focalseg.findings import counted
from focalseg.hosts.building import build_host
from focalseg.hosts.costs import count_flops
from focalseg.records.placement import ALL, NONE, PLACED
from focalseg.study.arms.design import Design
from focalseg.study.arms.search import PROBE_COUNT
from focalseg.study.budget.estimate import estimate_runs
from focalseg.study.budget.pace import Paces, measure_paces
from focalseg.study.presets import RANDOM, RIVALS, Settings
from focalseg.study.running.folder import CONFIG
from focalseg.study.running.listeners import Tell, ignore
from focalseg.study.running.local import choose_workers
from focalseg.study.running.runs import RunPlan
from focalseg.training.run import RunConfig
from focalseg.yaml_files import read_yaml

FEWEST_STEPS = 1000
"""Steps of a job below which it is over before its cost is measured."""
START_SECONDS = 4.0
"""Until worker processes have started and imported what they need."""
END_SECONDS = 5.0
"""For pictures, the lean network and the report."""
LARGEST_SHARE = 0.02
"""Of the job, that measuring it may take."""
LEAST_STEPS = 0.4
"""Share of the steps of a training that remains at the least; with fewer it would be another question."""
STEP_PARTS = 100
"""Parts of the steps of a training that are given up one by one."""
ENOUGH_SEEDS = 3
"""Trainings an arm below which intervals are several times as wide, by Student's t alone."""
FEWEST_SEEDS = 2
"""Trainings an arm without which nothing is known of the noise between them."""
COUNTS = {1: "one", 2: "two", 3: "three", 4: "four"}

Price = Callable[[Settings], float]
"""Settings -> seconds of the whole job."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A run, as far as its price goes. number: which of its arm and fold. fold: which of those that are tested.

    stage: runs of one stage go on side by side; the next begins when all of them have ended. scored: cases that are scored at
    the end. work: operations of its host, in shares of those of the host that was measured.
    """

    arm: str
    fold: int
    number: int
    stage: int
    attention: bool
    scored: int
    testifies: bool
    work: float = 1.0

    def seconds(self, settings: Settings, paces: Paces) -> float:
        """How long it takes."""
        pace = paces[self.attention]
        return pace.run_seconds(settings.training, scored=self.scored, testifies=self.testifies, work=self.work)

    def remains(self, settings: Settings) -> bool:
        """Whether it is part of a job with these settings, which are those it was listed for or fewer."""
        dropped = self.arm in RIVALS and self.arm not in settings.rivals
        return not dropped and self.fold < settings.split.test_folds and self.number < max(settings.seeds, PROBE_COUNT)


def _drop_rivals(asked: Settings, left: Settings) -> list[Settings]:
    return [replace(left, rivals=asked.rivals[:count]) for count in range(len(asked.rivals))]


def _drop_folds(asked: Settings, left: Settings) -> list[Settings]:
    """But not to two: with these nobody knows how much folds differ, and the interval is wider than that of one."""
    counts = [count for count in range(1, asked.split.test_folds) if count != 2]
    return [replace(left, split=replace(left.split, test_folds=count)) for count in counts]


def _drop_seeds(asked: Settings, left: Settings) -> list[Settings]:
    return [replace(left, seeds=count) for count in range(ENOUGH_SEEDS, asked.seeds)]


def _drop_steps(asked: Settings, left: Settings) -> list[Settings]:
    """Down to the least share of them, in even parts."""
    steps = asked.training.steps
    counts = range(math.ceil(LEAST_STEPS * steps), steps, max(steps // STEP_PARTS, 1))
    return [replace(left, training=replace(left.training, steps=count)) for count in counts]


def _drop_third_seed(asked: Settings, left: Settings) -> list[Settings]:
    """With the third training given up there is room for more steps of the others again, up to all of them."""
    fewest = replace(left, seeds=FEWEST_SEEDS)
    return [*_drop_steps(asked, fewest), replace(fewest, training=asked.training)] if asked.seeds > FEWEST_SEEDS else []


def _tell_seeds(asked: Settings, left: Settings) -> str:
    wide = ", which makes wide intervals" if left.seeds < ENOUGH_SEEDS else ""
    return f"{counted(left.seeds, 'training')} an arm and fold instead of {asked.seeds}{wide}"


def _tell_steps(asked: Settings, left: Settings) -> str:
    steps = left.training.steps
    return "" if steps == asked.training.steps else f"{counted(steps, 'step')} a training instead of {asked.training.steps}"


CUTS: Sequence[tuple[Callable[[Settings, Settings], list[Settings]], Callable[[Settings, Settings], str]]] = (
    (_drop_rivals, lambda asked, left: f"{' and '.join(asked.rivals[len(left.rivals) :])} not compared"),
    (_drop_folds, lambda asked, left: f"{left.split.test_folds} of the {asked.split.test_folds} folds tested"),
    (_drop_seeds, _tell_seeds),
    (_drop_steps, _tell_steps),
    (_drop_third_seed, _tell_seeds),
)
"""In the order in which they are given up: what says least of the question first.

Each has what may be left of the settings that were asked for, ascending in price, and what tells of it: nothing where that came
to all.
"""


def plan_costs(design: Design, settings: Settings, *, hours: float | None = None, tell: Tell = ignore) -> Settings:
    """Tells what the job will cost, measured by a few steps of its networks; the settings, cut so that it fits into the hours.

    What is in the folder already is not counted. A job of a few steps is not measured unless hours are given. Raises
    SettingError where not even the least of the job fits into the hours, and for a policy that cannot be afforded.
    """
    runs = estimate_runs(design)
    items = list_items([*runs.certain, *runs.at_most], design.trainers[0].base)
    if not items or (hours is None and len(items) * settings.training.steps < FEWEST_STEPS):
        return settings
    largest = max(Counter(item.stage for item in items).values())
    trainer = design.trainers[0]
    workers = trainer.workers or choose_workers(largest, trainer.device)

    def affords(paces: Paces, seconds: float) -> bool:
        return seconds + START_SECONDS < LARGEST_SHARE * job_seconds(items, settings, paces, workers=workers)

    known = design.plan_known(trainer)
    paces = measure_paces(known[NONE][0], known[ALL][0], workers=workers, affords=affords)

    def price(one: Settings) -> float:
        return job_seconds(items, one, paces, workers=workers)

    fitted = settings if hours is None else fit_settings(settings, hours * 3600, price, tell)
    tell(describe_cost(items, fitted, paces, workers=workers))
    return fitted


def list_items(plans: Sequence[RunPlan], plain: RunConfig) -> list[Item]:
    """The runs that are not finished. plain: the run whose network is the measure of the others' work."""
    folds = list(dict.fromkeys(plan.split.fold for plan in plans))
    seen: Counter[tuple[str, int]] = Counter()
    wider: dict[str, float] = {}
    items = []
    for plan in plans:
        if plan.config.network != plain.network and plan.arm not in wider:
            wider[plan.arm] = _count_host_flops(plan.config) / _count_host_flops(plain)
        fold = folds.index(plan.split.fold)
        number, seen[plan.arm, fold] = seen[plan.arm, fold], seen[plan.arm, fold] + 1
        if not plan.is_finished:
            items.append(
                Item(
                    arm=plan.arm,
                    fold=fold,
                    number=number,
                    stage=_stage_of(plan.arm),
                    attention=bool(plan.config.attention),
                    scored=len(plan.scored_cases),
                    testifies=plan.testifies,
                    work=wider.get(plan.arm, 1.0),
                )
            )
    return items


def _count_host_flops(config: RunConfig) -> int:
    """Operations of a run's network without attention, one image forward."""
    with torch.random.fork_rng(devices=[]):
        network = build_host(config.network).eval()
    return count_flops(network, torch.zeros(1, *config.image_shape))


def _stage_of(arm: str) -> int:
    """0 for arms that are known beforehand, 1 for the search, 2 for what follows from it."""
    if arm in (PLACED, RANDOM):
        return 2
    return 0 if arm in (NONE, ALL, *RIVALS) else 1


def job_seconds(items: Sequence[Item], settings: Settings, paces: Paces, *, workers: int) -> float:
    """Seconds by the clock, for as much of the runs as the settings leave."""
    stages: dict[int, list[float]] = {}
    for item in items:
        if item.remains(settings):
            stages.setdefault(item.stage, []).append(item.seconds(settings, paces))
    starts = sum(len(runs) > 1 for runs in stages.values()) if workers > 1 else 0
    return END_SECONDS + START_SECONDS * starts + sum(span(runs, workers) for runs in stages.values())


def span(seconds: Sequence[float], workers: int) -> float:
    """When the last ends of runs that start in order, each as soon as a worker is free."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def fit_settings(settings: Settings, seconds: float, price: Price, tell: Tell = ignore) -> Settings:
    """Settings whose price is at most so many seconds, of which as little as possible is given up, in the order of `CUTS`.

    tell: hears what is given up. Raises SettingError with the least price where nothing is left to give up.
    """
    fitted = settings
    given_up: list[Callable[[Settings, Settings], str]] = []
    for cut, tell_cut in CUTS:
        if price(fitted) > seconds and (cheaper := cut(settings, fitted)):
            fitted = cheaper[max(bisect_right(cheaper, seconds, key=price) - 1, 0)]
            given_up.append(tell_cut)
    least = price(fitted)
    if least > seconds:
        raise SettingError(
            f"--budget was {seconds / 3600:g} hours; the least that this job takes is about {describe_seconds(least)}, with "
            f"{fitted.training.steps} steps a training and {counted(fitted.seeds, 'training')} an arm. "
            f"Give --budget {math.ceil(least / 36) / 100:g} or more, a smaller data.longest_side, or a smaller --preset."
        )
    for sentence in filter(None, dict.fromkeys(say(settings, fitted) for say in given_up)):
        tell(f"to fit into {describe_seconds(seconds)}: {sentence}.")
    return fitted


def describe_cost(items: Sequence[Item], settings: Settings, paces: Paces, *, workers: int) -> str:
    """One sentence on what is left to do."""
    left = [item for item in items if item.remains(settings)]
    step = sum(item.work * paces[item.attention].step for item in left) / len(left)
    beside = min(workers, max(Counter(item.stage for item in left).values()))
    return (
        f"about {describe_seconds(job_seconds(left, settings, paces, workers=workers))}: {counted(len(left), 'training')} of "
        f"{counted(settings.training.steps, 'step')}, {step:.2g} s a step, {COUNTS.get(beside, beside)} at a time."
    )


def describe_seconds(seconds: float) -> str:
    """`40 s`, `12 min`, `1 h 20 min`, `30 h`: no finer than it is known."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 5) * 5, 60)
    return f"{hours} h {rest} min" if rest and hours < 24 else f"{round(minutes / 60)} h"


def recall_settings(folder: Path, asked: Settings, hours: float | None) -> Settings | None:
    """What the same settings and hours came to when the job in the folder was begun; nothing where it is not of them.

    Raises SettingError for hours that are none.
    """
    if hours is not None and not 0 < hours < math.inf:
        raise SettingError(f"--budget was {hours:g}; expected hours above 0, such as 0.5 or 8.")
    path = folder / CONFIG
    if hours is None or not path.exists():
        return None
    content: dict[str, Any] = read_yaml(path)
    if content.get("budget_hours") != hours or content.get("asked") != to_mapping(asked):
        return None
    return from_mapping(Settings, content["settings"])
