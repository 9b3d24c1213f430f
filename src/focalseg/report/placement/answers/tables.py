"""Tables of what the arms reach on each kind of case, at each threshold, and of how much is rescue from misses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from focalseg.findings import counted
from focalseg.records.outcome.strata import (
    LEFT_EMPTY,
    STRATA,
    WITH_OBJECT,
    Rescue,
    Stratum,
    StratumDifference,
    StratumValue,
    name_pair,
)
from focalseg.records.placement import ARMS, NONE
from focalseg.report.placement.answers.strata import TITLES, describe_value, find_words
from focalseg.report.placement.contents import PlacementContents
from focalseg.report.placement.naming import name_arm
from focalseg.report.wording import MINUS, grouped, probability, share, signed

Show = Callable[[float], str]
NOT_COMPARED = "not compared"
"""In place of a difference to an arm most of whose trainings ended predicting nothing."""
ABSENT = "none there"
"""Where no case is of the kind."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row: its name, the class that colours it, and its cells. A row without cells is a heading over those below it."""

    name: str
    tint: str = "rival"
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text. id: of its element; label: what it is, for who hears it."""

    id: str
    label: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def tabulate_strata(contents: PlacementContents) -> Table | None:
    """Every arm and every difference on each kind of case; None of a record of before they were told apart."""
    strata = contents.record.strata
    names = [name for name in STRATA if name in strata]
    if not names:
        return None
    columns = tuple(f"{TITLES[name]} ({_count(strata[name])})" for name in names)
    lines = _list_lines(contents, [strata[name] for name in names], [find_words(name) for name in names])
    return Table(id="strata", label="The arms on each kind of case", columns=("Attention", *columns), lines=tuple(lines))


def tabulate_labels(contents: PlacementContents) -> Table | None:
    """The same for every label of several."""
    labels = contents.record.by_label
    names = [name for name in STRATA if any(name in one.strata for one in labels)]
    if not names:
        return None
    lines: list[Line] = []
    for one in labels:
        lines.append(Line(name=f"{one.label}: {_count_cases(one.strata)}"))
        lines += _list_lines(contents, [one.strata.get(name) for name in names], [find_words(name) for name in names])
    columns = ("Attention", *(TITLES[name] for name in names))
    return Table(
        id="strata-by-label", label="The arms on each kind of case, label by label", columns=columns, lines=tuple(lines)
    )


def tabulate_sizes(contents: PlacementContents) -> Table | None:
    """Dice of every arm by the size of the object."""
    sizes, element = contents.record.by_size, contents.element
    if not sizes:
        return None
    columns = tuple(
        f"{one.size.capitalize()}, {grouped(one.least_pixels)} to {grouped(one.most_pixels)} {element}s ({_count(one)})"
        for one in sizes
    )
    lines = _list_lines(contents, sizes, [find_words(WITH_OBJECT)] * len(sizes))
    return Table(
        id="strata-by-size", label="Dice of the arms by size of the object", columns=("Attention", *columns), lines=tuple(lines)
    )


def tabulate_thresholds(contents: PlacementContents) -> Table | None:
    """The endpoint at 0.5 and at thresholds tuned on validation cases; None where nobody tuned any."""
    tuned = contents.record.tuned
    if tuned is None:
        return None
    plain = contents.record.strata.get(WITH_OBJECT)  # none where no case has the object
    both = [tuned] if plain is None else [plain, tuned]
    lines = [
        Line(name=line.name, tint=line.tint, cells=(*line.cells, _name_thresholds(tuned.thresholds, line.name)))
        for line in _list_lines(contents, both, [find_words(WITH_OBJECT)] * len(both))
    ]
    columns = ("Attention", *(["Dice at 0.5"] if plain else []), "Dice at the tuned thresholds", "Tuned thresholds")
    return Table(id="thresholds", label="The endpoint at both thresholds", columns=columns, lines=tuple(lines))


def _name_thresholds(thresholds: Mapping[str, Sequence[float]], name: str) -> str:
    """Those of an arm's trainings, from the least to the largest; nothing for a difference."""
    found = next((values for arm, values in thresholds.items() if name_arm(arm) == name), ())
    ends = sorted({f"{min(found):.2f}", f"{max(found):.2f}"}) if found else []
    return " to ".join(ends)


def tabulate_rescue(contents: PlacementContents) -> Table | None:
    """How much of every difference to the plain network is of objects that one of the two missed altogether; None where that is
    none of any."""
    rescues = _list_rescues(contents)
    if not any(one.rescued_objects or one.lost_objects for one in rescues):
        return None
    columns = (
        "Difference", "In Dice", "Objects found that were missed", "Objects missed that were found", "The rest",
        "Share of misses",
    )  # fmt: skip
    lines = [
        Line(
            name=_name_difference(name_pair(one.one, one.other)),
            cells=(
                signed(one.difference),
                f"{signed(one.rescued)} ({grouped(one.rescued_objects)})",
                f"{signed(one.lost)} ({grouped(one.lost_objects)})",
                signed(one.rest),
                "none" if one.share is None else share(one.share),
            ),
        )
        for one in rescues
    ]
    return Table(id="rescue", label="How much of a difference is rescue from misses", columns=columns, lines=tuple(lines))


def _list_rescues(contents: PlacementContents) -> tuple[Rescue, ...]:
    """Those of arms that something can be said of."""
    return tuple(one for one in contents.record.rescue if not {one.one, one.other} & contents.lost and one.one != one.other)


def describe_rescue(contents: PlacementContents) -> str:
    """How much of the difference that the answer is about is rescue from misses; empty where nothing tells."""
    one = next((one for one in _list_rescues(contents) if (one.one, one.other) == (contents.shown, NONE)), None)
    if one is None or not one.objects:
        return ""
    name = _name_difference(name_pair(one.one, one.other))
    of = f"of {grouped(one.objects)} objects in all trainings"
    if not one.rescued_objects and not one.lost_objects:
        return (
            f"None of the {signed(one.difference)} Dice of {name} is rescue from misses: no object was missed altogether by "
            f"one network and found by the other ({of})."
        )
    found = (
        f"{one.one} found {grouped(one.rescued_objects)} that {one.other} missed altogether, and missed "
        f"{grouped(one.lost_objects)} that {one.other} found ({of})"
    )
    part = "" if one.share is None else f", {share(one.share)} of it"
    return f"Of the {signed(one.difference)} Dice of {name}, {signed(one.net)} is rescue from misses{part}: {found}."


def describe_calibration(contents: PlacementContents) -> str:
    """Which differences are a matter of the threshold; empty where nobody tuned any."""
    tuned = contents.record.tuned
    if tuned is None:
        return ""
    if not tuned.calibration:
        return "No difference that is shown at 0.5 is gone, or less than half of it left, at the tuned thresholds."
    named = ", ".join(_name_difference(pair) for pair in tuned.calibration)
    return (
        f"Calibration: {named} is shown at 0.5, and at the tuned thresholds it is not shown or less than half of it is left. "
        "It is a matter of where the threshold stands, which costs nothing to move."
    )


def _name_difference(pair: str) -> str:
    """The key of a difference in plain words: placed \N{MINUS SIGN} none."""
    one, _, other = pair.partition(" - ")
    return f"{name_arm(one)} {MINUS} {name_arm(other)}"


def _list_lines(
    contents: PlacementContents, strata: Sequence[Stratum | None], words: Sequence[tuple[Show, Show]]
) -> Iterator[Line]:
    """A line for every arm, and then for every difference. words: how a value and a difference are written in each column."""
    there = [stratum for stratum in strata if stratum is not None]
    for arm in contents.arms:
        if any(arm in stratum.arms for stratum in there):
            values = [stratum.arms.get(arm) if stratum else None for stratum in strata]
            cells = tuple(_describe(value, show) for value, (show, _) in zip(values, words, strict=True))
            yield Line(name=name_arm(arm), tint=f"arm-{arm}" if arm in ARMS else "rival", cells=cells)
    for pair in dict.fromkeys(pair for stratum in there for pair in stratum.differences):
        lost = not contents.lost.isdisjoint(pair.split(" - "))
        found = [stratum.differences.get(pair) if stratum else None for stratum in strata]
        cells = tuple(NOT_COMPARED if lost else _describe(value, show) for value, (_, show) in zip(found, words, strict=True))
        yield Line(name=_name_difference(pair), cells=cells)


def _describe(found: StratumValue | None, show: Show) -> str:
    if found is None:
        return ABSENT
    adjusted = found.holm_p if isinstance(found, StratumDifference) else None
    return describe_value(found, show) + ("" if adjusted is None else f", p {probability(adjusted)}")


def _count(stratum: Stratum) -> str:
    """On how many cases, and of how many groups where these are fewer."""
    groups = f" in {stratum.groups} groups" if 0 < stratum.groups < stratum.cases else ""
    return f"{stratum.cases}{groups}"


def _count_cases(strata: Mapping[str, Stratum]) -> str:
    """How many cases have the label, and how many lack it."""
    with_it, without = (strata[name].cases if name in strata else 0 for name in (WITH_OBJECT, LEFT_EMPTY))
    return f"{counted(with_it, 'case')} with it, {without} without"
