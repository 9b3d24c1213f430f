"""The model card beside weights: what the network is, what it was trained on, what it reached, and how it is used.

Its header is the metadata by which the Hub of Hugging Face finds and shows a model
(https://huggingface.co/docs/hub/model-cards).
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

from focalseg.files import write_text
from focalseg.findings import counted, show_path
from focalseg.hosts.building import without_downloads
from focalseg.labels import THRESHOLD
from focalseg.records.escapes import show_markdown
from focalseg.records.placement import SHUT
from focalseg.training.run import RunConfig
from focalseg.yaml_files import dump_yaml

CARD = "README.md"
TASK = "image-segmentation"
_LICENSE = "license: unknown  # choose one before you publish it: https://huggingface.co/docs/hub/repositories-licenses\n"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a card says besides what the config of a run tells. title: plain text. lead, note: Markdown, every name in it
    escaped. rows: of the table, name and value in plain text. dice: test Dice by what it is of; empty where nothing was
    tested."""

    title: str
    lead: str
    note: str = ""
    rows: Sequence[tuple[str, str]] = ()
    dice: Mapping[str, float]


def write_card(folder: Path, config: RunConfig, card: Card) -> None:
    """Writes README.md beside the weights of a run with that config. No name that somebody chose is markup in it."""
    rows = [*_describe_run(config), *card.rows]
    template = (files(__package__) / "card.md").read_text(encoding="utf-8")
    own = "" if without_downloads(config.network).built_in else config.network.name
    text = template.format(
        header=_write_header(config, card),
        title=show_markdown(card.title),
        lead=card.lead,
        table="".join(f"| {show_markdown(name)} | {show_markdown(value)} |\n" for name, value in rows),
        note=f"{card.note}\n" if card.note else "",
        origin=_describe_origin(config),
        folder=repr(folder.as_posix()) + (f", own_network={own!r}" if own else ""),
        shell=_quote(folder.as_posix()) + (f" --network {_quote(own)}" if own else ""),
    )
    write_text(folder / CARD, text)


def _quote(text: str) -> str:
    """A word of a command, in one line whatever is in it."""
    return shlex.quote(show_path(text))


def _write_header(config: RunConfig, card: Card) -> str:
    """The metadata as YAML. Whatever the data is called, it is one line of text in it."""
    gates = sorted({gate for gate in config.attention.values() if gate != SHUT})
    fields: dict[str, Any] = {
        "library_name": "focalseg",
        "pipeline_tag": TASK,
        "tags": [TASK, "biomedical", "medical-imaging", "pytorch", *(["attention", *gates] if gates else [])],
    }
    if card.dice:
        fields |= {"metrics": ["dice"], "model-index": [_index_scores(config, card)]}
    return _LICENSE + dump_yaml(fields)


def _index_scores(config: RunConfig, card: Card) -> dict[str, Any]:
    """The scores as the Hub's evaluation results are written: of a task, on a data set, by metric."""
    name = _show_plain(PurePosixPath(config.data).name or config.data)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data"
    scores = [{"type": "dice", "name": _show_plain(of), "value": round(value, 4)} for of, value in card.dice.items()]
    data = {"type": slug, "name": name, "split": "test"}
    title = card.title.replace(config.data, name)  # without the folders that the data lies in, which are nobody's business
    return {"name": _show_plain(title), "results": [{"task": {"type": TASK}, "dataset": data, "metrics": scores}]}


def _show_plain(text: str) -> str:
    """A text of letters, digits and what stands between words: where a viewer does not know that the header is none of the
    page, nothing in it is markup."""
    return " ".join(re.sub(r"[^\w .,()+-]", " ", text).split()) or "data"


def _describe_origin(config: RunConfig) -> str:
    """What the weights come from."""
    pretrained = config.network.arguments.get("encoder_weights")
    encoder = f"an encoder pretrained on {show_markdown(str(pretrained))}" if pretrained is not None else ""
    begun = "the weights named above" if config.start_from is not None else ""
    sources = " and ".join(filter(None, (begun, encoder)))
    return f"Trained on the data named above{f', from {sources}' if sources else ' and on nothing else'}."


def _describe_run(config: RunConfig) -> list[tuple[str, str]]:
    """The rows that every card has: what the network is, what it takes and what it gives."""
    return [
        ("network", _describe_network(config)),
        ("attention", config.describe_attention()),
        ("input", f"{counted(config.network.in_channels, 'channel')}, resized to {_describe_size(config)}"),
        ("normalisation", _describe_normalisation(config)),
        ("output", _describe_output(config)),
    ]


def _describe_network(config: RunConfig) -> str:
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
        return "minus the mean of the image, divided by its standard deviation, per channel"
    mean, deviation = (
        ", ".join(f"{value:.1f}" for value in values) for values in (preparation.mean, preparation.standard_deviation)
    )
    scale = f"minus {mean}, divided by {deviation}, per channel"
    return f"{scale}: the scale of the pretrained encoder" if preparation.normalisation == "encoder" else scale


def _describe_output(config: RunConfig) -> str:
    """What the network's channels mean."""
    element, channels = _name_element(config), config.network.classes
    if channels == 1:
        return f"one logit per {element}; {config.labels[0]} where its sigmoid is above {THRESHOLD}"
    return f"{channels} logits per {element}, by softmax; the label is that of the largest: {config.describe_labels()}"
