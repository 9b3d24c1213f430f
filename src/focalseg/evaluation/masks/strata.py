"""Predictions on each kind of case: those that have the object, and those that lack it."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from focalseg.evaluation.failures import bound_failures, bound_share
from focalseg.evaluation.statistics import SCORE_SPAN, estimate_mean
from focalseg.metrics.case import CaseMeasures
from focalseg.records.outcome.claims import TAIL
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, STRATA, WITH_OBJECT, ArmStratum, StratumName

Measures = Mapping[str, CaseMeasures]
"""Of one case by the name of the label."""


def summarise_strata(measures: Sequence[Measures], groups: Sequence[str]) -> dict[str, ArmStratum]:
    """The kinds that any case is of. A case that has several labels counts with the mean over those that it has; one without
    any of them was left empty where nothing was predicted at all. What empty masks score does not matter here."""
    found = {}
    for name in STRATA:
        take = _TAKE[name]
        scores = [(take(of_case), group) for of_case, group in zip(measures, groups, strict=True)]
        known = [(score, group) for score, group in scores if score is not None]
        if known:
            found[str(name)] = _average([score for score, _ in known], [group for _, group in known], share=name != WITH_OBJECT)
    return found


def summarise_labels(measures: Sequence[Measures], groups: Sequence[str]) -> dict[str, dict[str, ArmStratum]]:
    """The same of every label alone, where there are several."""
    labels = tuple(measures[0])
    if len(labels) == 1:
        return {}
    return {label: summarise_strata([{label: of_case[label]} for of_case in measures], groups) for label in labels}


def _average_dice(of_case: Measures) -> float | None:
    held = [one.dice for one in of_case.values() if one.true_pixels]
    return float(sum(held) / len(held)) if held else None


def _average_missed(of_case: Measures) -> float | None:
    held = [float(one.dice == 0) for one in of_case.values() if one.true_pixels]
    return sum(held) / len(held) if held else None


def _tell_left_empty(of_case: Measures) -> float | None:
    if any(one.true_pixels for one in of_case.values()):
        return None
    return float(not any(one.predicted_pixels for one in of_case.values()))


_TAKE: dict[StratumName, Callable[[Measures], float | None]] = {
    WITH_OBJECT: _average_dice,
    MISSED: _average_missed,
    LEFT_EMPTY: _tell_left_empty,
}


def _average(scores: Sequence[float], groups: Sequence[str], *, share: bool) -> ArmStratum:
    """The mean with its 95 % interval; of a single group it has none. Of a share that is none or all here it is what so many
    groups cannot exclude of others."""
    mean = estimate_mean(np.array([scores]), groups, span=SCORE_SPAN)
    number = len(set(groups))
    unseen = bound_failures(0, number, tail=TAIL) if share else 0.0
    bounds = bound_share(mean, groups=number, unseen=unseen, span=SCORE_SPAN)
    return ArmStratum(**bounds, cases=len(scores))
