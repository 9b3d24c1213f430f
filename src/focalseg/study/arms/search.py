"""The questions of a policy, answered by trainings of one fold that its test cases have no part in."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.questions import Course, Layout, Probe, Score, Search
from focalseg.records.evidence import Evidence
from focalseg.records.placement import Collapsed
from focalseg.study.running.runs import VALIDATION, RunPlan, RunResult, dice_matrix, read_evidence, read_result
from focalseg.study.running.trainer import Trainer

LONGEST_NAME = 100
PROBE_COUNT = 2
"""Trainings that evidence is gathered on. Two cost, with the passes over validation cases, less than three trainings; where one
misses a site that is needed, because it never learned it, the other has not. A third changed no decision to speak of, see
benchmarks/results/placement.md."""


class Round(NamedTuple):
    """Runs that have to be finished before a fold can go on. title: what they are for."""

    title: str
    plans: Sequence[RunPlan]


@dataclass(frozen=True, kw_only=True)
class TrainedSearch:
    """The questions of one fold. everywhere: the layout with a gate at every candidate. seeds: of the trainings that score a
    layout; probes are as many as PROBE_COUNT, from the same first seed on. The networks that are judged in the end have others.

    asked: the folder of every training of its own that an answer came from, and whether it collapsed. others: the searches of
    other folds whose probes testify here as well, see `find_allies`.
    """

    trainer: Trainer
    everywhere: Layout
    seeds: range
    asked: dict[Path, bool] = field(default_factory=dict)
    others: tuple["TrainedSearch", ...] = ()

    @property
    def collapsed(self) -> Collapsed:
        """How many of the trainings that were asked for ended predicting nothing, and how many there were."""
        return Collapsed(sum(self.asked.values()), len(self.asked))

    def start(self, policy: str) -> Course:
        """A policy before its first question."""
        return POLICIES[policy](Search(everywhere=self.everywhere, seed=self.seeds.start))

    def answer(self, question: Probe | Score) -> Generator[Round, None, Any]:
        """Gives the runs that answer a question, and returns the answer once they are finished."""
        return self._probe(question.exponents) if isinstance(question, Probe) else self._score(question.layouts)

    def _probe(self, exponents: str) -> Generator[Round, None, tuple[Evidence, ...]]:
        """Evidence of trainings with all sites, on this fold and on the others that testify here.

        A collapsed one has nothing to lose at any site and is left out, unless all of a fold collapsed: what they say is then
        worth nothing, which `collapsed` tells."""
        own = self.plan_probes(exponents)
        theirs = [search.plan_probes(exponents) for search in self.others]
        yield Round("looking for the sites that are needed", [*own, *(plan for plans in theirs for plan in plans)])
        self._read(own)
        return tuple(_read_telling(plan) for plans in (own, *theirs) for plan in _list_telling(plans))

    def plan_probes(self, exponents: str) -> list[RunPlan]:
        """The trainings of this fold that testify."""
        seeds = range(self.seeds.start, self.seeds.start + PROBE_COUNT)
        return self.trainer.plan(f"probe_{exponents}", self.everywhere, seeds, exponents=exponents, testifies=True)

    def _score(self, layouts: Sequence[Layout]) -> Generator[Round, None, list[np.ndarray]]:
        """Validation Dice (trainings, cases) of each layout; nan all along the row of a training that collapsed."""
        arms = {(name := name_trial(layout)): self.trainer.plan(name, layout, self.seeds) for layout in layouts}
        yield Round(f"trying {len(arms)} placements", [plan for plans in arms.values() for plan in plans])
        scores = {name: _score_telling(self._read(plans)) for name, plans in arms.items()}
        return [scores[name_trial(layout)] for layout in layouts]

    def _read(self, plans: Sequence[RunPlan]) -> list[RunResult]:
        """The results of finished runs, which are noted as asked for."""
        results = [read_result(plan.folder) for plan in plans]
        self.asked.update((plan.folder, result.collapsed) for plan, result in zip(plans, results, strict=True))
        return results


def _list_telling(plans: Sequence[RunPlan]) -> Sequence[RunPlan]:
    """Finished runs without those that collapsed; all of them where all did."""
    return [plan for plan in plans if not read_result(plan.folder).collapsed] or plans


def _read_telling(plan: RunPlan) -> Evidence:
    """The evidence of a finished run, with the fold that it is of."""
    return replace(read_evidence(plan.folder), fold=plan.split.fold)


def find_allies(searches: Sequence[TrainedSearch], number: int) -> tuple[TrainedSearch, ...]:
    """The other folds whose evidence may take part in the decision of one: all whose validation cases, and what belongs to
    them, are none of those that this fold tests.

    With new folds that leaves out the one whose validation part is this fold's test part. The trainings of the others were
    trained on cases that this fold tests; what they say is measured on others. So nothing that is chosen has seen how well any
    network does on this fold's test cases.
    """
    own = searches[number].trainer
    tested = {own.groups.get(case, case) for case in own.split.test}
    return tuple(
        search
        for place, search in enumerate(searches)
        if place != number and not tested & {search.trainer.groups.get(case, case) for case in search.trainer.split.validation}
    )


def _score_telling(results: Sequence[RunResult]) -> np.ndarray:
    """Validation Dice (trainings, cases), the rows of collapsed trainings nan."""
    lost = np.array([[result.collapsed] for result in results])
    return np.where(lost, np.nan, dice_matrix(results, VALIDATION))


def name_trial(layout: Layout) -> str:
    """The name of the arm that trains a layout: its sites, or a digest of them where there are many."""
    sites = "+".join(layout) or "none"
    if len(sites) > LONGEST_NAME:
        sites = hashlib.sha256(sites.encode()).hexdigest()[:16]
    return f"trial_{sites}"
