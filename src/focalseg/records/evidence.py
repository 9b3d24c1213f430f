"""evidence.json: what a trained network says about each of its sites."""

from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from focalseg.errors import SettingError
from focalseg.records.record import FROM_CHECKPOINT, Record

EVIDENCE = "evidence.json"


@dataclass(frozen=True, kw_only=True)
class SiteEvidence:
    """Evidence of one training on one site. Costs are in Dice, one number per validation case; above 0 the site was of use.

    gamma: the learned exponent. spread: how much the applied coefficients vary about their mean (root mean square over cases,
    channels and space, in [0, 1]); 0 means a constant, which is no attention. case_costs: what is lost when the site is taken
    away. other_case_costs: what is lost when the site has the coefficients of another case instead, where that was tried.
    joint_case_costs: what is lost when the site goes together with all that are missed less: sites leave one by one,
    each time the one that is missed least, which shows sites that replace one another. shut_case_costs: for a skip, what is
    lost when nothing passes; else empty. open_probability: where exponents are switched at random, how often this one is on.
    """

    site: str
    gate: str
    gamma: float
    spread: float
    case_costs: tuple[float, ...]
    joint_case_costs: tuple[float, ...] = ()
    shut_case_costs: tuple[float, ...] = ()
    other_case_costs: tuple[float, ...] = ()
    open_probability: float | None = None

    def __post_init__(self) -> None:
        if not self.case_costs:
            raise SettingError("case_costs was empty; expected the cost on at least one validation case.")

    @property
    def removal_cost(self) -> float:
        """The Dice that is lost without the site, the mean over the cases."""
        return fmean(self.case_costs)

    @property
    def joint_cost(self) -> float:
        """The Dice that is lost without the site and all that went before it, the mean over the cases."""
        return fmean(self.joint_case_costs or (0.0,))


@dataclass(frozen=True, kw_only=True)
class PathPoint:
    """Where a training stood when its exponents were pressed to 0 one by one: the sites whose exponent was above 0, and its
    mean Dice on the validation cases."""

    open: tuple[str, ...]
    dice: float


@dataclass(frozen=True, kw_only=True)
class Evidence(Record):
    """Evidence of one training on all its sites, over the same cases in the same order.

    case_scores: Dice of each validation case, with every site in place. groups: for each case the group that it belongs to;
    empty: each case is a group. path: the course of a training whose exponents were pressed to 0, from all sites open to none.
    exponents: the regime that the exponents trained under, one of `placement.exponents.REGIMES`. with_object: for each case
    whether it holds any of the object; empty, as in files of earlier versions: each does. fold: that it trained on.
    """

    made_by = "a training with attention"
    again = FROM_CHECKPOINT

    sites: tuple[SiteEvidence, ...]
    case_scores: tuple[float, ...] = ()
    groups: tuple[str, ...] = ()
    path: tuple[PathPoint, ...] = ()
    exponents: str = "free"
    with_object: tuple[bool, ...] = ()
    fold: int = 0

    @property
    def counted(self) -> tuple[int, ...]:
        """The places of the cases that a decision rests on: those with an object, or all where none has one."""
        return tuple(place for place, holds in enumerate(self.with_object) if holds) or tuple(range(self.cases))

    @property
    def cases(self) -> int:
        """How many validation cases there are."""
        return len(self.sites[0].case_costs) if self.sites else len(self.case_scores)

    def take_counted(self) -> "Evidence":
        """The evidence of the cases that count alone."""
        places = self.counted
        if len(places) == self.cases:
            return self

        def take(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[place] for place in places) if len(values) == self.cases else values

        return replace(
            self,
            sites=tuple(
                replace(
                    site,
                    case_costs=take(site.case_costs),
                    joint_case_costs=take(site.joint_case_costs),
                    shut_case_costs=take(site.shut_case_costs),
                    other_case_costs=take(site.other_case_costs),
                )
                for site in self.sites
            ),
            case_scores=take(self.case_scores),
            groups=take(self.groups),
            with_object=take(self.with_object),
        )
