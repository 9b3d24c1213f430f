"""From what a person names to systems: paths joined by commas, recognised by what is there."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from focalseg.comparison.known_metrics import WITH_OBJECT, are_same, find_better, is_distance, is_share, name_metric
from focalseg.comparison.reading import nnunet, runs
from focalseg.comparison.reading.tables import EXAMPLE, Table, check_empty, count_both_empty, take_training
from focalseg.comparison.settings import ComparisonSettings
from focalseg.comparison.systems import System
from focalseg.errors import DataError, FocalsegError, SettingError
from focalseg.findings import show_name, show_path, show_value
from focalseg.records.names import NONE, PLACED
from focalseg.records.outcome.claims import Claim
from focalseg.records.outcome.strata import ALL_CASES_DICE, WITH_OBJECT_DICE
from focalseg.records.scores.comparison import Better
from focalseg.records.scores.emptiness import describe_nothing_found

_TABLE_ENDINGS = (".csv", ".tsv", ".txt")
_EXPECTED = "a result folder or summary.json of nnU-Net, a job or run of ours, or a CSV file with " + EXAMPLE


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Systems as they were read. notes: what is known besides of their scores."""

    systems: tuple[System, ...]
    settings: ComparisonSettings
    notes: tuple[str, ...]


def open_paths(
    paths: Sequence[tuple[str, list[Path]]],
    *,
    metric: str | None = None,
    better: Better | None = None,
    margin: float | None = None,
    difference: float | None = None,
    empty: str | None = None,
    labels: Sequence[str] = (),
    claim: Claim | None = None,
) -> Opened:
    """The systems of these names, "" for none, from the paths of their trainings; the first of them is the reference.

    metric, better: where None, what the tables have and what the metric's name tells. labels: those to compare, all by default.
    Raises SettingError and DataError, with every fault of every path.
    """
    named = _read_all(paths, metric)
    with_object = _is_with_object([table for _, found in named for table in found], metric)
    tables = [table for _, found in named for table in found]
    named = [(name, [_keep_labels(table, labels) for table in found]) for name, found in named]
    chosen_empty = check_empty(tables, empty)
    settings = replace(_choose_settings(tables, metric, better, margin), difference=difference, claim=claim)
    _refuse_values(tables, settings)
    _refuse_other_measures(tables, settings.metric)
    notes = list(_list_notes([path for _, given in paths for path in given], tables, chosen_empty))
    counted_empty = any(cell.true is not None for table in tables for cells in table.cells.values() for cell in cells.values())
    return Opened(
        systems=tuple(
            System(
                name=name,
                trainings=tuple(take_training(table, chosen_empty) for table in found),
                groups={case: group for table in found for case, group in table.groups.items()},
                shared=max((table.shared for table in found if table.shared is not None), default=None),
                of_job=found[0].of_job if len({id(table.of_job) for table in found}) == 1 else None,
            )
            for name, found in named
        ),
        settings=replace(settings, empty=chosen_empty if counted_empty or empty else "", with_object=with_object),
        notes=tuple(notes),
    )


def split_arguments(arguments: Sequence[str]) -> list[tuple[str, list[Path]]]:
    """The name that each argument of the command gives, "" for none, and its paths.

    An argument is a path or several joined by commas, which are trainings of one system, with a name before it or not:
    `NAME=PATH,PATH`. One job of ours alone stands for what it compares, its arms none and placed.
    """
    if len(arguments) == 1 and _exists(arguments[0]) and runs.is_job(Path(arguments[0])):
        arms = Path(arguments[0]) / runs.RUNS
        return [(NONE, [arms / NONE]), (PLACED, [arms / PLACED])]
    split = []
    for argument in arguments:
        name, given = "", argument
        if not _exists(argument) and (match := re.match(r"([^=/\\]+)=(.+)", argument, re.DOTALL)):
            name, given = match[1], match[2]
        parts = [given] if _exists(given) else [part for part in given.split(",") if part]
        split.append((name, [Path(part) for part in parts or [given]]))
    return split


def _exists(path: str | Path) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # a name that is too long, say
        return False


def _is_file(path: Path) -> bool:
    return _exists(path) and path.is_file()


def _read_all(arguments: Sequence[tuple[str, list[Path]]], metric: str | None) -> list[tuple[str, list[Table]]]:
    """Every system with its tables. Raises the first kind of error that came up, with the faults of all of them."""
    faults: list[str] = []
    errors: list[FocalsegError] = []
    systems: dict[str, list[Table]] = {}
    for name, (_, paths) in zip(_name_paths(arguments), arguments, strict=True):
        own: dict[str, list[Table]] = {}
        for number, path in enumerate(paths):
            try:
                for table in _read_path(path, metric):
                    seed = f"{number}: {table.seed}" if table.seed and len(paths) > 1 else table.seed
                    own.setdefault(table.system or name, []).append(replace(table, seed=seed))
            except (DataError, SettingError) as error:
                errors.append(error)
                faults += error.faults if isinstance(error, DataError) else str(error).splitlines()
        if twice := [one for one in own if one in systems]:
            errors.append(SettingError())
            faults.append(
                f"Two systems are named {show_value(twice[0])}; expected a name of its own for each. Join files that are "
                "trainings of one system by a comma, and rename a column otherwise."
            )
        systems |= own
    if errors:
        faults = list(dict.fromkeys(faults))
        raise DataError(faults) if any(isinstance(one, DataError) for one in errors) else SettingError("\n".join(faults))
    return list(systems.items())


def _read_path(path: Path, metric: str | None) -> list[Table]:
    """The tables of what is there. Raises SettingError where nothing is, or nothing that is known."""
    found: list[Table] = []
    arm_of_job = (
        _exists(path.parent) and path.parent.name == runs.RUNS and runs.is_job(path.parent.parent) and path.name == PLACED
    )
    if not _exists(path) and not arm_of_job:
        raise SettingError(f"No file or folder {show_name(str(path))}; expected {_EXPECTED}. Give the path of one.")
    if path.name == runs.CASES and runs.is_run(path.parent):
        path = path.parent
    path = _find_table(path, metric)
    if not path.is_dir() and path.suffix.lower() in _TABLE_ENDINGS:
        from focalseg.comparison.reading.csv_files import read_tables  # with what it needs, only where there is a table

        return read_tables(path, metric)
    found = [*nnunet.read_results(path, metric)] or ([] if path.is_file() else [*runs.read_runs(path, metric)])
    if not found:
        what = "is no table of scores" if path.is_file() else "has no scores that are known"
        raise SettingError(f"{show_path(path)} {what}; expected {_EXPECTED}. Give the path of one.")
    return found


def _find_table(path: Path, metric: str | None) -> Path:
    """The table in a folder that is no run: cases.csv, or the one of MONAI's that has the metric; else the path itself."""
    if not path.is_dir() or runs.is_run(path):
        return path
    if (path / runs.CASES).is_file():
        return path / runs.CASES
    raw = sorted(path.glob("*_raw.csv"))
    chosen = [one for one in raw if are_same(one.stem.removesuffix("_raw"), metric or "dice")]
    return next(iter(chosen or (raw if len(raw) == 1 else [])), path)


def _name_paths(arguments: Sequence[tuple[str, list[Path]]]) -> list[str]:
    """A name for each argument: the one given, else as many last parts of its first path as tell it from the others."""
    parts = _shorten_trainers([_name_parts(paths) for _, paths in arguments])
    names: list[str] = []
    for number, (given, _) in enumerate(arguments):
        depth = 1
        others = [other for place, other in enumerate(parts) if place != number]
        while depth < len(parts[number]) and any(other[-depth:] == parts[number][-depth:] for other in others):
            depth += 1
        names.append(given or "/".join(parts[number][-depth:]))
    for number, name in enumerate(names):
        if name in names[:number]:
            twice = show_value(arguments[number][0] or parts[number][-1])
            raise SettingError(f"Two systems are named {twice}; expected a name of its own for each. Give them as NAME=PATH.")
    return names


def _shorten_trainers(parts: list[list[str]]) -> list[list[str]]:
    """nnU-Net's TRAINER__PLANS__CONFIGURATION without what all of them share."""
    split = [one[-1].split("__") for one in parts]
    if len(parts) == 1 or any(len(words) != 3 for words in split) or any(words[1:] != split[0][1:] for words in split):
        return parts
    return [[*one[:-1], words[0]] for one, words in zip(parts, split, strict=True)]


def _name_parts(paths: Sequence[Path]) -> list[str]:
    """The parts of a path that name a system, without those that every one has; of several paths what their names share."""
    path = Path(os.path.normpath(paths[0].absolute()))
    dull = ("validation", nnunet.SUMMARY, runs.CASES)
    parts = [part for part in path.parts[1:] if part not in dull]
    last = path.stem if parts and parts[-1] == path.name and _is_file(path) else parts[-1] if parts else str(path)
    if len(paths) > 1:
        names = [one.stem if _is_file(one) else one.name for one in paths]
        shared = os.path.commonprefix(names).rstrip("_-. ")  # noqa: RUF071 - what their letters begin with alike
        last = shared or last
    return [*parts[:-1], last]


def _keep_labels(table: Table, labels: Sequence[str]) -> Table:
    """The table with those labels alone. Raises DataError where it lacks one."""
    if not labels:
        return table
    known = dict.fromkeys(label for cells in table.cells.values() for label in cells)
    if lacking := [label for label in labels if label not in known]:
        names = ", ".join(filter(None, known)) or "none, its scores are of whole cases"
        raise DataError(
            f"{table.source}: has no label {show_value(lacking[0])}; expected one of its labels ({show_name(names)}). Give one "
            "as --label."
        )
    kept = {case: {label: cell for label, cell in cells.items() if label in labels} for case, cells in table.cells.items()}
    return replace(table, cells=kept)


def _choose_settings(
    tables: Sequence[Table], metric: str | None, better: Better | None, margin: float | None
) -> ComparisonSettings:
    """The metric as the first table spells it, and its good end. Raises DataError where tables have different metrics."""
    first = next((table for table in tables if table.metric.lower() != "score"), tables[0])
    others = (table for table in tables if table.metric.lower() != "score" and not are_same(table.metric, first.metric))
    if (second := next(others, None)) is not None:
        raise DataError(
            f"{second.source}: has the metric {show_value(second.metric)}, and {first.source} {show_value(first.metric)}; "
            "expected one metric. Give the one to compare as --metric."
        )
    name = name_metric(metric or "score" if first.metric.lower() == "score" else first.metric)
    known = find_better(name)
    if better is not None and known is not None and better != known:
        raise SettingError(
            f"--better was {better}, and of {show_name(name)} {known} is better; expected {known}. Leave --better out."
        )
    return ComparisonSettings(metric=name, better=better or known or "higher", margin=margin)


def _is_with_object(tables: Sequence[Table], metric: str | None) -> bool:
    """Whether Dice is compared over the cases that have the object: where that is asked for, and of trainings of ours where
    nobody says, since their job's own verdict rests on it. Raises SettingError where tables do not tell which cases do."""
    if metric is None:
        endpoints = {table.endpoint for table in tables}
        return "" not in endpoints and endpoints != {ALL_CASES_DICE}
    if not are_same(metric, WITH_OBJECT):
        return False
    named = [table for table in tables if are_same(table.metric, WITH_OBJECT)]
    if not named and (unknown := [table for table in tables if not take_training(table, "one").counted]):
        raise SettingError(
            f"{unknown[0].source}: nothing tells which cases have the object; expected the columns dice, true_pixels and "
            f"predicted_pixels for --metric {WITH_OBJECT_DICE}. Add them, or compare another metric."
        )
    return not named


def _refuse_values(tables: Sequence[Table], settings: ComparisonSettings) -> None:
    """Raises DataError for scores that the metric cannot have."""
    share, distance = is_share(settings.metric), is_distance(settings.metric) or settings.better == "lower"
    faults = []
    for table in tables:
        for case, cells in table.cells.items():
            for cell in cells.values():
                if ((share and not 0 <= cell.score <= 100) or (distance and cell.score < 0)) and cell.score == cell.score:
                    expected = "0 to 1, or 0 to 100 in percent" if share else "0, the best, or more"
                    faults.append(
                        f"{table.source}: case {show_name(case)} has the {show_name(settings.metric)} {cell.score:g}; expected "
                        f"{expected}. Mend it, or name what it is with --metric and --better."
                    )
    if faults:
        raise DataError(faults[:5])


def _refuse_other_measures(tables: Sequence[Table], metric: str) -> None:
    """Raises DataError for distances in several units, and NSD at several tolerances, where tables say theirs."""
    sources: dict[str, str] = {}
    for table in tables:
        for measure in table.measure:
            sources.setdefault(measure, table.source)
    if len(sources) > 1:
        (first, here), (other, there) = [*sources.items()][:2]
        raise DataError(
            f"{there}: has {show_name(metric)} in {show_name(other)}, and {here} in {show_name(first)}; expected one measure. "
            "Score both with the same spacing and tolerance (`focalseg evaluate --spacing MM --tolerance D`)."
        )


def _list_notes(paths: Sequence[Path], tables: Sequence[Table], empty: str) -> Iterator[str]:
    if number := count_both_empty(tables):
        yield f"{number} times nothing was to be found and nothing was: such a score {describe_nothing_found(empty)}."
    generic = [table for table in tables if table.metric.lower() == "score"]
    if generic and (named := [table for table in tables if table.metric.lower() != "score"]):
        yield f"{generic[0].source} does not name its score, which is taken to be {name_metric(named[0].metric)}."
    for path in paths:
        for fold in nnunet.find_unfinished(path) if _exists(path) and nnunet.find_summaries(path) else []:
            yield f"{show_path(path / fold)} has no validation/summary.json, so that its cases are not compared."
