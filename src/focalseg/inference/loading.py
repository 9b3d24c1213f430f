"""Trained networks as they come back from disk: those of a job, of a run, or of a lean folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.hosts.gammas import read_gammas
from focalseg.inference.folders import LEAN, LEAN_CONFIG, refuse_no_model
from focalseg.inference.model import Model, TrainedNetwork
from focalseg.networks.state import read_state_file, write_state
from focalseg.records.placement import PLACEMENT, JobRecord
from focalseg.records.record import AGAIN, read_record, read_sealed
from focalseg.records.result import CONFIG, RESULT, WEIGHTS, check_run_file
from focalseg.records.seals import check_digest
from focalseg.training.run import RunConfig, build_network
from focalseg.training.training_config import Device
from focalseg.yaml_files import read_yaml

WEIGHTS_DIGEST = "weights_sha256"


def load(path: str | Path, *, one: bool = False, device: Device = "auto", own_network: str = "") -> Model:
    """The model in a folder: that of a job, of a run (`focalseg train`), or a lean folder.

    Of a job these are all trainings of what was placed, over folds and seeds, whose probabilities are averaged; with `one` it
    is the lean network alone. Nothing is fetched, and nothing that a file names is run: own_network, the name of a network of
    your own (`package.module:function`), says that you trust it. device: where it computes; `auto` takes a GPU where there is
    one.

    Raises SettingError for a folder that holds no model, and for a file that is missing or was altered; MachineError for a
    device that this machine has not.

    >>> import focalseg
    >>> model = focalseg.load("OUT")  # doctest: +SKIP
    >>> mask = model.predict(image, spacing_mm=(0.5, 0.5))  # doctest: +SKIP
    """
    path = Path(path)
    return Model(tuple(_read_networks(path, one=one, own_network=own_network)), name=path.name, device=device)


def _read_networks(path: Path, *, one: bool, own_network: str) -> Iterator[TrainedNetwork]:
    """The networks of a folder, that of the lean network first."""
    refuse_no_model(path)
    if (path / LEAN_CONFIG).is_file():
        yield load_lean(path, own_network=own_network)
    elif (path / RESULT).is_file():
        yield load_run(path, own_network=own_network)
    elif one:
        yield load_lean(path / LEAN, own_network=own_network)
    else:
        for run in list_placed(path):
            yield load_run(run, own_network=own_network)


def list_placed(job: Path) -> tuple[Path, ...]:
    """The folders of a job's trainings of what was placed, that of the lean network first. Raises SettingError."""
    record = read_record(JobRecord, job / PLACEMENT)
    if not record.placed_runs:
        raise SettingError(
            f"{job / PLACEMENT} does not say which trainings were placed: an earlier version wrote it. Take the lean network "
            f"alone, with --one, or {AGAIN}."
        )
    return tuple(job / run for run in record.placed_runs)


def load_run(folder: Path, *, own_network: str = "") -> TrainedNetwork:
    """The trained network of a run folder, on the CPU and in evaluation mode, with its config; raises as `rebuild_network`."""
    settings = read_yaml(check_run_file(folder / CONFIG))
    return rebuild_network(settings, check_run_file(folder / WEIGHTS), own_network=own_network)


def load_lean(folder: str | Path, *, own_network: str = "") -> TrainedNetwork:
    """The lean network, on the CPU and in evaluation mode, with the config of its run; raises as `rebuild_network`."""
    folder = Path(folder)
    settings = read_sealed(folder / LEAN_CONFIG, "the folder `lean` that `focalseg place` wrote.")
    if not isinstance(settings, dict):
        raise SettingError(f"{folder / LEAN_CONFIG} holds no settings; expected the file that `focalseg place` wrote.")
    kept = settings.pop(WEIGHTS_DIGEST, "")
    weights = check_digest(folder / WEIGHTS, str(kept), f"{AGAIN}, which writes it anew") if kept else folder / WEIGHTS
    return rebuild_network(settings, weights, own_network=own_network)


def rebuild_network(settings: dict[str, Any], weights: Path, *, own_network: str = "") -> TrainedNetwork:
    """The network that a run's settings describe, with its weights.

    own_network: `package.module:function`, where the run has a network of the person's own. A file alone does not make us
    import anything: raises SettingError unless both name the same.
    """
    config = from_mapping(RunConfig, settings)
    if not config.network.built_in and config.network.name != own_network:
        raise SettingError(
            f"{weights.parent} has the network {config.network.name!r}, no part of focalseg; loading it would run that "
            f"function. Say that you trust it with own_network={config.network.name!r}."
        )
    network = build_network(config)
    write_state(network, read_state_file(weights), weights)
    _refuse_bad_gammas(network, weights)
    return TrainedNetwork(config=config, network=network.eval())


def _refuse_bad_gammas(network: nn.Module, weights: Path) -> None:
    for name, gamma in read_gammas(network).items():
        if not 0 <= gamma < float("inf"):
            raise SettingError(f"{weights} has gamma {gamma} at {name}; expected a finite number at least 0. Restore the file.")
