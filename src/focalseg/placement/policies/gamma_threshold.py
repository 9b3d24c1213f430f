"""Keep what stayed above a threshold: the spirit of the paper."""

from statistics import fmean

from focalseg.placement.policies.search import Choice, Search

THRESHOLD = 1.0


def choose_by_gamma(search: Search) -> Choice:
    """Keeps a site whose gamma, averaged over trainings, grew above 1, where every exponent starts.

    The threshold is ours: the paper's heuristic is not published in full.
    """
    evidence = tuple(search.probe("free"))
    kept, reasons = [], {}
    for records in zip(*(training.sites for training in evidence), strict=True):
        name, gamma = records[0].site, fmean(record.gamma for record in records)
        if gamma > THRESHOLD:
            kept.append(name)
            reasons[name] = f"its gamma grew to {gamma:.2f}, above {THRESHOLD}"
        else:
            reasons[name] = f"its gamma is {gamma:.2f}, not above {THRESHOLD}"
    return Choice(kept=tuple(kept), reasons=reasons, evidence=evidence)
