"""The drawings of a comparison: differences with their intervals, and how every case differs."""

from dataclasses import dataclass

import numpy as np

from focalseg.comparison.pairing import Paired
from focalseg.records.estimate import Estimate
from focalseg.records.scores.comparison import ComparisonRecord, SystemComparison
from focalseg.report.placement.intervals import Axis, Row, difference_axis, lay_rows

WIDTH, HEIGHT = 380.0, 120.0
_MOST_BARS = 1000
"""Of more cases so many are drawn, evenly from the worst to the best."""


@dataclass(frozen=True, kw_only=True)
class CaseBars:
    """The difference of every case, from the least to the largest. path: of the bars. zero: the height of no difference.

    low, high: the ends of the scale. above, below: how many cases are higher and lower with the other. drawn: how many bars.
    """

    path: str
    zero: float
    low: float
    high: float
    above: int
    below: int
    drawn: int


def lay_differences(record: ComparisonRecord) -> tuple[Axis, tuple[Row, ...]]:
    """The difference of every comparison below the other, on one axis; what has no bound ends with the axis."""
    bounded = [pair.difference for pair in record.comparisons]
    ends = [value for one in bounded for value in (one.low, one.mean, one.high) if value is not None]
    reach = max(map(abs, ends)) or 1.0
    named = [
        (
            f"{pair.other} - {pair.one}",
            Estimate(
                mean=one.mean,
                low=-2 * reach if one.low is None else one.low,
                high=2 * reach if one.high is None else one.high,
            ),
        )
        for pair, one in zip(record.comparisons, bounded, strict=True)
    ]
    axis = difference_axis([estimate for _, estimate in named])
    return axis, lay_rows(axis, named)


def draw_cases(pair: SystemComparison, paired: Paired) -> CaseBars:
    """Bars of the differences of all cases, each a mean over trainings."""
    differences = np.sort((paired.tables[pair.other] - paired.tables[pair.one]).mean(axis=0))
    chosen = differences
    if len(differences) > _MOST_BARS:
        chosen = differences[np.linspace(0, len(differences) - 1, _MOST_BARS).round().astype(int)]
    low, high = min(0.0, float(chosen[0])), max(0.0, float(chosen[-1]))
    scale = HEIGHT / (high - low or 1.0)
    zero = round(high * scale, 2)
    pitch = WIDTH / len(chosen)
    path = "".join(
        f"M{(number + 0.5) * pitch:.2f} {zero}V{(high - difference) * scale:.2f}"
        for number, difference in enumerate(chosen.tolist())
    )
    return CaseBars(
        path=path,
        zero=zero,
        low=low,
        high=high,
        above=int((differences > 0).sum()),
        below=int((differences < 0).sum()),
        drawn=len(chosen),
    )
