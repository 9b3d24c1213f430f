"""A mean with its interval, and how the files hold one of Dice."""

import math
from dataclasses import dataclass

from focalseg.configuration import CheckedConfig
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
