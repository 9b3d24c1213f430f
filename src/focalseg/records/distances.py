"""Distances between predicted and true surfaces among the scores of a job: of its arms, and what these differ by."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.records.estimate import Interval

Unit = Literal["mm", "pixels"]
DistanceScore = Literal["nsd", "hd95", "assd"]
DISTANCE_SCORES: tuple[DistanceScore, ...] = ("nsd", "hd95", "assd")
"""Surface Dice, the 95th percentile of the distances, and their mean, as focalseg.metrics has them."""


@dataclass(frozen=True, kw_only=True)
class DistanceSummary(CheckedConfig):
    """Means over all test cases and trainings of an arm, each with its 95 % interval.

    nsd: the share of both surfaces that lies within `tolerance` of the other, in [0, 1], higher is better. hd95, assd: in
    `unit`, lower is better; where one of the two masks is empty, the diagonal of the image, where both are, 0. The arm counts
    how often that was. tolerance: in `unit`.
    """

    nsd: Interval
    hd95: Interval
    assd: Interval
    tolerance: float = setting(at_least=0)
    unit: Unit

    @property
    def reach(self) -> str:
        """The tolerance with its unit: 2 mm, 1 pixel."""
        return f"{self.tolerance:g} {self.unit.removesuffix('s') if self.tolerance == 1 else self.unit}"

    def __str__(self) -> str:
        told = f"NSD {self.nsd} at a tolerance of {self.reach}"
        return f"{told}, HD95 {self.hd95} {self.unit}, ASSD {self.assd} {self.unit}"

    def list_scores(self) -> Iterator[tuple[DistanceScore, Interval]]:
        """Every score by its name."""
        for name in DISTANCE_SCORES:
            yield name, getattr(self, name)


@dataclass(frozen=True, kw_only=True)
class DistanceDifference(Interval):
    """A score of one arm minus that of another, paired as their Dice is: a secondary finding, which no verdict rests on.

    p_value: not adjusted for the others.
    """

    one: str
    other: str
    score: DistanceScore
    p_value: float = setting(at_least=0, at_most=1)
