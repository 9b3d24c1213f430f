"""What removal costs, as small drawings in a table: the mean as a bar, every training with its own interval on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from focalseg.evaluation.statistics import DIFFERENCE_SPAN
from focalseg.placement.policies.questions import SMALLEST_WORTH
from focalseg.records.estimate import Estimate
from focalseg.records.site_decision import MOST_LISTED, SiteDecision, omit_trainings
from focalseg.report.placement.intervals import Axis, Bar, cost_axis
from focalseg.report.wording import each_training, signed

WIDTH, ROW, PITCH = 160.0, 22.0, 14.0
"""Of a drawing in its units: across, its least height, and from one training to the next."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training in the drawing of a site. y: its height. bar: None where its interval is unknown; the dot then stands at x."""

    x: float
    y: float
    bar: Bar | None


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What the removal of a site costs. height: of its drawing. bar: the mean; its ends are an interval in an old file alone.

    lines: what is known of each training, in text. reached: in how many of them the cost is at least that worth keeping a site.
    why: the reason without what these columns say.
    """

    bar: Bar
    height: float
    trainings: tuple[Training, ...]
    lines: tuple[str, ...]
    reached: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Removals:
    """What removal costs, site by site, on one axis. cases: on how many validation cases, empty where nobody knows. least: the
    cost that a site has to have."""

    axis: Axis
    sites: Mapping[str, Removal]
    cases: str
    least: float = SMALLEST_WORTH


def draw_removals(decisions: Sequence[SiteDecision]) -> Removals:
    """The drawings of all sites."""
    axis = cost_axis([reach for decision in decisions for reach in _list_reaches(decision)], width=WIDTH)
    counts = {count for decision in decisions for count in decision.removal_cases}
    ends = sorted({min(counts), max(counts)}) if counts else []
    return Removals(
        axis=axis,
        sites={decision.site: _draw_removal(decision, axis) for decision in decisions},
        cases=" to ".join(map(str, ends)),
    )


def _draw_removal(decision: SiteDecision, axis: Axis) -> Removal:
    each = _list_trainings(decision)
    own = len(each) <= MOST_LISTED and any(_tells(one) for one in each)  # a line each; of many, rings on one line
    height = max(ROW, PITCH * len(each) + 6) if own else ROW
    middle = height / 2
    trainings = tuple(
        Training(
            x=axis.place(one.mean),
            y=middle + PITCH * (number - (len(each) - 1) / 2) if own else middle,
            bar=axis.bar(one) if own and _tells(one) else None,
        )
        for number, one in enumerate(each)
    )
    interval = decision.removal if not each else None
    costs = decision.removal_costs
    return Removal(
        bar=axis.bar(interval or Estimate(mean=decision.removal_cost, low=decision.removal_cost, high=decision.removal_cost)),
        height=height,
        trainings=trainings,
        lines=tuple(map(_describe, each)) if own else (each_training(costs),) if costs else (),
        reached=f"{sum(cost >= SMALLEST_WORTH for cost in costs)} of {len(costs)}",
        why=omit_trainings(decision.why) if costs else decision.why,
    )


def _list_trainings(decision: SiteDecision) -> tuple[Estimate, ...]:
    """The cost in each training; one whose interval nobody wrote down has none of any width."""
    return decision.each_removal or tuple(Estimate(mean=cost, low=cost, high=cost) for cost in decision.removal_costs)


def _list_reaches(decision: SiteDecision) -> list[Estimate]:
    """All that the axis has to hold of a site."""
    each = _list_trainings(decision)
    cost = Estimate(mean=decision.removal_cost, low=decision.removal_cost, high=decision.removal_cost)
    if not each:
        return [decision.removal or cost]
    ends = [one if _tells(one) and len(each) <= MOST_LISTED else _shrink(one) for one in each]
    return [cost, *ends]


def _shrink(one: Estimate) -> Estimate:
    return Estimate(mean=one.mean, low=one.mean, high=one.mean)


def _tells(one: Estimate) -> bool:
    """Whether an interval says anything: one of a single group of cases spans the scale."""
    return one.low < one.high and not (one.low <= DIFFERENCE_SPAN[0] and one.high >= DIFFERENCE_SPAN[1])


def _describe(one: Estimate) -> str:
    return f"{signed(one.mean)} [{signed(one.low)}, {signed(one.high)}]" if _tells(one) else signed(one.mean)
