"""The two configs of a MONAI bundle, as plain data."""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from focalseg import __version__
from focalseg.configuration import to_mapping
from focalseg.errors import SettingError
from focalseg.findings import show_value
from focalseg.inference.model import Model
from focalseg.training.run import RunConfig
from focalseg.windows import Tiling

_SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
_PARTS = "focalseg.exporting.monai_parts"
_SPECIAL = re.compile(r"^[$%]|[@\n]")
"""MONAI runs a text that begins with $, reads a file where it begins with %, and puts something in the place of @name."""
_ENDINGS = {2: (".png", ".jpg", ".jpeg", ".bmp"), 3: (".nii", ".nii.gz")}


def refuse_special(config: RunConfig) -> None:
    """Raises SettingError for a network that a bundle cannot hold: of one axis, or with a text that MONAI would run."""
    if len(config.preparation.size) not in _ENDINGS:
        raise SettingError("A bundle is for pictures and volumes; this network has one spatial axis. Give --format onnx.")
    for text in _list_texts(_list_settings(config)):
        if _SPECIAL.search(text):
            raise SettingError(
                f"The settings of the network hold the text {show_value(text)}, which MONAI would not take as it is (it means "
                "something by $, % and @). Rename it and train anew, or give --format onnx."
            )


def build_inference(model: Model) -> dict[str, Any]:
    """configs/inference.json: from a folder of images to masks."""
    config, tiling = model.config, model.members[0].plan_tiling()
    axes = len(config.preparation.size)
    reader = {"_target_": "NibabelReader"} if axes == 3 else {"_target_": "PILReader"}
    return {
        "imports": ["$import pathlib", "$import numpy", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/masks'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "endings": list(_ENDINGS[axes]),
        "images": "$sorted(str(p) for p in pathlib.Path(@dataset_dir).iterdir() if p.name.lower().endswith(tuple(@endings)))",
        "network_def": {"_target_": f"{_PARTS}.build_network", **_list_settings(config)},
        "network": "$@network_def.to(@device)",
        "preprocessing": _compose(
            # The files' own number type: whole numbers are rounded once they are resized.
            {"_target_": "LoadImaged", "keys": "image", "reader": reader, "dtype": None, "ensure_channel_first": True},
            {"_target_": f"{_PARTS}.Prepared", "keys": "image", "preparation": to_mapping(config.preparation)},
        ),
        "dataset": {"_target_": "Dataset", "data": "$[{'image': path} for path in @images]", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "shuffle": False, "num_workers": 0},
        "inferer": {"_target_": f"{_PARTS}.WindowInferer", **_describe_windows(tiling)},
        "postprocessing": _compose(
            {"_target_": f"{_PARTS}.Restored", "keys": "pred", "image_key": "image"},
            {
                "_target_": "SaveImaged",
                "keys": "pred",
                "output_dir": "@output_dir",
                "output_postfix": "",
                "output_ext": ".nii.gz" if axes == 3 else ".png",
                "output_dtype": "$numpy.uint8",
                "dtype": "$numpy.uint8",
                "resample": False,
                "separate_folder": False,
            },
        ),
        **_evaluate(),
    }


def _describe_windows(tiling: Tiling) -> dict[str, Any]:
    """How images are cut into windows."""
    places = {name: list(getattr(tiling, name)) for name in ("window", "stride", "margin")}
    return {**places, "overlap": tiling.overlap}


def _evaluate() -> dict[str, Any]:
    """What loads the weights and runs over the images; it refers to the rest by name."""
    return {
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
                "map_location": "@device",
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


def build_metadata(config: RunConfig) -> dict[str, Any]:
    """configs/metadata.json, by MONAI's schema of July 2024."""
    network = config.network
    names = ("background", *config.labels) if network.classes > 1 else config.labels
    tensor = {
        "type": "image",
        "num_channels": network.in_channels,
        "spatial_shape": list(config.preparation.window),
        "dtype": "float32",
        "is_patch_data": config.preparation.patch is not None,
    }
    inputs = {
        **tensor,
        "format": "magnitude",
        "value_range": [],
        "channel_def": {str(number): "image" for number in range(network.in_channels)},
    }
    outputs = {
        **tensor,
        "format": "segmentation",
        "num_channels": network.classes,
        "value_range": [],
        "channel_def": {str(number): _plain(name) for number, name in enumerate(names)},
    }
    return {
        "schema": _SCHEMA,
        "version": "1.0.0",
        "changelog": {"1.0.0": "exported by focalseg"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"focalseg": __version__, "pytorch-ignite": "0.4.11"},
        "name": "focalseg segmentation",
        "task": "Segmentation of " + ", ".join(map(_plain, config.labels)),
        "description": f"Trained by focalseg on {_plain(Path(config.data).name)}, in the pipeline of focalseg predict.",
        "authors": "Whoever trained it",
        "copyright": "Whoever trained it",
        "intended_use": "Research; not approved for use on patients",
        "network_data_format": {"inputs": {"image": inputs}, "outputs": {"pred": outputs}},
    }


def _compose(*transforms: dict[str, Any]) -> dict[str, Any]:
    return {"_target_": "Compose", "transforms": list(transforms)}


def _list_settings(config: RunConfig) -> dict[str, Any]:
    """What builds the network, without what it was trained on and how."""
    settings = to_mapping(config)
    kept = ("preparation", "network", "attention", "standardise_logits")
    return {"data": "a bundle", **{name: settings[name] for name in kept}}


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from (str(name), *_list_texts(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _list_texts(inner)


def _plain(text: str) -> str:
    """The text without signs that mean something to MONAI."""
    return re.sub(r"[$%@\n]", "_", text)
