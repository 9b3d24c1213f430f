"""Scores as CSV: long, a line per score; wide, a column per system; or as MONAI's MetricsSaver writes it."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from focalseg.comparison.known_metrics import are_same, is_at_tolerance, is_distance, is_known, name_source
from focalseg.comparison.reading.tables import EXAMPLE, Cell, Table, name_case
from focalseg.errors import DataError, SettingError
from focalseg.findings import show_name, show_path, show_value
from focalseg.imagesets.folders.tables import MOST_FAULTS, Row, read_csv
from focalseg.records.escapes import read_cell

_CASE_COLUMNS = ("case", "filename")
_KEYS = ("seed", "fold", "group", "label", "system")
_COUNTS = (("true_pixels", "predicted_pixels"), ("n_ref", "n_pred"))
_TUNED = ("tuned_dice", "tuned_predicted_pixels")
"""Of our own runs at the threshold that was tuned on validation cases: what was predicted is another thing there."""
_UNIT, _TOLERANCE = "unit", "tolerance"
_SCORE, _DEFAULT = "score", "dice"
_MONAI_CASE, _MONAI_MEAN = "filename", "mean"
_INDEX = re.compile(r"Unnamed: \d+", re.ASCII)
"""How pandas names the numbers of lines when it has read them from a table that it wrote: no system."""
_SUMMARIES = frozenset(["mean", "average", "avg", "median", "std", "sd", "sem"])
"""What the last lines of many tables are called, which are no case."""
_POINT = "Write all of them with a point."
_NO_SIGN = "Write all of them without the sign: 0.91, or 91."
_MISSING = frozenset(["", "nan", "na", "n/a", "none", "null"])


def read_tables(path: Path, metric: str | None) -> list[Table]:
    """The tables of the trainings and systems in a CSV file. Raises DataError with every line at fault."""
    rows = read_csv(path)
    columns = {name.strip().lower(): name for name in rows[0].cells if not _INDEX.fullmatch(name)}
    case = next((columns[name] for name in _CASE_COLUMNS if name in columns), None)
    if case is None:
        shown = show_path(", ".join(rows[0].cells)[:120])
        raise DataError(
            f"{show_path(path)}: has no column case (it has {shown}); expected {EXAMPLE}. Rename the column of cases to case."
        )
    if case.lower() == _MONAI_CASE and _MONAI_MEAN in columns:
        return [_read_monai(path, rows, columns, metric)]
    others = (*_CASE_COLUMNS, *_KEYS, *(name for pair in _COUNTS for name in pair), _UNIT, _TOLERANCE)
    scores = [name for name in columns if name not in others]
    chosen = _choose_column(path, scores, columns, metric)
    if chosen is None:
        return _read_wide(path, rows, {columns[name]: columns[name] for name in scores}, case, columns, metric or _SCORE)
    return _read_long(path, rows, chosen, case, columns)


def read_tables_of(path: Path, metric: str, *, column: str) -> dict[str, Table]:
    """The table of each value of a column, of a file of ours with a column case and one of that metric."""
    rows = read_csv(path, ("case", column))
    columns = {name.strip().lower(): name for name in rows[0].cells}
    scores = [name for name in columns if is_known(name)]
    chosen = _choose_column(path, scores, columns, metric)
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(read_cell(row.cells[column]), []).append(row)
    return {part: _read_long(path, of_part, str(chosen), "case", columns)[0] for part, of_part in parts.items()}


def _choose_column(path: Path, scores: Sequence[str], columns: Mapping[str, str], metric: str | None) -> str | None:
    """The column with the scores, None where every column is a system. scores: the columns that may hold some."""
    if not scores:
        raise DataError(f"{show_path(path)}: has no column of scores; expected {EXAMPLE}. Add one.")
    metrics = [name for name in scores if name == _SCORE or is_known(name)]
    if metric is not None and (same := [name for name in scores if name == metric.strip().lower() or are_same(name, metric)]):
        return columns[metric.strip().lower() if metric.strip().lower() in same else same[0]]
    if metric is not None and name_source(metric) != metric and (same := [name for name in scores if are_same(name, _DEFAULT)]):
        return columns[same[0]]
    if _SCORE in metrics:
        return columns[_SCORE]
    if not metrics:
        return None
    default = [name for name in metrics if are_same(name, _DEFAULT)]
    if metric is None and (default or len(metrics) == 1):
        return columns[(default or metrics)[0]]
    found = f"has no column {show_value(metric)}" if metric else "has several metrics"
    names = show_name(", ".join(columns[name] for name in metrics))
    raise SettingError(f"{show_path(path)}: {found}; expected one of {names}. Give one of them as --metric.")


def _read_long(path: Path, rows: Sequence[Row], score: str, case: str, columns: Mapping[str, str]) -> list[Table]:
    """One table per system, fold and seed, in the order they come in."""
    keys = [columns.get(name) for name in ("system", "fold", "seed")]
    counts = next((tuple(columns[name] for name in pair) for pair in _COUNTS if all(name in columns for name in pair)), None)
    dice = None if counts is None else next((columns[name] for name in columns if are_same(name, _DEFAULT)), None)
    if score.lower() == _TUNED[0] and all(name in columns for name in (_COUNTS[0][0], _TUNED[1])):
        counts, dice = (columns[_COUNTS[0][0]], columns[_TUNED[1]]), score
    name = _choose_names(rows, case)
    faults: list[str] = []
    cells: dict[tuple[str, ...], dict[str, dict[str, Cell]]] = {}
    for row in rows:
        key = tuple(read_cell(row.cells[column]) if column else "" for column in keys)
        label = read_cell(row.cells[columns["label"]]) if "label" in columns else ""
        if name(row).lower() in _SUMMARIES:
            faults.append(
                f"{show_path(path)}: line {row.line} has the case {show_name(name(row))}; expected cases alone, and no line "
                "that sums them up. Remove it, or rename the case."
            )
            continue
        of_case = cells.setdefault(key, {}).setdefault(name(row), {})
        if label in of_case:
            of = f" and label {show_name(label)}" if label else ""
            faults.append(
                f"{show_path(path)}: line {row.line} has the case {show_name(name(row))}{of} again; expected each once per "
                "system, fold and seed. Remove it, or add the column that tells them apart."
            )
            continue
        true, predicted = (_read_number(path, row, column, faults) for column in counts) if counts else (None, None)
        value = _read_number(path, row, score, faults)
        of_dice = None if dice is None else value if dice == score else _read_number(path, row, dice, faults)
        of_case[label] = Cell(score=value, true=true, predicted=predicted, dice=of_dice)
    groups = _read_groups(path, rows, name, columns, faults)
    _raise(faults)
    metric = score if score.lower() != _SCORE else _SCORE
    measure = _read_measure(rows, metric, columns)
    return [
        Table(
            source=show_path(path),
            metric=metric,
            cells=found,
            system=system,
            fold=fold,
            seed=seed,
            groups=groups,
            measure=measure,
        )
        for (system, fold, seed), found in cells.items()
    ]


def _read_measure(rows: Sequence[Row], metric: str, columns: Mapping[str, str]) -> tuple[str, ...]:
    """How a metric was measured, each way that the lines tell of: a distance in a unit, NSD at a tolerance."""
    if not (is_distance(metric) or is_at_tolerance(metric)):
        return ()
    told = [columns[name] for name in ((_TOLERANCE, _UNIT) if is_at_tolerance(metric) else (_UNIT,)) if name in columns]
    found = (" ".join(_shorten_number(read_cell(row.cells[column])) for column in told).strip() for row in rows)
    return tuple(dict.fromkeys(filter(None, found)))


def _shorten_number(text: str) -> str:
    """1.000000 and 1.0 as 1; what is no number as it is."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _read_wide(
    path: Path, rows: Sequence[Row], systems: Mapping[str, str], case: str, columns: Mapping[str, str], metric: str
) -> list[Table]:
    """One table per column, fold and seed."""
    tables: list[Table] = []
    for column, system in systems.items():
        long = _read_long(path, rows, column, case, {name: found for name, found in columns.items() if name != "system"})
        tables += [replace(one, metric=metric, system=system) for one in long]
    return tables


def _read_monai(path: Path, rows: Sequence[Row], columns: Mapping[str, str], metric: str | None) -> Table:
    """MONAI's METRIC_raw.csv: filename, a column per class and their mean, which leaves nan out and so is made anew."""
    named = path.stem.removesuffix("_raw")
    if metric is not None and not are_same(metric, named):
        raise DataError(
            f"{show_path(path)}: has the metric {show_value(named)}; expected {show_value(metric)}. Give that file."
        )
    labels = [name for name in rows[0].cells if name.lower() not in (_MONAI_CASE, _MONAI_MEAN)]
    name = _choose_names(rows, columns[_MONAI_CASE])
    faults: list[str] = []
    cells: dict[str, dict[str, Cell]] = {}
    for row in rows:
        if name(row) in cells:
            faults.append(
                f"{show_path(path)}: line {row.line} has the file {show_name(name(row))} again; expected each once. Remove one."
            )
        cells[name(row)] = {label: Cell(score=_read_number(path, row, label, faults)) for label in labels}
    _raise(faults)
    return Table(source=show_path(path), metric=named, cells=cells)


def _choose_names(rows: Sequence[Row], column: str) -> Callable[[Row], str]:
    """How a line names its case: without the folder and the ending of its image, unless two images differ in these alone."""
    full = list(dict.fromkeys(read_cell(row.cells[column]) for row in rows))
    short = Counter(map(name_case, full))
    names = {one: name_case(one) if short[name_case(one)] == 1 and name_case(one) else one for one in full}
    return lambda row: names[read_cell(row.cells[column])]


def _read_number(path: Path, row: Row, column: str, faults: list[str]) -> float:
    """A number of a line, nan for none. What is no number is added to the faults."""
    text = row.cells[column]
    if text.lower() in _MISSING:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.inf
    if "_" in text or not math.isfinite(number):  # Python reads 1_000 as a number, and nobody else does
        mend = (
            _NO_SIGN if "%" in text else _POINT if "," in text else "Mend it, or leave the cell empty where there is no score."
        )
        if mend in (_POINT, _NO_SIGN) and any(fault.endswith(mend) for fault in faults):
            return math.nan  # a whole column is written so: it is told once
        faults.append(
            f"{show_path(path)}: line {row.line} has {show_value(text)} as {show_name(column)}; "
            f"expected a finite number. {mend}"
        )
        return math.nan
    return number


def _read_groups(
    path: Path, rows: Sequence[Row], name: Callable[[Row], str], columns: Mapping[str, str], faults: list[str]
) -> dict[str, str]:
    if "group" not in columns:
        return {}
    groups: dict[str, str] = {}
    for row in rows:
        group = read_cell(row.cells[columns["group"]])
        if not group:
            faults.append(
                f"{show_path(path)}: line {row.line} has no group; expected one for every case. Give a case alone its own name."
            )
        elif groups.setdefault(name(row), group) != group:
            faults.append(
                f"{show_path(path)}: line {row.line} has the group {show_value(group)} for the case {show_name(name(row))}, "
                f"which was of {show_value(groups[name(row)])} before; expected one group. Mend one of the two."
            )
    return groups


def read_groups(path: Path) -> dict[str, str]:
    """The group of every case, from the columns case and group. Raises DataError with every line at fault."""
    rows = read_csv(path, ("case", "group"))
    faults: list[str] = []
    groups = _read_groups(path, rows, lambda row: read_cell(row.cells["case"]), {"group": "group"}, faults)
    _raise(faults)
    # A table of cases may name images with their endings, which other tables leave out.
    short = Counter(map(name_case, groups))
    return {name_case(case): group for case, group in groups.items() if short[name_case(case)] == 1} | groups


def _raise(faults: Sequence[str]) -> None:
    if faults:
        raise DataError([*_shorten(faults)])


def _shorten(faults: Sequence[str]) -> Iterator[str]:
    yield from faults[:MOST_FAULTS]
    if len(faults) > MOST_FAULTS:
        yield f"There are {len(faults) - MOST_FAULTS} more faults than these; mend these first."
