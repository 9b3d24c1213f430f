"""What was decided on a site, on which evidence, and how that is said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from focalseg.configuration import CheckedConfig
from focalseg.errors import SettingError
from focalseg.findings import counted
from focalseg.records.estimate import Estimate

MOST_LISTED = 4
"""Trainings whose values are listed one by one."""
_ROUNDING = 1e-9
"""By so much a mean of several numbers may lie outside the mean of their bounds."""


@dataclass(frozen=True, kw_only=True)
class SiteDecision(CheckedConfig):
    """What was decided on one site, on which evidence, averaged over trainings, and why.

    removal_cost: Dice lost without it; removal_low, removal_high: its 95 % interval of new validation cases for these very
    trainings, which are mostly two and tell too little of other trainings for an interval. removal_costs: the cost in each
    training, on removal_cases validation cases, with that training's interval of new cases from removal_lows to removal_highs.
    joint_cost: without it and all that were missed less. None or empty: the file was written before these were measured, and
    where removal_cases is empty the interval is another, over trainings as well. shut: a skip where nothing passes, which is no
    module. why: empty where nobody decided, since attention was given.
    """

    site: str
    gate: str
    gamma: float
    removal_cost: float
    spread: float
    kept: bool
    why: str
    removal_low: float | None = None
    removal_high: float | None = None
    joint_cost: float | None = None
    shut: bool = False
    removal_costs: tuple[float, ...] = ()
    removal_lows: tuple[float, ...] = ()
    removal_highs: tuple[float, ...] = ()
    removal_cases: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kept and self.shut:
            raise SettingError("shut was True, and kept too; expected one of the two.")
        for name in ("removal_lows", "removal_highs", "removal_cases"):
            if (count := len(getattr(self, name))) not in (0, len(self.removal_costs)):
                raise SettingError(f"{name} has {count} numbers; expected {len(self.removal_costs)}, as removal_costs has.")
        low, high = self.removal_low, self.removal_high
        if (low, high) == (None, None):
            return
        if low is None or high is None or not low - _ROUNDING <= self.removal_cost <= high + _ROUNDING:
            reach = f"from removal_low {low} to removal_high {high}"
            raise SettingError(f"removal_cost was {self.removal_cost}, {reach}; expected a mean within its interval.")

    @property
    def removal(self) -> Estimate | None:
        """The cost of removal with its interval, None where it has none."""
        if self.removal_low is None or self.removal_high is None:
            return None
        return Estimate(mean=self.removal_cost, low=self.removal_low, high=self.removal_high)

    @property
    def each_removal(self) -> tuple[Estimate, ...]:
        """The cost of removal in each training with its interval of new cases; none where that was not written down."""
        if not self.removal_lows or not self.removal_highs:
            return ()
        three = zip(self.removal_costs, self.removal_lows, self.removal_highs, strict=True)
        return tuple(Estimate(mean=cost, low=min(low, cost), high=max(high, cost)) for cost, low, high in three)

    @property
    def decision(self) -> Literal["kept", "dropped", "shut"]:
        """In a word."""
        return "shut" if self.shut else "kept" if self.kept else "dropped"


def describe_trainings(values: Sequence[float], *, places: int = 3, cases: int = 0) -> str:
    """What a mean rests on: ` (0.212 and 0.220 in 2 trainings, 40 validation cases)`, of many trainings the least and the
    largest. cases: how many each was measured on, 0 where that is not to be said; then nothing is said of a single training."""
    if len(values) < 2 and not cases:
        return ""
    *rest, last = [f"{value:z.{places}f}" for value in values]
    told = f"{', '.join(rest)} and {last} in "
    if len(values) > MOST_LISTED:
        told = f"{min(values):z.{places}f} to {max(values):z.{places}f} in "
    measured = f", {counted(cases, 'validation case')}" if cases else ""
    return f" ({told if rest else ''}{counted(len(values), 'training')}{measured})"


def omit_trainings(text: str) -> str:
    """A reason without what `describe_trainings` put into it of a removal cost, for who shows that beside it."""
    return re.sub(r" \([^()]*\btrainings?, \d+ validation cases?\)", "", text, count=1)


def describe_share(values: Sequence[float], least: float) -> str:
    """Whether the mean of these reaches the least, and in how many trainings the same holds: `, at least 0.01 in both`, or
    `, less than 0.01 on average, though not in 1 of 2`; of one training the first three words."""
    reached, trainings = sum(value >= least for value in values), len(values)
    enough = fmean(values) >= least
    verdict = f", at least {least}" if enough else f", less than {least}"
    agreeing = reached if enough else trainings - reached
    if trainings == 1:
        return verdict
    if agreeing == trainings:
        return f"{verdict} in {'both' if trainings == 2 else 'all'}"
    return f"{verdict} on average, though not in {trainings - agreeing} of {trainings}"
