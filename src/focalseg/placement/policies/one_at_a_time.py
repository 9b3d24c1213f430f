"""Keep what is worth something by itself."""

from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Course, Layout, Score, Search, mean_dice


def choose_one_at_a_time(search: Search) -> Course:
    """Trains the plain network, and one with each single site; keeps a site that gains at least 0.01 Dice by itself."""
    layouts: list[Layout] = [{}, *({name: gate} for name, gate in search.everywhere.items())]
    plain, *singles = mean_dice((yield Score(layouts)))
    gains = {name: single - plain for name, single in zip(search.everywhere, singles, strict=True)}
    return Choice(
        kept=tuple(name for name, gain in gains.items() if gain >= SMALLEST_WORTH),
        reasons={name: f"by itself it gains {gain:z.3f} Dice" for name, gain in gains.items()},
    )
