"""From a data set and settings to a run that can start: everything is read and checked here, and nothing written."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from focalseg.attention import GATES
from focalseg.data.preparation import check_alike, plan_preparation, plan_size
from focalseg.data.splits import Split, split_by_group
from focalseg.errors import DataError, SettingError, ShapeError
from focalseg.files import write_text
from focalseg.labels import count_channels
from focalseg.networks.building import NetworkConfig, build_host, plan_arguments
from focalseg.networks.planning import plan_widths
from focalseg.placement.dead_sites import find_dead_sites
from focalseg.placement.instrument import plan_layout
from focalseg.placement.tracing import check_forward
from focalseg.study.presets import NetworkSettings, Settings
from focalseg.study.runs import RunPlan, read_cases
from focalseg.training.loop import choose_precision, open_fabric
from focalseg.training.run import Device, RunConfig, find_candidates

SPLITS = "splits.json"
SCHEMA = 1
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
Tell = Callable[[str], None]
"""Hears a sentence that a person should see before a long run starts."""
Watch = Callable[[str, Sequence[RunPlan]], AbstractContextManager[object]]
"""(what is being done, the runs it consists of) -> a context that may show their progress."""


def ignore(_note: str) -> None:
    """For a caller who shows no notes."""


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
    training_cases = [cases[name] for name in split.train]
    size = plan_size(training_cases, longest_side=settings.data.longest_side)
    network = plan_network(settings.network, size, channels=len(training_cases[0].image), labels=len(cases.labels))
    size = fit_size(network, size)
    config = RunConfig(
        data=source,
        fold=split.fold,
        seed=seed,
        labels=cases.labels,
        preparation=plan_preparation(training_cases, longest_side=settings.data.longest_side, size=size),
        network=network,
        standardise_logits=settings.standardise_logits,
        loss=settings.loss,
        training=replace(settings.training, precision=choose_precision(settings.training.precision, device)),
    )
    find_candidates(config, build_host(network))
    return config, split


def plan_network(settings: NetworkSettings, size: tuple[int, ...], *, channels: int, labels: int) -> NetworkConfig:
    """The network for images of that size, as deep as they allow."""
    widths = plan_widths(size, base_width=settings.base_width, most_levels=settings.most_levels)
    planned = plan_arguments(settings.name, widths=widths)
    return NetworkConfig(
        name=settings.name,
        spatial_dims=len(size),  # type: ignore[arg-type]  # 1 to 3, as Preparation sees to
        in_channels=channels,
        classes=count_channels(labels),
        arguments={**planned, **settings.arguments},
        stages=settings.stages,
        skips=settings.skips,
        own_gates=settings.own_gates,
    )


def fit_size(config: NetworkConfig, size: tuple[int, ...]) -> tuple[int, ...]:
    """The size, or the nearest that the network takes: many halve their input and want every side to be a multiple of 2^n.

    Raises ShapeError where no such size is within a quarter of every side.
    """
    network = build_host(config)
    refusals: list[ShapeError] = []
    for multiple in MULTIPLES:
        fitted = tuple(max(round(side / multiple), 1) * multiple for side in size)
        if any(abs(new - old) * 4 > old for new, old in zip(fitted, size, strict=True)):
            continue
        try:
            check_forward(network, (config.in_channels, *fitted), classes=config.classes)
        except ShapeError as error:
            refusals.append(error)
        else:
            return fitted
    raise refusals[0]


def plan_attention(config: RunConfig, gates: Sequence[str], tell: Tell = ignore) -> tuple[dict[str, str], dict[str, str]]:
    """Kind of gate by site, for every site where it could do something; and the reason by site, where it could not.

    Raises SettingError where no site is left. tell: hears of each site that is left out.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        network = build_host(config.network)
    candidates = find_candidates(config, network)
    layout = plan_layout(candidates, gates)
    try:
        dead = find_dead_sites(network, gates, candidates=candidates, image_shape=config.image_shape)
    except ShapeError as error:
        tell(str(error))
        dead = {}
    for name, reason in dead.items():
        tell(f"no attention at {name}, where {layout[name]} could do nothing: {reason}.")
    alive = {name: gate for name, gate in layout.items() if name not in dead}
    if not alive:
        names = ", ".join(site.name for site in candidates)
        raise SettingError(
            f"No site of {config.network.name} takes {' or '.join(gates)}; it has {names}. "
            f"Name other gates ({', '.join(GATES)}) or other places."
        )
    return alive, dead


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
