"""Jobs as noisy as CVC-ClinicDB, drawn as numbers. Nothing is trained; what decides and judges is the real thing.

`python benchmarks/null_verdicts.py --simulate 500` starts it. Each job draws scores of its arms and costs of its probes;
sites are chosen from these by the policy `removal`, over the folds as in a job, with the total effect; what comes out is put in
words. Groups are as large as the 29 sequences of CVC-ClinicDB. In differences of two arms a group has SD 0.12, a case 0.15,
and a training of an arm 0.04; one case in twenty is missed altogether. A removal cost of one fold has SD 0.02 or a little more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import binomtest

from focalseg.evaluation.metrics import Overlap
from focalseg.placement.decision import record_choice
from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Search, ask
from focalseg.placement.total import judge_total, pool_joint_costs
from focalseg.placement.worth import pool_costs
from focalseg.records.evidence import Evidence, SiteEvidence
from focalseg.records.outcome.claims import TotalEffect
from focalseg.records.placement import ALL, NONE, PLACED, Collapsed, Placement
from focalseg.study.arms.agreement import agree
from focalseg.study.outcome.summary import JobResult, judge
from focalseg.study.outcome.wording import describe_verdict
from focalseg.study.running.runs import TEST, VALIDATION, RunResult
from focalseg.study.running.scores import CaseScore
from machine import describe_machine

SIZES = (25, 21, 25, 25, 23, 25, 20, 25, 21, 25, 20, 25, 14, 17, 20, 20, 19, 21, 20, 25, 25, 9, 25, 23, 25, 20, 12, 15, 22)
"""Frames of each sequence, about."""
SITES = {f"encoder.{level}": "se" for level in range(4)} | {"bottleneck": "se", "skip.0": "ag", "skip.1": "ag"}
PLANTED = "encoder.0"
LEVEL, MISSED = 0.6, 0.05
GROUP, CASE, TRAINING = 0.12, 0.15, 0.04
COST_GROUP, COST_CASE, COST_TRAINING, COST_FOLD = 0.045, 0.12, 0.012, 0.008
PROBES = 2
PIXELS = 1000
FIRST_DRAW = 10_000
"""The constants of the rule were settled on draws from 0 to 149; those that are reported are others."""
CLAIMS = ("helps", "is better still", "finds more")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A kind of job. folds: tested, of so many that the groups are dealt into. worth: of one site, in Dice, in whatever has it.
    training_help: of all attention, beyond what its sites are worth at the end."""

    name: str
    folds: int
    dealt: int
    trainings: int
    worth: float = 0.0
    training_help: float = 0.0

    @property
    def overlap(self) -> float:
        """Of the training groups of two folds."""
        return (self.dealt - 3) / (self.dealt - 2) if self.folds > 1 else 0.0


@dataclass(frozen=True, kw_only=True)
class Fold:
    """The groups that a fold validates on and tests, and the group of every case of either."""

    number: int
    validation: np.ndarray
    test: np.ndarray


RESULTS = Path(__file__).parent / "results" / "noisy_nulls"
PLANS = (
    Plan(name="null", folds=1, dealt=5, trainings=3),
    Plan(name="null", folds=5, dealt=5, trainings=1),
    Plan(name="null", folds=10, dealt=10, trainings=1),
    *(Plan(name="one site", folds=1, dealt=5, trainings=3, worth=worth) for worth in (0.03, 0.05, 0.10)),
    *(Plan(name="one site", folds=10, dealt=10, trainings=1, worth=worth) for worth in (0.03, 0.05, 0.10)),
    Plan(name="helps the training", folds=10, dealt=10, trainings=1, training_help=0.12),
)


def simulate(count: int, judged: int) -> None:
    """Draws so many jobs of each plan, of which the first are judged as well, and writes the table after each plan."""
    found: list[dict[str, Any]] = []
    for number, plan in enumerate(PLANS):
        jobs = [
            simulate_job(plan, np.random.default_rng([number, FIRST_DRAW + job]), judged=job < judged and not plan.worth)
            for job in range(count)
        ]
        found.append(asdict(plan) | {"jobs": count} | _add_up(jobs))
        RESULTS.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        RESULTS.with_suffix(".md").write_text(format_page(found))


def _add_up(jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts over the jobs of a plan, and the sentences of those that claim help."""
    judged = [job for job in jobs if "verdict" in job]
    return {
        **{name: sum(job[name] for job in jobs) for name in ("kept", "kept_by_half", "shut", "unexplained", "by_means")},
        **{name: float(np.mean([job[name] for job in jobs])) for name in ("found", "modules")},
        "judged": len(judged),
        "claims_help": sum(job["claims_help"] for job in judged),
        "sentences": [job["sentence"] for job in judged if job["claims_help"]],
    }


def format_page(found: Sequence[Mapping[str, Any]]) -> str:
    """The counts as Markdown."""
    lines = [
        "# Jobs as noisy as CVC-ClinicDB, drawn as numbers",
        "",
        "`python benchmarks/null_verdicts.py --simulate N --judged M`,",
        describe_machine(),
        "Kept anything: in any fold. By half: a site that half of the folds kept, as in placement.json. By means: in a",
        "fold by the rule before noise had a part in it, from its own probes. Found: share of folds that kept the planted",
        "site. In brackets the 95 % interval of the share (Clopper and Pearson).",
        "",
        "| truth | folds | worth | jobs | kept anything | by half | by means | found | modules | not explained | claim help |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        counts = [_format_share(row[name], row["jobs"]) for name in ("kept", "kept_by_half", "by_means")]
        claims = _format_share(row["claims_help"], row["judged"]) if row["judged"] else "-"
        planted = f"{row['found']:.0%}" if row["worth"] else "-"
        worth = row["worth"] or row["training_help"]
        cells = (
            row["name"],
            row["folds"],
            worth,
            row["jobs"],
            *counts,
            planted,
            f"{row['modules']:.2f}",
            row["unexplained"],
            claims,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def _format_share(hits: int, of: int) -> str:
    """A count with the 95 % interval of its share."""
    share = binomtest(hits, of).proportion_ci()
    return f"{hits} of {of} [{share.low:.1%}, {share.high:.1%}]"


def simulate_job(plan: Plan, random: np.random.Generator, *, judged: bool) -> dict[str, Any]:
    """One job, as plain data: what it kept and, if it is judged, whether its sentence claims help."""
    folds = deal_folds(plan, random)
    evidence = draw_evidence(plan, folds, random)
    scores = _Scores(plan, random)
    drawn = {arm: [_draw_results(scores, arm, fold, plan) for fold in folds] for arm in (NONE, ALL)}
    choices, unexplained = zip(*(decide_fold(fold, folds, evidence, drawn, plan.overlap) for fold in folds), strict=True)
    layouts = [
        frozenset(SITES) if whole else frozenset(choice.kept) for choice, whole in zip(choices, unexplained, strict=True)
    ]
    found = {
        "kept": any(layouts),
        "kept_by_half": any(2 * sum(site in layout for layout in layouts) >= len(folds) for site in SITES),
        "shut": any(choice.shut for choice in choices),
        "found": sum(PLANTED in layout for layout in layouts) / len(folds),
        "modules": float(np.mean([len(layout) for layout in layouts])),
        "unexplained": any(unexplained),
        "by_means": any(
            fmean(one.sites[place].removal_cost for one in own) >= SMALLEST_WORTH
            for own in evidence.values()
            for place in range(len(SITES))
        ),
    }
    if not judged:
        return found
    placements = tuple(
        record_fold(choice, whole, evidence[fold.number])
        for choice, whole, fold in zip(choices, unexplained, folds, strict=True)
    )
    arms: dict[str, list[list[RunResult]]] = {**drawn, PLACED: []}
    for number, fold in enumerate(folds):
        same = NONE if not layouts[number] else ALL if layouts[number] == frozenset(SITES) else None
        if same:
            arms[PLACED].append(arms[same][number])
        else:
            arms[PLACED].append(_draw_results(scores, PLACED, fold, plan, sites=layouts[number]))
    results = JobResult(
        arms={arm: arms[arm] for arm in (NONE, ALL, PLACED)},
        folds=tuple(fold.number for fold in folds),
        placements=placements,
        agreed=agree(placements),
        candidates=len(SITES),
        search=Collapsed(0, PROBES * len(folds)),
        overlap=plan.overlap,
    )
    verdict = judge(results)
    sentence = describe_verdict(verdict)
    return found | {
        "verdict": verdict.outcome,
        "claims_help": any(claim in sentence for claim in CLAIMS),
        "sentence": sentence,
    }


def deal_folds(plan: Plan, random: np.random.Generator) -> list[Fold]:
    """Fold f tests part f of the groups and validates on the next one, as `split_by_group` deals them."""
    parts = np.array_split(random.permutation(len(SIZES)), plan.dealt)
    return [
        Fold(number=number, validation=parts[(number + 1) % plan.dealt], test=parts[number]) for number in range(plan.folds)
    ]


def draw_evidence(plan: Plan, folds: Sequence[Fold], random: np.random.Generator) -> dict[int, list[Evidence]]:
    """The evidence of the probes of each fold. Sites differ in how noisy they are; all together cost what they cost alone."""
    scale = np.exp(random.normal(0, 0.6, len(SITES)))
    scale /= np.sqrt(np.square(scale).mean())
    effects = random.normal(0, COST_GROUP, (len(SITES), len(SIZES)))  # of groups, the same in every fold
    found: dict[int, list[Evidence]] = {}
    for fold in folds:
        groups = np.repeat(fold.validation, np.array(SIZES)[fold.validation])
        common = random.normal(0, COST_FOLD, len(SITES))
        found[fold.number] = []
        for _ in range(PROBES):
            noise = random.normal(0, COST_CASE, (len(SITES), len(groups)))
            noise += random.normal(0, COST_GROUP / 2, (len(SITES), len(SIZES)))[:, groups] + effects[:, groups]
            noise += (common + random.normal(0, COST_TRAINING, len(SITES)))[:, np.newaxis]
            costs = scale[:, np.newaxis] * noise
            costs[0] += plan.worth
            found[fold.number].append(_record_evidence(costs, groups, fold.number))
    return found


def _record_evidence(costs: np.ndarray, groups: np.ndarray, fold: int) -> Evidence:
    """costs: (sites, cases). Sites leave one by one, the least missed first; together they cost the sum, damped."""
    order = np.argsort(costs.mean(axis=1))
    joint = np.empty_like(costs)
    joint[order] = np.cumsum(costs[order], axis=0) / np.sqrt(np.arange(1, len(order) + 1))[:, np.newaxis]
    sites = tuple(
        SiteEvidence(
            site=site,
            gate=gate,
            gamma=1.0,
            spread=0.1,
            case_costs=tuple(costs[place].tolist()),
            joint_case_costs=tuple(joint[place].tolist()),
            shut_case_costs=tuple((costs[place] / 2 - 0.005).tolist()) if site.startswith("skip") else (),
        )
        for place, (site, gate) in enumerate(SITES.items())
    )
    return Evidence(sites=sites, groups=tuple(map(str, groups)), exponents="dropout", fold=fold)


class _Scores:
    """Dice of any training on any group. What a group does to an arm is the same in every fold and training."""

    def __init__(self, plan: Plan, random: np.random.Generator) -> None:
        self.plan, self.random = plan, random
        self.level = random.normal(LEVEL, 0.15, len(SIZES))
        self.of_arm: dict[str, np.ndarray] = {}

    def draw(self, arm: str, groups: np.ndarray, *, sites: frozenset[str], training: float) -> np.ndarray:
        """Dice of the cases of these groups, (cases,)."""
        if arm not in self.of_arm:
            self.of_arm[arm] = self.random.normal(0, GROUP / np.sqrt(2), len(SIZES))
        of_case = np.repeat(groups, np.array(SIZES)[groups])
        gain = self.plan.worth * (PLANTED in sites) + self.plan.training_help * (arm == ALL)
        dice = self.level[of_case] + self.of_arm[arm][of_case] + gain + training
        dice += self.random.normal(0, CASE / np.sqrt(2), len(of_case))
        return np.where(self.random.random(len(of_case)) < MISSED, 0.0, dice.clip(0, 1))


def _draw_results(scores: _Scores, arm: str, fold: Fold, plan: Plan, sites: frozenset[str] | None = None) -> list[RunResult]:
    """The trainings of an arm on a fold."""
    gates = frozenset(SITES) if arm == ALL else sites or frozenset()
    found = []
    for _ in range(plan.trainings):
        training = scores.random.normal(0, TRAINING)
        cases = []
        for part, groups in ((VALIDATION, fold.validation), (TEST, fold.test)):
            dice = scores.draw(arm, groups, sites=gates, training=training)
            names = np.repeat(groups, np.array(SIZES)[groups])
            cases += [
                _record_case(f"{group}-{place}", group, part, value)
                for place, (group, value) in enumerate(zip(names, dice, strict=True))
            ]
        found.append(RunResult(modules=len(gates), parameters=100, flops=100, seconds=1.0, scores=tuple(cases)))
    return found


def _record_case(case: str, group: int, part: str, dice: float) -> CaseScore:
    predicted = 0 if dice == 0 else PIXELS
    overlap = Overlap(
        dice=dice, iou=dice / (2 - dice), precision=dice, recall=dice, true_pixels=PIXELS, predicted_pixels=predicted
    )
    return CaseScore(case=case, group=str(group), part=part, overlaps={"foreground": overlap})


def decide_fold(
    fold: Fold,
    folds: Sequence[Fold],
    evidence: Mapping[int, list[Evidence]],
    drawn: Mapping[str, list[list[RunResult]]],
    overlap: float,
) -> tuple[Choice, bool]:
    """The choice of a fold from all folds that do not validate on what it tests, and whether its sites were not enough."""
    allies = [other for other in folds if not set(other.validation) & set(fold.test)]
    course = POLICIES["removal"](Search(everywhere=SITES))
    ask(course)
    choice = ask(course, tuple(one for other in allies for one in evidence[other.number]))
    if not isinstance(choice, Choice):
        raise TypeError("The policy asked again; expected one that asks once.")
    tables = []
    for place, other in enumerate(folds):
        if other in allies:
            for one, plain in zip(drawn[ALL][place], drawn[NONE][place], strict=True):
                pairs = zip(one.scores_of(VALIDATION), plain.scores_of(VALIDATION), strict=True)
                gains = [(first.dice - second.dice, second.group) for first, second in pairs]
                tables.append((other.number, [gain for gain, _ in gains], [group for _, group in gains]))
    total = judge_total(pool_costs(tables), pool_joint_costs(choice), price=SMALLEST_WORTH, overlap=overlap)
    return choice, not total.explained


def record_fold(choice: Choice, whole: bool, evidence: Sequence[Evidence]) -> Placement:
    """The placement of a fold; the whole of attention where single sites were not enough, as in a job."""
    placement = record_choice(choice, "removal", SITES, evidence)
    if not whole:
        return placement
    total = TotalEffect(mean=0.1, low=0.05, high=0.15, explained=False)  # its figure takes part in nothing that is counted
    sites = tuple(replace(site, kept=True, shut=False) for site in placement.sites)
    return replace(placement, sites=sites, total_effect=total)
