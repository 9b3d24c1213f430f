"""The questions of a policy, answered by trainings of one fold that its test cases have no part in."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from focalseg.evaluation.verdict import Share
from focalseg.placement.policies.search import Layout
from focalseg.records.evidence import Evidence
from focalseg.study.running.runs import VALIDATION, RunPlan, RunResult, dice_matrix, read_evidence
from focalseg.study.running.trainer import Trainer

LONGEST_NAME = 100
PROBES = 2
"""Trainings that evidence is gathered on. Two cost, with the passes over validation cases, less than three trainings; where one
misses a site that is needed, because it never learned it, the other has not. A third changed no decision to speak of, see
benchmarks/results/placement.md."""


@dataclass(frozen=True, kw_only=True)
class TrainedSearch:
    """candidates: kind of gate by site. seeds: of the trainings that score a layout; evidence comes from as many as PROBES,
    from the same first one. The networks that are judged in the end have others.

    asked: the folder of every training that an answer came from, and whether it collapsed.
    """

    trainer: Trainer
    candidates: Mapping[str, str]
    seeds: range
    asked: dict[Path, bool] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Another for every fold, so that what is drawn is not the same sites again."""
        return self.seeds.start + len(self.seeds) * self.trainer.split.fold

    @property
    def collapsed(self) -> Share:
        """How many of the trainings that were asked for ended predicting nothing, and how many there were."""
        return sum(self.asked.values()), len(self.asked)

    def probe(self, exponents: str) -> list[Evidence]:
        """Evidence of trainings of all candidates. A collapsed training has nothing to lose at any site and is left out, unless
        all of them collapsed: what they say is then worth nothing, which `collapsed` tells."""
        seeds = range(self.seeds.start, self.seeds.start + PROBES)
        plans = self.trainer.plan(f"probe_{exponents}", self.candidates, seeds, exponents=exponents, testifies=True)
        results = self.trainer.run("looking for the sites that are needed", plans)
        self._note(plans, results)
        telling = [plan for plan, result in zip(plans, results, strict=True) if not result.collapsed] or plans
        return [read_evidence(plan.folder) for plan in telling]

    def score(self, layouts: Sequence[Layout]) -> list[np.ndarray]:
        """Validation Dice (trainings, cases) of each layout; nan all along the row of a training that collapsed."""
        layouts_by_name = {name_trial(layout): layout for layout in layouts}
        arms = {name: self.trainer.plan(name, one, self.seeds) for name, one in layouts_by_name.items()}
        results = self.trainer.run_arms(f"trying {len(arms)} placements", arms)
        for name, plans in arms.items():
            self._note(plans, results[name])
        return [score_telling(results[name_trial(layout)]) for layout in layouts]

    def _note(self, plans: Sequence[RunPlan], results: Sequence[RunResult]) -> None:
        self.asked.update((plan.folder, result.collapsed) for plan, result in zip(plans, results, strict=True))


def score_telling(results: Sequence[RunResult]) -> np.ndarray:
    """Validation Dice (trainings, cases), the rows of collapsed trainings nan."""
    lost = np.array([[result.collapsed] for result in results])
    return np.where(lost, np.nan, dice_matrix(results, VALIDATION))


def name_trial(layout: Layout) -> str:
    """The name of the arm that trains a layout: its sites, or a digest of them where there are many."""
    sites = "+".join(layout) or "none"
    if len(sites) > LONGEST_NAME:
        sites = hashlib.sha256(sites.encode()).hexdigest()[:16]
    return f"trial_{sites}"
