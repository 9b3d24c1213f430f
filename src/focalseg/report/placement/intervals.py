"""Intervals as small drawings on a common axis: a line from low to high, the mean on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from focalseg.records.estimate import Estimate
from focalseg.report.lettering import estimate_width, shorten
from focalseg.report.wording import decimal, signed

WIDTH = 380.0
MARGIN = 34.0
SMALLEST_REACH = 0.01
"""An axis of differences shows at least this much Dice to either side of 0, or a tiny interval would look wide."""
LETTER = 13.0
"""Units an em, of the names in the plot of differences."""
FIRST_ROW, ROW_PITCH = 30.0, 34.0
COST_MARGIN, COST_LABEL = 22.0, 46.0
"""Of an axis of costs: beside it, and the room of a number under it."""
STEPS = tuple(unit * 10.0**power for power in range(-3, 4) for unit in (1, 2, 5))


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A number on the axis and where it stands."""

    x: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """An interval on the axis. dots: single trainings."""

    low: float
    mean: float
    high: float
    dots: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """An interval with its name above it. x, y: the middle of the name, and the height of the line. shown: the name as far as
    there is room."""

    name: str
    shown: str
    x: float
    y: float
    bar: Bar
    estimate: Estimate


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A stretch of numbers over a width in drawing units. Step: between ticks."""

    low: float
    high: float
    step: float
    left: float
    right: float

    def place(self, value: float) -> float:
        """Where a value stands, kept on the axis."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.left + share * (self.right - self.left), 2)

    def ticks(self, *, signs: bool) -> tuple[Tick, ...]:
        """Round numbers along the axis."""
        places = max(0, -math.floor(math.log10(self.step) + 1e-9))
        first = math.ceil(self.low / self.step - 1e-9)
        numbers = [number * self.step for number in range(first, math.floor(self.high / self.step + 1e-9) + 1)]
        return tuple(Tick(x=self.place(number), text=(signed if signs else decimal)(number, places)) for number in numbers)

    def bar(self, estimate: Estimate, dots: Sequence[float] = ()) -> Bar:
        """An interval with single trainings as dots."""
        low, mean, high = (self.place(value) for value in (estimate.low, estimate.mean, estimate.high))
        return Bar(low=low, mean=mean, high=high, dots=tuple(self.place(dot) for dot in dots))


def difference_axis(estimates: Sequence[Estimate]) -> Axis:
    """An axis that holds 0 and all of these differences, as wide as a plot of its own."""
    low = min(-SMALLEST_REACH, *(estimate.low for estimate in estimates))
    high = max(SMALLEST_REACH, *(estimate.high for estimate in estimates))
    return _round_axis(low, high, left=MARGIN, right=WIDTH - MARGIN, most=5)


def lay_rows(axis: Axis, named: Sequence[tuple[str, Estimate]]) -> tuple[Row, ...]:
    """The intervals one below the other, every name above its mean and inside the plot."""
    rows = []
    for number, (name, estimate) in enumerate(named):
        bar, shown = axis.bar(estimate), shorten(name, WIDTH / LETTER)
        half = estimate_width(shown) * LETTER / 2
        x = min(max(bar.mean, half), WIDTH - half)
        rows.append(Row(name=name, shown=shown, x=round(x, 2), y=FIRST_ROW + ROW_PITCH * number, bar=bar, estimate=estimate))
    return tuple(rows)


def cost_axis(estimates: Sequence[Estimate], *, width: float) -> Axis:
    """An axis that holds 0 and all of these costs, as wide as a column of a table, with as many numbers as have room."""
    low = min([0.0, *(estimate.low for estimate in estimates)])
    high = max([SMALLEST_REACH, *(estimate.high for estimate in estimates)])
    label = (high - low) * COST_LABEL / (width - 2 * COST_MARGIN)
    step = next((step for step in STEPS if step >= label), STEPS[-1])
    return Axis(low=low, high=high, step=step, left=COST_MARGIN, right=width - COST_MARGIN)


def score_axis(estimates: Sequence[Estimate], dots: Sequence[float], *, width: float) -> Axis:
    """An axis that holds all of these scores, as wide as a column of a table."""
    values = [*dots, *(value for estimate in estimates for value in (estimate.low, estimate.high))]
    return _round_axis(max(min(values), 0.0), min(max(values), 1.0), left=16.0, right=width - 16.0, most=4)


def _round_axis(low: float, high: float, *, left: float, right: float, most: int) -> Axis:
    step = next(
        step for step in STEPS if math.ceil(high / step - 1e-9) - math.floor(low / step + 1e-9) <= most or step == STEPS[-1]
    )
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if low == high:
        low, high = low - step, high + step
    return Axis(low=low, high=high, step=step, left=left, right=right)
