"""Whether the sites that are kept account for what attention everywhere gains."""

from focalseg.evaluation.student import student_quantile
from focalseg.placement.policies.questions import Choice
from focalseg.placement.worth import CostTable, pool_costs, weigh_costs
from focalseg.records.evidence import Evidence
from focalseg.records.outcome.claims import TAIL, TotalEffect

ENOUGH = 0.5
"""The share of the total effect that the kept sites have to cost together. A network that learned to do without its sites makes
less of them than one that always has them."""


def judge_total(gain: CostTable, joint: CostTable | None, *, price: float) -> TotalEffect:
    """The total effect with its interval, and whether it is explained. gain: all minus none on validation cases. joint: what the
    kept sites cost together in the trainings that they were chosen with; None where none is kept.

    A gain that noise could have made needs no explanation: it has to be worth the price by the rule of single sites, and all of
    its interval has to lie above 0. It is explained where the kept sites cost half of it together, or lack less of it than the
    price.
    """
    worth = weigh_costs({"total": gain}, price)["total"]
    mean = gain.mean
    reach = 0.0 if worth.exact else student_quantile(worth.freedom, TAIL) * worth.error
    kept = joint.mean if joint else 0.0
    real = worth.pays(price) and mean - reach > 0
    lacks = mean - kept > price and kept < ENOUGH * mean
    low, high = (None, None) if _is_one_case(gain) else (mean - reach, mean + reach)
    return TotalEffect(mean=mean, low=low, high=high, explained=not (real and lacks))


def pool_joint_costs(choice: Choice) -> CostTable | None:
    """What the kept sites cost together, in every training: the largest joint cost of one of them, with which all that are
    missed less are gone too. None where no site is kept."""
    if not choice.kept:
        return None
    tables = []
    for training in (one.take_counted() for one in choice.evidence):
        costs = _find_dearest(training, choice.kept)
        groups = training.groups or [f"{training.fold}/{case}" for case in range(len(costs))]
        tables.append((training.fold, costs, groups))
    return pool_costs(tables)


def _find_dearest(training: Evidence, kept: tuple[str, ...]) -> tuple[float, ...]:
    """The costs by case, joint or alone, of the kept site that has the largest mean."""
    own = [site for site in training.sites if site.site in kept]
    costs = [cost for site in own for cost in (site.case_costs, site.joint_case_costs) if cost]
    return max(costs, key=lambda values: sum(values) / len(values))


def _is_one_case(gain: CostTable) -> bool:
    """Whether nothing tells how cases differ."""
    return len(gain.by_case) == 1
