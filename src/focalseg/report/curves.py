"""Line charts as inline SVG, drawn by matplotlib and coloured by the page, so that they follow its light or dark scheme."""

import io
import re
from collections.abc import Collection, Mapping, Sequence
from html import escape
from statistics import fmean
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from focalseg.report.contents import Array, Curve, SiteFinding, TrainingLog
from focalseg.report.lettering import estimate_width, shorten

POINTS_PER_INCH = 72
WIDTH, HEIGHT = 400, 250
"""Of a chart in its own units; a letter is 12 of them high and a chart is never shown narrower than 340 pixels."""
FONT_SIZE = 12
COLOURS = {
    "ink": "#010101",
    "faint": "#020202",
    "plain": "#030303",
    "everywhere": "#040404",
    "lean": "#050505",
    "encoder": "#060606",
    "bottleneck": "#070707",
    "skip": "#080808",
    "decoder": "#090909",
    "dropped": "#0a0a0a",
    **{f"shade-{number}": f"#0b0b{number:02x}" for number in range(8)},
}
"""Stand-ins that matplotlib writes and `finish` replaces by the page's own colours of these names."""
ARM_COLOURS = {"none": "plain", "all": "everywhere", "placed": "lean"}
LEVEL_DASHES = ("-", "--", ":", "-.")
LINE_COLOURS = ("encoder", "skip", "decoder", "bottleneck")
MOST_NAMED = 24
LABEL_PITCH, LABEL_ROOM = 1.12 * FONT_SIZE, 9.4
"""Of names beside lines: from one to the next in units of the chart, and the room across in em, beside a list."""
AXES_SHARE = 0.775
"""Of the usual height of a chart that its axes take; in a higher one the margins stay as they are."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": FONT_SIZE,
    "axes.linewidth": 0.8,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["faint"],
    "xtick.color": COLOURS["faint"],
    "ytick.color": COLOURS["faint"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
}


def draw_gammas(log: TrainingLog, findings: Sequence[SiteFinding], highest: float, *, listed: bool = False) -> str:
    """Paths of the exponents of one training, a line a site with its name at the end. highest: of the common axis.

    listed: whether the sites are a plain list, whose lines are told apart by their place in it, or the parts of a U-Net.
    """
    kept = {finding.site for finding in findings if finding.decision in ("", "kept")}
    curves = {finding.site: log.gammas[finding.site] for finding in findings if finding.site in log.gammas}
    ends = {site: float(curve.values[-1]) for site, curve in curves.items() if curve.steps.size}
    named = choose_named(ends, kept)
    axes_height = max(AXES_SHARE * HEIGHT, LABEL_PITCH * len(named))
    with mpl.rc_context(STYLE):
        figure, axes = start("training step", "gamma", right=0.7 if listed else 0.775, axes_height=axes_height)
        axes.axhline(1.0, color=COLOURS["faint"], linewidth=0.8, linestyle=(0, (2, 2)))
        texts: dict[str, str] = {}
        labels: dict[str, tuple[str, str]] = {}
        for place, finding in enumerate(findings):
            site = finding.site
            if site not in ends:
                continue
            colour, dash = _choose_line(site, place, listed=listed)
            axes.plot(
                curves[site].steps, curves[site].values, color=colour, linestyle=dash, linewidth=2.0 if site in kept else 1.0
            )
            if site in named:
                labels[site] = (f"name-of-site-{place}-", colour)
                texts[labels[site][0]] = label_site(site, place) if listed else site
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


def choose_named(ends: Mapping[str, float], kept: Collection[str]) -> set[str]:
    """The lines with their name beside them: all, or of very many the kept ones first, then those that end farthest from 1."""
    ranked = sorted(ends, key=lambda site: (site not in kept, -abs(ends[site] - 1)))
    return set(ranked[:MOST_NAMED])


def label_site(site: str, place: int) -> str:
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
            mean = average_curves(curves)
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


def average_curves(curves: Sequence[Curve]) -> Curve:
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


def spread_labels(wanted: Mapping[str, float], gap: float, low: float, high: float) -> dict[str, float]:
    """Heights as near as wanted that stand a gap apart and, where there is room, between low and high.

    Least squares: a crowd stands about the mean of what it wants (pooling of adjacent violators, once each label's share of
    the gaps is taken off).
    """
    names = sorted(wanted, key=wanted.__getitem__)
    crowds: list[list[float]] = []
    for place, name in enumerate(names):
        crowds.append([wanted[name] - place * gap])
        while len(crowds) > 1 and fmean(crowds[-2]) > fmean(crowds[-1]):
            above = crowds.pop()
            crowds[-1] += above
    highest = high - (len(names) - 1) * gap
    levels = [min(max(fmean(crowd), low), highest) for crowd in crowds for _ in crowd]
    return {name: level + place * gap for place, (name, level) in enumerate(zip(names, levels, strict=True))}


def finish(figure: Figure, label: str, texts: Mapping[str, str] | None = None) -> str:
    """The figure as an SVG element to stand in a page: named for a listener, without a size, ids of no use or addresses.

    texts: by its stand-in in the figure, a text from a file, which is no formula and no markup whatever it holds.
    """
    buffer = io.BytesIO()
    nameless = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": label}):  # ids repeat from report to report and differ from chart to chart
        figure.savefig(buffer, format="svg", transparent=True, metadata=nameless)
    text = buffer.getvalue().decode("utf-8")
    text = text[text.index("<svg") :].strip()
    head, body = text.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # it would rule the whole page
    body = re.sub(r' id="(?:figure|axes|patch|matplotlib\.axis|xtick|ytick|line2d|text)_\d+"', "", body)
    for name, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{name})")
    if texts:
        body = re.sub(f">({'|'.join(map(re.escape, texts))})<", lambda found: f">{escape(texts[found[1]])}<", body)
    return f'<svg class="chart" {view.group(0) if view else ""} role="img" aria-label="{label}">{body}'


def start(across: str, up: str, *, right: float, axes_height: float = AXES_SHARE * HEIGHT) -> tuple[Figure, Axes]:
    """An empty chart with its axes named. right: where they end, as a share of the width."""
    height = axes_height + (1 - AXES_SHARE) * HEIGHT
    figure = Figure(figsize=(WIDTH / POINTS_PER_INCH, height / POINTS_PER_INCH))
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0.16, 0.185 * HEIGHT / height, right - 0.16, axes_height / height))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.locator_params(nbins=5)
    return figure, axes


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


def write_beside(axes: Axes, text: str, height: float, colour: str, weight: str) -> None:
    """A name to the right of the axes at a height of their data."""
    axes.annotate(
        text,
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        weight=weight,
        annotation_clip=False,
    )
