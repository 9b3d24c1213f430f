"""Train every subset: the oracle, where it can be afforded."""

from itertools import combinations

from focalseg.errors import SettingError
from focalseg.placement.policies.search import Choice, Layout, Search, choose_leanest

MOST_SITES = 10


def choose_exhaustively(search: Search) -> Choice:
    """Trains all 2^sites subsets; keeps the leanest that is within 0.01 Dice of the best. Raises SettingError past 10 sites."""
    names = tuple(search.candidates)
    if len(names) > MOST_SITES:
        raise SettingError(
            f"policy exhaustive would train 2^{len(names)} networks for the {len(names)} sites; expected at most {MOST_SITES} "
            "sites. Name fewer gates, or take another policy."
        )
    layouts: list[Layout] = [
        {name: search.candidates[name] for name in subset}
        for count in range(len(names) + 1)
        for subset in combinations(names, count)
    ]
    chosen, dice = choose_leanest(search, layouts)
    reason = f"of {len(layouts)} layouts this one reaches {dice[chosen]:.3f} Dice, the best {max(dice):.3f}"
    return Choice(kept=tuple(layouts[chosen]), reasons=dict.fromkeys(names, reason))
