"""Keep what stayed above a threshold: the spirit of the paper."""

from collections.abc import Sequence

from focalseg.placement.evidence import SiteEvidence

THRESHOLD = 1.0


def keep_by_gamma(evidence: Sequence[SiteEvidence]) -> tuple[bool, str]:
    """Keeps a site whose gamma, averaged over trainings, grew above 1, where every exponent starts.

    evidence: one record a training, of the same site. The threshold is ours: the paper's heuristic is not published in full.
    """
    gamma = sum(record.gamma for record in evidence) / len(evidence)
    if gamma > THRESHOLD:
        return True, f"its gamma grew to {gamma:.2f}, above {THRESHOLD}"
    return False, f"its gamma is {gamma:.2f}, not above {THRESHOLD}"
