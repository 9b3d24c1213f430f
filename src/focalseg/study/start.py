"""Whose weights a training begins with: found, held to their digest, and compared with the network that is to take them."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from torch import nn

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.findings import counted
from focalseg.hosts.instrument import OWN
from focalseg.inference.folders import LEAN_CONFIG, find_lean, find_run
from focalseg.networks.state import read_state_file
from focalseg.records.record import read_record
from focalseg.records.result import CHECKPOINT
from focalseg.records.seals import hash_file
from focalseg.records.splits import SPLITS, Splits
from focalseg.study.beginning import locate_start, outlive_start, recall_start
from focalseg.study.running.listeners import Tell
from focalseg.training.run import RunConfig
from focalseg.training.start_config import StartConfig
from focalseg.training.starting import fit_start

_MOST_NAMED = 3
"""Of the tensors that do not fit, how many are named."""
_SPLITS_ABOVE = 4
"""So far above the weights lies the splits.json of a job: above OUT/runs/ARM/fold_F/seed_S, or OUT/lean."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """Weights to begin with. run: the settings of the training that left them; None where that is gone and the training, which
    has begun already, needs them no more. path: as the person gave it. where: they lie now, though the config may name the
    place where they were first."""

    config: StartConfig
    path: Path
    run: RunConfig | None
    where: Path | None = None


def find_start(path: Path, folder: Path) -> Start:
    """The weights in a finished run, in a lean folder, or in the lean folder of a job. folder: which is to be filled, or goes
    on: the same weights may lie elsewhere by then, or nowhere.

    Imports and executes nothing that the files name. Raises SettingError where no such weights are, or not as they were
    written.
    """
    if outlived := outlive_start(path, folder):
        return Start(config=outlived, path=path, run=None)
    begun = recall_start(folder)
    where = locate_start(path)
    files = find_lean(where) if (where / LEAN_CONFIG).exists() else find_run(where)
    settings, weights = files.settings, files.weights
    found = StartConfig(path=weights.as_posix(), sha256=hash_file(weights))
    # Weights that were moved keep the name that they were begun with, unless the training has nothing else yet to go on from.
    same = begun is not None and begun.sha256 == found.sha256
    kept = begun if same and begun and (Path(begun.path).is_file() or (folder / CHECKPOINT).is_file()) else found
    return Start(config=kept, path=path, where=weights, run=from_mapping(RunConfig, settings))


def check_start(start: Start, config: RunConfig, network: nn.Module, tell: Tell) -> None:
    """Compares the weights with a network that was just built from the config; tells what of them it takes.

    Raises SettingError where the images, the labels or the network are of another kind than those of the weights.
    """
    begun = start.run
    if begun is None or start.where is None:
        return
    _refuse_other_shapes(begun, config, start.path)
    fit = fit_start(network, read_state_file(start.where, sha256=start.config.sha256))
    own = [{site for site, gate in one.attention.items() if gate == OWN} for one in (begun, config)]
    shapes_alone = own[0] != own[1]  # a gate of the host's own is part of it, and only there where it is kept
    misfits = [one for one in fit.misfits if not (shapes_alone and "missing" in one)]
    if misfits or not fit.taken:
        more = f", and {counted(len(misfits) - _MOST_NAMED, 'other tensor')}" if len(misfits) > _MOST_NAMED else ""
        raise SettingError(
            f"--start-from {start.path}: its weights do not fit this network ({'; '.join(misfits[:_MOST_NAMED])}{more}); "
            f"expected the network that they are of. Add {_name_network(begun)}, or leave --start-from out."
        )
    tell(f"begins with the weights of {start.config.path}; the schedule of the learning rate is new.")
    for remark in _remark(begun, config):
        tell(remark)
    if fit.fresh:
        tell(f"the gates at {', '.join(fit.fresh)} start fresh: the weights have none of that kind there.")
    if fit.left:
        tell(
            f"the weights have gates at {', '.join(fit.left)} that this network has not, or of another kind; they are left out."
        )


def tell_of_learned(start: Start, tested: Mapping[str, str], tell: Tell) -> None:
    """Tells how many of the test cases the weights were trained on, where the splits.json of that training is still there.

    tested: digests of the test cases by name.
    """
    if start.run is None or start.where is None:
        return
    path = find_splits(start.where.parent)
    if path is None:
        return
    splits = read_record(Splits, path)
    learned = {splits.cases.get(name) for fold in splits.folds if fold.fold == start.run.fold for name in fold.train}
    if number := sum(digest in learned for digest in tested.values()):
        tell(
            f"the weights were trained on {number} of the {counted(len(tested), 'test case')}, so that the test Dice will be "
            "too high. Begin with weights that were trained on the same split (without --all-data), or test on other cases."
        )


def find_splits(folder: Path) -> Path | None:
    """The splits.json that the network in a folder was trained on, which lies beside or above it; None where it is gone."""
    folders = (folder, *folder.parents[:_SPLITS_ABOVE])
    return next((place / SPLITS for place in folders if (place / SPLITS).is_file()), None)


def _refuse_other_shapes(begun: RunConfig, config: RunConfig, path: Path) -> None:
    """Raises SettingError for images with other channels or axes than those of the weights, and another number of labels."""
    one, other = begun.network, config.network
    if one.spatial_dims != other.spatial_dims or one.in_channels != other.in_channels:
        there, here = (f"{counted(net.in_channels, 'channel')} in {net.spatial_dims}-D" for net in (one, other))
        raise SettingError(
            f"--start-from {path} is of a network for images with {there}, and those of {config.data} have {here}; expected "
            "images of one kind. Convert the images, or leave --start-from out."
        )
    if one.classes != other.classes:
        there, here = (", ".join(run.labels) for run in (begun, config))
        raise SettingError(
            f"--start-from {path} is of a network that tells {there}, and the masks of {config.data} hold {here}; expected as "
            "many labels. Give the masks those labels, or leave --start-from out."
        )


def _remark(begun: RunConfig, config: RunConfig) -> Iterator[str]:
    """What differs between the two trainings and is for the person to judge."""
    if begun.labels != config.labels:
        there, here = (", ".join(run.labels) for run in (begun, config))
        yield f"the weights tell {there}; their channels are taken for {here}, in this order."
    one, other = begun.preparation, config.preparation
    if one.normalisation != other.normalisation or one.window != other.window:
        there, here = (f"{' x '.join(map(str, run.window))}, normalised by {run.normalisation}" for run in (one, other))
        yield f"images are prepared as this data asks ({here}), not as those of the weights were ({there})."


def _name_network(begun: RunConfig) -> str:
    """The options of the command that ask for the network of a training."""
    network = begun.network
    arguments = {name: value for name, value in network.arguments.items() if name != "encoder_weights" or value is None}
    flow = yaml.safe_dump({"network.arguments": arguments}, default_flow_style=True, width=2**20).strip()[1:-1]
    value = flow.partition(":")[2].strip()
    return f"--network {network.name}" + (f" --set {shlex.quote(f'network.arguments={value}')}" if arguments else "")
