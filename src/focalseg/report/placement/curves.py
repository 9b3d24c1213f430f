"""The curves of trainings: gamma by step, loss and validation Dice, and how the Dice of cases is spread."""

from collections.abc import Collection, Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from focalseg.records.site_decision import SiteDecision
from focalseg.report.charts import (
    AXES_SHARE,
    COLOURS,
    FONT_SIZE,
    HEIGHT,
    STYLE,
    finish,
    spread_labels,
    start,
    write_beside,
)
from focalseg.report.lettering import estimate_width, shorten
from focalseg.report.overlays import Array
from focalseg.report.placement.contents import Curve, TrainingLog

ARM_COLOURS = {"none": "plain", "all": "everywhere", "placed": "lean"}
LEVEL_DASHES = ("-", "--", ":", "-.")
LINE_COLOURS = ("encoder", "skip", "decoder", "bottleneck")
MOST_NAMED = 24
LABEL_PITCH, LABEL_ROOM = 1.12 * FONT_SIZE, 9.4
"""Of names beside lines: from one to the next in units of the chart, and the room across in em, beside a list."""


def draw_gammas(log: TrainingLog, decisions: Sequence[SiteDecision], highest: float, *, listed: bool = False) -> str:
    """Paths of the exponents of one training, a line a site with its name at the end. highest: of the common axis.

    listed: whether the sites are a plain list, whose lines are told apart by their place in it, or the parts of a U-Net.
    """
    kept = {decision.site for decision in decisions if decision.kept}
    curves = {decision.site: log.gammas[decision.site] for decision in decisions if decision.site in log.gammas}
    ends = {site: float(curve.values[-1]) for site, curve in curves.items() if curve.steps.size}
    named = _choose_named(ends, kept)
    axes_height = max(AXES_SHARE * HEIGHT, LABEL_PITCH * len(named))
    with mpl.rc_context(STYLE):
        figure, axes = start("training step", "gamma", right=0.7 if listed else 0.775, axes_height=axes_height)
        axes.axhline(1.0, color=COLOURS["faint"], linewidth=0.8, linestyle=(0, (2, 2)))
        texts: dict[str, str] = {}
        labels: dict[str, tuple[str, str]] = {}
        for place, decision in enumerate(decisions):
            site = decision.site
            if site not in ends:
                continue
            colour, dash = _choose_line(site, place, listed=listed)
            axes.plot(
                curves[site].steps, curves[site].values, color=colour, linestyle=dash, linewidth=2.0 if site in kept else 1.0
            )
            if site in named:
                labels[site] = (f"name-of-site-{place}-", colour)
                texts[labels[site][0]] = _label_site(site, place) if listed else site
        axes.set_ylim(0, highest)
        axes.set_xlim(0, None)
        axes.margins(x=0)
        gap = highest * LABEL_PITCH / axes_height
        for site, end in spread_labels({site: ends[site] for site in labels}, gap, gap / 2, highest).items():
            write_beside(axes, labels[site][0], end, labels[site][1], "bold" if site in kept else "normal")
        return finish(figure, f"gamma of every site over the steps of the {name_training(log)}", texts)


def name_training(log: TrainingLog) -> str:
    """A training by its seed and, where it was one of a fold, that."""
    return f"training with seed {log.seed}" + ("" if log.fold is None else f" on fold {log.fold}")


def _choose_named(ends: Mapping[str, float], kept: Collection[str]) -> set[str]:
    """The lines with their name beside them: all, or of very many the kept ones first, then those that end farthest from 1."""
    ranked = sorted(ends, key=lambda site: (site not in kept, -abs(ends[site] - 1)))
    return set(ranked[:MOST_NAMED])


def _label_site(site: str, place: int) -> str:
    """What stands beside the line of a site: its name or, where that is too long, its number in the list and the name's end."""
    if shorten(site, LABEL_ROOM) == site:
        return site
    number = f"{place + 1} "
    return number + shorten(site, LABEL_ROOM - estimate_width(number))


def draw_training(logs: Mapping[str, Sequence[TrainingLog]], quantity: str, title: str) -> str:
    """A quantity of every arm, loss or validation_dice: its trainings as thin lines, their mean as a thick one."""
    with mpl.rc_context(STYLE):
        figure, axes = start("training step", title, right=0.82)
        ends: dict[str, float] = {}
        for arm, trainings in logs.items():
            curves = [curve for curve in (getattr(log, quantity) for log in trainings) if curve.steps.size]
            if not curves:
                continue
            colour = COLOURS[ARM_COLOURS.get(arm, "lean")]
            if len(curves) > 1:
                for curve in curves:
                    axes.plot(curve.steps, curve.values, color=colour, linewidth=0.8, alpha=0.5)
            mean = _average_curves(curves)
            axes.plot(
                mean.steps, mean.values, color=colour, linewidth=2, marker="o" if mean.steps.size < 12 else "", markersize=3
            )
            ends[arm] = float(mean.values[-1])
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0.0), min(high, 1.02) if quantity == "validation_dice" else high)
        axes.set_xlim(0, None)
        axes.margins(x=0)
        if len(logs) > 1:
            _label_arms(axes, ends)
        return finish(figure, f"{title} over training steps")


def draw_histogram(scores: Array) -> str:
    """How many test cases reached which Dice. scores (N,) in [0, 1]."""
    with mpl.rc_context(STYLE):
        figure, axes = start("Dice", "test cases", right=0.96)
        axes.hist(scores, bins=np.linspace(0, 1, 21).tolist(), color=COLOURS["lean"], rwidth=0.86)
        axes.set_xlim(0, 1)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        return finish(figure, "how many test cases reached which Dice")


def _average_curves(curves: Sequence[Curve]) -> Curve:
    """Their mean at the steps that all of them have."""
    shared = curves[0].steps
    for curve in curves[1:]:
        shared = np.intersect1d(shared, curve.steps)
    values = [curve.values[np.isin(curve.steps, shared)] for curve in curves]
    if not shared.size or any(len(value) != len(shared) for value in values):
        return curves[0]
    return Curve(steps=shared, values=np.mean(values, axis=0))


def highest_gamma(logs: Sequence[TrainingLog]) -> float:
    """The top of an axis that holds the paths of all these trainings."""
    tops = [float(curve.values.max()) for log in logs for curve in log.gammas.values() if curve.values.size]
    return 1.08 * max([1.4, *tops])


def _choose_line(site: str, place: int, *, listed: bool) -> tuple[str, str]:
    """Colour and dashes: by part and level in a U-Net, by the place in a list."""
    part, _, level = (
        (LINE_COLOURS[place % len(LINE_COLOURS)], "", place // len(LINE_COLOURS)) if listed else site.partition(".")
    )
    return COLOURS[part], LEVEL_DASHES[int(level or 0) % len(LEVEL_DASHES)]


def _label_arms(axes: Axes, ends: Mapping[str, float]) -> None:
    low, high = axes.get_ylim()
    gap = (high - low) * 1.15 * FONT_SIZE / (AXES_SHARE * HEIGHT)
    for arm, height in spread_labels(ends, gap, low, high).items():
        write_beside(axes, arm, height, COLOURS[ARM_COLOURS.get(arm, "lean")], "bold")
