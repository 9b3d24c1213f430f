"""A MONAI bundle: the network, its weights and a pipeline from a folder of images to masks, as `monai.bundle` runs it."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from focalseg.errors import SettingError
from focalseg.exporting.bundle_configs import build_inference, build_metadata, refuse_special
from focalseg.exporting.folder import fill_folder
from focalseg.exporting.refusals import CARD, refuse_out
from focalseg.files import write_text, write_whole
from focalseg.hosts.tracing import copy_network
from focalseg.inference.model import Model
from focalseg.records.escapes import show_markdown

WEIGHTS, METADATA, INFERENCE = "models/model.pt", "configs/metadata.json", "configs/inference.json"


def export_bundle(model: Model, out: Path) -> None:
    """Fills `out` with the first network of a model as a bundle. It is there whole, its network built anew from its own files
    and giving the same logits to the bit, or not at all.

    Raises SettingError for a network that no bundle can hold, and for a folder that holds something else.
    """
    refuse_out("bundle", out)
    refuse_special(model.config)
    with fill_folder(out) as folder:
        state = {name: tensor.detach().cpu() for name, tensor in model.network.state_dict().items()}
        write_whole(folder / WEIGHTS, lambda file: torch.save(state, file))
        write_text(folder / INFERENCE, _show(build_inference(model)))
        write_text(folder / METADATA, _show(build_metadata(model.config)))
        write_text(folder / "docs" / CARD, _describe(model))
        _compare(model, folder)


def _compare(model: Model, folder: Path) -> None:
    """Raises SettingError where the network that the files describe is another than the model's."""
    from focalseg.exporting.monai_parts import build_network

    definition = json.loads((folder / INFERENCE).read_text(encoding="utf-8"))["network_def"]
    rebuilt = build_network(**{name: value for name, value in definition.items() if name != "_target_"})
    rebuilt.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
    image = torch.randn(1, *model.config.image_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        same = torch.equal(rebuilt.eval()(image), copy_network(model.network).cpu().eval()(image))
    if not same:
        raise SettingError(
            f"The network {model.config.network.name} gives other logits once it is built from the bundle; expected the same. "
            "It draws numbers, or is built otherwise each time. Give --format onnx."
        )


def _show(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=4, allow_nan=False) + "\n"


def _describe(model: Model) -> str:
    """The card."""
    config = model.config
    volumes = len(config.preparation.size) == 3
    return (
        (files(__package__) / "bundle_card.md")
        .read_text(encoding="utf-8")
        .format(
            name=show_markdown(model.name or "A model"),
            data=show_markdown(Path(config.data).name),
            network=show_markdown(config.network.name),
            attention=show_markdown(config.describe_attention()),
            labels=show_markdown(config.describe_labels()),
            kind="volumes (.nii, .nii.gz)" if volumes else "pictures (.png, .jpg, .jpeg, .bmp)",
        )
    )
