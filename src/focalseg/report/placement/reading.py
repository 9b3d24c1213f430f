"""From a folder to the contents of its report, every fault named and nothing but the folder's own files read."""

import csv
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.placement.decision import SCHEMA
from focalseg.report.lettering import show_characters
from focalseg.report.placement.arms import (
    ARMS,
    read_arms,
    read_comparisons,
    read_estimate,
    read_folds,
    read_non_inferiority,
    read_search,
    read_seed_noise,
)
from focalseg.report.placement.contents import Curve, Example, PlacementContents, RunContents, SplitSizes, TrainingLog
from focalseg.report.placement.record import MEND, Record, read_record
from focalseg.report.placement.sites import check_levels, check_widths, read_costs, read_dead_sites, read_findings
from focalseg.study.arms.design import ALL
from focalseg.study.outcome.examples import EXAMPLES
from focalseg.study.place import PLACEMENT
from focalseg.study.planning.splits_file import SPLITS
from focalseg.study.running.folder import CONFIG
from focalseg.study.running.runs import CASES, COSTS, EVIDENCE, RESULT, RunResult, read_evidence
from focalseg.study.running.scores import read_scores
from focalseg.training.loop import GAMMA_COLUMN, METRICS
from focalseg.training.metrics_log import read_metrics
from focalseg.training.run import RunConfig
from focalseg.yaml_files import read_yaml

Content = TypeVar("Content")
PROBES = "probe_*"
"""Trainings of all candidates that a policy decided on, as `TrainedSearch` names them."""
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile, zlib.error, csv.Error)
"""What reading a cut or altered file may raise."""


def read_placement_contents(folder: Path) -> PlacementContents:
    """A folder of the main job. Raises SettingError naming the file and the field at fault."""
    record = read_record(folder / PLACEMENT)
    if record.content.get("schema") != SCHEMA:
        raise SettingError(
            f"{record.place} has schema {record.content.get('schema')!r}; this version reads {SCHEMA}. "
            "Make the placement anew with `focalseg place`."
        )
    runs = {name: _list_runs(folder, name) for name in ARMS}
    probes = [run for run in _list_runs(folder, PROBES) if (run / CONFIG).exists() and (run / METRICS).exists()]
    config = _read_first_config([path for paths in runs.values() for path in paths])
    witness = _read_first_config(probes or runs[ALL])
    arms = read_arms(record.record("arms"))
    sites = read_findings(record.records("sites"))
    names = {finding.site for finding in sites}
    if config:
        check_levels(sites, config.network, record.place)
    return PlacementContents(
        data=_read_source(folder) or (config.data if config else ""),
        outcome=_choose(record, "verdict", ("helps", "no_difference_shown", "harms")),
        sentence=record.text("sentence"),
        policy=record.text("policy"),
        difference=read_estimate(record.record("difference")),
        all_minus_none=read_estimate(record.record("all_minus_none")),
        arms=arms,
        sites=sites,
        network=config.network if config else None,
        costs=read_costs(record.record("costs"), sites) if "costs" in record.content else None,
        dead_sites=read_dead_sites(record.record("dead_sites")) if "dead_sites" in record.content else {},
        comparisons=read_comparisons(record, [arm.name for arm in arms]),
        non_inferiority=read_non_inferiority(record),
        seed_noise=read_seed_noise(record),
        search=read_search(record),
        folds=read_folds(record, names),
        logs={arm: _read_logs(paths, names) for arm, paths in runs.items()},
        probes=_read_logs(probes or runs[ALL], names),
        regime=witness.training.exponents if witness else "",
        probed=bool(probes),
        split=_read_split(folder),
        examples=_read_examples(folder / EXAMPLES),
        settings=_read_text(folder / CONFIG),
    )


def read_run_contents(folder: Path) -> RunContents:
    """A folder of a single run. Raises SettingError naming the file at fault."""
    config = _read_config(folder / CONFIG)
    record = read_record(folder / RESULT)
    result = RunResult(
        modules=record.count("modules"),
        parameters=record.count("parameters"),
        flops=record.count("flops"),
        seconds=record.number("seconds"),
        scores=_guard(folder / CASES, lambda: read_scores(folder / CASES)),
    )
    if not result.scores_of("test"):
        raise SettingError(f"{folder} has no scores of test cases; expected at least one in cases.csv. {MEND}")
    records = _read_evidence(folder) if (folder / EVIDENCE).exists() else []
    sites = read_findings(records, decided=False)
    check_levels(sites, config.network, str(folder / EVIDENCE))
    return RunContents(
        config=config,
        result=result,
        sites=sites,
        costs=read_costs(read_record(folder / COSTS), sites) if sites and (folder / COSTS).exists() else None,
        log=_read_log(folder, {finding.site for finding in sites}),
        examples=_read_examples(folder / EXAMPLES),
        settings=_read_text(folder / CONFIG),
    )


def fold_and_seed(run: Path) -> tuple[int, int]:
    """The fold and the seed in the path of a run's folder, -1 for what it does not name."""
    endings = (run.parent.name.removeprefix("fold_"), run.name.removeprefix("seed_"))
    fold, seed = (int(ending) if ending.isascii() and ending.isdigit() else -1 for ending in endings)
    return fold, seed


def _list_runs(folder: Path, arm: str) -> list[Path]:
    return sorted(folder.glob(f"runs/{arm}/fold_*/seed_*"), key=fold_and_seed)


def _read_evidence(folder: Path) -> list[Record]:
    evidence, fields = (
        _guard(folder / EVIDENCE, lambda: read_evidence(folder)),
        ("site", "gate", "gamma", "removal_cost", "spread"),
    )
    place = f"{folder / EVIDENCE}: sites"
    return [
        Record({field: getattr(site, field) for field in fields}, f"{place}[{number}]")
        for number, site in enumerate(evidence.sites)
    ]


def _read_logs(runs: Sequence[Path], sites: Collection[str]) -> tuple[TrainingLog, ...]:
    return tuple(_read_log(run, sites) for run in runs if (run / METRICS).exists())


def _read_log(folder: Path, sites: Collection[str]) -> TrainingLog:
    """The metrics of one training, of the exponents those of these sites."""
    path = folder / METRICS
    rows = _guard(path, lambda: read_metrics(path))

    def curve(column: str) -> Curve:
        points = [(float(row["step"]), float(row[column])) for row in rows if row.get(column)]
        finite = [point for point in points if np.isfinite(point).all()]
        return Curve(steps=np.array([step for step, _ in finite]), values=np.array([value for _, value in finite]))

    def read() -> TrainingLog:
        columns = [column for column in (rows[0] if rows else ()) if column.startswith(GAMMA_COLUMN)]
        names = {column: show_characters(column.removeprefix(GAMMA_COLUMN)) for column in columns}
        fold, seed = fold_and_seed(folder)
        return TrainingLog(
            seed=seed,
            fold=None if fold < 0 else fold,
            loss=curve("loss"),
            validation_dice=curve("validation_dice"),
            gammas={name: curve(column) for column, name in names.items() if name in sites},
        )

    return _guard(path, read)


def _read_split(folder: Path) -> SplitSizes | None:
    if not (folder / SPLITS).exists():
        return None
    record = read_record(folder / SPLITS)
    folds = record.records("folds")
    if not folds:
        raise SettingError(f"{record.place} has no folds; expected at least one. {MEND}")
    groups = record.record("groups").content
    return SplitSizes(
        training=len(folds[0].items("train")),
        validation=len(folds[0].items("validation")),
        test=len(folds[0].items("test")),
        grouped=len({str(group) for group in groups.values()}) < len(groups),
    )


def _read_source(folder: Path) -> str:
    return read_record(folder / SPLITS).text("data") if (folder / SPLITS).exists() else ""


def _read_examples(path: Path) -> tuple[Example, ...]:
    if not path.exists():
        return ()

    def read() -> tuple[Example, ...]:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return tuple(_read_example(arrays, number, str(name)) for number, name in enumerate(arrays["names"]))

    return _guard(path, read)


def _read_example(arrays: Mapping[str, np.ndarray], number: int, name: str) -> Example:
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
    )


def _read_first_config(folders: list[Path]) -> RunConfig | None:
    path = next((folder / CONFIG for folder in folders if (folder / CONFIG).exists()), None)
    return _read_config(path) if path else None


def _read_config(path: Path) -> RunConfig:
    config = from_mapping(RunConfig, read_yaml(path))
    check_widths(config.network, str(path))
    return config


def _read_text(path: Path) -> str:
    return _guard(path, lambda: path.read_text(encoding="utf-8")) if path.exists() else ""


def _choose(record: Record, name: str, allowed: tuple[str, ...]) -> str:
    value = record.text(name)
    if value not in allowed:
        raise SettingError(f"{record.place}: {name} is {value!r}; expected {', '.join(allowed)}. {MEND}")
    return value


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
