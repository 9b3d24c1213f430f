"""Runs, arms and jobs of ours: the test scores of every training, as `place` and `train` left them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from focalseg.comparison.basis import NEW_DATA
from focalseg.comparison.known_metrics import name_source
from focalseg.comparison.reading.tables import Table
from focalseg.comparison.systems import ArmOfJob
from focalseg.errors import DataError, SettingError
from focalseg.findings import show_path
from focalseg.records.names import ALL, NONE, PLACED, PLACEMENT, RANDOM, RESULT
from focalseg.records.outcome.strata import WITH_OBJECT_DICE, Endpoint

if TYPE_CHECKING:
    from focalseg.records.placement import JobRecord
    from focalseg.records.scores.external import ExternalRecord

CASES, CONFIG, RUNS, EXTERNAL, SPLITS = "cases.csv", "config.yaml", "runs", "external.json", "splits.json"
TEST, VALIDATION = "test", "validation"
DEFAULT_METRIC = "dice"
_PLACE = re.compile(r"(fold|seed)_(\d+)")


def is_run(path: Path) -> bool:
    """Whether a folder is one of a training, finished or not."""
    return (path / RESULT).is_file() or ((path / CASES).is_file() and (path / CONFIG).is_file())


def is_job(path: Path) -> bool:
    """Whether a folder is one of a finished job with several arms."""
    return (path / PLACEMENT).is_file() and (path / RUNS).is_dir()


def _find_runs(path: Path) -> list[Path]:
    """The runs that a path stands for, by fold and seed: one, those of an arm, or those of what a job placed.

    Of an arm of a finished job a run may be missing, being the very same training as one of another arm, and is then that one.
    """
    if is_job(path):
        path = path / RUNS / PLACED
    if is_run(path):
        return [path]
    job = path.parent.parent
    if path.parent.name == RUNS and is_job(job):
        from focalseg.records.placement import JobRecord  # this and its like only where a job is read: starting takes time
        from focalseg.records.record import read_record

        return list_arm(job, read_record(JobRecord, job / PLACEMENT), path.name)
    return sorted(_list_runs(path), key=order_runs)


def list_arm(job: Path, record: "JobRecord", arm: str) -> list[Path]:
    """The runs of an arm of a finished job, by fold and seed, of which some may be those of another arm."""
    if arm in record.runs:
        return sorted((job / run for run in record.runs[arm]), key=order_runs)
    found = _list_runs(job / RUNS / arm)
    folds = {_number(run, "fold") for run in found}
    for fold in record.folds:  # earlier versions did not say; an arm without runs of its own in a fold has those of a twin
        if fold.fold not in folds:
            plain = arm in (PLACED, RANDOM) and not fold.kept and not fold.shut
            found += _list_runs(job / RUNS / (NONE if plain else ALL), fold=fold.fold)
    return sorted(found, key=order_runs)


def order_runs(run: Path) -> tuple[int, int]:
    """The fold and the seed of a run, from the last parts of its path; -1 for what they do not say."""
    return _number(run, "fold"), _number(run, "seed")


def _list_runs(arm: Path, *, fold: int | None = None) -> list[Path]:
    pattern = "fold_*" if fold is None else f"fold_{fold}"
    return [run for run in arm.glob(f"{pattern}/seed_*") if run.is_dir() and _number(run, "seed") >= 0]


def _number(run: Path, what: str) -> int:
    """Of the fold or the seed, from the last parts of the path; -1 where it has none."""
    found = {match[1]: int(match[2]) for part in run.parts[-2:] if (match := _PLACE.fullmatch(part))}
    return found.get(what, -1)


def read_runs(path: Path, metric: str | None) -> Iterator[Table]:
    """The table of every run that a path stands for. Raises DataError for a run that is not finished or has no test cases."""
    if (path / RUNS).is_dir() and not is_job(path):
        arms = sorted(arm.name for arm in (path / RUNS).iterdir() if arm.is_dir())
        first = show_path(path / RUNS / arms[0]) if arms else "one"
        raise DataError(
            f"{show_path(path)}: has no {PLACEMENT}, so that it is not finished, or no job of `place`; expected one that is. "
            f"Name the arms to compare, such as {first}, or run the command that began it again."
        )
    source = _find_source(path)
    for run in _find_runs(path):
        table = _read_run(run, name_source(metric or DEFAULT_METRIC))
        yield replace(table, endpoint=source.endpoint, shared=source.shared, of_job=source.arm)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What is known of the runs that a path stands for, besides their scores."""

    endpoint: Endpoint = WITH_OBJECT_DICE
    shared: float | None = None
    arm: ArmOfJob | None = None


def _find_source(path: Path) -> _Source:
    """What the job of an arm says: its record, that of an evaluation on another set, or, while it runs, its splits alone."""
    arm, folder = (PLACED, path) if is_job(path) else (path.name, path.parent.parent)
    if not (is_job(path) or path.parent.name == RUNS):
        return _Source()
    from focalseg.records.record import read_record

    shared = _read_overlap(folder, {_number(run, "fold") for run in _find_runs(path)})
    if (folder / PLACEMENT).is_file():
        from focalseg.records.placement import JobRecord as Job

        record: JobRecord | ExternalRecord = read_record(Job, folder / PLACEMENT)
    elif (folder / EXTERNAL).is_file():
        from focalseg.records.scores.external import ExternalRecord as External

        record = read_record(External, folder / EXTERNAL)
    else:
        return _Source(shared=shared)
    known = {("", one.one, one.other): (one.p_value, one.holm_p) for one in record.comparisons if one.p_value is not None}
    for name, stratum in record.strata.items():
        for (one, other), found in ((pair.split(" - ", 1), found) for pair, found in stratum.differences.items()):
            if found.p_value is not None and found.holm_p is not None:
                known[name, one, other] = (found.p_value, found.holm_p)
    of_job = ArmOfJob(
        job=str(folder.resolve()), arm=arm, endpoint=record.endpoint, claim=record.claim, looks=record.looks, p_values=known
    )
    if record.claim == NEW_DATA or record.overlap:  # those of earlier versions speak for the data set, and do not say
        shared = record.overlap
    return _Source(endpoint=record.endpoint, shared=shared, arm=of_job)


def _read_overlap(job: Path, tested: set[int]) -> float | None:
    """The mean share of training groups that two of the tested folds have in common; None where no file says."""
    if not (job / SPLITS).is_file():
        return None
    from focalseg.records.record import read_record
    from focalseg.records.splits import Splits, measure_overlap_of

    splits = read_record(Splits, job / SPLITS)
    return measure_overlap_of([split for split in splits.folds if split.fold in tested], splits.groups)


def _read_run(run: Path, metric: str) -> Table:
    from focalseg.comparison.reading.csv_files import read_tables_of
    from focalseg.records.result import check_run_file

    if not (run / RESULT).is_file():
        raise DataError(
            f"{show_path(run)}: is not finished; expected {RESULT}, which a training leaves last. Run the command that "
            "began it again, which goes on."
        )
    try:
        path = check_run_file(run / CASES)
    except SettingError as error:
        raise DataError(str(error).splitlines()) from error
    parts = read_tables_of(path, metric, column="part")
    if TEST not in parts:
        raise DataError(
            f"{show_path(path)}: has no test cases; expected scores of the part {TEST}. Choose a run of an arm: a probe is "
            "scored on validation cases alone."
        )
    fold, seed = order_runs(run)
    return replace(
        parts[TEST],
        fold="" if fold < 0 else str(fold),
        seed="" if seed < 0 else str(seed),
        silent=VALIDATION in parts and parts[VALIDATION].is_silent,
    )
