"""Keep what stays switched on when being on has a price: L0 regularisation with hard concrete gates."""

from statistics import fmean

from focalseg.placement.policies.questions import Choice, Course, Probe, Search
from focalseg.records.evidence import Evidence

MORE_OFTEN_THAN_NOT = 0.5


def choose_by_hard_concrete(search: Search) -> Course:
    """Keeps a site whose switch is on more often than off, averaged over trainings. Source: Louizos et al. 2018."""
    evidence: tuple[Evidence, ...] = yield Probe("hard_concrete")
    kept, reasons = [], {}
    for number, name in enumerate(search.everywhere):
        probability = fmean(training.sites[number].open_probability or 0.0 for training in evidence)
        reasons[name] = f"it stayed on with probability {probability:.2f}"
        if probability > MORE_OFTEN_THAN_NOT:
            kept.append(name)
    return Choice(kept=tuple(kept), reasons=reasons, evidence=evidence)
