"""A model as a folder to take away, which `focalseg.load` reads: safetensors and JSON alone."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as pack

from focalseg.configuration import to_mapping
from focalseg.errors import SettingError
from focalseg.exporting.folder import fill_folder, refuse_others
from focalseg.files import write_whole
from focalseg.inference.folders import ENSEMBLE, LEAN_CONFIG, WEIGHTS_DIGEST
from focalseg.inference.loading import load
from focalseg.inference.model import Model
from focalseg.networks.state import read_state
from focalseg.records.record import write_json
from focalseg.records.result import WEIGHTS
from focalseg.records.seals import hash_file
from focalseg.training.run import RunConfig


def save(model: Model, folder: str | Path) -> None:
    """Writes a model as a folder: config.json and model.safetensors of its network, or of several a folder of each.

    `focalseg.load(folder)` gives it back, to the bit, without the job that it came from. An earlier model in the folder is
    replaced as a whole.

    Raises SettingError for anything but a Model, such as a network of your own loop, whose attention `save_attention` writes;
    for a model whose network was changed since it was loaded; and for a folder that holds something else.

    >>> import focalseg
    >>> try:
    ...     focalseg.save(focalseg.UNet(widths=(8, 16)), "my model")
    ... except ValueError as error:
    ...     print(str(error).partition(". ")[0])
    focalseg.save takes a model as focalseg.load gives it, not a UNet
    >>> focalseg.save(focalseg.load("OUT"), "my model")  # doctest: +SKIP
    """
    given: Any = model
    if not isinstance(given, Model):
        raise SettingError(
            f"focalseg.save takes a model as focalseg.load gives it, not a {type(given).__name__}. Of a network from your own "
            "loop, focalseg.save_attention(network, folder) writes what was added; its other weights you save as before."
        )
    out, count = Path(folder), len(model.members)
    members = [str(number) for number in range(count)]
    names = (LEAN_CONFIG, WEIGHTS, "README.md", ENSEMBLE, *members)
    refuse_others(out, names, (LEAN_CONFIG, ENSEMBLE))
    with fill_folder(out) as aside:
        if count == 1:
            _write_network(aside, model.config, model.network)
        else:
            for name, config, member in zip(members, model.configs, model.members, strict=True):
                _write_network(aside / name, config, member.network)
            write_json(aside / ENSEMBLE, {"members": members}, indent=1)
        _compare(model, aside)


def _write_network(folder: Path, config: RunConfig, network: torch.nn.Module) -> None:
    content = pack(read_state(network))
    write_whole(folder / WEIGHTS, lambda file: file.write(content))
    write_json(folder / LEAN_CONFIG, {**to_mapping(config), WEIGHTS_DIGEST: hash_file(folder / WEIGHTS)}, indent=2)


def _compare(model: Model, folder: Path) -> None:
    """Raises SettingError where the folder does not give the model back to the bit."""
    name = model.config.network.name
    try:
        loaded = load(folder, device="cpu", own_network="" if model.config.network.built_in else name)
    except SettingError as error:
        raise SettingError(
            f"The network {name} is no longer the one that its config describes (sites were filled or taken out since it was "
            "loaded); expected it as focalseg.load gave it, with any weights. Load it again."
        ) from error
    for one, other in zip(model.members, loaded.members, strict=True):
        states = read_state(one.network), read_state(other.network)
        if not all(torch.equal(states[0][key], states[1][key]) for key in states[0]):
            raise SettingError(f"The network {name} came back with other weights; expected the same. Check the disk.")
