"""Distances of the test cases of the arms, and what the arms differ by in them: secondary findings, which decide nothing."""

import math
from collections.abc import Iterator, Sequence

from focalseg.evaluation.significance import measure_difference
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, SCORE_SPAN, estimate_mean
from focalseg.records.distances import DISTANCE_SCORES, DistanceDifference, DistanceScore, DistanceSummary, Unit
from focalseg.records.estimate import as_interval
from focalseg.records.placement import ALL, NONE, PLACED
from focalseg.study.outcome.claims import PLAIN_PRECISION, Precision
from focalseg.study.outcome.stacking import Arms, Results, list_results, list_test_folds, list_test_groups, stack_folds
from focalseg.study.running.runs import TEST
from focalseg.study.running.scores import CaseScore


def _find_measure(scores: Sequence[CaseScore]) -> tuple[float, Unit] | None:
    """The tolerance and the unit of the distances of all these cases; None where some were not measured, or were measured in
    another unit than others, of which no mean makes sense."""
    kinds = {(one.tolerance, one.unit) for score in scores for one in score.distances.values()}
    return kinds.pop() if len(kinds) == 1 and all(score.distances for score in scores) else None


def summarise_distances(folds: Results, *, overlap: float = 0.0) -> DistanceSummary | None:
    """Means over test cases and trainings of an arm, or None as `_find_measure` says. overlap: of the training groups of two
    folds."""
    measure = _find_measure([score for result in list_results(folds) for score in result.scores_of(TEST)])
    if measure is None:
        return None
    spans: dict[DistanceScore, tuple[float, float]] = dict.fromkeys(DISTANCE_SCORES, (0.0, math.inf)) | {"nsd": SCORE_SPAN}
    groups, numbers = list_test_groups(folds), list_test_folds(folds)
    means = {
        name: as_interval(estimate_mean(stack_folds(folds, TEST, name), groups, folds=numbers, span=span, overlap=overlap))
        for name, span in spans.items()
    }
    return DistanceSummary(nsd=means["nsd"], hd95=means["hd95"], assd=means["assd"], tolerance=measure[0], unit=measure[1])


def compare_distances(arms: Arms, precision: Precision = PLAIN_PRECISION) -> Iterator[DistanceDifference]:
    """Placed minus none and all minus none, paired by case and by training; nothing where the two have no common measure."""
    for one in (PLACED, ALL):
        pair = (arms[one], arms[NONE])
        scores = [score for folds in pair for result in list_results(folds) for score in result.scores_of(TEST)]
        if _find_measure(scores) is None:
            continue
        for name in DISTANCE_SCORES:
            span = DIFFERENCE_SPAN if name == "nsd" else (-math.inf, math.inf)
            first, second = (stack_folds(folds, TEST, name) for folds in pair)
            groups, numbers = list_test_groups(arms[NONE]), list_test_folds(arms[NONE])
            found = measure_difference(
                first, second, groups, numbers, span=span, overlap=precision.overlap, tail=precision.tail
            )
            interval = as_interval(found.estimate)
            yield DistanceDifference(one=one, other=NONE, score=name, p_value=found.p_value, **vars(interval))
