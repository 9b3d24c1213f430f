"""Train every subset: the oracle, where it can be afforded."""

from itertools import combinations

from focalseg.errors import SettingError
from focalseg.placement.policies.questions import Choice, Course, Layout, Score, Search, choose_leanest, mean_dice

MOST_SITES = 10


def choose_exhaustively(search: Search) -> Course:
    """Trains all 2^sites subsets; keeps the leanest that is within 0.01 Dice of the best. Raises SettingError past 10 sites."""
    names = tuple(search.everywhere)
    if len(names) > MOST_SITES:
        raise SettingError(
            f"policy exhaustive would train 2^{len(names)} networks for the {len(names)} sites; expected at most {MOST_SITES} "
            "sites. Name fewer gates, or take another policy."
        )
    layouts: list[Layout] = [
        {name: search.everywhere[name] for name in subset}
        for count in range(len(names) + 1)
        for subset in combinations(names, count)
    ]
    dice = mean_dice((yield Score(layouts)))
    chosen = choose_leanest(layouts, dice)
    reason = f"of {len(layouts)} layouts this one reaches {dice[chosen]:.3f} Dice, the best {max(dice):.3f}"
    return Choice(kept=tuple(layouts[chosen]), reasons=dict.fromkeys(names, reason))
