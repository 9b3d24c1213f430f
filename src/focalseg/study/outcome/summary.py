"""What the trainings of the arms add up to: the verdict, and the record of them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from types import MappingProxyType
from typing import Any

import numpy as np

from focalseg.evaluation.significance import Comparison, compare_paired, correct_holm, decide_non_inferiority
from focalseg.evaluation.statistics import SCORE_SPAN, estimate_mean, measure_seed_noise
from focalseg.evaluation.verdict import UNKNOWN_FOOTING, Against, Collapses, Footing, Verdict, decide_verdict
from focalseg.placement.policies.questions import SMALLEST_WORTH
from focalseg.records.costs import NOT_MEASURED, CostTable
from focalseg.records.estimate import DiceInterval, Estimate, NonInferiority, as_interval
from focalseg.records.placement import (
    ALL,
    NONE,
    PLACED,
    ArmComparison,
    ArmSummary,
    Collapsed,
    FoldSummary,
    JobRecord,
    LeanSource,
    Placement,
)
from focalseg.study.outcome.distances import compare_distances, summarise_distances
from focalseg.study.outcome.footing import count_silence
from focalseg.study.outcome.stacking import Arms, Results, list_results, list_test_folds, list_test_groups, stack_folds
from focalseg.study.outcome.wording import describe_verdict
from focalseg.study.running.runs import TEST
from focalseg.study.running.scores import count_empty

_OVERLAPS = ("iou", "precision", "recall")
"""Scores that stand beside Dice."""


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """All that a finished job has to say. folds: the number of each; placements: theirs; agreed: the placement of all of them.

    candidates: how many sites could hold attention. search: how many of how many trainings that sites were chosen with
    collapsed. footing: what is known besides of what the answer rests on.
    """

    arms: Arms
    folds: tuple[int, ...]
    placements: tuple[Placement, ...]
    agreed: Placement
    candidates: int
    search: Collapsed
    footing: Footing = UNKNOWN_FOOTING

    @cached_property
    def comparisons(self) -> dict[tuple[str, str], Comparison]:
        """Placed against every other arm, the plain network first; then each of those against the plain network."""
        others = [arm for arm in self.arms if arm not in (NONE, PLACED)]
        pairs = [(PLACED, NONE), *((PLACED, arm) for arm in others), *((arm, NONE) for arm in others)]
        return {(one, other): compare(self.arms, one, other) for one, other in pairs}

    @cached_property
    def adjusted(self) -> dict[tuple[str, str], float]:
        """The p-value of every comparison, adjusted for all of them (Holm). Where what was placed is the plain network, or the
        one with everything, two comparisons are the same one and count once; an arm beside itself is none."""
        twin = {arm: next(other for other in self.arms if self.arms[other] == self.arms[arm]) for arm in self.arms}
        distinct = {pair: frozenset(twin[arm] for arm in pair) for pair in self.comparisons}
        adjusted = correct_holm(
            {distinct[pair]: one.p_value for pair, one in self.comparisons.items() if len(distinct[pair]) > 1}
        )
        return {pair: adjusted.get(arms, 1.0) for pair, arms in distinct.items()}

    @cached_property
    def lost(self) -> dict[str, Collapsed]:
        """The arms that no comparison says anything of, since most of their trainings collapsed: how many of how many."""
        collapsed = {arm: _count_collapsed(folds) for arm, folds in self.arms.items()}
        return {arm: share for arm, share in collapsed.items() if share.most}

    @property
    def as_good_as_all(self) -> NonInferiority:
        """Placed beside all; nothing is shown by trainings that collapsed."""
        found = decide_non_inferiority(self.comparisons[PLACED, ALL].estimate, margin=SMALLEST_WORTH)
        return replace(found, shown=found.shown and not {PLACED, ALL} & self.lost.keys())


def judge(results: JobResult) -> Verdict:
    """The verdict from the paired test scores of the placed and the plain network, and what the other arms add to it."""
    arms = results.arms
    several = len(results.placements) > 1
    return decide_verdict(
        results.comparisons[PLACED, NONE],
        modules=results.agreed.modules,
        by_fold=tuple(placement.modules for placement in results.placements) if several else (),
        shut=max(sum(site.shut for site in placement.sites) for placement in results.placements),
        collapses=_find_collapses(results),
        footing=replace(
            results.footing,
            groups=len(set(list_test_groups(arms[NONE]))),
            silences=(*results.footing.silences, count_silence("the plain network", list_results(arms[NONE]))),
        ),
        against=Against(
            placed_minus={arm: results.comparisons[PLACED, arm].estimate for arm in arms if arm not in (PLACED, *results.lost)},
            candidates=results.candidates,
            margin=SMALLEST_WORTH,
            lost={arm: share for arm, share in results.lost.items() if arm not in (NONE, PLACED)},
        ),
    )


def _find_collapses(results: JobResult) -> Collapses:
    """The trainings that the verdict rests on and that predict nothing. Where nothing was placed, a run of both arms is one."""
    none, placed = ([result for fold in results.arms[arm] for result in fold] for arm in (NONE, PLACED))
    shared = [one for one, other in zip(none, placed, strict=True) if one == other]
    rests_on = (NONE,) if len(shared) == len(none) else (NONE, PLACED)
    return Collapses(
        arms={arm: _count_collapsed(results.arms[arm]) for arm in rests_on},
        search=results.search,
        shared=sum(result.collapsed for result in shared) if PLACED in rests_on else 0,
    )


def compare(arms: Arms, one: str, other: str) -> Comparison:
    """Test Dice of one arm against that of another, paired by case and by training in their order."""
    return compare_paired(
        stack_folds(arms[one], TEST),
        stack_folds(arms[other], TEST),
        list_test_groups(arms[other]),
        list_test_folds(arms[other]),
    )


def _count_collapsed(folds: Results) -> Collapsed:
    """How many of how many trainings of an arm ended predicting nothing."""
    results = list_results(folds)
    return Collapsed(sum(result.collapsed for result in results), len(results))


def summarise(folds: Results) -> ArmSummary:
    """An arm in numbers: test Dice with its interval, what it costs, and what was measured.

    Modules, parameters and operations are means, to the nearest whole number, where folds or trainings differ in them.
    """
    groups = list_test_groups(folds)
    dice = stack_folds(folds, TEST)
    results = list_results(folds)
    scores = [score for result in results for score in result.scores_of(TEST)]
    steps = [result.step_seconds for result in results if result.step_seconds is not None]
    told: dict[str, Any] = {"folds": list_test_folds(folds), "span": SCORE_SPAN}
    intervals = {name: as_interval(estimate_mean(stack_folds(folds, TEST, name), groups, **told)) for name in _OVERLAPS}
    numbers: dict[str, Any] = {
        **_as_dice(estimate_mean(dice, groups, **told)),
        **{name: interval.mean for name, interval in intervals.items()},
        **{name: round(fmean(getattr(result, name) for result in results)) for name in ("modules", "parameters", "flops")},
        **count_empty(scores),
    }
    return ArmSummary(
        **numbers,
        seconds=float(np.mean([result.seconds for result in results])),
        step_seconds=fmean(steps) if len(steps) == len(results) else None,
        trainings=len(dice),
        folds=len(folds),
        collapsed=_count_collapsed(folds).collapsed,
        cases=len({score.case for score in scores}),
        groups=len(set(groups)),
        dice_per_training=tuple(dice.mean(axis=1).tolist()),
        dice_per_label={
            label: float(np.mean([score.overlaps[label].dice for score in scores])) for label in scores[0].overlaps
        },
        distances=summarise_distances(folds),
        intervals=intervals,
    )


def record_results(
    verdict: Verdict,
    results: JobResult,
    *,
    lean: LeanSource | None = None,
    runs: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    dead_sites: Mapping[str, str] = MappingProxyType({}),
    costs: CostTable = NOT_MEASURED,
    files: Mapping[str, str] = MappingProxyType({}),
) -> JobRecord:
    """What placement.json says. files: those of the job that are shown with it, with their SHA-256."""
    arms = results.arms
    return JobRecord(
        policy=results.agreed.policy,
        sites=results.agreed.sites,
        verdict=verdict.outcome,
        sentence=describe_verdict(verdict),
        difference=DiceInterval(**_as_dice(verdict.difference)),
        all_minus_none=DiceInterval(**_as_dice(results.comparisons[ALL, NONE].estimate)),
        comparisons=tuple(_record_comparisons(results)),
        non_inferiority=results.as_good_as_all,
        search=results.search,
        seed_noise=measure_seed_noise(stack_folds(arms[NONE], TEST), list_test_folds(arms[NONE])),
        arms={name: summarise(folds) for name, folds in arms.items()},
        folds=tuple(_record_folds(results)),
        lean=lean,
        runs=dict(runs),
        dead_sites=dict(dead_sites),
        costs=costs,
        files=dict(files),
        distance_differences=tuple(compare_distances(arms)),
    )


def _record_comparisons(results: JobResult) -> Iterator[ArmComparison]:
    for pair, comparison in results.comparisons.items():
        smallest = comparison.smallest_difference
        yield ArmComparison(
            one=pair[0],
            other=pair[1],
            **_as_dice(comparison.estimate),
            p_value=comparison.p_value,
            holm_p=results.adjusted[pair],
            permutation_p=comparison.permutation_p,
            smallest_difference=smallest if math.isfinite(smallest) else None,
            collapsed=not results.lost.keys().isdisjoint(pair),
        )


def _record_folds(results: JobResult) -> Iterator[FoldSummary]:
    for number, (fold, placement) in enumerate(zip(results.folds, results.placements, strict=True)):
        alone = {arm: [folds[number]] for arm, folds in results.arms.items()}
        yield FoldSummary(
            fold=fold,
            kept={site.site: site.gate for site in placement.sites if site.kept},
            shut=tuple(site.site for site in placement.sites if site.shut),
            difference=DiceInterval(**_as_dice(compare(alone, PLACED, NONE).estimate)),
        )


def _as_dice(estimate: Estimate) -> dict[str, float]:
    """A mean Dice, or a difference of two, as the files hold it."""
    return {"dice": estimate.mean, "low": estimate.low, "high": estimate.high}
