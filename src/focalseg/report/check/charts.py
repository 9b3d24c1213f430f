"""Charts of a set: how its cases are spread over foreground, brightness and size."""

from collections import Counter
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator

from focalseg.imagesets.survey.survey import Survey
from focalseg.report.charts import COLOURS, STYLE, finish, start

_BINS = 24
_FEWEST = 3
"""Cases below which a chart says less than the table."""


def draw_charts(survey: Survey) -> list[tuple[str, str]]:
    """One title and chart per quantity in which the cases differ."""
    cases = survey.cases
    if len(cases) < _FEWEST:
        return []
    charts = []
    foreground = [100 * case.foreground for case in cases]
    if len(set(foreground)) > 1:
        charts.append(("Foreground", _draw_spread(foreground, "% of the pixels of a case")))
    means = [float(np.mean(case.mean)) for case in cases]
    if np.isfinite(means).all() and len(set(means)) > 1:
        charts.append(("Brightness", _draw_spread(means, "mean intensity of a case")))
    if len({case.size[-2:] for case in cases}) > 1:
        unit = "voxels" if len(cases[0].size) == 3 else "pixels"
        charts.append(("Sizes", _draw_sizes([(case.size[-2], case.size[-1]) for case in cases], unit)))
    groups = Counter(Counter(survey.groups[case.name] for case in cases).values())
    if len(groups) > 1:
        charts.append(("Groups", _draw_groups(groups)))
    return charts


def _draw_spread(values: Sequence[float], across: str) -> str:
    """Draws how many cases have which value."""
    with mpl.rc_context(STYLE):
        figure, axes = start(across, "cases", right=0.96)
        axes.hist(values, bins=_BINS, color=COLOURS["lean"], rwidth=0.86)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        return finish(figure, f"how many cases have which {across}")


def _draw_sizes(sizes: Sequence[tuple[int, int]], unit: str) -> str:
    """Draws height against width in that unit: one dot per size, its area the number of cases."""
    counts = Counter(sizes)
    most = max(counts.values())
    with mpl.rc_context(STYLE):
        figure, axes = start(f"width in {unit}", f"height in {unit}", right=0.96)
        axes.scatter(
            [width for _, width in counts],
            [height for height, _ in counts],
            s=[12 + 160 * count / most if most > 1 else 14 for count in counts.values()],
            color=COLOURS["lean"],
            alpha=0.45,
            linewidths=0,
        )
        axes.set_xlim(0, 1.06 * max(width for _, width in counts))
        axes.set_ylim(0, 1.06 * max(height for height, _ in counts))
        return finish(figure, "height against width of the images, a dot a size, larger where more cases have it")


def _draw_groups(groups: Counter[int]) -> str:
    """Draws how many groups have how many cases."""
    with mpl.rc_context(STYLE):
        figure, axes = start("cases in a group", "groups", right=0.96)
        axes.bar(list(groups), list(groups.values()), color=COLOURS["lean"], width=0.8)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        return finish(figure, "how many groups have how many cases")
