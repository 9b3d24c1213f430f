"""Keep some sites at random: what any policy has to beat with the same count."""

import numpy as np

from focalseg.placement.policies.search import Choice, Search


def choose_at_random(search: Search, count: int | None = None) -> Choice:
    """Keeps `count` sites, half of them if not given, drawn from the seed of the search, and asks for no training."""
    names = list(search.candidates)
    count = (len(names) + 1) // 2 if count is None else count
    drawn = set(np.random.default_rng(search.seed).choice(len(names), size=count, replace=False).tolist())
    kept = tuple(name for number, name in enumerate(names) if number in drawn)
    return Choice(kept=kept, reasons={name: "drawn" if name in kept else "not drawn" for name in names})
