"""Keep nothing: the plain network."""

from focalseg.placement.policies.search import Choice, Search


def choose_none(search: Search) -> Choice:
    """Keeps no site and asks for no training."""
    return Choice(kept=(), reasons=dict.fromkeys(search.candidates, "no site is kept"))
