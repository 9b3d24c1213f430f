"""Line charts as inline SVG, drawn by matplotlib and coloured by the page, so that they follow its light or dark scheme."""

import io
import re
from collections.abc import Mapping
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

_POINTS_PER_INCH = 72
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


def start(across: str, up: str, *, right: float, axes_height: float = AXES_SHARE * HEIGHT) -> tuple[Figure, Axes]:
    """An empty chart with its axes named. right: where they end, as a share of the width."""
    height = axes_height + (1 - AXES_SHARE) * HEIGHT
    figure = Figure(figsize=(WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH))
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0.16, 0.185 * HEIGHT / height, right - 0.16, axes_height / height))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.locator_params(nbins=5)
    return figure, axes


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


def spread_labels(wanted: Mapping[str, float], gap: float, low: float, high: float) -> dict[str, float]:
    """Heights as near as wanted that stand a gap apart and, where there is room, between low and high.

    Least squares: a crowd stands about the mean of what it wants.
    """
    if not wanted:
        return {}
    names = sorted(wanted, key=wanted.__getitem__)
    shares = gap * np.arange(len(names))
    # Labels that stand a gap apart are, once each one's share of the gaps is taken off, levels that nowhere fall.
    levels = isotonic_regression(np.array([wanted[name] for name in names]) - shares).x.clip(low, high - shares[-1])
    return dict(zip(names, (levels + shares).tolist(), strict=True))
