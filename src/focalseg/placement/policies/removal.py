"""Keep what hurts when taken away."""

from collections.abc import Sequence

from focalseg.placement.evidence import SiteEvidence

SMALLEST_COST = 0.01


def keep_by_removal(evidence: Sequence[SiteEvidence]) -> tuple[bool, str]:
    """Keeps a site whose removal cost, averaged over trainings, is at least 0.01 Dice, the margin of the verdict.

    evidence: one record a training, of the same site.
    Ours, in the spirit of perturbation selection (arXiv 2108.04392): a magnitude need not track the worth of an operation.
    """
    cost = sum(record.removal_cost for record in evidence) / len(evidence)
    if cost >= SMALLEST_COST:
        return True, f"taking it away costs {cost:.3f} Dice, at least {SMALLEST_COST}"
    return False, f"taking it away costs {cost:.3f} Dice, less than {SMALLEST_COST}"
