"""Networks of nnU-Net (dynamic-network-architectures), and their sites under the names that our U-Net has.

Level 0 is the finest. The library is imported here alone, when a network is built. One that a person built, or that nnU-Net
built from its plans, is recognised by the name of its class.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.site import Place
from focalseg.layers import CONVOLUTIONS, INSTANCE_NORMS, Convolution

PACKAGE = "dynamic_network_architectures"
MODULE = f"{PACKAGE}.architectures.unet"
FAMILY = ("PlainConvUNet", "ResidualEncoderUNet", "ResidualUNet")
"""The networks whose sites are known; the last has residual blocks in its decoder as well."""
_EXAMPLE_SIDE = 128
_BLOCKS = ("BasicBlockD", "BottleneckD")
_LAYERS = ("conv_op", "norm_op", "dropout_op", "nonlin")
"""The arguments that name a kind of layer, as nnU-Net's plans have them."""


def import_network(name: str) -> type[nn.Module]:
    """The class of that name. Raises SettingError where the library is absent, or has no such network."""
    try:
        kind: type[nn.Module] = getattr(import_module(MODULE), name)
    except ImportError as error:
        raise SettingError(
            f"The network nnunet:{name} needs dynamic-network-architectures; install it with `pip install focalseg[nnunet]` "
            f"({error})."
        ) from error
    except AttributeError as error:
        raise SettingError(
            f"The installed dynamic-network-architectures has no {name}; expected release 0.4 or newer. "
            "Run `pip install --upgrade focalseg[nnunet]`."
        ) from error
    return kind


def build_nnunet(name: str, *, spatial_dims: int, in_channels: int, classes: int, arguments: Mapping[str, Any]) -> nn.Module:
    """Builds a network with nnU-Net's layers and its start, where the arguments do not name others, without deep supervision.

    A layer is named as in nnU-Net's plans, such as `torch.nn.ReLU`; of a name from elsewhere nothing is imported. Raises
    SettingError for such a name, and where the library is absent.
    """
    kind = import_network(name)
    usual: dict[str, Any] = {
        "conv_op": CONVOLUTIONS[spatial_dims],
        "conv_bias": True,
        "norm_op": INSTANCE_NORMS[spatial_dims],
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
        "deep_supervision": False,
    }
    given = {argument: _find_layer(argument, value) for argument, value in arguments.items()}
    network = kind(input_channels=in_channels, num_classes=classes, **{**usual, **given})
    return network.apply(network.initialize)  # type: ignore[arg-type]  # a static method of the class, as nnU-Net calls it


def _find_layer(argument: str, value: Any) -> Any:
    """The class that a text names where the argument is a kind of layer; any other value as it is."""
    if not isinstance(value, str):
        return value
    home, _, name = value.rpartition(".")
    if argument in _LAYERS and (home == "torch.nn" or home.startswith("torch.nn.modules.")) and hasattr(nn, name):
        return getattr(nn, name)
    if argument == "block" and name in _BLOCKS and home.startswith(f"{PACKAGE}."):
        return getattr(import_module(f"{PACKAGE}.building_blocks.residual"), name)
    raise SettingError(
        f"{argument} was {value[:80]!r}; expected a layer of torch, such as 'torch.nn.LeakyReLU', or for block one of "
        f"{' and '.join(_BLOCKS)} of {PACKAGE}."
    )


def is_nnunet(network: nn.Module) -> bool:
    """Whether the network is of nnU-Net's family, or derived from one."""
    return any(kind.__module__.startswith(f"{PACKAGE}.") and kind.__name__ in FAMILY for kind in type(network).__mro__)


def draft_nnunet_sites(network: Any) -> tuple[Place, ...]:
    """The places of the family. The stem of a residual encoder, which is on the grid of level 0 as well, is none.

    Its decoder counts stages from the coarsest; each is called with what the transposed convolution made of the features from
    below and then the skip, in one tensor.
    """
    levels = len(network.decoder.stages)
    stages = {level: levels - 1 - level for level in range(levels)}
    return (
        *(Place(name=f"encoder.{level}", kind="stage", features=f"encoder.stages.{level}") for level in range(levels)),
        Place(name="bottleneck", kind="stage", features=f"encoder.stages.{levels}"),
        *(
            Place(
                name=f"skip.{level}",
                kind="skip",
                features=f"decoder.stages.{stage}:0[{network.decoder.transpconvs[stage].out_channels}:]",
                signal=f"decoder.transpconvs.{stage}:0",
            )
            for level, stage in stages.items()
        ),
        *(Place(name=f"decoder.{level}", kind="stage", features=f"decoder.stages.{stage}") for level, stage in stages.items()),
    )


def choose_image_shape(network: Any) -> tuple[int, ...]:
    """The shape (C, *spatial) of an image that such a network takes, however deep it is and whatever its strides are."""
    first = next(module for module in network.encoder.modules() if isinstance(module, Convolution))
    factors = [math.prod(along) for along in zip(*network.encoder.strides, strict=True)]
    # At least two elements along each axis of the bottleneck: instance norms refuse features of a single one.
    return first.in_channels, *(factor * max(-(-_EXAMPLE_SIDE // factor), 2) for factor in factors)


@contextmanager
def without_deep_supervision(network: nn.Module) -> Iterator[None]:
    """Inside the `with` a network of the family returns its logits alone, and not a list with those of coarser levels."""
    decoder: Any = network.get_submodule("decoder") if is_nnunet(network) else None
    before = getattr(decoder, "deep_supervision", False)
    if before:
        decoder.deep_supervision = False
    try:
        yield
    finally:
        if before:
            decoder.deep_supervision = before
