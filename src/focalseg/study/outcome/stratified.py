"""The arms on each kind of case, as placement.json has them: strata, labels, sizes, tuned thresholds, and rescue."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from focalseg.evaluation.failures import bound_failures, bound_share
from focalseg.evaluation.significance import Difference
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, SCORE_SPAN, estimate_mean
from focalseg.evaluation.verdict import decide_sign
from focalseg.records.estimate import Estimate
from focalseg.records.outcome.claims import TAIL
from focalseg.records.outcome.strata import (
    STRATA,
    WITH_OBJECT,
    ArmStratum,
    LabelStrata,
    Rescue,
    SizeStratum,
    Stratum,
    StratumDifference,
    StratumName,
    Tuned,
    name_pair,
)
from focalseg.study.outcome.claims import Family, Pair, Precision, measure
from focalseg.study.outcome.strata import CaseTable, StratumScores


def record_strata(
    table: CaseTable, pairs: Sequence[Pair], precision: Precision, *, family: Family | None = None, asked: Pair | None = None
) -> dict[str, Stratum]:
    """The strata that any case belongs to. family, asked: the adjusted p-values, and the pair whose strata are among them."""
    found: dict[str, Stratum] = {}
    for name in STRATA:
        scores = table.score(name)
        if scores.cases:
            holm = _list_holm(name, family, asked) if family else {}
            found[name] = _record_stratum(scores, pairs, precision, holm=holm)
    return found


def _list_holm(name: StratumName, family: Family, asked: Pair | None) -> Mapping[Pair, float]:
    """The adjusted p-values of a stratum; Dice with the object is the endpoint itself."""
    if name == WITH_OBJECT:
        return family.pairs
    return {asked: family.strata[name]} if asked and name in family.strata else {}


def _record_stratum(
    scores: StratumScores, pairs: Iterable[Pair], precision: Precision, *, holm: Mapping[Pair, float] | None = None
) -> Stratum:
    """One stratum: every arm with its 95 % interval, and the differences with those of `precision`."""
    groups = len(set(scores.groups))
    unseen = bound_failures(0, groups, tail=TAIL) if scores.share else 0.0
    arms = {}
    for name, values in scores.arms.items():
        told: dict[str, Any] = {"folds": scores.folds, "span": SCORE_SPAN, "overlap": precision.overlap}
        mean = estimate_mean(values, scores.groups, **told)
        bounds = bound_share(mean, groups=groups, unseen=unseen, span=SCORE_SPAN)
        arms[name] = ArmStratum(**bounds, cases=scores.cases)
    differences = {}
    for pair in pairs:
        found, same = measure(scores, *pair, precision), len({scores.twins.get(arm, arm) for arm in pair}) == 1
        bounds = bound_share(found.estimate, groups=groups, unseen=0.0 if same else unseen, span=DIFFERENCE_SPAN)
        differences[name_pair(*pair)] = StratumDifference(
            **bounds,
            cases=scores.cases,
            p_value=found.p_value,
            holm_p=(holm or {}).get(pair),
        )
    return Stratum(arms=arms, differences=differences, groups=groups)


def record_labels(table: CaseTable, pairs: Sequence[Pair], precision: Precision) -> tuple[LabelStrata, ...]:
    """The strata of every label, where there are several."""
    if len(table.labels) < 2:
        return ()
    return tuple(
        LabelStrata(label=label, strata=record_strata(table.of_label(label), pairs, precision)) for label in table.labels
    )


def record_sizes(table: CaseTable, pairs: Sequence[Pair], precision: Precision) -> tuple[SizeStratum, ...]:
    """Dice by thirds of the cases that have the object, from small to large objects."""
    return tuple(
        SizeStratum(**vars(_record_stratum(scores, pairs, precision)), size=size, least_pixels=least, most_pixels=most)
        for size, (scores, least, most) in table.split_sizes().items()
    )


def record_tuned(
    tuned: CaseTable | None,
    pairs: Sequence[Pair],
    precision: Precision,
    *,
    at_half: Mapping[Pair, Difference],
    thresholds: Mapping[str, tuple[float, ...]],
) -> Tuned | None:
    """The endpoint at tuned thresholds; None where some training has none. at_half: the differences at 0.5."""
    if tuned is None:
        return None
    scores = tuned.score_endpoint()
    tuned_pairs = {pair: measure(scores, *pair, precision).estimate for pair in pairs}
    gone = [name_pair(*pair) for pair, estimate in tuned_pairs.items() if is_calibration(at_half[pair].estimate, estimate)]
    return Tuned(**vars(_record_stratum(scores, pairs, precision)), thresholds=dict(thresholds), calibration=tuple(gone))


def is_calibration(at_half: Estimate, tuned: Estimate) -> bool:
    """Whether a difference that is shown at 0.5 is not shown at tuned thresholds, or less than half of it is left."""
    sign = decide_sign(at_half)
    return sign != 0 and (decide_sign(tuned) != sign or tuned.mean * sign < abs(at_half.mean) / 2)


def measure_rescue(table: CaseTable, one: str, other: str) -> Rescue:
    """How much of the difference of the endpoint is of objects that one arm of the two missed and the other did not.

    Every label that a case has is one object; the paired trainings score it, and its difference weighs as it does in the mean.
    """
    present = table.true_pixels > 0
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    first, second = table.dice[one], table.dice[other]
    weight = present / count / max(len(first) * int(table.holds.sum()), 1)
    change = (first - second) * weight
    found, missed = (first > 0) & present, (first == 0) & present
    rescued, lost = found & (second == 0), missed & (second > 0)
    parts = float(change[rescued].sum()), float(change[lost].sum()), float(change[~(rescued | lost)].sum())
    return Rescue(
        one=one,
        other=other,
        difference=sum(parts),
        rescued=parts[0],
        lost=parts[1],
        rest=parts[2],
        rescued_objects=int(rescued.sum()),
        lost_objects=int(lost.sum()),
        objects=int(present.sum()) * len(first),
    )


def is_varied(scores: StratumScores, pair: Pair) -> bool:
    """Whether the two arms' scores of a stratum are not all the same one, of which nothing can be shown."""
    both = np.stack([scores.arms[arm] for arm in pair])
    return bool(both.size) and bool(both.min() != both.max())
