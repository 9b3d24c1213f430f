"""Which labels are scored, and which values stand for them, once all masks were looked at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.errors import SettingError
from focalseg.evaluation.masks.reading import LARGEST_NUMBER, MaskPixels, Value
from focalseg.evaluation.masks.settings import WantedLabel
from focalseg.findings import show_name, show_value
from focalseg.imagesets.masks import FOREGROUND, VOID, MaskCoding
from focalseg.metrics.masks import Label


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a mask holds. path: of its file. shape: of the array. values: beside 0."""

    path: str
    shape: tuple[int, ...]
    values: frozenset[Value]


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """labels: by name what is scored, a number or several. alone: whether masks are yes or no, whatever stands for yes.

    void: the number of what nobody judged, None for none. faults: masks that hold what is no label; notes: for the person.
    """

    labels: Mapping[str, Label]
    alone: bool = False
    void: int | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def arrange(self, mask: MaskPixels, *, ignore: int | None) -> np.ndarray:
        """(*spatial) uint8 of the numbers that are scored and `void`; all else is 0."""
        if self.alone:
            array: np.ndarray = (mask.array != 0).view(np.uint8)
            return array if ignore is None or not mask.numbered else np.where(mask.array == ignore, np.uint8(VOID), array)
        array = mask.array
        if not mask.numbered:
            array = array * np.uint8(max((int(value) for value in mask.values), default=0))
        kept = np.zeros(VOID + 1, np.uint8)
        for label in self.labels.values():
            for number in label if isinstance(label, tuple) else (label,):
                kept[number] = number
        if self.void is not None:
            kept[self.void] = self.void
        arranged: np.ndarray = kept[array]
        return arranged


def find_regions(regions: Mapping[str, tuple[int, ...]], wanted: Sequence[WantedLabel]) -> Sequence[WantedLabel]:
    """The labels to score where a table names regions: all of them, or those that are wanted, with their values."""
    every = {name: WantedLabel(name=name, values=values) for name, values in regions.items()}
    if unknown := [one.name for one in wanted if every and not one.values and one.name not in every]:
        raise SettingError(_unknown(unknown[0], list(every)))
    return [one if one.values else every.get(one.name, one) for one in wanted] or list(every.values())


def settle_declared(
    names: Sequence[str], coding: MaskCoding | None, wanted: Sequence[WantedLabel], looks: Sequence[Look]
) -> Labelling:
    """Labels that a table names, whose numbers the masks have. looks: at the predictions, which know no void."""
    numbers: dict[str, Label] = {name: number for number, name in enumerate(names, start=1)}
    values = coding.values if coding else {}
    labels: dict[str, Label] = dict(numbers) if not wanted else {}
    for one in wanted:
        if not one.values and one.name not in numbers:
            raise SettingError(_unknown(one.name, list(numbers)))
        if strange := [value for value in one.values if not 0 < values.get(value, 0) < VOID]:
            known = ", ".join(f"{show_name(name)}={_value_of(values, number)}" for name, number in numbers.items())
            raise SettingError(
                f"The label {show_value(one.name)} was to be the value {strange[0]}, which no label has; expected values of "
                f"{known}. Give one of these as --label."
            )
        chosen = tuple(dict.fromkeys(values[value] for value in one.values))
        labels[one.name] = numbers[one.name] if not chosen else chosen[0] if len(chosen) == 1 else chosen
    faults = [
        f"{look.path}: holds {VOID}, what nobody judged; expected labels alone in a prediction. Write 0 there."
        for look in looks
        if VOID in look.values
    ]
    return Labelling(labels=labels, void=VOID, faults=tuple(faults))


def _value_of(values: Mapping[int, int], number: Label) -> str:
    return str(next((value for value, one in values.items() if one == number), number))


def settle_values(
    predicted: Sequence[Look], reference: Sequence[Look], wanted: Sequence[WantedLabel], *, ignore: int | None
) -> Labelling:
    """Labels that nothing names but their values: one, whatever stands for it in either folder, or several, by their values."""
    mine, theirs = (frozenset[Value]().union(*(look.values for look in side)) - {ignore} for side in (predicted, reference))
    spoilt = [
        f"{look.path}: holds {ignore}, what nobody judged by --ignore; expected labels alone in a prediction. Write 0 there."
        for look in predicted
        if ignore is not None and ignore in look.values
    ]
    every = [len(look.values - {ignore}) for look in (*predicted, *reference)]
    regions = any(len(one.values) > 1 for one in wanted)
    if max(every, default=0) <= 1 and not regions and _are_one(mine, theirs):
        return _settle_one(mine, theirs, wanted, tuple(spoilt))
    faults = [*spoilt, *_find_strange(predicted, reference, theirs, wanted, ignore)]
    numbers = sorted(int(value) for value in theirs if isinstance(value, int))
    if not wanted:
        labels: dict[str, Label] = {str(number): number for number in numbers}
        return Labelling(labels=labels, void=ignore, faults=tuple(faults))
    labels = {}
    for one in wanted:
        values = one.values or tuple(number for number in numbers if str(number) == one.name)
        if not values:
            raise SettingError(_unknown(one.name, list(map(str, numbers))))
        labels[one.name] = values[0] if len(values) == 1 else values
    named = {number for label in labels.values() for number in (label if isinstance(label, tuple) else (label,))}
    if large := sorted(number for number in named if number > VOID):
        raise SettingError(
            f"--label names the value {large[0]}; expected at most {VOID}, unless a table labels.csv with label,value in the "
            "folder of the true masks declares it. Write that table."
        )
    rest = [number for number in numbers if number not in named]
    notes = [f"The labels {', '.join(map(str, rest))} are not scored, and count as background."] if rest else []
    return Labelling(labels=labels, void=ignore, faults=tuple(faults), notes=tuple(notes))


def _are_one(mine: frozenset[Value], theirs: frozenset[Value]) -> bool:
    """Whether values of masks that hold one each all stand for the same: they are equal, or some are no numbers of labels."""
    values = mine | theirs
    return len(values) <= 1 or any(isinstance(value, str) or value > LARGEST_NUMBER for value in values)


def _settle_one(
    mine: frozenset[Value], theirs: frozenset[Value], wanted: Sequence[WantedLabel], faults: tuple[str, ...]
) -> Labelling:
    name = FOREGROUND
    if wanted:
        values = mine | theirs
        if len(wanted) > 1 or (wanted[0].values and not set(wanted[0].values) <= values):
            found = ", ".join(sorted(map(str, values))) or "nothing"
            raise SettingError(
                f"--label names {', '.join(show_name(one.name) for one in wanted)}, and the masks hold {found} beside 0; "
                "expected a name for that. Leave --label out, or give --label NAME."
            )
        name = wanted[0].name
    notes = []
    if len(mine | theirs) > 1:
        told = [" and ".join(map(str, sorted(values, key=str))) or "nothing" for values in (mine, theirs)]
        notes.append(f"Predictions hold {told[0]} and references {told[1]} beside 0: what is not 0 is the one label.")
    return Labelling(labels={name: 1}, alone=True, void=VOID, faults=faults, notes=tuple(notes))


def _find_strange(
    predicted: Sequence[Look],
    reference: Sequence[Look],
    known: frozenset[Value],
    wanted: Sequence[WantedLabel],
    ignore: int | None,
) -> Iterator[str]:
    """Masks with values that are no labels of the reference: greys among its own, and what predictions alone have."""
    numbers = {value for value in known if isinstance(value, int)}
    named = {value for one in wanted for value in one.values}
    for look in reference:
        if colours := [value for value in look.values if isinstance(value, str)]:
            yield f"{look.path}: holds {colours[0]}, where others hold {_list(numbers)}; expected values. Export it again."
        elif VOID in look.values - named - {ignore} and any(number <= LARGEST_NUMBER for number in numbers):
            yield (
                f"{look.path}: holds {VOID}, where others hold {_list(numbers - {VOID})}; expected numbers of labels. Where it "
                f"is what nobody judged, add --ignore {VOID}; where it is a label, --label NAME={VOID}."
            )
    for look in predicted:
        strange = sorted(str(value) for value in look.values - known - named - {ignore})
        if strange:
            mend = "Mend the mask"
            if strange[0].isdecimal():
                mend += f"; or, where it is a label that no reference has, name the labels: --label NAME={strange[0]} and so on"
            yield (
                f"{look.path}: holds {', '.join(strange[:6])}, which no reference does; expected their labels, "
                f"{_list(numbers) or 'none'}, and 0. {mend}."
            )


def _list(numbers: set[int]) -> str:
    shown = sorted(numbers)
    return ", ".join(map(str, shown[:10])) + (" and more" if len(shown) > 10 else "")


def _unknown(name: str, known: Sequence[str]) -> str:
    names = ", ".join(map(show_name, known)) or "none"
    return f"There is no label {show_value(name)}; expected one of {names}. Give one of these as --label, or NAME=VALUE."
