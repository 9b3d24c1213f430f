"""What a policy is worth, where every placement has been trained: regret, needed sites, rank correlation, stability, cost."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from statistics import fmean
from typing import Any
from zlib import crc32

import numpy as np
from scipy.stats import spearmanr

from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Course, Layout, Search, follow
from focalseg.placement.policies.removal import measure_overlap
from focalseg.records.evidence import Evidence, SiteEvidence

Sites = frozenset[str]
Probes = Mapping[str, Sequence[Evidence | None]]
"""Evidence of trainings of all sites, by the regime of their exponents; none of a training that collapsed."""
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
Policy = Callable[[Search], Course]
REPLICATES = 1000
MOST_DECISIONS = 60
"""Of a policy that needs no trainings."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A task with every subset of its sites trained. everywhere: the layout with a gate at every one of them.

    needed: sets of sites of each of which one has to stay; none: no need.
    validation, test: mean Dice of the trainings, (trainings,), by subset, trainings in the same order of seeds.
    """

    name: str
    everywhere: Layout
    needed: tuple[Sites, ...]
    validation: Mapping[Sites, np.ndarray]
    test: Mapping[Sites, np.ndarray]

    @cached_property
    def subsets(self) -> dict[Sites, int]:
        """The row of each subset in `dice`."""
        return {sites: row for row, sites in enumerate(self.test)}

    @cached_property
    def dice(self) -> np.ndarray:
        """Test Dice, (subsets, trainings)."""
        return np.stack(list(self.test.values()))

    @property
    def trainings(self) -> int:
        """Of each subset."""
        return self.dice.shape[1]

    def regrets(self, weights: np.ndarray) -> np.ndarray:
        """Test Dice that each subset lacks of the oracle's, (subsets,). weights: of the trainings, (trainings,), 0 or more.

        The oracle is the subset with the best test Dice in one half of the trainings, measured on the other half, the
        mean over both ways: picked and measured on the same trainings, the best of many would owe its place to luck as well.
        """
        even = np.arange(self.trainings) % 2 == 0
        found = np.zeros(len(self.dice))
        for half in (even, ~even):
            judge, measure = weights * half, weights * ~half
            oracle = int((self.dice @ judge).argmax())
            dice = self.dice @ measure / measure.sum()
            found += (dice[oracle] - dice) / 2
        return found

    def plug_in_regret(self, sites: Sites, rows: tuple[int, ...] = ()) -> float:
        """Mean test Dice that a subset lacks of the best one, over all trainings but these: the best owes something to luck."""
        weights = leave_out(np.ones(self.trainings), rows)
        dice = self.dice @ weights / weights.sum()
        return float(dice.max() - dice[self.subsets[sites]])

    def marginal_values(self) -> dict[str, float]:
        """What a site adds in test Dice, the mean over all subsets of the others (Banzhaf's index)."""
        mean = {sites: float(values.mean()) for sites, values in self.test.items()}
        return {
            site: fmean(mean[sites | {site}] - mean[sites] for sites in mean if site not in sites) for site in self.everywhere
        }

    def serves(self, sites: Sites) -> bool:
        """Whether every need is met; where there is none, whether nothing is kept."""
        return all(sites & need for need in self.needed) if self.needed else not sites


class ExhaustedError(Exception):
    """No training is left that another decision has not used."""


class UnansweredError(Exception):
    """All trainings that a decision has collapsed; a job says then that it has no answer."""


@dataclass
class TableSearch:
    """Answers a policy from what has been trained, and counts what it would have cost. number: of the decision, from 0.

    Each decision takes the next `probes_each` trainings of a regime, which no other has, or `layouts_each` trainings of every
    layout, which are others in every decision, though not each of them where there is more than one.
    """

    truth: Truth
    probes: Probes
    probes_each: int
    layouts_each: int
    number: int
    trainings: int = 0
    asked: set[Sites] = field(default_factory=set)

    def choose(self, policy: str | Policy) -> Choice:
        """What a policy, or one of the catalogue by its name, decides on these answers; one that draws draws anew in every
        decision."""
        start = POLICIES[policy] if isinstance(policy, str) else policy
        course = start(Search(everywhere=self.truth.everywhere, seed=self.number))
        return follow(course, probe=self.probe, score=self.score)

    def probe(self, exponents: str) -> tuple[Evidence, ...]:
        """The next trainings of that regime, without those that collapsed, as in a job."""
        asked = self.probes[exponents][self.number * self.probes_each : (self.number + 1) * self.probes_each]
        found = tuple(evidence for evidence in asked if evidence)
        if len(asked) < self.probes_each:
            raise ExhaustedError
        if not found:
            raise UnansweredError
        self.trainings += len(asked)
        return found

    @property
    def rows(self) -> tuple[int, ...]:
        """The trainings of a layout that this decision has; the oracle is left one in either half of the others."""
        every = range(self.truth.trainings)
        draws = [rows for rows in combinations(every, self.layouts_each) if {row % 2 for row in {*every} - {*rows}} == {0, 1}]
        if self.number >= len(draws):
            raise ExhaustedError
        return draws[self.number]

    def score(self, layouts: Sequence[Layout]) -> list[np.ndarray]:
        """Some trainings of each; a layout that was asked for before costs nothing."""
        rows = list(self.rows)
        subsets = [frozenset(layout) for layout in layouts]
        self.trainings += len(rows) * len(set(subsets) - self.asked)
        self.asked.update(subsets)
        return [self.truth.validation[subset][rows].reshape(-1, 1) for subset in subsets]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a policy chose once. rows: of the trainings of the table that it decided on."""

    sites: Sites
    trainings: int
    rows: tuple[int, ...]


def repeat_policy(
    policy: str | Policy, truth: Truth, probes: Probes, *, probes_each: int, layouts_each: int = 1
) -> list[Decision]:
    """As many decisions as the trainings allow, MOST_DECISIONS at the most. A skip that is shut counts as a site that is kept:
    something is done there, and no training of the table shuts one."""
    decisions: list[Decision] = []
    for number in range(MOST_DECISIONS):
        search = TableSearch(truth=truth, probes=probes, probes_each=probes_each, layouts_each=layouts_each, number=number)
        try:
            choice = search.choose(policy)
        except ExhaustedError:
            break
        except UnansweredError:
            continue
        rows = search.rows if search.asked else ()
        decisions.append(Decision(sites=frozenset(choice.kept + choice.shut), trainings=search.trainings, rows=rows))
    return decisions


def judge_policy(truth: Truth, decisions: Sequence[Decision]) -> dict[str, Any]:
    """The figures of a policy on a task, as plain data."""
    chosen = [decision.sites for decision in decisions]
    drawn = draw_regrets(truth, decisions)
    return {
        "decisions": len(chosen),
        "regret": {name: values[0].mean() for name, values in drawn.items()},
        "plug_in_regret": fmean(truth.plug_in_regret(decision.sites, decision.rows) for decision in decisions),
        "served": sum(truth.serves(sites) for sites in chosen),
        "modules": fmean(len(sites) for sites in chosen),
        "jaccard": mean_jaccard(chosen),
        "trainings": fmean(decision.trainings for decision in decisions),
        "chosen": dict(Counter("+".join(sorted(sites)) or "none" for sites in chosen).most_common()),
        "samples": {name: values[1:].mean(axis=1).round(6).tolist() for name, values in drawn.items()},
    }


def draw_regrets(truth: Truth, decisions: Sequence[Decision]) -> dict[str, np.ndarray]:
    """Regrets of the decisions, and of as many sites drawn at random, each (1 + replicates, decisions).

    The first row is what was found; in the others the trainings of the table (within each half) and the decisions are drawn
    anew. Trainings that a decision rests on have no part in its regret.
    """
    random = np.random.default_rng(crc32(truth.name.encode()))
    sizes = np.array([len(sites) for sites in truth.subsets])
    as_large = (sizes[:, np.newaxis] == sizes) / (sizes[:, np.newaxis] == sizes).sum(axis=0)
    spent = list({decision.rows: None for decision in decisions})
    spent_of = np.array([spent.index(decision.rows) for decision in decisions])
    subset_of = np.array([truth.subsets[decision.sites] for decision in decisions])
    found: dict[str, list[np.ndarray]] = {"policy": [], "random": []}
    for replicate in range(1 + REPLICATES):
        weights, order = np.ones(truth.trainings), np.arange(len(decisions))
        if replicate:
            weights = draw_weights(truth.trainings, random)
            order = random.integers(0, len(decisions), len(decisions))
        regrets = np.stack([truth.regrets(leave_out(weights, rows)) for rows in spent])
        found["policy"].append(regrets[spent_of, subset_of][order])
        found["random"].append((regrets @ as_large)[spent_of, subset_of][order])
    return {name: np.stack(drawn) for name, drawn in found.items()}


def draw_weights(trainings: int, random: np.random.Generator) -> np.ndarray:
    """How often each training is drawn when either half is drawn anew, (trainings,)."""
    weights = np.zeros(trainings)
    for half in (np.arange(0, trainings, 2), np.arange(1, trainings, 2)):
        weights[half] = random.multinomial(len(half), np.full(len(half), 1 / len(half)))
    return weights


def leave_out(weights: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
    """The weights with some trainings left out; where a half has no other, the others of the half count once each."""
    stays = np.isin(np.arange(len(weights)), rows, invert=True)
    left = weights * stays
    for first in (0, 1):
        if not left[first::2].any():
            left[first::2] = stays[first::2]
    return left


def mean_jaccard(chosen: Sequence[Sites]) -> float:
    """How alike the chosen sets are, the mean over pairs."""
    pairs = list(combinations(chosen, 2))
    return fmean(measure_overlap(one, other) for one, other in pairs) if pairs else 1.0


def correlate_witness(name: str, truth: Truth, probes: Probes) -> dict[str, Any]:
    """Rank correlations of a witness with the marginal values of the sites, means over trainings: Somers' D and Spearman's."""
    regime, read = WITNESSES[name]
    values = truth.marginal_values()
    found: dict[str, list[float]] = {"somers": [], "spearman": []}
    for evidence in filter(None, probes[regime]):
        witness = np.array([read(record) for record in evidence.sites])
        worth = np.array([values[record.site] for record in evidence.sites])
        found["somers"].append(order_sites(witness, worth))
        found["spearman"].append(float(spearmanr(witness, worth).statistic) if np.ptp(witness) > 0 else 0.0)
    return {kind: fmean(values) for kind, values in found.items()} | {"samples": found}


def order_sites(witness: np.ndarray, worth: np.ndarray) -> float:
    """Somers' D over the pairs of sites whose worth differs by SMALLEST_WORTH or more, of which there has to be one.

    The share of them that the witness orders rightly, less the share that it orders wrongly: 1 for all rightly, 0 for a witness
    that says the same of all sites.
    """
    gaps = worth[:, np.newaxis] - worth
    pairs = gaps >= SMALLEST_WORTH
    return float(np.sign(witness[:, np.newaxis] - witness)[pairs].mean())


def estimate_tasks(tasks: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    """Mean regret over tasks with its 95 % interval. tasks: of one policy, as judge_policy gives them. name: policy, random, or
    ratio: the former by the latter."""
    if name == "ratio":
        top, bottom = (stack_replicates(tasks, one) for one in ("policy", "random"))
        mean = fmean(one["regret"]["policy"] for one in tasks) / fmean(one["regret"]["random"] for one in tasks)
        replicates = top / bottom
    else:
        mean, replicates = fmean(one["regret"][name] for one in tasks), stack_replicates(tasks, name)
    low, high = np.percentile(replicates, [2.5, 97.5])
    return {"mean": mean, "low": float(low), "high": float(high)}


def stack_replicates(tasks: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """The mean over tasks of each replicate, (replicates,)."""
    return np.mean([one["samples"][name] for one in tasks], axis=0)


def bootstrap_means(values: Sequence[Sequence[float]]) -> dict[str, float]:
    """The mean over tasks of the means over trainings, with its 95 % interval over trainings."""
    random = np.random.default_rng(0)
    replicates = np.mean(
        [np.asarray(row)[random.integers(0, len(row), (REPLICATES, len(row)))].mean(axis=1) for row in values], axis=0
    )
    low, high = np.percentile(replicates, [2.5, 97.5])
    return {"mean": fmean(fmean(row) for row in values), "low": float(low), "high": float(high)}
