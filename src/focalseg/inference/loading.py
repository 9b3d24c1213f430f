"""Trained networks as they come back from disk: those of a job, of a run, or of a lean folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.hosts.building import without_downloads
from focalseg.hosts.gammas import read_gammas
from focalseg.inference.folders import NetworkFiles, find_lean, find_networks, find_run
from focalseg.inference.model import Model, TrainedNetwork
from focalseg.networks.state import read_state_file, write_state
from focalseg.training.run import RunConfig, build_network
from focalseg.training.training_config import Device


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
    >>> try:
    ...     focalseg.load("a folder that is not there")
    ... except ValueError as error:
    ...     print(str(error).partition(";")[0])
    No folder a folder that is not there
    """
    path = Path(path)
    networks = tuple(_rebuild(files, own_network) for files in find_networks(path, one=one))
    return Model(networks, name=path.name, device=device)


def load_run(folder: Path, *, own_network: str = "") -> TrainedNetwork:
    """The trained network of a run folder, on the CPU and in evaluation mode, with its config; raises as `rebuild_network`."""
    return _rebuild(find_run(folder), own_network)


def load_lean(folder: str | Path, *, own_network: str = "") -> TrainedNetwork:
    """The lean network, on the CPU and in evaluation mode, with the config of its run; raises as `rebuild_network`."""
    return _rebuild(find_lean(Path(folder)), own_network)


def _rebuild(files: NetworkFiles, own_network: str) -> TrainedNetwork:
    return rebuild_network(dict(files.settings), files.weights, own_network=own_network)


def rebuild_network(settings: dict[str, Any], weights: Path, *, own_network: str = "") -> TrainedNetwork:
    """The network that a run's settings describe, with its weights.

    own_network: `package.module:function`, where the run has a network of the person's own. A file alone does not make us
    import anything: raises SettingError unless both name the same.
    """
    config = from_mapping(RunConfig, settings)
    bare = without_downloads(config.network)  # all weights follow from the file, those of a pretrained encoder among them
    if not bare.built_in and config.network.name != own_network:
        raise SettingError(
            f"{weights.parent} has the network {config.network.name!r}, no part of focalseg; loading it would run that "
            f"function. Say that you trust it with own_network={config.network.name!r}, or --network {config.network.name}."
        )
    network = build_network(replace(config, network=bare))
    write_state(network, read_state_file(weights), weights)
    _refuse_bad_gammas(network, weights)
    return TrainedNetwork(config=config, network=network.eval())


def _refuse_bad_gammas(network: nn.Module, weights: Path) -> None:
    for name, gamma in read_gammas(network).items():
        if not 0 <= gamma < float("inf"):
            raise SettingError(f"{weights} has gamma {gamma} at {name}; expected a finite number at least 0. Restore the file.")
