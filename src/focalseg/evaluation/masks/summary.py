"""Means over cases with their intervals, and the cases that scored worst."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from focalseg.evaluation.statistics import estimate_mean
from focalseg.metrics.case import LOWER_IS_BETTER, CaseMeasures
from focalseg.metrics.emptiness import Empty
from focalseg.records.scores.evaluation import MOST_WORST, CaseScores, LabelMean, ScoreSummary

_WHOLE, _BEYOND = (0.0, 1.0), (0.0, math.inf)
"""Between which shares lie, and distances and differences of volumes."""


def list_cases(
    names: Sequence[str], groups: Mapping[str, str], measures: Sequence[Mapping[str, CaseMeasures]], scores: Sequence[str]
) -> tuple[CaseScores, ...]:
    """A line per case and label."""
    return tuple(
        CaseScores(
            case=name,
            label=label,
            group=groups[name],
            true_pixels=one.true_pixels,
            predicted_pixels=one.predicted_pixels,
            **{score: _take_finite(getattr(one, score)) for score in scores},
        )
        for name, of_case in zip(names, measures, strict=True)
        for label, one in of_case.items()
    )


def summarise_score(
    score: str, measures: Sequence[Mapping[str, CaseMeasures]], groups: Sequence[str], empty: Empty
) -> ScoreSummary:
    """The mean of a score over cases, each with the mean over its labels that have it, and of every label alone."""
    labels = tuple(measures[0])
    table = np.array([[getattr(of_case[label], score) for label in labels] for of_case in measures], float)
    ones = {label: [of_case[label] for of_case in measures] for label in labels}
    span = _BEYOND if score in LOWER_IS_BETTER else _WHOLE
    by_label = {label: _average(table[:, number], ones[label], groups, span, empty) for number, label in enumerate(labels)}
    if len(labels) == 1:
        whole = by_label[labels[0]]
    else:
        known = ~np.isnan(table)
        with np.errstate(invalid="ignore"):
            means = np.where(known, table, 0.0).sum(axis=1) / known.sum(axis=1)
        whole = _average(means, [one for of_label in ones.values() for one in of_label], groups, span, empty)
    return ScoreSummary(
        mean=whole.mean,
        low=whole.low,
        high=whole.high,
        counted=whole.counted,
        left_out=whole.left_out,
        both_empty=whole.both_empty,
        one_empty=whole.one_empty,
        empty=empty,
        labels=by_label,
    )


def _average(
    values: np.ndarray, measures: Sequence[CaseMeasures], groups: Sequence[str], span: tuple[float, float], empty: Empty
) -> LabelMean:
    known = ~np.isnan(values)
    chosen = values[known]
    mean = low = high = None
    if chosen.size:
        of = [group for group, is_known in zip(groups, known.tolist(), strict=True) if is_known]
        found = estimate_mean(chosen, of, span=span)
        mean = math.fsum(chosen.tolist()) / chosen.size
        low, high = (end if math.isfinite(end) else None for end in (min(found.low, mean), max(found.high, mean)))
        if len(set(of)) == 1:  # all of span, which says no more than that it is unknown
            low = high = None
    return LabelMean(
        mean=mean,
        low=low,
        high=high,
        counted=int(chosen.size),
        left_out=int(values.size - chosen.size),
        both_empty=sum(one.both_empty for one in measures),
        one_empty=sum(one.one_empty for one in measures),
        empty=empty,
    )


def find_worst(cases: Sequence[CaseScores]) -> tuple[int, ...]:
    """Numbers of the lines with the lowest Dice; of equal ones those of the farthest surface, then of the largest object."""
    known = [number for number, case in enumerate(cases) if case.dice is not None]

    def rank(number: int) -> tuple[float, float, int, int]:
        case = cases[number]
        return case.dice or 0.0, -(case.hd95 or 0.0), -case.true_pixels, number

    return tuple(sorted(known, key=rank)[:MOST_WORST])


def _take_finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
