"""`focalseg evaluate OUT DATA`: a job's trainings on another set of images, and the verdict there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from focalseg.configuration import from_mapping
from focalseg.findings import counted
from focalseg.study.external.beginning import open_job, refuse_out
from focalseg.study.external.outcome import External, judge_external
from focalseg.study.external.reading import WHOLE, Wanted, read_set
from focalseg.study.external.scoring import plan_scoring, score_all
from focalseg.study.running.folder import hold_folder
from focalseg.study.running.listeners import NOBODY, Listeners
from focalseg.study.running.local import choose_workers
from focalseg.training.loop import open_fabric
from focalseg.training.run import RunConfig
from focalseg.training.training_config import Device
from focalseg.yaml_files import write_yaml


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
    wanted: Wanted = WHOLE,
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

    >>> import focalseg
    >>> found = focalseg.evaluate_job("OUT", "hospital_b", out="THERE")  # doctest: +SKIP
    >>> try:
    ...     focalseg.evaluate_job("a folder that is not there", "phantom:local")
    ... except ValueError as error:
    ...     print(str(error).partition(";")[0])
    No folder a folder that is not there
    """
    folder, source, kept = Path(folder), str(source), None if out is None else Path(out)
    job = open_job(folder, source, rivals=wanted.rivals, own_network=wanted.own_network)
    if kept is not None:
        refuse_out(kept, folder, source)
    open_fabric(device)
    trainings = [one for arm in job.trainings.values() for fold in arm for one in fold]
    configs = [from_mapping(RunConfig, dict(one.files.settings)) for one in trainings]
    read = read_set(source, configs, wanted, listeners, splits=job.splits, folds=job.folds)
    for note in read.notes:
        listeners.tell(note)
    on = read.scored
    with _keep(kept, ExternalJob(job=str(folder), data=source, wanted=wanted)) as place:
        plans = plan_scoring(job.trainings, on, place, device=device, own_network=wanted.own_network)
        todo = sum(not plan.is_finished for plan in plans)
        if todo:
            with listeners.count(f"scoring {counted(todo, 'training')} on {counted(len(on.names), 'case')}") as advance:
                score_all(plans, workers=workers or choose_workers(todo, device), advance=advance)
        return judge_external(job, on, place, configs[0], notes=read.notes, left_out=read.left_out)


@contextmanager
def _keep(out: Path | None, made_for: ExternalJob) -> Iterator[Path]:
    """The folder for scores while it is held: the one that a person named, or one that is gone afterwards."""
    if out is None:
        with TemporaryDirectory(prefix="focalseg_") as place:
            yield Path(place)
        return
    with hold_folder(out, write_yaml(made_for)):
        yield out
