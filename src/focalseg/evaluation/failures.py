"""Complete failures: how many groups are lost altogether, and how many more might be that no case here shows."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

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
