"""Keep what hurts when taken away."""

from collections.abc import Sequence

from focalseg.placement.evidence import SiteEvidence

SMALLEST_COST = 0.01


def keep_by_removal(evidence: Sequence[SiteEvidence]) -> tuple[bool, str]:
    """Keeps a site whose removal costs at least 0.01 Dice, averaged over trainings, alone or with all sites that cost less.

    evidence: one record a training, of the same site. The joint cost matters where sites stand in for one another: each
    alone can go at no cost, and all of them together cannot.
    Ours, in the spirit of perturbation selection (arXiv 2108.04392): a magnitude need not track the worth of an operation.
    """
    alone = sum(record.removal_cost for record in evidence) / len(evidence)
    together = sum(record.joint_cost for record in evidence) / len(evidence)
    if alone >= SMALLEST_COST:
        return True, f"taking it away costs {alone:z.3f} Dice, at least {SMALLEST_COST}"
    if together >= SMALLEST_COST:
        return True, f"taking it away costs {alone:z.3f} Dice, but {together:z.3f} with those that cost less"
    return False, f"taking it away costs {alone:z.3f} Dice, less than {SMALLEST_COST}"
