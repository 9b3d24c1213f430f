"""What the arms reach on each kind of case: cases that have the object, cases that lack it, small objects and large ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError

StratumName = Literal["with_object", "missed", "left_empty"]
WITH_OBJECT: StratumName = "with_object"
MISSED: StratumName = "missed"
LEFT_EMPTY: StratumName = "left_empty"
STRATA: tuple[StratumName, ...] = (WITH_OBJECT, MISSED, LEFT_EMPTY)
"""In the order that they are shown in. Of the second one, a smaller share is the better one."""
Size = Literal["small", "medium", "large"]
SIZES: tuple[Size, ...] = ("small", "medium", "large")
Endpoint = Literal["dice_with_object", "dice"]
WITH_OBJECT_DICE: Endpoint = "dice_with_object"
ALL_CASES_DICE: Endpoint = "dice"


@dataclass(frozen=True, kw_only=True)
class StratumValue(CheckedConfig):
    """A mean over the cases of a stratum with its interval. low, high: None where nothing bounds it, as of one group."""

    value: float
    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.low is not None and self.low > self.value) or (self.high is not None and self.high < self.value):
            reach = f"from low {self.low} to high {self.high}"
            raise SettingError(f"value was {self.value}, {reach}; expected one in its interval.")


@dataclass(frozen=True, kw_only=True)
class ArmStratum(StratumValue):
    """What one arm reaches on the cases of a stratum: their mean Dice, or a share of them, in [0, 1]."""

    cases: int = setting(at_least=0)


@dataclass(frozen=True, kw_only=True)
class StratumDifference(StratumValue):
    """That of one arm minus that of another, paired by case and training. holm_p: p_value, adjusted with all that the sentence
    of a job could claim."""

    cases: int = setting(0, at_least=0)
    p_value: float | None = setting(None, at_least=0, at_most=1)
    holm_p: float | None = setting(None, at_least=0, at_most=1)

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on that side of 0, else 0."""
        return (self.low is not None and self.low > 0) - (self.high is not None and self.high < 0)


@dataclass(frozen=True, kw_only=True)
class Stratum(CheckedConfig):
    """One kind of case. arms: by name. differences: by the names of two arms, as `name_pair` writes them. groups: of cases."""

    arms: Mapping[str, ArmStratum]
    differences: Mapping[str, StratumDifference] = field(default_factory=dict)
    groups: int = setting(0, at_least=0)

    @property
    def cases(self) -> int:
        """How many test cases are of the kind."""
        return max((arm.cases for arm in self.arms.values()), default=0)

    def find(self, one: str, other: str) -> StratumDifference | None:
        """That of one arm minus the other, None where it was not made."""
        return self.differences.get(name_pair(one, other))


@dataclass(frozen=True, kw_only=True)
class LabelStrata(CheckedConfig):
    """The strata of one label of several. The keys are those of `STRATA`; one that no case belongs to is not there."""

    label: str
    strata: Mapping[str, Stratum]


@dataclass(frozen=True, kw_only=True)
class SizeStratum(Stratum):
    """Dice on the third of the cases with an object whose objects are of that size. least_pixels, most_pixels: of the true
    mask, all labels together, the bounds included."""

    size: Size
    least_pixels: int = setting(at_least=0)
    most_pixels: int = setting(at_least=0)


@dataclass(frozen=True, kw_only=True)
class Tuned(Stratum):
    """The endpoint where every training is scored at the threshold that is best on its own validation cases.

    thresholds: by arm, of each training. calibration: the pairs, as `name_pair` writes them, whose difference at 0.5 is shown
    and is gone, or less than half of it is left, at these thresholds.
    """

    thresholds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    calibration: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rescue(CheckedConfig):
    """How much of a difference of the endpoint is of objects that one of two arms missed altogether.

    difference: of the endpoint, one minus other: rescued + lost + rest, exactly. rescued: what comes from objects that the
    other arm missed and the first did not (at least 0); lost: from the reverse (at most 0). rescued_objects, lost_objects: how
    many these are, of `objects`: cases times trainings, and times the labels that a case has.
    """

    one: str
    other: str
    difference: float
    rescued: float
    lost: float
    rest: float
    rescued_objects: int = setting(at_least=0)
    lost_objects: int = setting(at_least=0)
    objects: int = setting(at_least=0)

    @property
    def net(self) -> float:
        """What misses make of the difference."""
        return self.rescued + self.lost

    @property
    def share(self) -> float | None:
        """The part of the difference that misses make; None where there is none, or they pull the other way."""
        return self.net / self.difference if self.difference and self.net * self.difference >= 0 else None


def name_pair(one: str, other: str) -> str:
    """The key of a difference."""
    return f"{one} - {other}"


def list_arms(stratum: Stratum) -> Iterator[str]:
    """Every arm that a stratum names."""
    yield from stratum.arms
    for pair in stratum.differences:
        yield from pair.split(" - ")
