"""Hosts without some of their skips, by means of their own code: what shutting those skips is held against."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from hosts.host_table import WIDTH


def level_of(name: str) -> int:
    return int(name.partition(".")[2])


def zero_argument(module: nn.Module, which: int | str, channels: slice = slice(None)) -> None:
    """From now on the module is called with zeros in place of an argument, or of some of its channels."""
    forward = module.forward

    def zeroed(key: int | str, argument: Tensor) -> Tensor:
        if key != which:
            return argument
        without = argument.clone()
        without[:, channels] = 0
        return without

    def call(*arguments: Any, **keywords: Any) -> Any:
        return forward(
            *itertools.starmap(zeroed, enumerate(arguments)), **{key: zeroed(key, one) for key, one in keywords.items()}
        )

    module.forward = call


def zero_output(module: nn.Module) -> None:
    """From now on the module gives zeros."""
    forward = module.forward
    module.forward = lambda *arguments: torch.zeros_like(forward(*arguments))


def join_zeros(network: nn.Module, level: int) -> None:
    """MONAI's UNet joins zeros with what its inner network makes."""
    block = network.model
    for _ in range(level):
        block = block[1].submodule
    joining = block[1]
    joining.forward = lambda features: torch.cat([torch.zeros_like(features), joining.submodule(features)], dim=1)


def add_nothing(network: nn.Module, levels: Iterable[int]) -> None:
    """SegResNet's decoder without these skips: `up(x)` in place of `up(x) + skip`."""

    def decode(features: Tensor, skips: list[Tensor]) -> Tensor:
        for number, (up, layer) in enumerate(zip(network.up_samples, network.up_layers, strict=True)):
            level = len(network.up_samples) - 1 - number
            features = layer(up(features) if level in levels else up(features) + skips[number + 1])
        return network.conv_final(features)

    network.decode = decode


def shut_by_hand(host: str, network: nn.Module, names: Iterable[str]) -> nn.Module:
    """The host without these skips, by means of its own code: no ports, no hooks."""
    if host == "monai:SegResNet":
        add_nothing(network, [level_of(name) for name in names])
        return network

    def zero_nnunet(name: str) -> None:
        stage = len(network.decoder.stages) - 1 - level_of(name)
        zero_argument(network.decoder.stages[stage], 0, slice(network.decoder.transpconvs[stage].out_channels, None))

    by_hand: dict[str, Callable[[str], None]] = {
        "unet": lambda name: zero_output(network.skip[level_of(name)]),
        "unet:group": lambda name: zero_output(network.skip[level_of(name)]),
        "monai:UNet": lambda name: join_zeros(network, level_of(name)),
        "monai:BasicUNet": lambda name: zero_argument(getattr(network, f"upcat_{level_of(name) + 1}"), 1),
        "monai:DynUNet": lambda name: zero_argument(network.upsamples[len(network.upsamples) - 1 - level_of(name)], 1),
        "smp:Unet": lambda name: zero_argument(network.decoder.blocks[-1 - level_of(name)], "skip_connection"),
        "nnunet:PlainConvUNet": zero_nnunet,
        "nnunet:ResidualEncoderUNet": zero_nnunet,
        "hand-written": lambda name: (
            zero_argument(network.dec2, "skip") if name == "coarse" else zero_argument(network.dec1, 0, slice(WIDTH, None))
        ),
        "sequential": lambda _name: zero_output(network[1]),
        "own gate": lambda _name: zero_output(network.second),
    }
    for name in names:
        by_hand[host](name)
    return network
