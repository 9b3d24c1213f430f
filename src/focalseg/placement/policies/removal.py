"""Keep what hurts when taken away."""

from collections.abc import Sequence, Set
from statistics import fmean

from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Course, Probe, Search
from focalseg.records.evidence import Evidence, SiteEvidence
from focalseg.records.site_decision import describe_share, describe_trainings


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
    """Keeps a site whose removal costs at least 0.01 Dice, averaged over trainings, and what a training cannot do without.

    The latter are sites that stand in for one another: each alone can go at no cost, and all of them together cannot. In a
    training sites leave one by one, the least missed first, and what is left once that costs 0.01 Dice stays. Which stand-in is
    the last one is luck, and trainings differ in it; taken are those of one training, so that they are a set that served one
    network, see `_choose_typical`.

    Of the skips that would be kept, the one that costs least when nothing passes there is shut instead if that is less than
    0.01, which needs no gate; one at the most, since skips were shut one at a time.
    Ours, in the spirit of perturbation selection (arXiv 2108.04392): a magnitude need not track the worth of an operation.
    """
    evidence: tuple[Evidence, ...] = yield Probe(exponents)
    records = dict(zip(search.everywhere, zip(*(training.sites for training in evidence), strict=True), strict=True))
    alone = {name: fmean(record.removal_cost for record in own) for name, own in records.items()}
    missed = {name for name, cost in alone.items() if cost >= SMALLEST_WORTH}
    together = _choose_typical(evidence, missed)
    needed = [name for name in records if name in missed or name in together]
    closing = {name: fmean(fmean(record.shut_case_costs or (1.0,)) for record in records[name]) for name in needed}
    shut = [name for name in needed if closing[name] == min(closing.values()) < SMALLEST_WORTH][:1]
    reasons = {name: _explain_removal(alone[name], records[name], stays=name in needed) for name in records}
    reasons |= {name: f"{reasons[name]}; letting nothing pass costs {closing[name]:z.3f}" for name in shut}
    return Choice(kept=tuple(name for name in needed if name not in shut), shut=tuple(shut), reasons=reasons, evidence=evidence)


def _choose_typical(evidence: Sequence[Evidence], missed: Set[str]) -> frozenset[str]:
    """The last ones of the training that agrees most with all, by the mean Jaccard index; of equals the smaller set.

    The last ones are sites that cannot go any more when those that are missed less have gone. missed: what is kept anyway. A
    training that could do without all others, since it did not learn to use them, is no argument against one that could not: it
    is left out where that costs 0.01 Dice on average.
    """
    sets = [frozenset(one.site for one in training.sites if one.joint_cost >= SMALLEST_WORTH) for training in evidence]
    others = [[record.joint_cost for record in training.sites if record.site not in missed] for training in evidence]
    stands_in = fmean(max(costs, default=0.0) for costs in others) >= SMALLEST_WORTH
    telling = [one for one in sets if one - missed] if stands_in else sets
    return max(telling, key=lambda one: (fmean(measure_overlap(one, other) for other in telling), -len(one)))


def measure_overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index of two sets, in [0, 1]; 1 where both are empty."""
    return len(one & other) / len(one | other) if one | other else 1.0


def _explain_removal(alone: float, records: Sequence[SiteEvidence], *, stays: bool) -> str:
    """The reason of a decision. alone: mean cost of the site's removal. records: one a training, of that site."""
    each = [record.removal_cost for record in records]
    costs = f"taking it away costs {alone:z.3f} Dice{describe_trainings(each, cases=len(records[0].case_costs))}"
    if stays and alone < SMALLEST_WORTH:
        together = max(record.joint_cost for record in records)
        return f"{costs}, but {together:z.3f} with those that cost less"
    return f"{costs}{describe_share(each, SMALLEST_WORTH)}"
