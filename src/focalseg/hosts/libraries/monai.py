"""Networks of MONAI: how each is planned from channels per level, and its sites under the names that our U-Net has.

Level 0 is the finest. MONAI is imported here alone, when one of its networks is built. A network that a person built is
recognised by the name of its class, so that nothing is imported where MONAI is not used.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.site import Place

_MODULE = "monai.networks.nets"


def build_monai(name: str, *, spatial_dims: int, in_channels: int, classes: int, arguments: Mapping[str, Any]) -> nn.Module:
    """Builds monai.networks.nets.NAME with those arguments. Raises SettingError where MONAI is absent."""
    try:
        kind: type[nn.Module] = getattr(import_module(_MODULE), name)
    except ImportError as error:
        raise SettingError(f"The network monai:{name} needs MONAI; install it with `pip install focalseg[monai]`.") from error
    return kind(spatial_dims=spatial_dims, in_channels=in_channels, out_channels=classes, **arguments)


def find_family(network: nn.Module) -> Callable[[Any], tuple[Place, ...]] | None:
    """The function that names the places of the network's family; None where it is of no family of MONAI's."""
    for kind in type(network).__mro__:
        if kind.__module__.startswith(f"{_MODULE}.") and kind.__name__ in FAMILIES:
            return FAMILIES[kind.__name__]
    return None


def _draft_basic_unet_sites(network: Any) -> tuple[Place, ...]:  # noqa: ARG001 - five levels, always
    """The places of a BasicUNet: its UpCat(x, x_e) takes the features from below, then the skip."""
    return _order(
        encoder=["conv_0", "down_1", "down_2", "down_3"],
        bottleneck="down_4",
        skips=[_skip(level, f"upcat_{level + 1}:x_e", signal=f"upcat_{level + 1}:x") for level in range(4)],
        decoder=[f"upcat_{level + 1}" for level in range(4)],
    )


def _draft_dynunet_sites(network: Any) -> tuple[Place, ...]:
    """The places of a DynUNet: its UnetUpBlock takes (inp, skip), and its upsamples count up from the coarsest level."""
    levels = len(network.upsamples)
    upsamples = [f"upsamples.{levels - 1 - level}" for level in range(levels)]
    return _order(
        encoder=["input_block", *(f"downsamples.{level}" for level in range(levels - 1))],
        bottleneck="bottleneck",
        skips=[_skip(level, f"{path}:skip", signal=f"{path}:inp") for level, path in enumerate(upsamples)],
        decoder=upsamples,
    )


def _draft_unet_sites(network: Any) -> tuple[Place, ...]:
    """The places of a UNet, which is a nested Sequential(down, SkipConnection(inner), up). A SkipConnection returns its input
    and what its inner module makes of it in one tensor: the skip is the first of its channels, the signal the rest.

    The finest up layer gives the logits, which are no place for attention; its residual unit, where it has one, ends in a
    bare convolution as well.
    """
    encoder: list[str] = []
    skips: list[Place] = []
    decoder: list[str] = []
    path, block, channels = "model", network.model, list(network.channels)
    while isinstance(block, nn.Sequential) and len(block) == 3 and hasattr(block[1], "submodule"):
        encoder.append(f"{path}.0")
        count = channels[len(skips)]
        skips.append(_skip(len(skips), f"{path}.1[:{count}]", signal=f"{path}.1[{count}:]"))
        decoder.append(f"{path}.2")
        path, block = f"{path}.1.submodule", block[1].submodule
    return _order(encoder=encoder, bottleneck=path, skips=skips, decoder=[None, *decoder[1:]])


def _draft_segresnet_sites(network: Any) -> tuple[Place, ...]:
    """The places of a SegResNet: it adds skips, `up_samples[i](x) + skip`, so what a site changes is added there as well."""
    levels = len(network.up_samples)
    skips = [
        Place(
            name=f"skip.{level}",
            kind="skip",
            features=f"down_layers.{level}",
            signal=f"up_samples.{levels - 1 - level}:0",
            added_at=f"up_samples.{levels - 1 - level}",
            sum_at=f"up_layers.{levels - 1 - level}:0",
        )
        for level in range(levels)
    ]
    return _order(
        encoder=[f"down_layers.{level}" for level in range(levels)],
        bottleneck=f"down_layers.{levels}",
        skips=skips,
        decoder=[f"up_layers.{levels - 1 - level}" for level in range(levels)],
    )


def _draft_attention_unet_sites(network: Any) -> tuple[Place, ...]:
    """The places of an AttentionUnet: its AttentionBlocks (g, x) are gates of its own; psi gives their coefficients."""
    encoder = ["model.0"]
    gates: list[Place] = []
    decoder: list[str] = []
    path, layer = "model.1", network.model[1]
    while hasattr(layer, "attention"):
        if hasattr(layer.attention, "psi"):  # else it was opened before
            psi, name = f"{path}.attention.psi", f"skip.{len(decoder)}"
            gates.append(Place(name=name, kind="own", features=psi, opens_to=f"{path}.attention:x"))
        decoder.append(path)
        inner = layer.submodule
        if not isinstance(inner, nn.Sequential):
            path = f"{path}.submodule"
            break
        encoder.append(f"{path}.submodule.0")
        path, layer = f"{path}.submodule.1", inner[1]
    return _order(encoder=encoder, bottleneck=path, skips=gates, decoder=decoder)


def _skip(level: int, features: str, *, signal: str) -> Place:
    return Place(name=f"skip.{level}", kind="skip", features=features, signal=signal)


def _order(
    *, encoder: Sequence[str], bottleneck: str, skips: Sequence[Place], decoder: Sequence[str | None]
) -> tuple[Place, ...]:
    """The places encoder.0 ..., bottleneck, the skips, decoder.0 ... in this order, without the levels that are None."""
    return (
        *(Place(name=f"encoder.{level}", kind="stage", features=path) for level, path in enumerate(encoder)),
        Place(name="bottleneck", kind="stage", features=bottleneck),
        *skips,
        *(Place(name=f"decoder.{level}", kind="stage", features=path) for level, path in enumerate(decoder) if path),
    )


FAMILIES: dict[str, Callable[[Any], tuple[Place, ...]]] = {
    "BasicUNet": _draft_basic_unet_sites,
    "DynUNet": _draft_dynunet_sites,
    "UNet": _draft_unet_sites,
    "SegResNet": _draft_segresnet_sites,
    "AttentionUnet": _draft_attention_unet_sites,
}
