"""Keep what all the others together cannot do without."""

from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Course, Score, Search, mean_dice


def choose_by_leaving_one_out(search: Search) -> Course:
    """Trains all sites, and all but one for every one of them; keeps a site whose absence costs at least 0.01 Dice."""
    everywhere = search.everywhere
    layouts = [everywhere, *({name: everywhere[name] for name in everywhere if name != left} for left in everywhere)]
    whole, *rest = mean_dice((yield Score(layouts)))
    costs = {name: whole - without for name, without in zip(everywhere, rest, strict=True)}
    return Choice(
        kept=tuple(name for name, cost in costs.items() if cost >= SMALLEST_WORTH),
        reasons={name: f"training without it costs {cost:z.3f} Dice" for name, cost in costs.items()},
    )
