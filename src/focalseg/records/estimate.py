"""A mean with its interval, how the files hold one of Dice, and what else says how sure a figure is."""

import math
from dataclasses import dataclass
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, kw_only=True)
class Interval(CheckedConfig):
    """A mean with its 95 % interval. low, high: None where nothing bounds it, since one group tells nothing of others."""

    mean: float
    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.low is not None and self.low > self.mean) or (self.high is not None and self.high < self.mean):
            raise SettingError(f"mean was {self.mean}, from low {self.low} to high {self.high}; expected one in its interval.")

    def __str__(self) -> str:
        low, high = ("unknown" if end is None else f"{end:z.3f}" for end in (self.low, self.high))
        return f"{self.mean:z.3f} [{low}, {high}]"


def as_interval(estimate: Estimate) -> Interval:
    """The same, where an end that is not finite is none."""
    low, high = (end if math.isfinite(end) else None for end in (estimate.low, estimate.high))
    return Interval(mean=estimate.mean, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class DiceInterval(CheckedConfig):
    """A mean Dice, or a difference of two, with its 95 % interval, as the files hold it."""

    dice: float
    low: float
    high: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low <= self.dice <= self.high:
            reach = f"from low {self.low} to high {self.high}"
            raise SettingError(f"dice was {self.dice}, {reach}; expected a mean within its interval.")

    @property
    def estimate(self) -> Estimate:
        """The three as one."""
        return Estimate(mean=self.dice, low=self.low, high=self.high)


@dataclass(frozen=True, kw_only=True)
class NonInferiority(CheckedConfig):
    """Whether placed is at most margin worse than all. bound: the difference it is at least, with 97.5 % confidence.

    failing of groups: how many are lost altogether; failing_at_most: the share of groups, 0 to 1, that this cannot exclude to
    be lost. All None where nothing was counted.
    """

    of: Literal["placed"] = "placed"
    to: Literal["all"] = "all"
    margin: float = setting(at_least=0)
    bound: float
    shown: bool
    failing: int | None = setting(default=None, at_least=0)
    groups: int | None = setting(default=None, at_least=0)
    failing_at_most: float | None = setting(default=None, at_least=0, at_most=1)


@dataclass(frozen=True, kw_only=True)
class SeedNoise(CheckedConfig):
    """What the seed alone does to one arm.

    deviation: standard deviation over trainings, within a fold, of the mean score. range_of_difference: 95 % of the differences
    of two single trainings that differ in their seed alone lie within plus and minus this. Both are None for one training.
    trainings: of each fold.
    """

    deviation: float | None = setting(at_least=0)
    range_of_difference: float | None = setting(at_least=0)
    trainings: int = setting(at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("deviation", "range_of_difference"):
            if self.trainings > 1 and getattr(self, name) is None:
                raise SettingError(f"{name} was None of {self.trainings} trainings; expected a finite number.")
