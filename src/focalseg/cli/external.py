"""`focalseg evaluate OUT DATA`: a trained job, or one model, on another set of images."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from focalseg.cli.options import print_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from focalseg.evaluation.masks.settings import EvaluationSettings
    from focalseg.study.external.reading import Wanted

_JOB = "placement.json"


def evaluate_model(
    model: Path,
    data: str,
    *,
    out: Path | None,
    groups: Path | None = None,
    group_pattern: str | None = None,
    group_column: str | None = None,
    rivals: bool = False,
    leave_out_seen: bool = False,
    workers: int | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    network: str = "",
    as_json: bool = False,
    settings: "Callable[[], EvaluationSettings]",
) -> None:
    """What a job's trainings, or one model, reach on a set: the answer on stdout, and with a folder its record and page.

    settings: how one model is scored; the arms of a job have Dice alone.
    """
    from focalseg.study.external.beginning import open_job, refuse_out

    # Before torch is imported, which takes seconds.
    job = holds_job(model)
    if job:
        open_job(model, data, rivals=rivals, own_network=network)
    else:
        _refuse_model(model, data, network, rivals=rivals)
    if out is not None:
        refuse_out(out, model, data)
    from focalseg.study.external.reading import Wanted

    wanted = Wanted(
        rivals=rivals,
        leave_out_seen=leave_out_seen,
        groups="" if groups is None else str(groups),
        group_column=group_column or "",
        group_pattern=group_pattern or "",
        own_network=network,
    )
    if job:
        _evaluate_job(model, data, wanted, out=out, workers=workers, device=device, as_json=as_json)
        return
    _evaluate_one(model, data, wanted, settings(), out=out, device=device, as_json=as_json)


def holds_job(folder: Path) -> bool:
    """Whether a folder is of a job with several arms, finished or not, rather than of one model."""
    return (folder / _JOB).is_file() or (folder / "runs").is_dir()


def _refuse_model(model: Path, data: str, network: str, *, rivals: bool) -> None:
    """Raises SettingError for a folder without a model, or with one that only the command may ask to be run."""
    from focalseg.cli.options import refuse_data
    from focalseg.errors import SettingError
    from focalseg.inference.folders import find_networks, refuse_own_network

    if rivals:
        raise SettingError(f"--rivals is of a job with several arms, and {model} holds one model. Leave it out.")
    refuse_own_network(tuple(find_networks(model, one=False)), network)
    refuse_data(data)


def _evaluate_one(
    model: Path,
    data: str,
    wanted: "Wanted",
    settings: "EvaluationSettings",
    *,
    out: Path | None,
    device: Literal["auto", "cpu", "cuda", "mps"],
    as_json: bool,
) -> None:
    from focalseg.cli.terminal.progress import build_listeners
    from focalseg.comparison.folder import refuse_folder
    from focalseg.records.scores.evaluation import EVALUATION
    from focalseg.study.external.one_model import evaluate_one
    from focalseg.study.running.cores import limit_threads
    from focalseg.study.running.stopping import STOP

    if out is not None:
        refuse_folder(out, EVALUATION, "evaluate")
    STOP.install(keeps=False)
    limit_threads()
    record = evaluate_one(model, data, wanted=wanted, settings=settings, device=device, listeners=build_listeners())
    page = None
    if out is not None:
        from focalseg.report.evaluation.page import write_evaluation

        page = write_evaluation(out, record)
    print_found(record, record.to_json, page, as_json=as_json)


def _evaluate_job(
    folder: Path,
    data: str,
    wanted: "Wanted",
    *,
    out: Path | None,
    workers: int | None,
    device: Literal["auto", "cpu", "cuda", "mps"],
    as_json: bool,
) -> None:
    from focalseg.cli.terminal.progress import build_listeners
    from focalseg.configuration import to_mapping
    from focalseg.study.external.evaluating import evaluate_job
    from focalseg.study.running.cores import limit_threads
    from focalseg.study.running.stopping import STOP

    STOP.install(keeps=out is not None)
    limit_threads()
    listeners = build_listeners()
    found = evaluate_job(folder, data, out=out, wanted=wanted, device=device, workers=workers, listeners=listeners)
    page = None
    if out is not None:
        from focalseg.report.external.page import write_external

        page = write_external(out, found)
    print_found(found.record, lambda: to_mapping(found.record), page, as_json=as_json)
