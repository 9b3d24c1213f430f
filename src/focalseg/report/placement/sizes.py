"""Dice by the size of the object: where on that scale a network is good, and where attention changes it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from focalseg.evaluation.significance import measure_difference
from focalseg.evaluation.statistics import SCORE_SPAN, estimate_mean
from focalseg.records.estimate import Estimate
from focalseg.report.charts import AXES_SHARE, COLOURS, FONT_SIZE, HEIGHT, STYLE, finish, spread_labels, start, write_beside
from focalseg.report.parts import cut_by_size
from focalseg.report.placement.cases import CaseDice
from focalseg.report.placement.curves import ARM_COLOURS
from focalseg.report.wording import grouped

MOST_DOTS = 300
"""Of each arm; of more cases so many are drawn, evenly over the sizes."""
WIDE = 8.0
"""How many times as large as the smallest object the largest has to be for a logarithmic axis."""


@dataclass(frozen=True, kw_only=True)
class SizeBin:
    """Cases whose objects are of like size, from low to high. dice: by arm, with its interval. gain: of the last arm over the
    first, None where there is one arm."""

    low: int
    high: int
    cases: int
    groups: int
    dice: Mapping[str, Estimate]
    gain: Estimate | None


@dataclass(frozen=True, kw_only=True)
class DiceBySize:
    """The bins from small to large, and the cases without an object, None where there are none. chart: an SVG element."""

    bins: tuple[SizeBin, ...]
    absent: SizeBin | None
    chart: str


def split_by_size(cases: Sequence[CaseDice], arms: Sequence[str], element: str, *, overlap: float = 0.0) -> DiceBySize | None:
    """Dice by size of the cases that have an object, in thirds of them where there are enough; None where none has one.

    arms: whose Dice, two for their difference. element: what a size counts, pixel or voxel. overlap: the share of training
    groups that two folds have in common, which intervals are widened for.
    """
    holding = sorted((case for case in cases if case.size), key=lambda case: (case.size, case.name, case.fold))
    if not holding:
        return None
    empty = [case for case in cases if not case.size]
    bins = tuple(_summarise(own, arms, overlap) for own in cut_by_size(holding, lambda case: case.size))
    return DiceBySize(
        bins=bins,
        absent=_summarise(empty, arms, overlap) if empty else None,
        chart=_draw(holding, bins, arms, element),
    )


def _summarise(cases: Sequence[CaseDice], arms: Sequence[str], overlap: float) -> SizeBin:
    groups, folds = [case.group for case in cases], [case.fold for case in cases]
    tables = {arm: _tabulate(cases, arm) for arm in arms}
    dice = {arm: estimate_mean(table, groups, folds=folds, span=SCORE_SPAN, overlap=overlap) for arm, table in tables.items()}
    gain = None
    if len(arms) > 1:
        one, other = tables[arms[-1]], tables[arms[0]]
        if len(one) != len(other):
            one, other = one.mean(axis=0), other.mean(axis=0)
        gain = measure_difference(one, other, groups, folds, overlap=overlap).estimate
    sizes = [case.size for case in cases]
    return SizeBin(low=min(sizes), high=max(sizes), cases=len(cases), groups=len(set(groups)), dice=dice, gain=gain)


def _tabulate(cases: Sequence[CaseDice], arm: str) -> np.ndarray:
    """Dice (trainings, cases); the means over trainings where folds have different numbers of them."""
    if len({len(case.dice[arm]) for case in cases}) > 1:
        return np.array([[case.mean(arm) for case in cases]])
    return np.array([case.dice[arm] for case in cases]).T


def _draw(cases: Sequence[CaseDice], bins: Sequence[SizeBin], arms: Sequence[str], element: str) -> str:
    shown = cases
    if len(cases) > MOST_DOTS:
        shown = [cases[place] for place in np.linspace(0, len(cases) - 1, MOST_DOTS).round().astype(int)]
    wide = cases[-1].size >= WIDE * cases[0].size
    with mpl.rc_context(STYLE):
        figure, axes = start(f"size of the object ({element}s)", "Dice", right=0.82 if len(arms) > 1 else 0.94)
        _scale(axes, cases[0].size, cases[-1].size, wide=wide)
        ends: dict[str, float] = {}
        for number, arm in enumerate(arms):
            colour = COLOURS[ARM_COLOURS.get(arm, "lean")]
            dots: dict[str, object] = {"marker": "o", "linestyle": "", "markersize": 3.4, "alpha": 0.45, "markeredgewidth": 0.8}
            dots |= {"markerfacecolor": "none" if number == 0 and len(arms) > 1 else colour, "markeredgecolor": colour}
            axes.plot([case.size for case in shown], [case.mean(arm) for case in shown], **dots)  # type: ignore[arg-type]
            for own in bins:
                _draw_bin(axes, own, own.dice[arm], colour, aside=(2 * number - 1) if len(arms) > 1 else 0, wide=wide)
            ends[arm] = bins[-1].dice[arm].mean
        axes.set_ylim(-0.02, 1.02)
        if len(arms) > 1:
            gap = 1.04 * 1.15 * FONT_SIZE / (AXES_SHARE * HEIGHT)
            for arm, height in spread_labels(ends, gap, 0.0, 1.0).items():
                write_beside(axes, arm, height, COLOURS[ARM_COLOURS.get(arm, "lean")], "bold")
        return finish(figure, f"Dice of test cases by the size of the object in {element}s")


def _draw_bin(axes: Axes, own: SizeBin, dice: Estimate, colour: str, *, aside: int, wide: bool) -> None:
    """The mean of a bin over its sizes, with its interval. aside: -1 or 1, so that two intervals do not cover each other."""
    middle = math.sqrt(own.low * own.high) if wide else (own.low + own.high) / 2
    low, high = axes.get_xlim()
    apart = 0.012 * aside
    middle = middle * (high / low) ** apart if wide else middle + apart * (high - low)
    axes.plot([own.low, own.high], [dice.mean] * 2, color=colour, linewidth=2, solid_capstyle="butt")
    if own.groups > 1:
        axes.plot([middle] * 2, [dice.low, dice.high], color=colour, linewidth=1.3)


def _scale(axes: Axes, low: int, high: int, *, wide: bool) -> None:
    """The axis of sizes, its numbers whole."""
    if wide:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.15, high * 1.15)
        numbers = [unit * 10**power for power in range(10) for unit in (1, 2, 5) if low <= unit * 10**power <= high]
        while len(numbers) > 5:
            numbers = numbers[::2]
        axes.xaxis.set_major_locator(FixedLocator(numbers))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        room = max(0.06 * (high - low), 0.02 * high, 0.5)
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: grouped(value)))
