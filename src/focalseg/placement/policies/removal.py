"""Keep what hurts when taken away."""

from collections.abc import Sequence
from statistics import fmean

from focalseg.placement.evidence import SiteEvidence
from focalseg.placement.policies.search import SMALLEST_WORTH, Choice, Search


def choose_by_removal(search: Search) -> Choice:
    """As `keep_what_hurts`, on networks that learned to do without any of their sites.

    A network that always had all of its sites leans on some that it could have done without: taking one away then asks it
    something that it never learned. With sites left out at random while it trains, what is missed is what nothing replaces.
    """
    return keep_what_hurts(search, exponents="dropout")


def choose_by_removal_from_all(search: Search) -> Choice:
    """As `keep_what_hurts`, on networks that always had all of their sites: what these lean on."""
    return keep_what_hurts(search, exponents="free")


def keep_what_hurts(search: Search, *, exponents: str) -> Choice:
    """Keeps a site whose removal costs at least 0.01 Dice, averaged over trainings, alone or after all that were missed less.

    The joint cost matters where sites stand in for one another: each alone can go at no cost, and all of them together cannot.
    A skip that is to be kept, but costs less than 0.01 when nothing passes there, is shut instead, which needs no gate.
    Ours, in the spirit of perturbation selection (arXiv 2108.04392): a magnitude need not track the worth of an operation.
    """
    evidence = tuple(search.probe(exponents))
    kept, shut, reasons = [], [], {}
    for records in zip(*(training.sites for training in evidence), strict=True):
        name = records[0].site
        needed, reasons[name] = judge_removal(records)
        closing = fmean(fmean(record.shut_case_costs or (1.0,)) for record in records)
        if needed and closing < SMALLEST_WORTH:
            shut.append(name)
            reasons[name] += f"; letting nothing pass costs {closing:z.3f}"
        elif needed:
            kept.append(name)
    return Choice(kept=tuple(kept), shut=tuple(shut), reasons=reasons, evidence=evidence)


def judge_removal(records: Sequence[SiteEvidence]) -> tuple[bool, str]:
    """Whether a site is missed, and the reason. records: one a training, of the same site."""
    alone = fmean(record.removal_cost for record in records)
    together = fmean(record.joint_cost for record in records)
    if alone >= SMALLEST_WORTH:
        return True, f"taking it away costs {alone:z.3f} Dice, at least {SMALLEST_WORTH}"
    if together >= SMALLEST_WORTH:
        return True, f"taking it away costs {alone:z.3f} Dice, but {together:z.3f} with those that cost less"
    return False, f"taking it away costs {alone:z.3f} Dice, less than {SMALLEST_WORTH}"
