"""Add the best site, or take the worst away, as long as it pays: a training for every site at every turn."""

from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Course, Layout, Score, Search, mean_dice


def choose_greedily_forward(search: Search) -> Course:
    """Starts from the plain network and adds the site that gains most, as long as that is at least 0.01 Dice."""
    layout: Layout = {}
    reasons = dict.fromkeys(search.everywhere, f"adding it gains less than {SMALLEST_WORTH} Dice")
    while left := [name for name in search.everywhere if name not in layout]:
        trials = [{**layout, name: search.everywhere[name]} for name in left]
        dice, *reached = mean_dice((yield Score([layout, *trials])))  # on the trainings that all of them have
        gained = [one - dice for one in reached]
        best = max(range(len(left)), key=lambda number: gained[number])
        if gained[best] < SMALLEST_WORTH:
            break
        layout = trials[best]
        reasons[left[best]] = f"adding it gained {gained[best]:.3f} Dice"
    return Choice(kept=tuple(name for name in search.everywhere if name in layout), reasons=reasons)


def choose_greedily_backward(search: Search) -> Course:
    """Starts from all sites and takes away the one that is missed least, as long as the best so far is within 0.01 Dice."""
    layout = top = dict(search.everywhere)
    reasons = dict.fromkeys(search.everywhere, f"taking it away costs at least {SMALLEST_WORTH} Dice")
    while layout:
        trials = [{name: layout[name] for name in layout if name != left} for left in layout]
        best, *dice = mean_dice((yield Score([top, *trials])))
        cheapest = max(range(len(trials)), key=lambda number: dice[number])
        if dice[cheapest] > best:
            top, best = trials[cheapest], dice[cheapest]
        if dice[cheapest] < best - SMALLEST_WORTH:
            break
        gone = next(name for name in layout if name not in trials[cheapest])
        reasons[gone] = f"without it the network reaches {dice[cheapest]:.3f} Dice, the best so far {best:.3f}"
        layout = trials[cheapest]
    return Choice(kept=tuple(layout), reasons=reasons)
