"""Keep everything: what most papers do."""

from focalseg.placement.policies.search import Choice, Search


def choose_all(search: Search) -> Choice:
    """Keeps every site and asks for no training."""
    return Choice(kept=tuple(search.candidates), reasons=dict.fromkeys(search.candidates, "every site is kept"))
