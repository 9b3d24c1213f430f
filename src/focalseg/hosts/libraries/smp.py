"""Networks of segmentation_models_pytorch, and the sites of its Unet.

The library is imported here alone, when a network is built. One that a person built is recognised by the name of its class.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import nn

from focalseg.errors import SettingError
from focalseg.findings import show_value
from focalseg.hosts.site import Place

_MODULE = "segmentation_models_pytorch"


_DECODER = ("decoder_channels", "decoder_use_norm", "decoder_attention_type", "decoder_interpolation")


def is_harmless(arguments: Mapping[str, Any]) -> bool:
    """Whether building a Unet with these arguments loads no file and fetches nothing: they may name weights elsewhere."""
    encoder = arguments.get("encoder_name", "")
    known = arguments.keys() <= {"encoder_name", "encoder_weights", "encoder_depth", *_DECODER}
    return known and arguments.get("encoder_weights") is None and isinstance(encoder, str) and ":" not in encoder


def build_smp(name: str, *, spatial_dims: int, in_channels: int, classes: int, arguments: Mapping[str, Any]) -> nn.Module:
    """Builds segmentation_models_pytorch.NAME. Raises SettingError where the library is absent and for other than images."""
    if spatial_dims != 2:
        raise SettingError(f"smp:{name} is made for images; the data has {spatial_dims} spatial axes. Take another network.")
    try:
        kind: type[nn.Module] = getattr(import_module(_MODULE), name)
    except ImportError as error:
        raise SettingError(f"The network smp:{name} needs it installed: `pip install focalseg[smp]` ({error}).") from error
    return kind(in_channels=in_channels, classes=classes, **arguments)


@dataclass(frozen=True, kw_only=True)
class EncoderScale:
    """How a pretrained encoder wants images: less the mean and divided by the deviation of each colour, red, green and blue, of
    bytes from 0 to 255."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def read_encoder_scale(arguments: Mapping[str, Any]) -> EncoderScale | None:
    """The scale of the images that a Unet's encoder was pretrained on; None where no pretrained weights are asked for.

    It fetches what the library fetches for it. Raises SettingError where the library has none, or wants colours in another
    order.
    """
    weights, name = arguments.get("encoder_weights"), arguments.get("encoder_name", "resnet34")
    if weights is None:
        return None
    try:
        found = import_module(f"{_MODULE}.encoders").get_preprocessing_params(name, pretrained=weights)
        largest = float(max(found["input_range"] or (0, 1)))
        mean, deviation = (tuple(float(value) * 255 / largest for value in found[part]) for part in ("mean", "std"))
        order = found["input_space"]
    except Exception as error:
        raise SettingError(
            f"The library does not say how the encoder {show_value(name)} with {show_value(weights)} weights wants its images "
            f"({type(error).__name__}: {str(error)[:120]}). Check network.arguments and the connection, or give "
            "data.normalisation=data_set."
        ) from error
    if order != "RGB":
        raise SettingError(
            f"The encoder {show_value(name)} wants colours in the order {show_value(order)}; expected RGB, as images are read. "
            "Take another encoder, or give data.normalisation=data_set."
        )
    return EncoderScale(mean=mean, deviation=deviation)


def is_smp_unet(network: nn.Module) -> bool:
    """Whether the network is a Unet of segmentation_models_pytorch, or derived from one."""
    return any(kind.__module__.startswith(f"{_MODULE}.") and kind.__name__ == "Unet" for kind in type(network).__mro__)


def draft_smp_unet_sites(network: Any) -> tuple[Place, ...]:
    """The places of a Unet. decoder.0 is the finest block, which has no skip; a skip is steered by the features from below."""
    # The name of the argument is read off the signature: it is `skip_connection`, and `skip` in older releases.
    blocks = list(network.decoder.blocks)
    names = list(inspect.signature(blocks[0].forward).parameters)
    skip = next(name for name in names if name.startswith("skip"))
    channels = network.encoder.out_channels
    paths = [f"decoder.blocks.{len(blocks) - 1 - level}" for level in range(len(blocks))]
    return (
        Place(name="bottleneck", kind="stage", features=f"{paths[-1]}:{names[0]}"),
        *(
            Place(name=f"skip.{level}", kind="skip", features=f"{path}:{skip}", signal=f"{path}:{names[0]}")
            for level, path in enumerate(paths)
            if level > 0 and channels[level]  # some encoders give nothing at a level
        ),
        *(Place(name=f"decoder.{level}", kind="stage", features=path) for level, path in enumerate(paths)),
    )
