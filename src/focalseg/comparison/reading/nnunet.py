"""Result folders of nnU-Net (version 2) and its summary.json: per case and label Dice, IoU and the counts they come from."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from focalseg.comparison.known_metrics import are_same, name_source
from focalseg.comparison.reading.tables import Cell, Table, name_case
from focalseg.errors import DataError, SettingError
from focalseg.findings import show_name, show_path, show_value
from focalseg.json_files import parse_json
from focalseg.text_files import NoSmallFileError, read_bounded

SUMMARY = "summary.json"
DEFAULT_METRIC = "Dice"
_MOST_BYTES = 32 << 20
_USUAL_FOLDS = 5
"""That nnU-Net splits into where nobody says otherwise, however many of them are trained."""
_CROSS_VALIDATION = "crossval_results_folds_*"
_EXPECTED = "a summary.json of nnU-Net 2"
_AGAIN = "Let nnU-Net write it again, by `nnUNetv2_train ... --val` or `nnUNetv2_evaluate_folder`."


def find_summaries(path: Path) -> list[tuple[str, Path]]:
    """The summaries that a path stands for, each with the name of its fold; none where it is nothing of nnU-Net's.

    A folder of a trainer has one per fold or, where only folds together were evaluated, one of all; else there is one.
    """
    if not path.is_dir():
        return [(_name_fold(path), path)] if path.suffix == ".json" else []
    of_folds = sorted(path.glob(f"fold_*/validation/{SUMMARY}"))
    if of_folds:
        return [(_name_fold(found), found) for found in of_folds]
    alone = [found for found in (path / SUMMARY, path / "validation" / SUMMARY) if found.is_file()]
    alone += sorted(path.glob(f"{_CROSS_VALIDATION}/{SUMMARY}"), key=lambda found: (-len(found.parent.name), found))
    return [(_name_fold(found), found) for found in alone[:1]]


def find_unfinished(path: Path) -> list[str]:
    """Names of folds that have a folder and no summary."""
    folders = sorted(found for found in path.glob("fold_*") if found.is_dir()) if path.is_dir() else []
    return [found.name for found in folders if not (found / "validation" / SUMMARY).is_file()]


def _name_fold(path: Path) -> str:
    found = [match[1] for part in path.parts if (match := re.fullmatch(r"fold_(\w+)", part))]
    return found[-1] if found else ""


def _read_summary(path: Path, metric: str | None, *, fold: str = "", shared: float | None = None) -> Table:
    """The scores in a summary.json by case and label; Dice by default. Raises DataError for any other file, naming it."""
    wanted = name_source(metric or DEFAULT_METRIC)
    cells: dict[str, dict[str, Cell]] = {}
    spelt = wanted
    for number, entry in enumerate(_read_entries(path)):
        case, metrics = _read_entry(path, number, entry)
        if case in cells:
            raise _fault(path, f"has the case {show_name(case)} twice", "each case once", _AGAIN)
        cells[case] = {}
        for label, values in metrics.items():
            spelt = _find_metric(values, wanted)
            cells[case][label] = _read_cell(path, f"case {show_name(case)}, label {show_name(label)}", values, spelt)
    return Table(source=show_path(path), metric=spelt, cells=cells, fold=fold, shared=shared)


def _read_entries(path: Path) -> list[Any]:
    """What stands under metric_per_case."""
    try:
        content = parse_json(read_bounded(path, most_bytes=_MOST_BYTES), nan=True)
    except NoSmallFileError as error:
        raise _fault(path, str(error), _EXPECTED, "Give another.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        where = f" from line {error.lineno} on" if isinstance(error, json.JSONDecodeError) else ""
        raise _fault(path, f"is no JSON{where}", _EXPECTED, _AGAIN) from error
    except ValueError as error:
        raise _fault(path, f"cannot be read ({error})", _EXPECTED, _AGAIN) from error
    except OSError as error:
        raise _fault(path, f"cannot be read ({error.strerror or error})", _EXPECTED, "Mend that.") from error
    if isinstance(content, dict) and "results" in content and "metric_per_case" not in content:
        raise _fault(path, "was written by nnU-Net 1", _EXPECTED, "Evaluate its folders with `nnUNetv2_evaluate_simple`.")
    entries = content.get("metric_per_case") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise _fault(path, "has no list metric_per_case", _EXPECTED, _AGAIN)
    if not entries:
        raise _fault(path, "has no case", "one or more under metric_per_case", _AGAIN)
    return entries


def _read_entry(path: Path, number: int, entry: Any) -> tuple[str, dict[str, dict[str, Any]]]:
    """The name of a case and its metrics by label."""
    place = f"metric_per_case[{number}]"
    if not isinstance(entry, dict):
        raise _fault(path, f"{place} is {show_value(entry)}", "a case with reference_file and metrics", _AGAIN)
    file = entry.get("reference_file") or entry.get("prediction_file")
    metrics = entry.get("metrics")
    if not isinstance(file, str) or not name_case(file):
        raise _fault(path, f"{place}.reference_file is {show_value(file)}", "the path of a mask", _AGAIN)
    if not isinstance(metrics, dict) or not metrics or not all(isinstance(values, dict) for values in metrics.values()):
        raise _fault(path, f"{place}.metrics is {show_value(metrics)}", "metrics by label", _AGAIN)
    return name_case(file), metrics


def _find_metric(values: dict[str, Any], wanted: str) -> str:
    found = next((name for name in values if are_same(name, wanted)), None)
    if found is None:
        names = show_name(", ".join(values)[:120])
        raise SettingError(
            f"nnU-Net's results have no metric {show_value(wanted)}; expected one of {names}. Give one of them as --metric."
        )
    return found


def _read_cell(path: Path, where: str, values: dict[str, Any], metric: str) -> Cell:
    """The score with the pixels of the label, from n_ref and n_pred or, in older files, from the counts they are sums of."""

    def number(name: str) -> float | None:
        value = values.get(name)
        if value is None and name != metric:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _fault(path, f"{where} has the {name} {show_value(value)}", "a number", _AGAIN)
        return float(value)

    def total(name: str, *parts: str) -> float | None:
        known = number(name)
        if known is not None and not math.isnan(known):
            return known
        counts = [count for count in map(number, parts) if count is not None]
        return sum(counts) if len(counts) == len(parts) else None

    score = number(metric)
    true, predicted = total("n_ref", "TP", "FN"), total("n_pred", "TP", "FP")
    spelt = next((name for name in values if are_same(name, DEFAULT_METRIC)), None)
    dice = None if spelt is None else number(spelt)
    return Cell(score=math.nan if score is None else score, true=true, predicted=predicted, dice=dice)


def _fault(path: Path, found: str, expected: str, mend: str) -> DataError:
    return DataError(f"{show_path(path)}: {found}; expected {expected}. {mend}")


def read_results(path: Path, metric: str | None) -> Iterator[Table]:
    """The table of every fold that a path stands for. Of k folds each is trained on all but its own part, so that two have
    k - 2 of k - 1 parts in common; folds that are not there were split off all the same."""
    summaries = find_summaries(path)
    names = [fold for fold, _ in summaries] + [name.removeprefix("fold_") for name in find_unfinished(path)]
    numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
    count = max([_USUAL_FOLDS, len(names), *(number + 1 for number in numbers)])
    for fold, found in summaries:
        yield _read_summary(found, metric, fold=fold, shared=(count - 2) / (count - 1))
