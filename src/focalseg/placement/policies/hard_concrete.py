"""Keep what stays switched on when being on has a price: L0 regularisation with hard concrete gates."""

from statistics import fmean

from focalseg.placement.policies.search import Choice, Search

MORE_OFTEN_THAN_NOT = 0.5


def choose_by_hard_concrete(search: Search) -> Choice:
    """Keeps a site whose switch is on more often than off, averaged over trainings. Source: Louizos et al. 2018."""
    evidence = tuple(search.probe("hard_concrete"))
    kept, reasons = [], {}
    for records in zip(*(training.sites for training in evidence), strict=True):
        name, probability = records[0].site, fmean(record.open_probability or 0.0 for record in records)
        reasons[name] = f"it stayed on with probability {probability:.2f}"
        if probability > MORE_OFTEN_THAN_NOT:
            kept.append(name)
    return Choice(kept=tuple(kept), reasons=reasons, evidence=evidence)
