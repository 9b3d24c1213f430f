"""A mean with its interval, and how the files hold one of Dice."""

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
