"""What stops an evaluation before anything is read: the job, the set and the folder that are named. Known without torch."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from focalseg.comparison.reading.runs import CASES, RUNS, list_arm, order_runs
from focalseg.errors import SettingError
from focalseg.findings import show_path
from focalseg.imagesets.opening import open_dataset, refuse_inside
from focalseg.imagesets.phantoms.dataset import PREFIX
from focalseg.inference.folders import NetworkFiles, find_run, refuse_own_network
from focalseg.records.placement import ALL, NONE, PLACED, PLACEMENT, JobRecord
from focalseg.records.record import AGAIN, read_record
from focalseg.records.result import RESULT, check_run_file
from focalseg.records.splits import SPLITS, Splits


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of an arm. files: its network; of two arms that share a training both have the same."""

    fold: int
    seed: int
    files: NetworkFiles


Trainings = Mapping[str, tuple[tuple[Training, ...], ...]]
"""By arm, fold and seed; the same folds and seeds for every arm, in the same order."""


@dataclass(frozen=True, kw_only=True)
class FinishedJob:
    """A job as it is evaluated. folds: the numbers of those that it tested."""

    folder: Path
    record: JobRecord
    splits: Splits
    trainings: Trainings

    @property
    def folds(self) -> tuple[int, ...]:
        """The numbers of the folds that were tested, in the order of the trainings."""
        return tuple(fold[0].fold for fold in self.trainings[NONE])


def open_job(folder: Path, source: str, *, rivals: bool = False, own_network: str = "") -> FinishedJob:
    """A finished job that is to be evaluated on that set. rivals: whether its other arms are, too.

    own_network: the name of a network of a person's own that they trust. Raises SettingError for a folder that holds no
    finished job or lacks a training, for files that were altered, and for the job's own set; DataError for a set of no known
    layout. Nothing is decoded.
    """
    if not (folder / PLACEMENT).is_file():
        raise SettingError(_describe_absence(folder))
    record, splits = read_record(JobRecord, folder / PLACEMENT), read_record(Splits, folder / SPLITS)
    refuse_same_data(folder, splits.data, open_dataset(source).source)
    trainings = _list_trainings(folder, record, rivals=rivals)
    networks = {one.files.folder: one.files for arm in trainings.values() for fold in arm for one in fold}
    refuse_own_network(networks.values(), own_network)
    return FinishedJob(folder=folder, record=record, splits=splits, trainings=trainings)


def refuse_out(out: Path, job: Path, source: str) -> None:
    """Raises SettingError for a folder to fill that is the job's, or lies in the set or in what the job wrote."""
    refuse_inside(out, source, "--out")
    place, own = out.resolve(), job.resolve()
    taken = [own, *(own / name for name in (RUNS, "lean", "report"))]
    if place == own or any(folder in place.parents for folder in taken[1:]) or place in taken:
        raise SettingError(
            f"--out {show_path(out)} is the folder of the job or one that it filled; expected another, since what a job wrote "
            f"stays as it is. Give a new one, such as {shlex.quote(show_path(job) + '_external')}."
        )


def _describe_absence(folder: Path) -> str:
    """Why there is no job to evaluate."""
    expected = f"the folder of a finished `focalseg place`, with its {PLACEMENT}"
    if not folder.exists():
        return f"No folder {show_path(folder)}; expected {expected}. Check the path."
    if (folder / RUNS).is_dir():
        return f"{show_path(folder)} has not ended; expected {expected}. Run the command that began it again: it goes on."
    return f"{show_path(folder)} holds no job; expected {expected}. Check the path."


def refuse_same_data(folder: Path, own: str, source: str) -> None:
    """Raises SettingError where the set to evaluate on is the one that the job split."""
    same = own == source  # built-in images, too, which have one name
    if not own.startswith(PREFIX) and not source.startswith(PREFIX) and Path(own).exists() and Path(source).exists():
        same = Path(own).resolve() == Path(source).resolve()
    if same:
        raise SettingError(
            f"{show_path(source)} is the set that {show_path(folder)} was made from, most of whose cases its networks were "
            f"trained on; expected another one. Its test scores are in its report (`focalseg report "
            f"{shlex.quote(show_path(folder))}`); give a set of other images."
        )


def _list_trainings(job: Path, record: JobRecord, *, rivals: bool) -> dict[str, tuple[tuple[Training, ...], ...]]:
    """The trainings of the arms, by fold and seed. Raises SettingError where one is missing or was altered."""
    arms = [arm for arm in record.arms if rivals or arm in (NONE, ALL, PLACED)]
    seeds = _list_seeds(job, record)
    runs = {arm: {order_runs(run): run for run in list_arm(job, record, arm)} for arm in arms}
    known: dict[Path, NetworkFiles] = {}

    def find(arm: str, fold: int, seed: int) -> Training:
        folder = runs[arm].get((fold, seed), job / RUNS / arm / f"fold_{fold}" / f"seed_{seed}")
        if folder not in known:
            known[folder] = find_run(folder)
            check_run_file(folder / CASES)  # its own test scores, which stand beside those on the other set
        return Training(fold=fold, seed=seed, files=known[folder])

    return {arm: tuple(tuple(find(arm, fold, seed) for seed in seeds[fold]) for fold in seeds) for arm in arms}


def _list_seeds(job: Path, record: JobRecord) -> dict[int, tuple[int, ...]]:
    """The seeds of every fold, of the plain network, which every job trains in every fold."""
    found: dict[int, list[int]] = {}
    for run in list_arm(job, record, NONE):
        fold, seed = order_runs(run)
        if (run / RESULT).is_file():
            found.setdefault(fold, []).append(seed)
    arm = record.arms[NONE]
    if len(found) != arm.folds or any(len(seeds) != arm.trainings for seeds in found.values()):
        count = sum(map(len, found.values()))
        raise SettingError(
            f"{show_path(job / RUNS / NONE)} holds {count} finished trainings; expected the {arm.trainings * arm.folds} that "
            f"{PLACEMENT} tells of. Put the folders back, or {AGAIN}."
        )
    return {fold: tuple(seeds) for fold, seeds in found.items()}
