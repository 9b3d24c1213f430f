"""Networks of segmentation_models_pytorch, which is imported here alone, when one is built."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from torch import nn

from focalseg.catalogue import Catalogue
from focalseg.errors import SettingError


def plan_unet(widths: Sequence[int]) -> dict[str, Any]:  # noqa: ARG001 - its encoder has widths of its own
    """Unet on a ResNet-18 without weights from elsewhere: those are asked for by name, network.arguments.encoder_weights."""
    return {"encoder_name": "resnet18", "encoder_weights": None}


DECODER = ("decoder_channels", "decoder_use_norm", "decoder_attention_type", "decoder_interpolation")
SMP_NETWORKS = Catalogue("network of segmentation_models_pytorch", {"Unet": plan_unet})


def is_harmless(arguments: Mapping[str, Any]) -> bool:
    """Whether an Unet of these arguments loads no file and fetches nothing: they may name weights and code elsewhere."""
    encoder = arguments.get("encoder_name", "")
    known = arguments.keys() <= {"encoder_name", "encoder_weights", "encoder_depth", *DECODER}
    return known and arguments.get("encoder_weights") is None and isinstance(encoder, str) and ":" not in encoder


def build_smp(name: str, *, spatial_dims: int, in_channels: int, classes: int, arguments: Mapping[str, Any]) -> nn.Module:
    """segmentation_models_pytorch.NAME with those arguments. Raises SettingError where it is absent or refuses them."""
    if spatial_dims != 2:
        raise SettingError(f"smp:{name} is made for images; the data has {spatial_dims} spatial axes. Take another network.")
    try:
        kind = getattr(import_module("segmentation_models_pytorch"), name)
    except ImportError as error:
        raise SettingError(f"The network smp:{name} needs it installed: `pip install focalseg[smp]` ({error}).") from error
    try:
        network: nn.Module = kind(in_channels=in_channels, classes=classes, **arguments)
    except Exception as error:
        reason = str(error).strip()[:160].rstrip(".")
        raise SettingError(f"smp:{name} refuses {dict(arguments)}: {reason}. Mend network.arguments.") from error
    return network
