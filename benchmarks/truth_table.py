"""What a policy is worth, where every placement has been trained: regret, needed sites, rank correlation, stability, cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from focalseg.placement.evidence import Evidence, SiteEvidence
from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.search import Layout

Sites = frozenset[str]
WITNESSES: dict[str, tuple[str, Callable[[SiteEvidence], float]]] = {
    "removal cost, site dropout": ("dropout", lambda record: record.removal_cost),
    "joint cost, site dropout": ("dropout", lambda record: record.joint_cost),
    "gamma, site dropout": ("dropout", lambda record: record.gamma),
    "spread, site dropout": ("dropout", lambda record: record.spread),
    "removal cost, all sites": ("free", lambda record: record.removal_cost),
    "joint cost, all sites": ("free", lambda record: record.joint_cost),
    "gamma, all sites": ("free", lambda record: record.gamma),
    "spread, all sites": ("free", lambda record: record.spread),
    "open probability, hard concrete": ("hard_concrete", lambda record: record.open_probability or 0.0),
}
"""By name: the regime of the exponents, and what is read of a site."""
REPLICATES = 10000


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A task with every subset of its sites trained. needed: sets of sites of each of which one has to stay; none: no need.

    validation, test: mean Dice of the trainings, (trainings,), by subset.
    """

    name: str
    candidates: Layout
    needed: tuple[Sites, ...]
    validation: Mapping[Sites, np.ndarray]
    test: Mapping[Sites, np.ndarray]

    @property
    def oracle(self) -> Sites:
        """The subset with the best validation Dice over all trainings."""
        return max(self.validation, key=lambda sites: float(self.validation[sites].mean()))

    def dice(self, sites: Sites) -> float:
        """Mean test Dice of a subset."""
        return float(self.test[sites].mean())

    def regret(self, sites: Sites) -> float:
        """Test Dice that a subset lacks of the oracle's."""
        return self.dice(self.oracle) - self.dice(sites)

    def random_regret(self, count: int) -> float:
        """Regret of a random subset of that size: the mean over all of them."""
        return fmean(self.regret(frozenset(sites)) for sites in combinations(self.candidates, count))

    def marginal_values(self) -> dict[str, float]:
        """What a site adds in test Dice, the mean over all subsets of the others (Banzhaf's index)."""
        return {
            site: fmean(self.dice(sites | {site}) - self.dice(sites) for sites in self.test if site not in sites)
            for site in self.candidates
        }

    def serves(self, sites: Sites) -> bool:
        """Whether every need is met; where there is none, whether nothing is kept."""
        return all(sites & need for need in self.needed) if self.needed else not sites


class ExhaustedError(Exception):
    """No training is left that another decision has not used."""


@dataclass
class TableSearch:
    """Answers a policy from what has been trained, and counts what it would have cost. number: of the decision, from 0.

    Decisions share no training: each takes the next `probes_each` trainings of a regime, or the next row of validation scores.
    """

    truth: Truth
    probes: Mapping[str, Sequence[Evidence]]
    probes_each: int
    number: int
    trainings: int = 0
    asked: set[Sites] = field(default_factory=set)

    @property
    def candidates(self) -> Layout:
        """Of the task."""
        return self.truth.candidates

    @property
    def seed(self) -> int:
        """Another for every decision."""
        return self.number

    def probe(self, exponents: str) -> Sequence[Evidence]:
        """The next trainings of that regime."""
        found = self.probes[exponents][self.number * self.probes_each : (self.number + 1) * self.probes_each]
        if len(found) < self.probes_each:
            raise ExhaustedError
        self.trainings += len(found)
        return found

    def score(self, layouts: Sequence[Layout]) -> list[np.ndarray]:
        """One training of each; a layout that was asked for before costs nothing."""
        subsets = [frozenset(layout) for layout in layouts]
        if self.number >= len(self.truth.validation[subsets[0]]):
            raise ExhaustedError
        self.trainings += len(set(subsets) - self.asked)
        self.asked.update(subsets)
        return [self.truth.validation[subset][self.number].reshape(1, 1) for subset in subsets]


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """What a policy chose once."""

    sites: Sites
    trainings: int


def repeat_policy(
    policy: str, truth: Truth, probes: Mapping[str, Sequence[Evidence]], *, probes_each: int, most: int = 20
) -> list[Repetition]:
    """As many decisions as the trainings allow, `most` at the most."""
    repetitions: list[Repetition] = []
    for number in range(most):
        search = TableSearch(truth=truth, probes=probes, probes_each=probes_each, number=number)
        try:
            choice = POLICIES[policy](search)
        except ExhaustedError:
            break
        repetitions.append(Repetition(sites=frozenset(choice.kept), trainings=search.trainings))
    return repetitions


def judge_policy(truth: Truth, repetitions: Sequence[Repetition]) -> dict[str, Any]:
    """The figures of a policy on a task."""
    chosen = [repetition.sites for repetition in repetitions]
    return {
        "repetitions": len(chosen),
        "regret": [truth.regret(sites) for sites in chosen],
        "random_regret": [truth.random_regret(len(sites)) for sites in chosen],
        "served": [truth.serves(sites) for sites in chosen],
        "modules": [len(sites) for sites in chosen],
        "jaccard": mean_jaccard(chosen),
        "trainings": fmean(repetition.trainings for repetition in repetitions),
        "chosen": [sorted(sites) for sites in chosen],
    }


def mean_jaccard(chosen: Sequence[Sites]) -> float:
    """How alike the chosen sets are, the mean over pairs; two empty sets are alike."""
    pairs = [(one, other) for one, other in combinations(chosen, 2)]
    return fmean(len(one & other) / len(one | other) if one | other else 1.0 for one, other in pairs) if pairs else 1.0


def correlate_witness(name: str, truth: Truth, probes: Mapping[str, Sequence[Evidence]]) -> list[float]:
    """Spearman's correlation of a witness with the marginal values of the sites, one a training; 0 for a constant witness."""
    regime, read = WITNESSES[name]
    values = truth.marginal_values()
    found = []
    for evidence in probes[regime]:
        witness = [read(record) for record in evidence.sites]
        worth = [values[record.site] for record in evidence.sites]
        found.append(float(spearmanr(witness, worth).statistic) if np.ptp(witness) > 0 else 0.0)
    return found


def bootstrap_tasks(values: Sequence[Sequence[float]], others: Sequence[Sequence[float]] | None = None) -> dict[str, float]:
    """The mean over tasks of the means over repetitions, repetitions drawn anew within each task, with its 95 % interval.

    others: of the same repetitions; then the ratio of both means.
    """
    random = np.random.default_rng(0)
    top, bottom = np.zeros(REPLICATES), np.zeros(REPLICATES)
    for number, row in enumerate(values):
        drawn = random.integers(0, len(row), (REPLICATES, len(row)))
        top += np.asarray(row)[drawn].mean(axis=1)
        if others is not None:
            bottom += np.asarray(others[number])[drawn].mean(axis=1)
    replicates = top / len(values) if others is None else top / bottom
    mean = fmean(fmean(row) for row in values)
    if others is not None:
        mean /= fmean(fmean(row) for row in others)
    low, high = np.percentile(replicates, [2.5, 97.5])
    return {"mean": mean, "low": float(low), "high": float(high)}
