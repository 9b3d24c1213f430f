"""Complete failures: how many groups are lost altogether, and how many more might be that no case here shows."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from focalseg.evaluation.statistics import ROUNDING
from focalseg.records.estimate import Estimate

LOST = 0.5
"""Dice. A group that loses as much on average is lost: what one arm finds there the other does not."""


def count_failing(difference: np.ndarray, groups: Sequence[str]) -> int:
    """Groups whose mean of the differences (S, N), over cases and trainings, is -LOST or below."""
    _, membership = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(membership, weights=np.atleast_2d(difference).mean(axis=0))
    return int((sums / np.bincount(membership) <= -LOST).sum())


@cache
def bound_failures(failing: int, groups: int, *, tail: float = 0.025) -> float:
    """Share of groups, 0 to 1, above which so few failing ones as there are would be seen with a probability of at most tail.

    The exact one-sided upper limit of a share, 1 - tail^(1 / groups) where none fails: 12 % of 28 groups, 1 % of 368. Source:
    Clopper and Pearson 1934. Raises ValueError for failing groups that are not 0 to groups, and for no group at all.
    """
    if not 0 <= failing <= groups or groups < 1:
        raise ValueError(f"{failing} of {groups} groups fail; expected 0 to all of at least one.")
    if failing == groups:
        return 1.0
    low, high = failing / groups, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(failing, groups, middle) > tail else (low, middle)
    return high


def bound_share(estimate: Estimate, *, groups: int, unseen: float, span: tuple[float, float]) -> dict[str, Any]:
    """A mean as strata have it, `value` with `low` and `high`; of a single group these are None, since nothing bounds it.

    unseen: what so many groups cannot exclude, as a share, of something that happened in none of them, or in all. That is the
    interval where nothing varies: that no object was missed here does not mean that none will be. span: where a score can lie.
    """
    if groups == 1:
        return {"value": estimate.mean, "low": None, "high": None}
    low, high = estimate.low, estimate.high
    if high - low <= ROUNDING:
        low, high = max(estimate.mean - unseen, span[0]), min(estimate.mean + unseen, span[1])
    return {"value": estimate.mean, "low": low, "high": high}


def _at_most(failing: int, groups: int, share: float) -> float:
    """The chance of at most so many failing groups where that share of all fails, strictly between 0 and 1."""
    counts = range(failing + 1)
    logarithms = [
        math.lgamma(groups + 1)
        - math.lgamma(count + 1)
        - math.lgamma(groups - count + 1)
        + count * math.log(share)
        + (groups - count) * math.log1p(-share)
        for count in counts
    ]
    return math.fsum(math.exp(one) for one in logarithms)
