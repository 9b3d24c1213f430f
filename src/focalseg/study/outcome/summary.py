"""What the trainings of the arms add up to: the verdict, and the record of them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import fmean
from types import MappingProxyType
from typing import Any

import numpy as np

from focalseg.evaluation.statistics import SCORE_SPAN, estimate_mean, measure_seed_noise
from focalseg.evaluation.verdict import Adjusted, Against, Collapses, Verdict, decide_verdict
from focalseg.placement.policies.questions import SMALLEST_WORTH
from focalseg.records.costs import NOT_MEASURED, CostTable
from focalseg.records.estimate import DiceInterval, Estimate, as_interval
from focalseg.records.placement import (
    ALL,
    NONE,
    PLACED,
    ArmComparison,
    ArmSummary,
    FoldSummary,
    JobRecord,
    LeanSource,
    ThisSet,
)
from focalseg.study.outcome.breakdown import break_down
from focalseg.study.outcome.claims import compare
from focalseg.study.outcome.distances import compare_distances, summarise_distances
from focalseg.study.outcome.footing import count_silence
from focalseg.study.outcome.job_result import JobResult, count_collapsed
from focalseg.study.outcome.stacking import Results, list_results, list_test_folds, list_test_groups, stack_folds
from focalseg.study.outcome.stratified import measure_rescue, record_labels, record_sizes, record_strata, record_tuned
from focalseg.study.outcome.wording import describe_verdict
from focalseg.study.running.runs import TEST
from focalseg.study.running.scores import count_empty

_OVERLAPS = ("iou", "precision", "recall")
"""Scores that stand beside Dice."""
_NOTHING_KNOWN = Estimate(mean=0.0, low=-1.0, high=1.0)
"""Of a fold that tests no case of the endpoint."""


def judge(results: JobResult) -> Verdict:
    """The verdict from the paired test scores of the placed and the plain network, and what the other arms add to it."""
    verdict = _judge_as_claimed(results)
    if results.precision.overlap == 0:
        return verdict
    return replace(verdict, this_set=_judge_as_claimed(results.for_this_set))


def _judge_as_claimed(results: JobResult) -> Verdict:
    """The verdict for whom the intervals are to speak."""
    arms = results.arms
    several = len(results.placements) > 1
    verdict = decide_verdict(
        results.comparisons[PLACED, NONE],
        modules=results.agreed.modules,
        by_fold=tuple(placement.modules for placement in results.placements) if several else (),
        shut=max(sum(site.shut for site in placement.sites) for placement in results.placements),
        collapses=_find_collapses(results),
        footing=replace(
            results.footing,
            groups=len(set(results.endpoint.groups)),
            silences=(*results.footing.silences, count_silence("the plain network", list_results(arms[NONE]))),
        ),
        against=Against(
            placed_minus={arm: results.comparisons[PLACED, arm].estimate for arm in arms if arm not in (PLACED, *results.lost)},
            candidates=results.candidates,
            margin=SMALLEST_WORTH,
            lost={arm: share for arm, share in results.lost.items() if arm not in (NONE, PLACED)},
            holm={arm: results.adjusted[PLACED, arm] for arm in arms if arm != PLACED},
            level=results.looks.level,
            compared=results.as_good_as_all,
            wider_bound=results.wider_bound,
        ),
        adjusted=Adjusted(holm_p=results.adjusted[PLACED, NONE], claims=results.family.claims, level=results.looks.level),
    )
    return replace(verdict, breakdown=break_down(results))


def _find_collapses(results: JobResult) -> Collapses:
    """The trainings that the verdict rests on and that predict nothing. Where nothing was placed, a run of both arms is one."""
    none, placed = ([result for fold in results.arms[arm] for result in fold] for arm in (NONE, PLACED))
    shared = [one for one, other in zip(none, placed, strict=True) if one == other]
    rests_on = (NONE,) if len(shared) == len(none) else (NONE, PLACED)
    return Collapses(
        arms={arm: count_collapsed(results.arms[arm]) for arm in rests_on},
        search=results.search,
        shared=sum(result.collapsed for result in shared) if PLACED in rests_on else 0,
    )


def summarise(folds: Results, *, overlap: float = 0.0) -> ArmSummary:
    """An arm in numbers: test Dice of all cases with its interval, what it costs, and what was measured. overlap: of the
    training groups of two folds.

    Modules, parameters and operations are means, to the nearest whole number, where folds or trainings differ in them.
    """
    groups = list_test_groups(folds)
    dice = stack_folds(folds, TEST)
    results = list_results(folds)
    scores = [score for result in results for score in result.scores_of(TEST)]
    steps = [result.step_seconds for result in results if result.step_seconds is not None]
    told: dict[str, Any] = {"folds": list_test_folds(folds), "span": SCORE_SPAN, "overlap": overlap}
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
        collapsed=count_collapsed(folds).collapsed,
        cases=len({score.case for score in scores}),
        groups=len(set(groups)),
        dice_per_training=tuple(dice.mean(axis=1).tolist()),
        dice_per_label={
            label: float(np.mean([score.overlaps[label].dice for score in scores])) for label in scores[0].overlaps
        },
        distances=summarise_distances(folds, overlap=overlap),
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
    arms, precision, pairs, table = results.arms, results.precision, results.pairs, results.table
    return JobRecord(
        policy=results.agreed.policy,
        sites=results.agreed.sites,
        total_effect=results.agreed.total_effect,
        verdict=verdict.outcome,
        sentence=describe_verdict(verdict),
        difference=DiceInterval(**_as_dice(verdict.difference)),
        all_minus_none=DiceInterval(**_as_dice(results.comparisons[ALL, NONE].estimate)),
        comparisons=tuple(_record_comparisons(results)),
        non_inferiority=results.as_good_as_all,
        search=results.search,
        seed_noise=measure_seed_noise(results.endpoint.arms[NONE], results.endpoint.folds),
        arms={name: summarise(folds, overlap=precision.overlap) for name, folds in arms.items()},
        folds=tuple(_record_folds(results)),
        lean=lean,
        runs=dict(runs),
        dead_sites=dict(dead_sites),
        costs=costs,
        files=dict(files),
        distance_differences=tuple(compare_distances(arms, precision)),
        endpoint=table.endpoint,
        difference_all_cases=DiceInterval(**_as_dice(results.over_all)),
        this_set=_record_this_set(verdict, results),
        difference_where_placed=DiceInterval(**_as_dice(placed)) if (placed := results.where_placed) else None,
        strata=record_strata(table, pairs, precision, family=results.family, asked=results.asked),
        by_label=record_labels(table, pairs, precision),
        by_size=record_sizes(table, pairs, precision),
        rescue=tuple(measure_rescue(table, one, other) for one, other in pairs if other == NONE),
        tuned=record_tuned(
            results.tuned_table, pairs, precision, at_half=results.comparisons, thresholds=results.list_thresholds()
        ),
        looks=results.looks,
        overlap=results.overlap,
        claim=results.claim,
    )


def _record_this_set(verdict: Verdict, results: JobResult) -> ThisSet | None:
    """The answer for the data set alone, where the job's is for data sets like it."""
    if verdict.this_set is None:
        return None
    own = results.for_this_set.comparisons
    return ThisSet(
        verdict=verdict.this_set.outcome,
        difference=DiceInterval(**_as_dice(own[PLACED, NONE].estimate)),
        all_minus_none=DiceInterval(**_as_dice(own[ALL, NONE].estimate)),
        p_value=own[PLACED, NONE].p_value,
        holm_p=results.for_this_set.adjusted[PLACED, NONE],
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
        alone = results.endpoint.take_folds([number])
        estimate = compare(alone, PLACED, NONE).estimate if alone.names else _NOTHING_KNOWN
        yield FoldSummary(
            fold=fold,
            kept={site.site: site.gate for site in placement.sites if site.kept},
            shut=tuple(site.site for site in placement.sites if site.shut),
            difference=DiceInterval(**_as_dice(estimate)),
        )


def _as_dice(estimate: Estimate) -> dict[str, float]:
    """A mean Dice, or a difference of two, as the files hold it."""
    return {"dice": estimate.mean, "low": estimate.low, "high": estimate.high}
