"""The text that a person hands over, a valid file of each kind, and what reads it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from focalseg.cli.options import read_settings
from focalseg.comparison.reading.csv_files import read_groups, read_tables
from focalseg.comparison.reading.nnunet import read_results
from focalseg.configuration import from_mapping, to_mapping
from focalseg.feeding.preparation import Preparation
from focalseg.imagesets.splits import read_splits
from focalseg.records.evidence import Evidence
from focalseg.records.placement import JobRecord, read_placement
from focalseg.records.record import read_record
from focalseg.records.splits import Splits
from focalseg.report.lettering import show_characters
from focalseg.study.beginning import PlaceJob
from focalseg.study.presets import build_settings
from focalseg.training.run import RunConfig
from focalseg.yaml_files import read_yaml, write_yaml
from imagesets.corpus.fuzzing import make_targets, read_first
from records.test_record import RECORDS

NAMES = [f"case_{number}" for number in range(6)]
FOLDS = [{"fold": fold, "train": NAMES[:3], "validation": NAMES[3:5], "test": NAMES[5:]} for fold in range(2)]
SETTINGS = """# a comment
seeds: 2
gates: [se, ag]
rivals: [wider]
standardise_logits: no
data: {longest_side: 64, normalisation: case}
split:
  folds: 4
  group_pattern: 'patient_([0-9]+)'
network:
  name: monai:UNet
  base_width: 4
  arguments: {norm: batch, dropout: 1e-1}
loss: {form: symmetric, class_weights: [1, 2.5], boundary_weight: 0.5}
training:
  steps: 500
  learning_rate: 1e-3
  augmentation: {flip: true, scale: 0.4}
"""
SCORES = "case,label,score,seed,fold,group\n" + "".join(f"{name},{label},0.5,1,0,g\n" for name in NAMES for label in "ab")
SCORES_OF_MONAI = "filename,class0,mean\n" + "".join(f"/data/{name}.nii.gz,nan,0.5\n" for name in NAMES)
GROUPS = "case,group\n" + "".join(f"{name},{name[-1]}\n" for name in NAMES)


@dataclass(frozen=True)
class Target:
    """A valid file, of json, yaml or csv, and what reads it from a path."""

    name: str
    kind: str
    path: Path
    content: bytes
    read: Callable[[Path], object]


def list_targets(folder: Path) -> Iterator[Target]:
    """Every kind of text that a person hands over, each in a folder of its own."""
    settings = build_settings("standard")
    job = PlaceJob(data="data", seed=3, settings=settings, budget_hours=2.0, asked=settings)
    run = RunConfig(
        data="data",
        preparation=Preparation(size=(32, 32), mean=(0.0,) * 3, standard_deviation=(1.0,) * 3),
        attention={"bottleneck": "se", "skip.0": "ag"},
    )
    record = {type(one).__name__: json.dumps(to_mapping(one), indent=1) for one in RECORDS}
    simple: tuple[tuple[str, str, str, str, Callable[[Path], object]], ...] = (
        ("--config", "yaml", "settings.yaml", SETTINGS, lambda path: read_settings("quick", path, [])),
        ("--config of a job", "yaml", "config.yaml", write_yaml(job), lambda path: read_settings("quick", path, ["seeds=2"])),
        ("--attention", "json", "placement.json", record["Placement"], lambda path: read_placement(path).layout),
        (
            "placement.json",
            "json",
            "placement.json",
            record["JobRecord"],
            lambda path: read_record(JobRecord, path, show=show_characters),
        ),
        ("split.file", "json", "splits.json", json.dumps({"schema": 1, "folds": FOLDS}), lambda path: read_splits(path, NAMES)),
        ("split.file of nnU-Net", "json", "splits_final.json", json.dumps(_as_nnunet()), lambda path: read_splits(path, NAMES)),
        ("splits.json", "json", "splits.json", record["Splits"], lambda path: read_record(Splits, path)),
        ("evidence.json", "json", "evidence.json", record["Evidence"], lambda path: read_record(Evidence, path)),
        ("summary.json of nnU-Net", "json", "summary.json", _write_summary(), lambda path: [*read_results(path, None)]),
        ("scores.csv", "csv", "scores.csv", SCORES, lambda path: read_tables(path, None)),
        ("scores of MONAI", "csv", "mean_dice_raw.csv", SCORES_OF_MONAI, lambda path: read_tables(path, None)),
        ("groups.csv", "csv", "groups.csv", GROUPS, read_groups),
        ("config.yaml of a run", "yaml", "config.yaml", write_yaml(run), lambda path: from_mapping(RunConfig, read_yaml(path))),
    )
    for number, (name, kind, file, text, read) in enumerate(simple):
        place = folder / str(number)
        place.mkdir(parents=True)
        yield Target(name, kind, place / file, text.encode(), read)
    for table in make_targets(folder / "tables"):
        kind = table.path.suffix.removeprefix(".")
        if kind in ("csv", "json") and "as text" not in table.name:
            yield Target(table.name, kind, table.path, table.content, lambda _, place=table.folder: read_first(place))


def _write_summary() -> str:
    metrics = {"Dice": 0.5, "IoU": float("nan"), "TP": 1, "FP": 1, "FN": 1, "TN": 9, "n_ref": 2, "n_pred": 2}
    entries = [{"metrics": {"1": metrics, "(1, 2)": metrics}, "reference_file": f"/data/{name}.nii.gz"} for name in NAMES]
    return json.dumps({"foreground_mean": {"Dice": float("nan")}, "metric_per_case": entries}, indent=1)


def _as_nnunet() -> list[dict[str, list[str]]]:
    return [{"train": NAMES[:3], "val": NAMES[3:5], "test": NAMES[5:]}]
