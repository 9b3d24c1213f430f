"""From a folder to the contents of its report, every fault named and nothing but the folder's own files read."""

import csv
import struct
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from focalseg.comparison.reading.runs import list_arm, order_runs
from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.placement.decision import measure_removal
from focalseg.records.costs import COSTS, NOT_MEASURED, CostTable
from focalseg.records.evidence import EVIDENCE, Evidence
from focalseg.records.placement import ALL, ARMS, NONE, PLACED, PLACEMENT, SHUT, JobRecord
from focalseg.records.record import AGAIN, MEND, read_record, was_sealed
from focalseg.records.result import CONFIG, RESULT, check_run_file
from focalseg.records.seals import hash_file, read_signed_text
from focalseg.records.site_decision import SiteDecision
from focalseg.records.splits import SPLITS, Splits
from focalseg.report.lettering import show_characters
from focalseg.report.placement.cases import CaseDice, join_scores
from focalseg.report.placement.contents import (
    UNMEASURED,
    Curve,
    Example,
    PlacementContents,
    RunContents,
    TrainingLog,
    is_plain,
)
from focalseg.report.placement.sites import check_levels, check_name, check_sites, check_widths
from focalseg.study.outcome.card import CARD
from focalseg.study.outcome.examples import EXAMPLES
from focalseg.study.outcome.footing import judge_training
from focalseg.study.outcome.run_card import describe_steps, describe_untested, read_ending, read_method
from focalseg.study.running.runs import CASES, RunResult, read_result
from focalseg.text_files import read_bounded
from focalseg.training.loop import GAMMA_COLUMN, METRICS
from focalseg.training.metrics_log import read_metrics
from focalseg.training.run import RunConfig
from focalseg.yaml_files import MOST_BYTES, read_yaml

Content = TypeVar("Content")
PROBES = "probe_*"
"""Trainings of all candidates that a policy decided on, as `TrainedSearch` names them."""
DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, MemoryError, ArithmeticError),
    *(RuntimeError, BadZipFile, zlib.error, struct.error, csv.Error),
)
"""What reading a cut or altered file may raise. A RuntimeError: by one flipped bit a member of a ZIP file is said to be
encrypted, or packed in a way that Python does not know."""


def read_placement_contents(folder: Path) -> PlacementContents:
    """A folder of the main job. Raises SettingError naming the file and the field at fault."""
    path = folder / PLACEMENT
    record = read_record(JobRecord, path, show=show_characters)
    check_sites(record.sites, f"{path}: sites")
    check_sites(record.costs.sites, f"{path}: costs.sites")
    for name in record.dead_sites:
        check_name(name, f"{path}: a name in dead_sites")
    settings = _read_settings(path)
    runs = {name: _list_runs(folder, name) for name in ARMS}
    probes = [run for run in _list_runs(folder, PROBES) if (run / CONFIG).exists() and (run / METRICS).exists()]
    config = _read_first_config([path for paths in runs.values() for path in paths])
    witness = _read_first_config(probes or runs[ALL])
    if config:
        check_levels(record.sites, config.network, str(path))
    splits = read_record(Splits, folder / SPLITS) if (folder / SPLITS).exists() else None
    examples = _read_examples(folder / EXAMPLES)
    _refuse_files_of_another_job(folder, record)
    names = {decision.site for decision in record.sites}
    return PlacementContents(
        data=splits.data if splits else config.data if config else "",
        record=record,
        network=config.network if config else None,
        logs={arm: _read_logs(paths, names) for arm, paths in runs.items()},
        probes=_read_logs(probes or runs[ALL], names),
        regime=witness.training.exponents if witness else "",
        probed=bool(probes),
        splits=splits,
        examples=examples,
        settings=settings,
        cases=_read_cases(folder, record),
        element=name_element(config) if config else "pixel",
    )


def name_element(config: RunConfig) -> str:
    """What the images of a run are made of."""
    return "voxel" if len(config.preparation.size) == 3 else "pixel"


def _read_cases(folder: Path, record: JobRecord) -> tuple[CaseDice, ...]:
    """The test cases with their Dice in the plain network and in the placed one; beside a plain one, in that with attention
    everywhere. None where a training left no scores, or is not there any more."""
    # By fold and seed: arms are paired by training, in that order.
    arms = {arm: list_arm(folder, record, arm) for arm in (NONE, ALL if is_plain(record) else PLACED)}
    results: dict[str, dict[int, list[RunResult]]] = {}
    for arm, runs in arms.items():
        if not runs or not all((run / RESULT).exists() and (run / CASES).exists() for run in runs):
            return ()
        results[arm] = {}
        for run in runs:
            fold, _ = order_runs(run)
            results[arm].setdefault(fold, []).append(_read_result(run))
    return join_scores(results)


def _read_result(run: Path) -> RunResult:
    return _guard(run / CASES, lambda: read_result(run))


def _refuse_files_of_another_job(folder: Path, record: JobRecord) -> None:
    """Raises SettingError for a file that is whole and not the one that the record was written with; it may be missing."""
    for name, sha256 in record.files.items():
        path = folder / Path(name).name
        if path.is_file() and hash_file(path) != sha256:
            raise SettingError(
                f"{path} is another than {folder / PLACEMENT} was written with: they are of two jobs, or of two states of one. "
                f"{MEND}"
            )


def read_run_contents(folder: Path) -> RunContents:
    """A folder of a single run. Raises SettingError naming the file at fault."""
    settings = _read_settings(folder / RESULT)
    config = _read_config(folder / CONFIG)
    result = _read_result(folder)
    if not result.scores_of("test") and not config.all_data:
        raise SettingError(f"{folder} has no scores of test cases; expected at least one in cases.csv. {MEND}")
    sites = _read_evidence(folder / EVIDENCE) if (folder / EVIDENCE).exists() else ()
    check_levels(sites, config.network, str(folder / EVIDENCE))
    standing = [site for site, gate in config.attention.items() if gate != SHUT and not sites]
    log = _read_log(folder, {*standing, *(decision.site for decision in sites)})
    splits = read_record(Splits, folder / SPLITS) if (folder / SPLITS).exists() else None
    ending = _guard(folder / METRICS, lambda: read_ending(folder, config))
    return RunContents(
        config=config,
        result=result,
        sites=sites,
        costs=_read_costs(folder / COSTS, sites) if sites and (folder / COSTS).exists() else NOT_MEASURED,
        standing=_list_standing(standing, config, log),
        log=log,
        examples=_read_examples(folder / EXAMPLES),
        settings=settings,
        footing=_guard(folder / METRICS, lambda: judge_training(folder, config.training.steps, result)),
        steps=describe_steps(config, ending),
        untested="" if result.scores_of("test") else describe_untested(read_method(folder)),
        cases=len(splits.folds[0].train) if splits else None,
        card=(folder / CARD).is_file(),
    )


def _list_standing(names: Sequence[str], config: RunConfig, log: TrainingLog) -> tuple[SiteDecision, ...]:
    """Sites of which the last gamma is all that is known."""
    ends = {name: float(log.gammas[name].values[-1]) for name in names if name in log.gammas and log.gammas[name].values.size}
    unknown: dict[str, Any] = {"removal_cost": 0.0, "spread": 0.0, "kept": True, "why": UNMEASURED}  # none of these is shown
    return tuple(SiteDecision(site=name, gate=config.attention[name], gamma=gamma, **unknown) for name, gamma in ends.items())


def _list_runs(folder: Path, arm: str) -> list[Path]:
    return sorted(folder.glob(f"runs/{arm}/fold_*/seed_*"), key=order_runs)


def _read_evidence(path: Path) -> tuple[SiteDecision, ...]:
    """The sites of a run, whose attention was given and not decided on."""
    evidence = read_record(Evidence, _check_file(path), show=show_characters).take_counted()
    check_sites(evidence.sites, f"{path}: sites")
    return tuple(
        SiteDecision(
            site=one.site,
            gate=one.gate,
            gamma=one.gamma,
            spread=one.spread,
            kept=True,
            why="",
            **measure_removal([one], evidence.groups),
        )
        for one in evidence.sites
    )


def _read_costs(path: Path, sites: Sequence[SiteDecision]) -> CostTable:
    costs = read_record(CostTable, _check_file(path), show=show_characters)
    check_sites(costs.sites, f"{path}: sites")
    for fault in costs.misfit(decision.site for decision in sites):
        raise SettingError(f"{path}: {fault} {MEND}")
    return costs


def _read_logs(runs: Sequence[Path], sites: Collection[str]) -> tuple[TrainingLog, ...]:
    return tuple(_read_log(run, sites) for run in runs if (run / METRICS).exists())


def _read_log(folder: Path, sites: Collection[str]) -> TrainingLog:
    """The metrics of one training, of the exponents those of these sites."""
    path = folder / METRICS
    rows = _guard(path, lambda: read_metrics(_check_file(path)))

    def curve(column: str) -> Curve:
        points = [(float(row["step"]), float(row[column])) for row in rows if row.get(column)]
        finite = [point for point in points if np.isfinite(point).all()]
        return Curve(steps=np.array([step for step, _ in finite]), values=np.array([value for _, value in finite]))

    def read() -> TrainingLog:
        columns = [column for column in (rows[0] if rows else ()) if column.startswith(GAMMA_COLUMN)]
        names = {column: show_characters(column.removeprefix(GAMMA_COLUMN)) for column in columns}
        fold, seed = order_runs(folder)
        return TrainingLog(
            seed=seed,
            fold=None if fold < 0 else fold,
            loss=curve("loss"),
            validation_dice=curve("validation_dice"),
            gammas={name: curve(column) for column, name in names.items() if name in sites},
        )

    return _guard(path, read)


def _read_examples(path: Path) -> tuple[Example, ...]:
    if not path.exists():
        return ()

    def read() -> tuple[Example, ...]:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            roles = arrays["roles"] if "roles" in arrays else [""] * len(arrays["names"])
            named = zip(arrays["names"], roles, strict=True)
            return tuple(_read_example(arrays, number, str(name), str(role)) for number, (name, role) in enumerate(named))

    return _guard(path, read)


def _read_example(arrays: Mapping[str, np.ndarray], number: int, name: str, role: str) -> Example:
    image, mask = arrays[f"image_{number}"], arrays[f"mask_{number}"]
    predictions = {arm: arrays[f"{arm}_{number}"] for arm in (*ARMS, "run") if f"{arm}_{number}" in arrays}
    if image.ndim != 3 or image.dtype.kind not in "uif" or not image.size:
        raise ValueError(f"image_{number} has shape {image.shape}")
    if any(part.shape != image.shape[1:] or part.dtype != np.uint8 for part in (mask, *predictions.values())):
        raise ValueError(f"the masks of {number} do not fit the image")
    slices = [int(part) for part in arrays[f"slices_{number}"]] if f"slices_{number}" in arrays else None
    return Example(
        name=name,
        image=image,
        mask=mask,
        predictions=predictions,
        dice={arm: float(arrays[f"dice_{arm}_{number}"]) for arm in predictions},
        slices=(slices[0], slices[1]) if slices else None,
        role=role,
    )


def _read_first_config(folders: list[Path]) -> RunConfig | None:
    path = next((folder / CONFIG for folder in folders if (folder / CONFIG).exists()), None)
    return _read_config(path) if path else None


def _read_config(path: Path) -> RunConfig:
    config = from_mapping(RunConfig, read_yaml(_check_file(path)))
    check_widths(config.network, str(path))
    return config


def _check_file(path: Path) -> Path:
    """The path of a file of a run, as it was written where the run is finished. Raises SettingError."""
    return check_run_file(path) if path.with_name(RESULT).exists() else path


def _read_settings(record: Path) -> str:
    """The text of config.yaml beside a record. Raises SettingError where it was altered; an earlier version signed and sealed
    neither of the two."""
    path = record.with_name(CONFIG)
    if not path.exists():
        return ""
    text = _guard(path, lambda: read_bounded(path, most_bytes=MOST_BYTES).decode())
    body = read_signed_text(text)
    if body is None and was_sealed(record):
        raise SettingError(f"{path} is not as it was written. Remove it and {AGAIN}.")
    return text if body is None else body


def _guard(path: Path, read: Callable[[], Content]) -> Content:
    """What read() gives; whatever a damaged file makes it raise becomes a SettingError that names the file."""
    try:
        return read()
    except SettingError:
        raise
    except DAMAGE as error:
        raise SettingError(
            f"{path} cannot be read ({type(error).__name__}: {str(error)[:80]}); expected a file as focalseg wrote it. {MEND}"
        ) from error
