"""Charts of the focal parameter: its curves, one colour per gamma, and scores against it."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from focalseg.focal_role.curves import Panel
from focalseg.focal_role.effect import Score, Setting
from focalseg.report.charts import COLOURS, FONT_SIZE, HEIGHT, STYLE, finish, spread_labels, start, write_beside
from focalseg.report.wording import decimal

_AXES = {
    "network": ("logit of the gate", "coefficient ^ gamma", 1.0),
    "loss": ("probability of the true class, p_t", "(1 \N{MINUS SIGN} p_t) ^ gamma", 1.0),
    "cross_entropy": ("probability of the true class, p_t", "focal cross-entropy", 3.0),
    "boundary": ("distance to the border / farthest", "phi ^ gamma", 1.0),
}
"""The names of the axes of a panel by its use, and where its horizontal axis ends."""
_SHADES = 8
LIGHT_SPAN, DARK_SPAN = (0.0, 0.86), (0.28, 1.0)
"""The stretch of the colour map that stands out on a light page and on a dark one."""
_DODGE = 0.16
_SERIES_COLOURS = ("lean", "plain")


def shade_styles() -> tuple[dict[str, str], dict[str, str]]:
    """The colours of the gammas by their name in the page, smallest gamma first: for a light page and for a dark one."""
    ramp = mpl.colormaps["viridis"]

    light, dark = (
        {f"shade-{number}": to_hex(ramp(low + (high - low) * number / (_SHADES - 1))) for number in range(_SHADES)}
        for low, high in (LIGHT_SPAN, DARK_SPAN)
    )
    return light, dark


def draw_panel(panel: Panel) -> str:
    """Draws all curves of one use; a gamma has the same colour in every panel."""
    across, up, top = _AXES[panel.use]
    with mpl.rc_context(STYLE):
        figure, axes = start(across, up, right=0.97)
        for number, curve in enumerate(panel.curves):
            axes.plot(panel.axis, curve.values, color=COLOURS[f"shade-{number % _SHADES}"], linewidth=1.8)
        axes.set_xlim(panel.axis[0], panel.axis[-1])
        axes.set_ylim(0, top * 1.03)
        return finish(figure, f"{up} against {across}, a curve a gamma")


def draw_scores(series: Mapping[str, Sequence[Setting]], score: str, span: tuple[float, float], across: str) -> str:
    """A score against gamma: a faint line per seed, the mean as a dot, the range over seeds as a bar, a colour per series.

    series: settings by their name, each with the same gammas. span: of the axis of scores.
    """
    with mpl.rc_context(STYLE):
        figure, axes = start(across, score.capitalize(), right=0.97 if len(series) == 1 else 0.8)
        ends: dict[str, float] = {}
        for number, (name, settings) in enumerate(series.items()):
            places = [place + _DODGE * (number - (len(series) - 1) / 2) for place in range(len(settings))]
            _draw_series(axes, places, [getattr(setting, score) for setting in settings], _SERIES_COLOURS[number])
            ends[name] = getattr(settings[-1], score).mean
        gammas = [setting.gamma for setting in next(iter(series.values()))]
        axes.set_xticks(range(len(gammas)), [decimal(gamma, 2).rstrip("0").rstrip(".") for gamma in gammas])
        axes.set_ylim(*span)
        axes.margins(x=0.06)
        if len(series) > 1:
            _name_series(axes, ends)
        return finish(figure, f"{score} against {across}, mean and range over seeds")


def score_span(settings: Sequence[Setting], score: str) -> tuple[float, float]:
    """An axis that holds every seed of these settings, in steps of a tenth."""
    lowest = min(getattr(setting, score).lowest for setting in settings)
    return max(math.floor(10 * lowest - 0.3) / 10, 0) - 0.02, 1.02


def _draw_series(axes: Axes, places: Sequence[float], scores: Sequence[Score], name: str) -> None:
    colour = COLOURS[name]
    for seed in range(len(scores[0].seeds)):
        axes.plot(places, [score.seeds[seed] for score in scores], color=colour, linewidth=0.7, alpha=0.35)
    for place, score in zip(places, scores, strict=True):
        axes.plot([place, place], [score.lowest, score.highest], color=colour, linewidth=2.4, alpha=0.6)
    axes.plot(places, [score.mean for score in scores], color=colour, linewidth=0, marker="o", markersize=6.5)


def _name_series(axes: Axes, ends: dict[str, float]) -> None:
    low, high = axes.get_ylim()
    gap = (high - low) * 1.15 * FONT_SIZE / (0.775 * HEIGHT)
    heights = spread_labels(ends, gap, low, high)
    for name, colour in zip(ends, _SERIES_COLOURS, strict=True):
        write_beside(axes, name, heights[name], COLOURS[colour], "bold")
