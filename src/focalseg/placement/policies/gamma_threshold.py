"""Keep what stayed above a threshold: our reading of the paper, whose rule is not known."""

from statistics import fmean

from focalseg.placement.policies.questions import Choice, Course, Probe, Search
from focalseg.records.evidence import Evidence
from focalseg.records.site_decision import describe_trainings

THRESHOLD = 1.0


def choose_by_gamma(search: Search) -> Course:
    """Keeps a site whose gamma, averaged over trainings, grew above 1, where every exponent starts.

    The threshold is ours: the paper's heuristic is not published in full.
    """
    evidence: tuple[Evidence, ...] = yield Probe("free")
    kept, reasons = [], {}
    for number, name in enumerate(search.everywhere):
        gammas = [training.sites[number].gamma for training in evidence]
        gamma, each = fmean(gammas), describe_trainings(gammas, places=2)
        if gamma > THRESHOLD:
            kept.append(name)
            reasons[name] = f"its gamma grew to {gamma:.2f}{each}, above {THRESHOLD}"
        else:
            reasons[name] = f"its gamma is {gamma:.2f}{each}, not above {THRESHOLD}"
    return Choice(kept=tuple(kept), reasons=reasons, evidence=evidence)
