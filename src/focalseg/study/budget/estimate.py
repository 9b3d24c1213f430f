"""What a job will train: for certain, and at most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.placement.policies.questions import Choice, Probe, ask
from focalseg.records.placement import PLACED
from focalseg.study.arms.design import Design
from focalseg.study.arms.search import TrainedSearch
from focalseg.study.presets import RANDOM
from focalseg.study.running.runs import RunPlan


@dataclass(frozen=True, kw_only=True)
class JobRuns:
    """certain: runs that every course of the job has. at_most: runs that there may be besides, as dear as they can become."""

    certain: tuple[RunPlan, ...]
    at_most: tuple[RunPlan, ...]


def estimate_runs(design: Design) -> JobRuns:
    """All runs of a job before it starts, finished ones too, those of the rivals among them.

    What depends on the decision is planned as if all sites were placed, and as if a policy that goes on while it gains gained
    to the end. Raises SettingError for a policy that cannot be afforded.
    """
    certain: list[RunPlan] = []
    at_most: list[RunPlan] = []
    for trainer in design.trainers:
        first, *later = [*_list_rounds(design.search(trainer), design.policy)] or [()]
        certain += [plan for plans in design.plan_known(trainer).values() for plan in plans]
        certain += first
        at_most += [plan for plans in later for plan in plans]
        at_most += trainer.plan(PLACED, design.everywhere, design.list_seeds(trainer))
        if RANDOM in design.rivals:
            at_most += trainer.plan(RANDOM, design.everywhere, design.list_seeds(trainer))
    known = {plan.folder for plan in certain}
    return JobRuns(
        certain=tuple({plan.folder: plan for plan in certain}.values()),
        at_most=tuple({plan.folder: plan for plan in at_most if plan.folder not in known}.values()),
    )


def _list_rounds(search: TrainedSearch, policy: str) -> Iterator[Sequence[RunPlan]]:
    """The runs that the policy asks for on one fold, round by round, on the longest way that it can go: each layout gains over
    the first of its question, with which a policy compares the others. No policy goes on when a probe has answered it."""
    course = search.start(policy)
    step = ask(course)
    while not isinstance(step, Choice):
        yield next(search.answer(step)).plans
        if isinstance(step, Probe):
            return
        step = ask(course, [np.full((1, 1), float(number > 0)) for number in range(len(step.layouts))])
