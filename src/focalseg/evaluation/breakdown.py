"""What a difference is made of: misses and false alarms, calibration, the folds that placed nothing, and its price."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from focalseg.records.estimate import Estimate
from focalseg.records.outcome.claims import TotalEffect
from focalseg.records.outcome.strata import Rescue

TELLING_RESCUE = 0.1
"""The part of a difference from which on it is said how much of it comes from objects that were missed."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """A share of cases, in [0, 1], with attention and without. sign: 1 where it is shown to be larger with attention, -1 where
    it is shown to be smaller, 0 where nothing is shown."""

    attended: float
    plain: float
    sign: int


@dataclass(frozen=True, kw_only=True)
class Price:
    """What the placed network costs, as multiples of what the plain one does. seconds: of a training step; None where they were
    not measured."""

    parameters: float
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """What stands behind the difference that the answer is about: placed minus none or, where nothing was placed, all minus
    none.

    thing: what the object is called. some_lack_it, none_has_it: of the test cases; the endpoint is Dice of those that have it,
    or of all where none does. over_all: the difference of the mean Dice over all cases. missed, left_empty: of cases with the
    object, and of those without. tuned: the difference at tuned thresholds, where the one at 0.5 is largely gone there.
    where_placed: the difference over the folds that placed something, empty_folds: how many placed nothing. total: what
    all attention did on validation cases. sites: the kind of gate by site, of what is kept; alike: whether every fold kept the
    same.
    """

    thing: str = "object"
    some_lack_it: bool = False
    none_has_it: bool = False
    over_all: Estimate | None = None
    missed: Shares | None = None
    left_empty: Shares | None = None
    rescue: Rescue | None = None
    tuned: Estimate | None = None
    where_placed: Estimate | None = None
    empty_folds: int = 0
    total: TotalEffect | None = None
    sites: Mapping[str, str] = field(default_factory=dict)
    alike: bool = True
    price: Price | None = None

    @property
    def telling_rescue(self) -> float | None:
        """The part of the difference that is of missed objects, where that is much."""
        share = self.rescue.share if self.rescue else None
        return share if share is not None and share >= TELLING_RESCUE else None

    @property
    def unexplained(self) -> TotalEffect | None:
        """What all attention gains on validation cases, where that is shown and the kept sites do not account for it."""
        total = self.total
        return total if total and not total.explained and total.low is not None and total.low > 0 else None


NO_BREAKDOWN = Breakdown()
