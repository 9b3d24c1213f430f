"""From a folder to the contents of its report, every fault named and nothing but the folder's own files read."""

import csv
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.evaluation.statistics import Estimate
from focalseg.placement.decision import SCHEMA
from focalseg.report.contents import (
    Arm,
    Curve,
    Example,
    PlacementContents,
    RunContents,
    SiteFinding,
    SplitSizes,
    TrainingLog,
)
from focalseg.report.record import MEND, Record, read_record
from focalseg.study.examples import EXAMPLES
from focalseg.study.output import CONFIG
from focalseg.study.place import PLACEMENT
from focalseg.study.planning import SPLITS
from focalseg.study.runs import CASES, EVIDENCE, RESULT, RunResult, read_evidence, read_scores
from focalseg.training.loop import GAMMA_COLUMN, METRICS
from focalseg.training.metrics_log import read_metrics
from focalseg.training.run import RunConfig
from focalseg.yaml_files import read_yaml

Content = TypeVar("Content")
ARMS = ("none", "all", "placed")
SITE_NAME = re.compile(r"bottleneck|(encoder|skip|decoder)\.\d")
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
    arms = record.record("arms")
    runs = {name: sorted(folder.glob(f"runs/{name}/fold_*/seed_*"), key=seed_of) for name in ARMS}
    config = _read_first_config([path for paths in runs.values() for path in paths])
    sites = tuple(_read_site(site) for site in record.records("sites"))
    if config:
        _check_levels(sites, config.network.widths, record.place)
    return PlacementContents(
        data=_read_source(folder) or (config.data if config else ""),
        outcome=_choose(record, "verdict", ("helps", "no_difference_shown", "harms")),
        sentence=record.text("sentence"),
        policy=record.text("policy"),
        difference=_read_estimate(record.record("difference")),
        all_minus_none=_read_estimate(record.record("all_minus_none")),
        arms=tuple(_read_arm(name, arms.record(name)) for name in ARMS),
        sites=sites,
        widths=config.network.widths if config else (),
        logs={name: tuple(_read_log(path) for path in paths if (path / METRICS).exists()) for name, paths in runs.items()},
        split=_read_split(folder),
        examples=_read_examples(folder / EXAMPLES),
        settings=_read_text(folder / CONFIG),
    )


def read_run_contents(folder: Path) -> RunContents:
    """A folder of a single run. Raises SettingError naming the file at fault."""
    config = from_mapping(RunConfig, read_yaml(folder / CONFIG))
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
    sites = []
    if (folder / EVIDENCE).exists():
        for site in _guard(folder / EVIDENCE, lambda: read_evidence(folder)).sites:
            values = {name: getattr(site, name) for name in ("site", "gate", "gamma", "removal_cost", "spread")}
            sites.append(_read_site(Record({**values, "kept": True, "why": ""}, str(folder / EVIDENCE)), decided=False))
    _check_levels(sites, config.network.widths, str(folder / EVIDENCE))
    return RunContents(
        config=config,
        result=result,
        sites=tuple(sites),
        log=_read_log(folder),
        examples=_read_examples(folder / EXAMPLES),
        settings=_read_text(folder / CONFIG),
    )


def seed_of(folder: Path) -> int:
    """The seed in the name of a run's folder, -1 where the name has none."""
    ending = folder.name.removeprefix("seed_")
    return int(ending) if ending.isascii() and ending.isdigit() else -1


def is_gamma(column: str) -> bool:
    """Whether a column of the metrics is the path of a site's exponent."""
    return column.startswith(GAMMA_COLUMN) and SITE_NAME.fullmatch(column.removeprefix(GAMMA_COLUMN)) is not None


def _read_estimate(record: Record) -> Estimate:
    estimate = Estimate(mean=record.number("dice"), low=record.number("low"), high=record.number("high"))
    if not estimate.low <= estimate.mean <= estimate.high:
        raise SettingError(f"{record.place} has {estimate}; expected a mean within its interval. {MEND}")
    return estimate


def _read_arm(name: str, record: Record) -> Arm:
    counts = ("modules", "parameters", "flops", "trainings", "cases", "groups", "both_empty", "one_empty")
    numbers = ("iou", "precision", "recall", "seconds")
    trainings = record.items("dice_per_training")
    return Arm(
        name=name,
        dice=_read_estimate(record),
        dice_per_training=tuple(Record({"dice": value}, record.place).number("dice") for value in trainings),
        **{field: record.number(field) for field in numbers},  # type: ignore[arg-type]
        **{field: record.count(field) for field in counts},
    )


def _read_site(record: Record, *, decided: bool = True) -> SiteFinding:
    name = record.text("site")
    if not SITE_NAME.fullmatch(name):
        raise SettingError(
            f"{record.place} has the site {name!r}; expected one of a U-Net, such as encoder.0, skip.0 or bottleneck. {MEND}"
        )
    return SiteFinding(
        site=name,
        gate=record.text("gate"),
        gamma=record.number("gamma"),
        removal_cost=record.number("removal_cost"),
        spread=record.number("spread"),
        kept=record.truth("kept") if decided else None,
        why=record.text("why"),
    )


def _check_levels(sites: Sequence[SiteFinding], widths: Sequence[int], place: str) -> None:
    deepest = len(widths) - 2
    for finding in sites:
        if finding.site != "bottleneck" and int(finding.site[-1]) > deepest:
            raise SettingError(f"{place} has the site {finding.site!r}; the runs' U-Net has levels 0 to {deepest}. {MEND}")


def _read_log(folder: Path) -> TrainingLog:
    path = folder / METRICS
    rows = _guard(path, lambda: read_metrics(path))

    def curve(column: str) -> Curve:
        points = [(float(row["step"]), float(row[column])) for row in rows if row.get(column)]
        finite = [point for point in points if np.isfinite(point).all()]
        return Curve(steps=np.array([step for step, _ in finite]), values=np.array([value for _, value in finite]))

    gammas = [column for column in (rows[0] if rows else ()) if is_gamma(column)]
    return _guard(
        path,
        lambda: TrainingLog(
            seed=seed_of(folder),
            loss=curve("loss"),
            validation_dice=curve("validation_dice"),
            gammas={column.removeprefix(GAMMA_COLUMN): curve(column) for column in gammas},
        ),
    )


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
    if any(part.shape != image.shape[1:] or part.dtype != bool for part in (mask, *predictions.values())):
        raise ValueError(f"the masks of {number} do not fit the image")
    return Example(name=name, image=image, mask=mask, predictions=predictions)


def _read_first_config(folders: list[Path]) -> RunConfig | None:
    path = next((folder / CONFIG for folder in folders if (folder / CONFIG).exists()), None)
    return from_mapping(RunConfig, read_yaml(path)) if path else None


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
