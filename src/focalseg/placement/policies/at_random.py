"""Keep some sites at random: what any policy has to beat with the same count."""

import numpy as np

from focalseg.placement.policies.questions import Choice, Course, Layout, Search


def choose_at_random(search: Search, count: int | None = None) -> Course:
    """Keeps `count` sites, half of them if not given, drawn from the seed of the search, and asks for no training."""
    yield from ()  # asks nothing
    names = search.everywhere
    kept = tuple(draw_sites(names, (len(names) + 1) // 2 if count is None else count, seed=search.seed))
    return Choice(kept=kept, reasons={name: "drawn" if name in kept else "not drawn" for name in names})


def draw_sites(layout: Layout, count: int, *, seed: int | tuple[int, ...]) -> dict[str, str]:
    """So many sites of a layout, in their order. seed: of the draw, one number or several."""
    drawn = set(np.random.default_rng(seed).choice(len(layout), size=count, replace=False).tolist())
    return {name: gate for number, (name, gate) in enumerate(layout.items()) if number in drawn}
