"""What a job will train: for certain, and at most."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.search import SMALLEST_WORTH, Layout
from focalseg.records.evidence import Evidence
from focalseg.records.placement import PLACED
from focalseg.study.arms.design import Contest
from focalseg.study.arms.search import TrainedSearch, name_trial
from focalseg.study.presets import RANDOM
from focalseg.study.running.runs import RunPlan
from focalseg.study.running.trainer import Trainer, Wanted, want_all


@dataclass(frozen=True, kw_only=True)
class Outline:
    """certain: runs that every course of the job has. at_most: runs that there may be besides, as dear as they can become."""

    certain: tuple[RunPlan, ...]
    at_most: tuple[RunPlan, ...]


def list_plans(contest: Contest) -> Outline:
    """All runs of a job before it starts, finished ones too, those of the rivals among them.

    What depends on the decision is planned as if all sites were placed, and as if a policy that goes on while it gains gained
    to the end. Raises SettingError for a policy that cannot be afforded.
    """
    certain: list[RunPlan] = []
    at_most: list[RunPlan] = []
    for trainer in contest.trainers:
        rounds = rehearse(contest, trainer)
        certain += [plan for plans in contest.plan_known(trainer).values() for plan in plans]
        certain += rounds[0] if rounds else []
        at_most += [plan for plans in rounds[1:] for plan in plans]
        at_most += trainer.plan(PLACED, contest.candidates, contest.fresh_seeds)
        if RANDOM in contest.rivals:
            at_most += trainer.plan(RANDOM, contest.candidates, contest.fresh_seeds)
    known = {plan.folder for plan in certain}
    return Outline(
        certain=tuple({plan.folder: plan for plan in certain}.values()),
        at_most=tuple({plan.folder: plan for plan in at_most if plan.folder not in known}.values()),
    )


def rehearse(contest: Contest, trainer: Trainer) -> list[tuple[RunPlan, ...]]:
    """The runs that the policy asks for on one fold, round by round, on the longest way that it can go."""
    rehearsal = Rehearsal(search=contest.search(replace(trainer, execute=want_all)))
    try:
        POLICIES[contest.policy](rehearsal)
    except Wanted as question:  # evidence cannot be made up, and no policy asks for more of it once it has some
        rehearsal.rounds.append(question.plans)
    return rehearsal.rounds


@dataclass(kw_only=True)
class Rehearsal:
    """A search that trains nothing: it notes what is asked, and says that new layouts are better than those asked before."""

    search: TrainedSearch
    rounds: list[tuple[RunPlan, ...]] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)

    @property
    def candidates(self) -> Layout:
        """Those of the search."""
        return self.search.candidates

    @property
    def seed(self) -> int:
        """That of the search."""
        return self.search.seed

    def probe(self, exponents: str) -> list[Evidence]:
        """Raises Wanted."""
        return self.search.probe(exponents)

    def score(self, layouts: Sequence[Layout]) -> list[np.ndarray]:
        """The same for all new layouts of a round, so much more than before that a policy goes on, and more than for the first
        of them, which a policy asks of to compare the others with it."""
        try:
            return self.search.score(layouts)
        except Wanted as question:
            self.rounds.append(question.plans)
        for number, layout in enumerate(layouts):
            self.values.setdefault(name_trial(layout), 2 * SMALLEST_WORTH * (len(self.rounds) - (number == 0)))
        return [np.full((1, 1), self.values[name_trial(layout)]) for layout in layouts]
