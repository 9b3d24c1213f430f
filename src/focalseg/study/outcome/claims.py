"""All that the sentences of a job may claim, as one family: what is compared, and the p-values adjusted for one another."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from focalseg.evaluation.significance import Comparison, Difference, compare_paired, correct_holm, measure_difference
from focalseg.records.outcome.claims import TAIL
from focalseg.records.outcome.strata import StratumName
from focalseg.records.placement import ALL, NONE, PLACED
from focalseg.study.outcome.strata import StratumScores
from focalseg.study.presets import WIDER

Pair = tuple[str, str]
CLAIMABLE: tuple[Pair, ...] = ((PLACED, NONE), (ALL, NONE), (PLACED, ALL), (PLACED, WIDER))
"""The comparisons that a sentence can claim help or harm from, where the job has these arms. Besides them, of placed minus none
or, where nothing was placed, of all minus none: the share of objects that are missed, and that of images left empty."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How intervals of differences are made. overlap: of the training groups of two folds, as `estimate_mean` has it. tail: the
    error on either side."""

    overlap: float = 0.0
    tail: float = TAIL


PLAIN_PRECISION = Precision()


@dataclass(frozen=True, kw_only=True)
class Family:
    """Holm-adjusted p-values. pairs: of the comparisons of the endpoint; strata: of those of the pair that the answer is about.
    claims: how many different ones the sentence may make."""

    pairs: Mapping[Pair, float]
    strata: Mapping[StratumName, float] = field(default_factory=dict)
    claims: int


def compare(scores: StratumScores, one: str, other: str, precision: Precision = PLAIN_PRECISION) -> Comparison:
    """One arm against another, paired by case and by training in their order."""
    pair = scores.arms[one], scores.arms[other]
    return compare_paired(*pair, scores.groups, scores.folds, overlap=precision.overlap, tail=precision.tail)


def measure(scores: StratumScores, one: str, other: str, precision: Precision = PLAIN_PRECISION) -> Difference:
    """The same without the tests that `compare_paired` makes besides, in a tenth of the time."""
    pair = scores.arms[one], scores.arms[other]
    return measure_difference(*pair, scores.groups, scores.folds, overlap=precision.overlap, tail=precision.tail)


def adjust_family(
    pairs: Mapping[Pair, Comparison], strata: Mapping[StratumName, Difference], twins: Mapping[str, str]
) -> Family:
    """Holm's adjustment of what can be claimed, `CLAIMABLE` and the strata, for one another.

    The comparisons that are listed besides are adjusted for everything. Two comparisons that are the same one, since an arm has
    a twin, count once; an arm beside itself is none.
    """
    distinct = {pair: frozenset(twins[arm] for arm in pair) for pair in pairs}
    listed: dict[object, float] = {distinct[pair]: one.p_value for pair, one in pairs.items() if len(distinct[pair]) > 1} | {
        name: one.p_value for name, one in strata.items()
    }
    claimable = {distinct[pair] for pair in CLAIMABLE if pair in pairs} | {*strata}
    family = correct_holm({key: value for key, value in listed.items() if key in claimable})
    adjusted = correct_holm(listed) | family
    return Family(
        pairs={pair: adjusted.get(arms, 1.0) for pair, arms in distinct.items()},
        strata={name: family[name] for name in strata},
        claims=len(family),
    )
