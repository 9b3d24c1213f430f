"""Networks of segmentation_models_pytorch, and the sites of its Unet.

The library is imported here alone, when a network is built. One that a person built is recognised by the name of its class.
"""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import nn

from focalseg.errors import SettingError
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
