"""Keep what hurts when taken away."""

from collections.abc import Callable, Mapping, Sequence, Set
from statistics import fmean

from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Course, Probe, Search
from focalseg.placement.worth import CostTable, Worth, find_chance_below, find_errors, pool_costs, weigh_costs
from focalseg.records.evidence import Evidence, SiteEvidence
from focalseg.records.site_decision import describe_share, describe_trainings

SURE_TO_SHUT = 0.95
"""The chance that shutting a skip costs less than the price of a module, from which on it is shut."""
STAND_INS_NULL_WEIGHT = 8.0
"""As `NULL_WEIGHT`, for what several sites cost together: that is the largest of several costs, so that noise makes it more
often. Where sites do stand in for one another, they cost many times as much."""
_TOGETHER = "the others together"
"""What all sites that are not missed by themselves cost together; no site has such a name."""


def choose_by_removal(search: Search) -> Course:
    """As `_keep_what_hurts`, on networks that learned to do without any of their sites.

    A network that always had all of its sites leans on some that it could have done without: taking one away then asks it
    something that it never learned. With sites left out at random while it trains, what is missed is what nothing replaces.
    """
    return _keep_what_hurts(search, exponents="dropout")


def choose_by_removal_from_all(search: Search) -> Course:
    """As `_keep_what_hurts`, on networks that always had all of their sites: what these lean on."""
    return _keep_what_hurts(search, exponents="free")


def _keep_what_hurts(search: Search, *, exponents: str) -> Course:
    """Keeps a site that is expected to be worth 0.01 Dice, and what a training cannot do without.

    What a site is worth is what its removal costs, shrunk by its noise (`weigh_costs`): a cost that stands out from those of
    the other sites and from chance stays as it is, others come to nothing.

    What a training cannot do without are sites that stand in for one another: each alone can go at no cost, and all of them
    together cannot. In a training sites leave one by one, the least missed first, and what is left once that costs 0.01 Dice
    stays, if what all of these cost together is worth that by the same rule. Which stand-in is the last one is luck, and
    trainings differ in it; taken are those of one training, so that they are a set that served one network, see
    `_choose_typical`.

    Of the skips that would be kept, the one that costs least when nothing passes there is shut instead if that is surely less
    than 0.01, which needs no gate; one at the most, since skips were shut one at a time.
    Ours, in the spirit of perturbation selection (arXiv 2108.04392): a magnitude need not track the worth of an operation.
    """
    evidence: tuple[Evidence, ...] = yield Probe(exponents)
    counted = [training.take_counted() for training in evidence]
    places = {name: number for number, name in enumerate(search.everywhere)}
    costs = {name: _pool(counted, _read_alone(place)) for name, place in places.items()}
    worth = weigh_costs(costs, SMALLEST_WORTH)
    missed = {name for name, found in worth.items() if found.pays(SMALLEST_WORTH)}
    together = _choose_typical(counted, missed) if _need_one_more(counted, costs, missed) else frozenset()
    needed = [name for name in places if name in missed or name in together]
    shut = _choose_shut(counted, needed, places)
    reasons = {
        name: _explain_removal(worth[name], costs[name], [one.sites[place] for one in counted], stays=name in needed)
        for name, place in places.items()
    }
    reasons |= {name: f"{reasons[name]}; letting nothing pass costs {cost:z.3f}" for name, cost in shut.items()}
    return Choice(kept=tuple(name for name in needed if name not in shut), shut=tuple(shut), reasons=reasons, evidence=evidence)


def _read_alone(place: int) -> Callable[[Evidence], Sequence[float]]:
    return lambda training: training.sites[place].case_costs


def _pool(evidence: Sequence[Evidence], read: Callable[[Evidence], Sequence[float]]) -> CostTable:
    """One cost of all trainings. Cases without a group are a group each, of their fold."""
    tables = []
    for training in evidence:
        values = read(training)
        tables.append((training.fold, values, training.groups or [f"{training.fold}/{case}" for case in range(len(values))]))
    return pool_costs(tables)


def _find_last(training: Evidence, missed: Set[str]) -> SiteEvidence | None:
    """Of the sites that are not missed by themselves, the one that costs most together with those that went before it."""
    left = [site for site in training.sites if site.site not in missed and site.joint_case_costs]
    return max(left, key=lambda site: site.joint_cost, default=None)


def _need_one_more(evidence: Sequence[Evidence], costs: Mapping[str, CostTable], missed: Set[str]) -> bool:
    """Whether the sites that are not missed by themselves are worth a module together, by the same rule as each of them."""
    if any(_find_last(training, missed) is None for training in evidence):
        return False

    def read(training: Evidence) -> Sequence[float]:
        last = _find_last(training, missed)
        return last.joint_case_costs if last else ()

    together = _pool(evidence, read)
    if together.mean < SMALLEST_WORTH:  # shrinkage makes no cost larger
        return False
    found = weigh_costs({**costs, _TOGETHER: together}, SMALLEST_WORTH, null_weight=STAND_INS_NULL_WEIGHT)
    return found[_TOGETHER].pays(SMALLEST_WORTH)


def _choose_typical(evidence: Sequence[Evidence], missed: Set[str]) -> frozenset[str]:
    """The last ones of the training that agrees most with all, by the mean Jaccard index; of equals the smaller set.

    The last ones are sites that cannot go any more when those that are missed less have gone. missed: what is kept anyway. A
    training that could do without all others, since it did not learn to use them, is no argument against one that could not: it
    is left out.
    """
    sets = [frozenset(one.site for one in training.sites if one.joint_cost >= SMALLEST_WORTH) for training in evidence]
    telling = [one for one in sets if one - missed]
    if not telling:
        return frozenset()
    return max(telling, key=lambda one: (fmean(measure_overlap(one, other) for other in telling), -len(one)))


def measure_overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index of two sets, in [0, 1]; 1 where both are empty."""
    return len(one & other) / len(one | other) if one | other else 1.0


def _choose_shut(evidence: Sequence[Evidence], needed: Sequence[str], places: Mapping[str, int]) -> dict[str, float]:
    """The skip that is shut, with what that costs; none where it is not sure to cost less than a module is worth.

    The chance is that of the cost as measured: shrinkage would take an uncertain cost for none, and shut what may be needed.
    """
    closing = {
        name: _pool(evidence, _read_shut(places[name]))
        for name in needed
        if all(training.sites[places[name]].shut_case_costs for training in evidence)
    }
    if not closing:
        return {}
    errors = find_errors(closing)
    cheapest = min(closing, key=lambda name: closing[name].mean)
    cost = closing[cheapest].mean
    sure = find_chance_below(cost, *errors[cheapest], bound=SMALLEST_WORTH) >= SURE_TO_SHUT
    return {cheapest: cost} if sure else {}


def _read_shut(place: int) -> Callable[[Evidence], Sequence[float]]:
    return lambda training: training.sites[place].shut_case_costs


def _explain_removal(worth: Worth, table: CostTable, records: Sequence[SiteEvidence], *, stays: bool) -> str:
    """The reason of a decision. worth: what the removal costs of the table come to. records: one a training, of that site."""
    each = [record.removal_cost for record in records]
    costs = f"taking it away costs {worth.measured:z.3f} Dice{describe_trainings(each, cases=table.cases)}"
    if worth.exact and (worth.pays(SMALLEST_WORTH) or not stays):
        return f"{costs}{describe_share(each, SMALLEST_WORTH)}"
    expected = f"it is expected to be worth {worth.expected:z.3f} ({worth.low:z.3f} to {worth.high:z.3f})"
    if worth.pays(SMALLEST_WORTH):
        return f"{costs}; {expected}, at least {SMALLEST_WORTH}"
    if stays:
        together = max(record.joint_cost for record in records)
        return f"{costs}, but {together:z.3f} with those that cost less"
    if worth.expected >= SMALLEST_WORTH:
        return f"{costs}; {expected}, more likely less than {SMALLEST_WORTH}"
    return f"{costs}; {expected}, less than {SMALLEST_WORTH}"
