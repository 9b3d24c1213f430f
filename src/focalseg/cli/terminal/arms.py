"""The arms of a finished job as a table of plain text, a line per arm."""

from collections.abc import Iterator, Sequence

from focalseg.records.estimate import Estimate
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, WITH_OBJECT, WITH_OBJECT_DICE, StratumName, StratumValue
from focalseg.records.placement import JobRecord

_MEANINGS = {
    MISSED: "missed: share of the cases with the object on which nothing of it was found",
    LEFT_EMPTY: "left empty: share of the cases without it on which nothing was predicted",
}


def list_arm_lines(record: JobRecord) -> list[str]:
    """The lines: what the columns are, then the arms with the score that the verdict rests on, what was missed and left empty
    where that was counted, modules and parameters."""
    shares: list[StratumName] = [name for name in (MISSED, LEFT_EMPTY) if name in record.strata]
    score = "Dice with the object [95 %]" if _is_of_object(record) else "test Dice [95 %]"
    header = ["arm", score, *(name.replace("_", " ") for name in shares), "modules", "parameters"]
    rows = [header]
    for name, arm in record.arms.items():
        found = [record.strata[kind].arms.get(name) for kind in shares]
        cells = ["" if one is None else f"{100 * one.value:.1f} %" for one in found]
        rows.append([name, _show_endpoint(record, name), *cells, str(arm.modules), f"{arm.parameters:,}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [*(_lay(row, widths) for row in rows), *_explain(shares)]


def _is_of_object(record: JobRecord) -> bool:
    return record.endpoint == WITH_OBJECT_DICE and WITH_OBJECT in record.strata


def _show_endpoint(record: JobRecord, arm: str) -> str:
    """The score that the verdict rests on, with its interval."""
    found = record.strata[WITH_OBJECT].arms.get(arm) if _is_of_object(record) else None
    return str(record.arms[arm].estimate) if found is None else _show(found)


def _show(found: StratumValue) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:.3f} [unknown]"
    return str(Estimate(mean=found.value, low=found.low, high=found.high))


def _lay(cells: list[str], widths: list[int]) -> str:
    """A row, its name to the left and its numbers to the right."""
    name, *numbers = cells
    return "  ".join([f"{name:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True))])


def _explain(shares: Sequence[StratumName]) -> Iterator[str]:
    if shares:
        yield "; ".join(_MEANINGS[name] for name in shares)
