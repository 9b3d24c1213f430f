"""The drawings of an evaluation: how Dice is spread over cases, and how it goes with the size of the object."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from focalseg.records.scores.evaluation import CaseScores, EvaluationRecord
from focalseg.report.parts import cut_by_size
from focalseg.report.wording import grouped

WIDTH, HEIGHT = 380.0, 130.0
BINS = 20
_MOST_DOTS = 1500
"""Of more cases so many are drawn, evenly from the smallest object to the largest."""
_NAMES = ((), ("all",), ("smaller", "larger"), ("smallest", "middle", "largest"))
"""Of objects, by the number of parts that they are cut into."""
_ROUND, _FINE = (1, 2, 5), (1, 2, 3, 5, 7)


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Cases by Dice. path: bars as an area. most: cases in the highest one; counted: in all."""

    path: str
    most: int
    counted: int


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A mark along an axis. at: its place; text: what stands there."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Dice over the true size. path: a dot per case, as strokes without length. ticks: along the sizes. drawn: of how many."""

    path: str
    ticks: tuple[Tick, ...]
    drawn: int
    counted: int


@dataclass(frozen=True, kw_only=True)
class SizeRow:
    """Objects of about one third of the cases, by size. least, greatest: in pixels. dice: their mean."""

    name: str
    least: int
    greatest: int
    cases: int
    dice: float


@dataclass(frozen=True, kw_only=True)
class LabelDrawings:
    """All of one label. scatter: None where no reference has the object; sizes: empty where there are few of them."""

    label: str
    histogram: Histogram
    scatter: Scatter | None
    sizes: tuple[SizeRow, ...]


def draw_labels(record: EvaluationRecord) -> list[LabelDrawings]:
    """The drawings of every label, in their order."""
    drawn = []
    for label in record.labels:
        cases = [case for case in record.cases if case.label == label]
        held = sorted((case for case in cases if case.true_pixels and case.dice is not None), key=lambda case: case.true_pixels)
        drawn.append(
            LabelDrawings(
                label=label,
                histogram=draw_histogram([case.dice for case in cases if case.dice is not None]),
                scatter=draw_scatter(held) if held else None,
                sizes=tuple(divide_by_size(held)),
            )
        )
    return drawn


def draw_histogram(dice: Sequence[float]) -> Histogram:
    """Bars of equal width from 0 to 1; a Dice of 1 is in the last one."""
    counts = [0] * BINS
    for value in dice:
        counts[min(int(value * BINS), BINS - 1)] += 1
    most = max(counts, default=0)
    wide = WIDTH / BINS
    path = "".join(
        f"M{number * wide + 1:.1f} {HEIGHT}v{-max(count / most * HEIGHT, 1.5):.1f}h{wide - 2:.1f}V{HEIGHT}z"
        for number, count in enumerate(counts)
        if count
    )
    return Histogram(path=path, most=most, counted=len(dice))


def draw_scatter(cases: Sequence[CaseScores]) -> Scatter:
    """A dot per case: its size along a logarithmic axis, its Dice upwards. cases: with the object, from small to large."""
    chosen = cases
    if len(cases) > _MOST_DOTS:
        chosen = [cases[number * (len(cases) - 1) // (_MOST_DOTS - 1)] for number in range(_MOST_DOTS)]
    low, high = (math.log10(case.true_pixels) for case in (cases[0], cases[-1]))
    margin = 0.05 * (high - low) or 0.3
    low, high = low - margin, high + margin

    def place(size: float) -> float:
        return (math.log10(size) - low) / (high - low) * WIDTH

    path = "".join(f"M{place(case.true_pixels):.1f} {(1 - (case.dice or 0.0)) * HEIGHT:.1f}h0" for case in chosen)
    return Scatter(path=path, ticks=tuple(_list_ticks(low, high)), drawn=len(chosen), counted=len(cases))


def _list_ticks(low: float, high: float) -> list[Tick]:
    """Round sizes within the axis: powers of ten, and of short axes 2 and 5 times these as well."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    times = _FINE if high - low < 1 else _ROUND if high - low < 2.2 else (1,)
    sizes = [float(part * 10**power) for power in powers if power >= 0 for part in times]
    scale = WIDTH / (high - low)
    places = [(size, (math.log10(size) - low) * scale) for size in sizes]
    return [Tick(at=round(at, 1), text=grouped(round(size))) for size, at in places if 12 <= at <= WIDTH - 12]


def divide_by_size(cases: Sequence[CaseScores]) -> list[SizeRow]:
    """Parts from the smallest objects to the largest; none where all are of one part. cases: with the object, by its size."""
    parts = cut_by_size(cases, lambda case: case.true_pixels)
    return [
        SizeRow(
            name=name,
            least=part[0].true_pixels,
            greatest=part[-1].true_pixels,
            cases=len(part),
            dice=math.fsum(case.dice or 0.0 for case in part) / len(part),
        )
        for name, part in zip(_NAMES[len(parts)], parts, strict=True)
        if len(parts) > 1
    ]
