"""Test cases by whether they have the object: what each arm reaches on them, as a small drawing and in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from focalseg.records.estimate import Estimate
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, STRATA, WITH_OBJECT, Stratum, StratumName, StratumValue
from focalseg.records.placement import ARMS, NONE
from focalseg.report.placement.contents import PlacementContents
from focalseg.report.placement.intervals import MARGIN, WIDTH, Axis, Row, Tick, difference_axis, lay_rows, score_axis
from focalseg.report.placement.naming import name_arm
from focalseg.report.wording import MINUS, decimal, points, share, signed

TITLES: dict[StratumName, str] = {
    WITH_OBJECT: "Dice on cases with the object",
    MISSED: "Missed altogether",
    LEFT_EMPTY: "Left empty",
}
MEANINGS: dict[StratumName, str] = {
    WITH_OBJECT: "the mean Dice over the test cases that have the object. More is better.",
    MISSED: (
        "the share of the cases with the object on which nothing of it was found, so that no predicted {element} lies on it. "
        "Less is better."
    ),
    LEFT_EMPTY: (
        "the share of the cases without the object on which nothing was predicted, the specificity per image; on the others "
        "there was a false alarm. More is better."
    ),
}
"""What each figure is, for a reader who sees it for the first time."""
MEANINGS_BY_LABEL: dict[StratumName, str] = {
    WITH_OBJECT: "the mean Dice over the labels that a test case has, averaged over the cases that have any. More is better.",
    MISSED: (
        "the share of the labels that a case has of which nothing was found, so that no {element} predicted as one lies on it. "
        "Less is better."
    ),
    LEFT_EMPTY: (
        "the share of the cases without any label on which nothing was predicted, the specificity per image; on the others "
        "there was a false alarm. More is better."
    ),
}
"""The same where there are several labels."""
_BELOW, _AXIS = 44.0, 42.0
"""In units of the drawing: from the last arm to the first difference, and under the last row of either."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One kind of case as a drawing: the arms on an axis, and below them their differences to the plain network on another.

    tints: the class of every arm's row. top: where the second axis begins.
    """

    name: StratumName
    title: str
    meaning: str
    cases: int
    groups: int
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]
    tints: tuple[str, ...]
    axis: Axis
    difference_ticks: tuple[Tick, ...]
    differences: tuple[Row, ...]
    lines: tuple[str, ...]

    @property
    def bottom(self) -> float:
        """The lower end of the first axis."""
        return self.rows[-1].y + 14

    @property
    def top(self) -> float:
        """Where the second axis begins."""
        return self.bottom + _BELOW

    @property
    def height(self) -> float:
        """Of the whole drawing."""
        return self.top + self.differences[-1].y + _AXIS if self.differences else self.bottom + _AXIS - 12

    @property
    def file(self) -> str:
        """The name of the drawing as a file."""
        return f"{self.name.replace('_', '-')}.svg"


def draw_strata(contents: PlacementContents) -> tuple[Panel, ...]:
    """The kinds of cases that the record tells of, in their order; none of a record of before they were told apart."""
    strata = contents.record.strata
    return tuple(_draw_panel(contents, name, strata[name]) for name in STRATA if name in strata)


def _draw_panel(contents: PlacementContents, name: StratumName, stratum: Stratum) -> Panel:
    arms = [arm for arm in contents.arms if arm in stratum.arms]
    show, show_change = find_words(name)
    values = [_as_estimate(stratum.arms[arm]) for arm in arms]
    axis = replace(score_axis(values, [], width=WIDTH), left=MARGIN, right=WIDTH - MARGIN)
    pairs = [(arm, found) for arm in arms if (found := stratum.find(arm, NONE)) and arm not in contents.lost]
    changes = [_as_estimate(found) for _, found in pairs]
    below = difference_axis(changes) if changes else axis
    named = [(f"{name_arm(arm)} {show(value.mean)}", value) for arm, value in zip(arms, values, strict=True)]
    minus = [(f"{name_arm(arm)} {MINUS} {NONE}: {show_change(found.value)}", _as_estimate(found)) for arm, found in pairs]
    meanings = MEANINGS_BY_LABEL if len(contents.labels) > 1 else MEANINGS
    shares = name != WITH_OBJECT
    return Panel(
        name=name,
        title=TITLES[name],
        meaning=meanings[name].format(element=contents.element),
        cases=stratum.cases,
        groups=stratum.groups,
        ticks=_in_percent(axis) if shares else axis.ticks(signs=False),
        rows=lay_rows(axis, named),
        tints=tuple(f"arm-{arm}" if arm in ARMS else "quiet" for arm in arms),
        axis=below,
        difference_ticks=_in_percent(below, signs=True) if shares else below.ticks(signs=True),
        differences=lay_rows(below, minus),
        lines=tuple(f"{label}, {_describe_ends(value, show)}" for label, value in named),
    )


def _in_percent(axis: Axis, *, signs: bool = False) -> tuple[Tick, ...]:
    """The ticks of an axis of shares, as percent or points."""
    scaled = replace(axis, low=100 * axis.low, high=100 * axis.high, step=100 * axis.step)
    unit = "" if signs else "\N{NO-BREAK SPACE}%"
    return tuple(replace(tick, text=f"{tick.text}{unit}") for tick in scaled.ticks(signs=signs))


def find_words(name: str) -> tuple[Callable[[float], str], Callable[[float], str]]:
    """How a value of a stratum is written, and how a difference of two is."""
    return (decimal, signed) if name == WITH_OBJECT else (share, points)


def describe_value(found: StratumValue, show: Callable[[float], str]) -> str:
    """A value with its interval: 49 % [41 %, 58 %]; without one where one group tells nothing of others."""
    ends = [end for end in (found.low, found.high) if end is not None]
    if len(ends) < 2:
        return f"{show(found.value)} (no interval)"
    low, high = (show(end).removesuffix("\N{NO-BREAK SPACE}points").removesuffix("\N{NO-BREAK SPACE}point") for end in ends)
    return f"{show(found.value)} [{low}, {high}]"


def _describe_ends(found: Estimate, show: Callable[[float], str]) -> str:
    """An interval for who hears the drawing."""
    return f"{show(found.low)} to {show(found.high)}"


def _as_estimate(found: StratumValue) -> Estimate:
    """The same for a drawing, as narrow as a dot where nothing bounds it."""
    low, high = (found.value if end is None else end for end in (found.low, found.high))
    return Estimate(mean=found.value, low=low, high=high)


def list_pairs(strata: Sequence[Stratum]) -> tuple[str, ...]:
    """The differences that any of them has, each once, in their order."""
    return tuple(dict.fromkeys(pair for stratum in strata for pair in stratum.differences))
