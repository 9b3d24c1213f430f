"""`focalseg evaluate OUT DATA`: a job's trainings on another set of images, and the verdict there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from focalseg.comparison.reading.csv_files import read_groups
from focalseg.configuration import from_mapping
from focalseg.errors import DataError, SettingError
from focalseg.findings import counted, show_path
from focalseg.imagesets.case import Dataset
from focalseg.imagesets.kinds import list_names
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.duplicates import join_groups
from focalseg.imagesets.survey.survey import Survey, cap_faults, survey_dataset
from focalseg.study.external.beginning import FinishedJob, open_job, refuse_out
from focalseg.study.external.fitting import find_fit
from focalseg.study.external.outcome import External, judge_external
from focalseg.study.external.overlap import find_overlap, leave_out_seen
from focalseg.study.external.scoring import ScoredSet, plan_scoring, score_all
from focalseg.study.planning.folds import find_groups
from focalseg.study.running.cases import open_source
from focalseg.study.running.folder import hold_folder
from focalseg.study.running.listeners import NOBODY, Listeners
from focalseg.study.running.local import choose_workers
from focalseg.training.loop import open_fabric
from focalseg.training.run import RunConfig
from focalseg.training.training_config import Device
from focalseg.yaml_files import write_yaml

_OF_SPLITS = frozenset({"leak", "no_part"})
"""Kinds of findings on the parts of an official split, which nobody asks for here: all cases are scored."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person wants. rivals: the job's other arms besides none, all and placed. leave_out_seen: score the cases that the
    networks never saw, where some are known to them.

    groups, group_column, group_pattern: what belongs together, by a CSV file with case and group, a column of the set's table,
    or a pattern on the names. own_network: the name of a network of their own that they trust.
    """

    rivals: bool = False
    leave_out_seen: bool = False
    groups: str = ""
    group_column: str = ""
    group_pattern: str = ""
    own_network: str = ""


@dataclass(frozen=True, kw_only=True)
class ExternalJob:
    """What a folder of scores was made for."""

    job: str
    data: str
    wanted: Wanted


def evaluate_job(
    folder: str | Path,
    source: str | Path,
    *,
    out: str | Path | None = None,
    wanted: Wanted = Wanted(),
    device: Device = "auto",
    workers: int | None = None,
    listeners: Listeners = NOBODY,
) -> External:
    """Scores the trainings of a finished job on another set of images, and asks there whether attention helps.

    folder: of `focalseg place`. source: the set, as every command takes it. out: a folder that keeps the scores, so that the
    same call goes on where it stopped and computes nothing twice; without it nothing is kept. Every fold's networks predict
    every case; arms are compared by the statistics of `place`. Nothing is trained, chosen or tuned on the set.

    Raises SettingError for a folder without a finished job and for the job's own set, DataError for a set at fault, one that
    does not fit the networks, and cases that the networks were trained on.
    """
    folder, source, kept = Path(folder), str(source), None if out is None else Path(out)
    job = open_job(folder, source, rivals=wanted.rivals, own_network=wanted.own_network)
    if kept is not None:
        refuse_out(kept, folder, source)
    open_fabric(device)
    trainings = [one for arm in job.trainings.values() for fold in arm for one in fold]
    configs = [from_mapping(RunConfig, dict(one.files.settings)) for one in trainings]
    on, notes, left_out = _read_set(job, source, configs, wanted, listeners)
    for note in notes:
        listeners.tell(note)
    with _keep(kept, ExternalJob(job=str(folder), data=source, wanted=wanted)) as place:
        plans = plan_scoring(job.trainings, on, place, device=device, own_network=wanted.own_network)
        todo = sum(not plan.is_finished for plan in plans)
        if todo:
            with listeners.count(f"scoring {counted(todo, 'training')} on {counted(len(on.names), 'case')}") as advance:
                score_all(plans, workers=workers or choose_workers(todo, device), advance=advance)
        return judge_external(job, on, place, configs[0], notes=notes, left_out=left_out)


@contextmanager
def _keep(out: Path | None, made_for: ExternalJob) -> Iterator[Path]:
    """The folder for scores while it is held: the one that a person named, or one that is gone afterwards."""
    if out is None:
        with TemporaryDirectory(prefix="focalseg_") as place:
            yield Path(place)
        return
    with hold_folder(out, write_yaml(made_for)):
        yield out


def _read_set(
    job: FinishedJob, source: str, configs: list[RunConfig], wanted: Wanted, listeners: Listeners
) -> tuple[ScoredSet, tuple[str, ...], Mapping[str, str]]:
    """The set as it is scored, what a person should know of it, and what is left out. Raises DataError."""
    open_source.cache_clear()  # the folder may have been mended since this process last listed it
    dataset = open_dataset(source)
    survey = survey_dataset(dataset, listeners.count)
    if errors := [error for error in survey.errors if error.kind not in _OF_SPLITS]:
        raise DataError(cap_faults(errors, source))
    fit = find_fit(survey, configs)
    groups = _find_groups(dataset, survey, wanted)
    overlap = find_overlap(survey, job.splits, job.folds, listeners.count)
    left_out = leave_out_seen(survey, groups, overlap, asked=wanted.leave_out_seen)
    names = tuple(case.name for case in survey.cases if case.name not in left_out)
    on = ScoredSet(
        source=source,
        names=names,
        groups={name: groups[name] for name in names},
        digests={case.name: case.case_digest for case in survey.cases if case.name not in left_out},
        fit=fit,
    )
    left = (f"{counted(len(left_out), 'case')} left out: {_explain(left_out)}.",) if left_out else ()
    return on, (_describe_set(on, survey), *fit.notes, *overlap.notes, *left), left_out


def _find_groups(dataset: Dataset, survey: Survey, wanted: Wanted) -> Mapping[str, str]:
    """What belongs together, near duplicates joined. Raises SettingError where it is said in two ways, or not of every case."""
    said = [name for name in ("groups", "group_column", "group_pattern") if getattr(wanted, name)]
    if len(said) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in said)
        raise SettingError(f"{options} all say what belongs together; expected one of them. Leave the others out.")
    if not wanted.groups:
        return find_groups(dataset, survey, column=wanted.group_column, pattern=wanted.group_pattern)
    names, given = [case.name for case in survey.cases], read_groups(Path(wanted.groups))
    if lacking := [name for name in names if name not in given]:
        raise SettingError(
            f"--groups {show_path(wanted.groups)} has no line for {len(lacking)} of the {len(names)} cases: "
            f"{list_names(lacking)}; expected a group for every case. Add them."
        )
    return join_groups(names, [given[name] for name in names], survey.pairs)


def _explain(left_out: Mapping[str, str]) -> str:
    """Why, of the first of them."""
    name, why = next(iter(left_out.items()))
    return f"{name} {why}"


def _describe_set(on: ScoredSet, survey: Survey) -> str:
    """How many cases are scored, in how many groups."""
    among = len(set(on.groups.values()))
    whole = "" if len(on.names) == len(survey.cases) else f" of {len(survey.cases)}"
    return f"{counted(len(on.names), 'case')}{whole} in {counted(among, 'group')}, all scored by every training."
