"""What the main job will cost on this machine, and what of it fits into the hours a person has."""

import heapq
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import torch

from focalseg.counting import Count, count_for_nobody
from focalseg.errors import SettingError
from focalseg.findings import counted
from focalseg.hosts.building import build_host
from focalseg.hosts.costs import count_flops
from focalseg.records.placement import ALL, NONE, PLACED
from focalseg.study.arms.design import Design
from focalseg.study.arms.search import PROBE_COUNT
from focalseg.study.budget.estimate import estimate_runs
from focalseg.study.budget.pace import Paces, measure_pace, measure_paces
from focalseg.study.budget.worth import list_designs
from focalseg.study.presets import RANDOM, RIVALS, Settings
from focalseg.study.running.listeners import Tell, ignore
from focalseg.study.running.local import choose_workers
from focalseg.study.running.runs import RunPlan
from focalseg.training.run import RunConfig

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

NOTABLE_LOAD = 1.25
"""How many times as long as on an idle machine, from where on both times are told: below it they are as good as the same."""

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

    def seconds(self, settings: Settings, paces: Paces, *, idle: bool = False) -> float:
        """How long it takes. idle: on a machine that does nothing else."""
        pace = paces[self.attention]
        seconds = pace.run_seconds(settings.training, scored=self.scored, testifies=self.testifies, work=self.work)
        return seconds / pace.load if idle else seconds

    def remains(self, settings: Settings) -> bool:
        """Whether it is part of a job with these settings, which are those it was listed for or fewer."""
        dropped = self.arm in RIVALS and self.arm not in settings.rivals
        return not dropped and self.fold < settings.split.test_folds and self.number < max(settings.seeds, PROBE_COUNT)


def _drop_rivals(asked: Settings, left: Settings) -> list[Settings]:
    return [replace(left, rivals=asked.rivals[:count]) for count in range(len(asked.rivals))]


def _drop_folds_and_seeds(asked: Settings, left: Settings) -> list[Settings]:
    """Whichever tells less for its price."""
    designs = list_designs(asked.split.test_folds, asked.seeds, ENOUGH_SEEDS)
    return [replace(left, seeds=seeds, split=replace(left.split, test_folds=folds)) for folds, seeds in designs]


def _drop_steps(asked: Settings, left: Settings) -> list[Settings]:
    """Down to the least share of them, in even parts."""
    steps = asked.training.steps
    counts = range(math.ceil(LEAST_STEPS * steps), steps, max(steps // STEP_PARTS, 1))
    return [replace(left, training=replace(left.training, steps=count)) for count in counts]


def _drop_third_seed(asked: Settings, left: Settings) -> list[Settings]:
    """With the third training given up there is room for more steps of the others again, up to all of them."""
    fewest = replace(left, seeds=FEWEST_SEEDS)
    return [*_drop_steps(asked, fewest), replace(fewest, training=asked.training)] if asked.seeds > FEWEST_SEEDS else []


def _tell_rivals(asked: Settings, left: Settings) -> list[str]:
    return [f"{' and '.join(asked.rivals[len(left.rivals) :])} not compared"]


def _tell_design(asked: Settings, left: Settings) -> list[str]:
    told = []
    if left.split.test_folds < asked.split.test_folds:
        told = [f"{left.split.test_folds} of the {asked.split.test_folds} folds tested"]
    if left.seeds < asked.seeds:
        wide = ", which makes wide intervals" if left.split.test_folds == 1 and left.seeds < ENOUGH_SEEDS else ""
        told.append(f"{counted(left.seeds, 'training')} an arm and fold instead of {asked.seeds}{wide}")
    return told


def _tell_steps(asked: Settings, left: Settings) -> list[str]:
    steps = left.training.steps
    return [] if steps == asked.training.steps else [f"{counted(steps, 'step')} a training instead of {asked.training.steps}"]


CUTS: Sequence[tuple[Callable[[Settings, Settings], list[Settings]], Callable[[Settings, Settings], list[str]]]] = (
    (_drop_rivals, _tell_rivals),
    (_drop_folds_and_seeds, _tell_design),
    (_drop_steps, _tell_steps),
    (_drop_third_seed, _tell_design),
)
"""In the order in which they are given up: what says least of the question first.

Each has what may be left of the settings that were asked for, ascending in price, and what tells of it: nothing where that came
to all.
"""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a job is said to take. settings: of the job, cut where it had to fit into hours. items: what is left to do of it."""

    settings: Settings
    items: Sequence[Item] = ()
    paces: Paces = field(default_factory=dict)
    workers: int = 1

    def seconds(self, *, idle: bool = False) -> float:
        """Of all that is left. idle: on a machine that does nothing else."""
        return job_seconds(self.items, self.settings, self.paces, workers=self.workers, idle=idle)


def plan_costs(
    design: Design,
    settings: Settings,
    *,
    hours: float | None = None,
    tell: Tell = ignore,
    count: Count = count_for_nobody,
) -> Forecast:
    """Tells what the job will cost, measured by a few steps of its networks; the settings are cut so that it fits into hours.

    Hours are counted at the present load of the machine: who sets them wants it to be over by then, whoever else is at work.
    What is in the folder already is not counted. Raises SettingError where not even the least of the job fits into the hours,
    and for a policy that cannot be afforded.
    """
    runs = estimate_runs(design)
    items = list_items([*runs.certain, *runs.at_most], design.trainers[0].base)
    if not items:
        return Forecast(settings=settings)
    largest = max(Counter(item.stage for item in items).values())
    trainer = design.trainers[0]
    workers = trainer.workers or choose_workers(largest, trainer.device)

    def affords(paces: Paces, seconds: float) -> bool:
        return seconds + START_SECONDS < LARGEST_SHARE * job_seconds(items, settings, paces, workers=workers)

    known = design.plan_known(trainer)
    with count("timing a few steps of the networks") as advance:
        paces = measure_paces(known[NONE][0], known[ALL][0], workers=workers, affords=affords, tell=advance)

    def price(one: Settings) -> float:
        return job_seconds(items, one, paces, workers=workers)

    def price_idle(one: Settings) -> float:
        return job_seconds(items, one, paces, workers=workers, idle=True)

    fitted = settings if hours is None else fit_settings(settings, hours * 3600, price, tell, idle=price_idle)
    left = [item for item in items if item.remains(fitted)]
    forecast = Forecast(settings=fitted, items=left, paces=paces, workers=workers)
    if left:  # nothing is, where all that was left to do had to be given up
        tell(describe_cost(left, fitted, paces, workers=workers))
    return forecast


def forecast_run(plan: RunPlan, settings: Settings, tell: Tell = ignore) -> Forecast:
    """Tells what is left of one training will take, in this process."""
    items = list_items([replace(plan, arm=NONE)], plan.config)  # no rival of a job, whatever its attention is called
    if not items:
        return Forecast(settings=settings)
    paces = {bool(plan.config.attention): measure_pace(plan)}
    tell(describe_cost(items, settings, paces, workers=1))
    return Forecast(settings=settings, items=items, paces=paces)


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


def job_seconds(items: Sequence[Item], settings: Settings, paces: Paces, *, workers: int, idle: bool = False) -> float:
    """Seconds by the clock, for as much of the runs as the settings leave. idle: on a machine that does nothing else."""
    stages: dict[int, list[float]] = {}
    for item in items:
        if item.remains(settings):
            stages.setdefault(item.stage, []).append(item.seconds(settings, paces, idle=idle))
    starts = sum(len(runs) > 1 for runs in stages.values()) if workers > 1 else 0
    load = 1.0 if idle else fmean(pace.load for pace in paces.values())
    return load * (END_SECONDS + START_SECONDS * starts) + sum(span(runs, workers) for runs in stages.values())


def span(seconds: Sequence[float], workers: int) -> float:
    """When the last ends of runs that start in order, each as soon as a worker is free."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def fit_settings(
    settings: Settings, seconds: float, price: Price, tell: Tell = ignore, *, idle: Price | None = None
) -> Settings:
    """Settings whose price is at most so many seconds, of which as little as possible is given up, in the order of `CUTS`.

    tell: hears what is given up. idle: the price on an idle machine, which is told where it is another. Raises SettingError,
    with the least price, where nothing is left to give up.
    """
    fitted = settings
    given_up: list[Callable[[Settings, Settings], list[str]]] = []
    for cut, tell_cut in CUTS:
        if price(fitted) > seconds and (cheaper := cut(settings, fitted)):
            fitted = cheaper[max(bisect_right(cheaper, seconds, key=price) - 1, 0)]
            given_up.append(tell_cut)
    least = price(fitted)
    if least > seconds:
        price_told = _describe_both(least, idle(fitted) if idle else least)
        raise SettingError(
            f"--budget was {seconds / 3600:g} hours; the least that this job takes is about {price_told}, with "
            f"{fitted.training.steps} steps a training and {counted(fitted.seeds, 'training')} an arm. "
            f"Give --budget {math.ceil(least / 36) / 100:g} or more, a smaller data.longest_side, or a smaller --preset."
        )
    for sentence in dict.fromkeys(sentence for say in given_up for sentence in say(settings, fitted)):
        tell(f"to fit into {describe_seconds(seconds)}: {sentence}.")
    if given_up and idle and price(settings) >= NOTABLE_LOAD * idle(settings):
        tell(
            f"the machine is busy, and --budget counts at its present load: all of the job would take about "
            f"{_describe_both(price(settings), idle(settings))}."
        )
    return fitted


def describe_cost(items: Sequence[Item], settings: Settings, paces: Paces, *, workers: int) -> str:
    """One sentence on what is left to do."""
    left = [item for item in items if item.remains(settings)]
    busy, idle = (job_seconds(left, settings, paces, workers=workers, idle=each) for each in (False, True))
    loaded = busy >= NOTABLE_LOAD * idle
    steps = [item.work * paces[item.attention].step / (paces[item.attention].load if loaded else 1.0) for item in left]
    unit = "of processor time a" if loaded else "a"
    beside = min(workers, max(Counter(item.stage for item in left).values()))
    return (
        f"about {_describe_both(busy, idle)}: {counted(len(left), 'training')} of {counted(settings.training.steps, 'step')}, "
        f"{sum(steps) / len(steps):.2g} s {unit} step, {COUNTS.get(beside, beside)} at a time."
    )


def _describe_both(busy: float, idle: float) -> str:
    """A time at the present load, and that on an idle machine where it is another."""
    if busy < NOTABLE_LOAD * idle:
        return describe_seconds(busy)
    return f"{describe_seconds(idle)} on an idle machine, {describe_seconds(busy)} at the present load"


def describe_seconds(seconds: float) -> str:
    """`40 s`, `12 min`, `1 h 20 min`, `30 h`: no finer than it is known."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 5) * 5, 60)
    return f"{hours} h {rest} min" if rest and hours < 24 else f"{round(minutes / 60)} h"
