"""From a data set and settings to a run that can start: everything is read and checked here, and nothing written."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from focalseg.data.preparation import check_alike, plan_preparation
from focalseg.data.splits import Split, split_by_group
from focalseg.errors import DataError, SettingError
from focalseg.files import write_text
from focalseg.networks.planning import plan_widths
from focalseg.networks.unet import UNetConfig
from focalseg.study.presets import Settings
from focalseg.study.runs import RunPlan, read_cases
from focalseg.training.loop import open_fabric
from focalseg.training.run import Device, RunConfig, build_network

SPLITS = "splits.json"
SCHEMA = 1
Watch = Callable[[str, Sequence[RunPlan]], AbstractContextManager[object]]
"""(what is being done, the runs it consists of) -> a context that may show their progress."""


def plan_run(source: str, settings: Settings, seed: int, device: Device) -> tuple[RunConfig, Split]:
    """The plain run on the data and its split.

    Raises SettingError, DataError, ShapeError or MachineError for whatever would stop it later.
    """
    open_fabric(device)
    cases = read_cases(source)
    check_alike(list(cases.values()))
    groups = [case.group for case in cases.values()]
    split = split_by_group(list(cases), groups, folds=settings.split.folds, seed=settings.split.seed)[0]
    if not any(cases[name].mask.any() for name in split.train):
        raise DataError(
            f"{source}: every mask of the {len(split.train)} training cases is empty; expected foreground in some. "
            "Check how the masks were exported (0 and 255)."
        )
    preparation = plan_preparation([cases[name] for name in split.train], longest_side=settings.data.longest_side)
    network, size = settings.network, (preparation.height, preparation.width)
    widths = plan_widths(size, base_width=network.base_width, most_levels=network.most_levels)
    config = RunConfig(
        data=source,
        fold=split.fold,
        seed=seed,
        preparation=preparation,
        network=UNetConfig(in_channels=len(preparation.mean), widths=widths, norm=network.norm, dropout=network.dropout),
        loss=settings.loss,
        training=settings.training,
    )
    build_network(config).check_image(torch.empty(1, config.network.in_channels, *size))
    return config, split


def claim_split(folder: Path, source: str, split: Split) -> None:
    """Writes splits.json: names of cases by part, the group of each, and a digest of every pixel.

    Raises SettingError where the folder has one that differs: its trainings saw other data.
    """
    path, content = folder / SPLITS, json.dumps(describe_split(source, split), indent=1) + "\n"
    if not path.exists():
        write_text(path, content)
    elif path.read_text(encoding="utf-8") != content:
        raise SettingError(
            f"{path}: the data of {source} has changed since; give another --out, or remove {folder} to start anew."
        )


def describe_split(source: str, split: Split) -> dict[str, Any]:
    """The content of splits.json."""
    cases = read_cases(source).values()
    digest = hashlib.sha256()
    for case in cases:
        digest.update(f"{case.name}\0{case.group}\0{case.image.dtype}{case.image.shape}".encode())
        digest.update(case.image.tobytes())
        digest.update(case.mask.tobytes())
    return {
        "schema": SCHEMA,
        "data": source,
        "sha256": digest.hexdigest(),
        "folds": [asdict(split)],
        "groups": {case.name: case.group for case in cases},
    }
