"""Keep nothing: the plain network."""

from focalseg.placement.policies.questions import Choice, Course, Search


def choose_none(search: Search) -> Course:
    """Keeps no site and asks for no training."""
    yield from ()  # asks nothing
    return Choice(kept=(), reasons=dict.fromkeys(search.everywhere, "no site is kept"))
