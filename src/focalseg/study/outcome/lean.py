"""The lean network as a folder to take away: weights, what builds the network, and a model card."""

import shlex
import shutil
from importlib.resources import files
from pathlib import Path

from focalseg.configuration import from_mapping, to_mapping
from focalseg.evaluation.verdict import Verdict
from focalseg.files import write_text, write_whole
from focalseg.findings import counted, show_path
from focalseg.inference.folders import LEAN_CONFIG, WEIGHTS_DIGEST
from focalseg.labels import THRESHOLD
from focalseg.records.escapes import show_markdown
from focalseg.records.placement import ArmSummary
from focalseg.records.record import write_json
from focalseg.records.result import WEIGHTS
from focalseg.records.seals import hash_file
from focalseg.study.outcome.wording import describe_verdict
from focalseg.study.running.folder import read_config
from focalseg.training.run import RunConfig

EXAMPLE_FILES = {1: "image.tif", 2: "image.png", 3: "image.nii.gz"}
"""By spatial axes: what a file to predict may be called."""


def write_lean(folder: Path, run: Path, verdict: Verdict, arm: ArmSummary, parameters: int) -> None:
    """Copies a run's network, of that arm and with so many parameters, into a folder with `model.safetensors`, `config.json`
    and `README.md`."""
    config = from_mapping(RunConfig, read_config(run))
    with (run / WEIGHTS).open("rb") as weights:
        write_whole(folder / WEIGHTS, lambda file: shutil.copyfileobj(weights, file))
    write_json(folder / LEAN_CONFIG, {**to_mapping(config), WEIGHTS_DIGEST: hash_file(folder / WEIGHTS)}, indent=2)
    rows = arm.dice_per_label.items() if len(config.labels) > 1 else ()
    card = (files(__package__) / "card.md").read_text(encoding="utf-8")
    text = card.format(
        data=show_markdown(config.data),
        sentence=describe_verdict(verdict),
        network=show_markdown(describe_network(config)),
        attention=show_markdown(", ".join(f"{gate} at {site}" for site, gate in config.attention.items())) or "none",
        channels=config.network.in_channels,
        size=_describe_size(config),
        normalisation=_describe_normalisation(config),
        output=show_markdown(_describe_output(config)),
        labels="".join(f"| test Dice of {show_markdown(label)} | {dice:.3f} |\n" for label, dice in rows),
        image=EXAMPLE_FILES[len(config.preparation.size)],
        folder=repr(folder.as_posix()) + ("" if config.network.built_in else f", own_network={config.network.name!r}"),
        shell=_quote(folder.as_posix()) + ("" if config.network.built_in else f" --network {_quote(config.network.name)}"),
        trainings=counted(arm.trainings, "training") + (f" on each of {arm.folds} folds" if arm.folds > 1 else ""),
        parameters=parameters,
        **{name: getattr(arm, name) for name in ("dice", "low", "high", "cases", "groups")},
    )
    write_text(folder / "README.md", text)


def _quote(text: str) -> str:
    """A word of a command, in one line whatever is in it."""
    return shlex.quote(show_path(text))


def describe_network(config: RunConfig) -> str:
    """Its name and what it was built from."""
    network = config.network
    name = f"U-Net, widths {'-'.join(map(str, network.widths))}" if network.widths else network.name
    arguments = [f"{name} {value}" for name, value in network.arguments.items() if name != "widths"]
    return ", ".join([name, *arguments])


def _describe_size(config: RunConfig) -> str:
    """What an image is resized to, and how much of it the network sees at a time."""
    preparation = config.preparation
    windows = f", seen in overlapping windows of {' x '.join(map(str, preparation.window))}" if preparation.patch else ""
    return f"{' x '.join(map(str, preparation.size))} {_name_element(config)}s{windows}"


def _name_element(config: RunConfig) -> str:
    """What the smallest part of an image is called."""
    return "voxel" if len(config.preparation.size) == 3 else "pixel"


def _describe_normalisation(config: RunConfig) -> str:
    """What is done to intensities."""
    preparation = config.preparation
    if preparation.normalisation == "case":
        return "minus the mean of the image, divided by its standard deviation, a channel each"
    mean, deviation = (
        ", ".join(f"{value:.1f}" for value in values) for values in (preparation.mean, preparation.standard_deviation)
    )
    return f"minus {mean}, divided by {deviation}, a channel each"


def _describe_output(config: RunConfig) -> str:
    """What the network's channels mean."""
    element, channels = _name_element(config), config.network.classes
    if channels == 1:
        return f"one logit a {element}; {config.labels[0]} where its sigmoid is above {THRESHOLD}"
    names = ", ".join(f"{number} {name}" for number, name in enumerate(("background", *config.labels)))
    return f"{channels} logits a {element}, by softmax; the label is that of the largest: {names}"
