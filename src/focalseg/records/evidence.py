"""evidence.json: what a trained network says about each of its sites."""

from dataclasses import dataclass
from statistics import fmean

from focalseg.errors import SettingError
from focalseg.records.record import FROM_CHECKPOINT, Record

EVIDENCE = "evidence.json"


@dataclass(frozen=True, kw_only=True)
class SiteEvidence:
    """Evidence of one training on one site. Costs are in Dice, one number per validation case; above 0 the site was of use.

    gamma: the learned exponent. spread: how much the applied coefficients vary about their mean (root mean square over cases,
    channels and space, in [0, 1]); 0 means a constant, which is no attention. case_costs: what is lost when the site is taken
    away. joint_case_costs: what is lost when the site goes together with all that are missed less: sites leave one by one,
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
    exponents: the regime that the exponents trained under, one of `placement.exponents.REGIMES`.
    """

    made_by = "a training with attention"
    again = FROM_CHECKPOINT

    sites: tuple[SiteEvidence, ...]
    case_scores: tuple[float, ...] = ()
    groups: tuple[str, ...] = ()
    path: tuple[PathPoint, ...] = ()
    exponents: str = "free"
