"""Whether the sites that are kept account for what attention everywhere gains."""

from typing import Any

import numpy as np

from focalseg.evaluation.statistics import DIFFERENCE_SPAN, estimate_mean
from focalseg.placement.policies.questions import Choice
from focalseg.placement.worth import CostTable, pool_costs
from focalseg.records.evidence import Evidence
from focalseg.records.outcome.claims import TotalEffect

ENOUGH = 0.5
"""The share of the total effect that the kept sites have to cost together. A network that learned to do without its sites makes
less of them than one that always has them."""

STRICT = 0.005
"""The error, on either side, with which a total effect is told from none."""


def judge_total(gain: CostTable, joint: CostTable | None, *, price: float, overlap: float = 0.0) -> TotalEffect:
    """The total effect with its 95 % interval, and whether it is explained. gain: all minus none on validation cases.

    joint: what the kept sites cost together in the trainings that they were chosen with; None where none is kept. overlap: of
    the training groups of two folds, as in `estimate_mean`.

    A gain that noise could have made needs no explanation: it has to be worth the price, and its 99 % interval to lie above 0.
    That is more than is asked of a comparison on test cases, since it is a claim besides all of theirs. It is explained where
    the kept sites cost half of it together, or lack less of it than the price.
    """
    cases = gain.cases
    names = [name for groups in gain.groups for name in groups]
    of_fold = [number for number, table in enumerate(gain.folds) for _ in range(table.shape[1])]
    trainings = min(len(table) for table in gain.folds)
    even = all(len(table) == trainings for table in gain.folds)
    scores = np.concatenate(gain.folds, axis=1) if even else gain.by_case[np.newaxis]
    told: dict[str, Any] = {"folds": of_fold, "span": DIFFERENCE_SPAN, "overlap": overlap}
    shown = estimate_mean(scores, names, **told)
    strict = estimate_mean(scores, names, **told, tail=STRICT) if cases > 1 else shown
    kept = joint.mean if joint else 0.0
    real = shown.mean >= price and strict.low > 0
    lacks = shown.mean - kept > price and kept < ENOUGH * shown.mean
    return TotalEffect(mean=shown.mean, low=shown.low, high=shown.high, explained=not (real and lacks))


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
