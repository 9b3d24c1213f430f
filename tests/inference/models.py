"""Folders with trained networks, made in a moment: nothing is trained, weights are those that a seed draws."""

from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from focalseg.configuration import to_mapping
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig
from focalseg.inference.folders import TUNED_THRESHOLD, WEIGHTS_DIGEST
from focalseg.networks.state import read_state
from focalseg.records.record import write_json, write_record
from focalseg.records.result import CONFIG, RESULT, WEIGHTS, Result
from focalseg.records.seals import hash_file, sign_text
from focalseg.training.run import RunConfig, build_network
from focalseg.yaml_files import write_yaml
from records.test_record import RECORDS

PREPARATION = Preparation(size=(16, 16), mean=(100.0,) * 3, standard_deviation=(50.0,) * 3, spacing_mm=(1.0, 1.0))


def make_config(
    *, seed=0, labels=("lesion",), attention=None, preparation=PREPARATION, spatial_dims=2, widths=(4, 8)
) -> RunConfig:
    """The config of a small U-Net."""
    return RunConfig(
        data="phantom:local",
        seed=seed,
        labels=labels,
        preparation=preparation,
        network=NetworkConfig(
            spatial_dims=spatial_dims,
            in_channels=len(preparation.mean),
            classes=1 if len(labels) == 1 else len(labels) + 1,
            arguments={"widths": list(widths)},
        ),
        attention={"encoder.0": "se", "skip.0": "ag"} if attention is None else attention,
    )


def write_run(folder: Path, config: RunConfig, *, threshold: float | None = None) -> Path:
    """A run's folder as far as a network is loaded from it. threshold: the one that was tuned."""
    folder.mkdir(parents=True)
    save_file(read_state(build_network(config)), folder / WEIGHTS)
    (folder / CONFIG).write_text(sign_text(write_yaml(config)))
    digests = {name: hash_file(folder / name) for name in (CONFIG, WEIGHTS)}
    costs = {"modules": len(config.attention), "parameters": 1, "flops": 1, "seconds": 1.0}
    write_record(folder / RESULT, Result(**costs, files=digests, threshold=threshold))
    return folder


def write_lean_folder(folder: Path, config: RunConfig, *, threshold: float | None = None) -> Path:
    """A lean folder without its card. threshold: as in `write_run`."""
    folder.mkdir(parents=True)
    save_file(read_state(build_network(config)), folder / WEIGHTS)
    besides = {TUNED_THRESHOLD: threshold} if threshold is not None else {}
    digest = {WEIGHTS_DIGEST: hash_file(folder / WEIGHTS)}
    write_json(folder / "config.json", {**to_mapping(config), **besides, **digest}, indent=2)
    return folder


def write_job(folder: Path, configs: list[RunConfig]) -> Path:
    """A job's folder as far as models are loaded from it: a run per config, the first of them lean."""
    runs = tuple(f"runs/placed/fold_{number}/seed_{config.seed}" for number, config in enumerate(configs))
    for run, config in zip(runs, configs, strict=True):
        write_run(folder / run, config)
    write_lean_folder(folder / "lean", configs[0])
    write_record(folder / "placement.json", replace(RECORDS[1], placed_runs=runs))
    return folder
