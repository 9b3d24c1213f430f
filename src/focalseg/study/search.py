"""The questions of a policy, answered by trainings of one fold that its test cases have no part in."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.placement.evidence import Evidence
from focalseg.placement.policies.search import Layout
from focalseg.study.runs import dice_matrix, read_evidence
from focalseg.study.trainer import Trainer

LONGEST_NAME = 100


@dataclass(frozen=True, kw_only=True)
class TrainedSearch:
    """candidates: kind of gate by site. seeds: of the trainings; the networks that are judged in the end have others."""

    trainer: Trainer
    candidates: Mapping[str, str]
    seeds: range

    @property
    def seed(self) -> int:
        """The first one."""
        return self.seeds.start

    def probe(self, exponents: str) -> list[Evidence]:
        """Evidence of trainings of all candidates. A collapsed training has nothing to lose at any site and is left out."""
        plans = self.trainer.plan(f"probe_{exponents}", self.candidates, self.seeds, exponents=exponents)
        results = self.trainer.run("looking for the sites that are needed", plans)
        telling = [plan for plan, result in zip(plans, results, strict=True) if not result.collapsed] or plans
        return [read_evidence(plan.folder) for plan in telling]

    def score(self, layouts: Sequence[Layout]) -> list[np.ndarray]:
        """Validation Dice (trainings, cases) of each layout."""
        layouts_by_name = {name_trial(layout): layout for layout in layouts}
        arms = {name: self.trainer.plan(name, one, self.seeds, testifies=False) for name, one in layouts_by_name.items()}
        results = self.trainer.run_arms(f"trying {len(arms)} placements", arms)
        return [dice_matrix(results[name_trial(layout)], "validation") for layout in layouts]


def name_trial(layout: Layout) -> str:
    """The name of the arm that trains a layout: its sites, or a digest of them where there are many."""
    sites = "+".join(layout) or "none"
    if len(sites) > LONGEST_NAME:
        sites = hashlib.sha256(sites.encode()).hexdigest()[:16]
    return f"trial_{sites}"
