"""Keep the deepest sites, or the shallowest, as many as it takes: rules of thumb."""

from math import inf

from focalseg.placement.policies.questions import Choice, Course, Score, Search, choose_leanest, mean_dice

STEMS = ("encoder", "decoder", "skip")


def choose_deep_first(search: Search) -> Course:
    """Trains none, the deepest, the two deepest ... all; keeps the leanest that is within 0.01 Dice of the best."""
    return _choose_in_order(search, deepest_first(tuple(search.everywhere)), "deepest")


def choose_shallow_first(search: Search) -> Course:
    """Trains none, the shallowest, the two shallowest ... all; keeps the leanest that is within 0.01 Dice of the best."""
    return _choose_in_order(search, deepest_first(tuple(search.everywhere))[::-1], "shallowest")


def deepest_first(names: tuple[str, ...]) -> tuple[str, ...]:
    """Sites by their level, the bottleneck first; within a level as they come.

    The families we know call their sites `bottleneck` and `encoder.LEVEL` and the like, level 0 at the image. Where a person
    named the places otherwise, the order they were named in is taken to run from the image down and up to the mask.
    """
    levels = [_find_level(name) for name in names]
    if None in levels:
        levels = [min(number, len(names) - 1 - number) for number in range(len(names))]
    return tuple(name for _, name in sorted(zip(levels, names, strict=True), key=lambda pair: -(pair[0] or 0)))


def _find_level(name: str) -> float | None:
    """The level that the name of a site tells, if it does; that of the bottleneck is below all."""
    if name == "bottleneck":
        return inf
    stem, _, level = name.rpartition(".")
    return float(level) if stem in STEMS and level.isdecimal() else None


def _choose_in_order(search: Search, order: tuple[str, ...], end: str) -> Course:
    """The leanest good layout among those that hold the first so many of an order."""
    layouts = [{name: search.everywhere[name] for name in order[:count]} for count in range(len(order) + 1)]
    dice = mean_dice((yield Score(layouts)))
    chosen = choose_leanest(layouts, dice)
    kept = tuple(name for name in search.everywhere if name in layouts[chosen])
    reach = f"{end} site reaches" if len(kept) == 1 else f"{end} sites reach"
    reason = f"the {len(kept)} {reach} {dice[chosen]:.3f} Dice, the best number of them {max(dice):.3f}"
    return Choice(kept=kept, reasons=dict.fromkeys(search.everywhere, reason))
