"""Every kind of host that attention can be put into, small, in one table: a new row is tested on arrival."""

import copy
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from focalseg.attention import GATES
from focalseg.hosts.building import NetworkConfig, build_host
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import plan_layout
from focalseg.hosts.libraries.monai import FAMILIES
from focalseg.hosts.libraries.nnunet import FAMILY
from focalseg.hosts.libraries.plans import MONAI_NETWORKS, NNUNET_NETWORKS
from focalseg.hosts.site import Site
from focalseg.layers import BATCH_NORMS, CONVOLUTIONS, INSTANCE_NORMS, POOLS

IN_CHANNELS = 2
WIDTH = 4


@dataclass(frozen=True, kw_only=True)
class Host:
    """How a host is built for a number of axes, the sizes of its images, and the places that a person names in it.

    without_half: numbers of axes in which torch on the CPU lacks one of its layers in half precision. picklable: whether torch
    can save the network as a whole.
    """

    build: Callable[[int], nn.Module]
    sizes: Mapping[int, tuple[int, ...]]
    places: Mapping[str, Any] = field(default_factory=dict)
    without_half: tuple[int, ...] = ()
    picklable: bool = True

    def image_shape(self, axes: int) -> tuple[int, ...]:
        return IN_CHANNELS, *self.sizes[axes]

    def images(self, axes: int, *, count: int = 2, seed: int = 1) -> Tensor:
        return torch.randn(count, *self.image_shape(axes), generator=torch.Generator().manual_seed(seed))


def block(axes: int, channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(CONVOLUTIONS[axes](channels, width, 3, padding=1), BATCH_NORMS[axes](width), nn.ReLU())


class Lower(nn.Module):
    """Takes what comes from below, and the skip by keyword, and joins the two inside."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.block = block(axes, 2 * WIDTH, WIDTH)

    def forward(self, below: Tensor, *, skip: Tensor) -> Tensor:
        made: Tensor = self.block(torch.cat([nn.functional.interpolate(below, size=skip.shape[2:]), skip], dim=1))
        return made


class HandWritten(nn.Module):
    """A U-Net as people write one: no module for a skip, one decoder called with keywords, one with what is joined already."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.enc1, self.enc2 = block(axes, IN_CHANNELS, WIDTH), block(axes, WIDTH, WIDTH)
        self.bottom = block(axes, WIDTH, WIDTH)
        self.pool = POOLS[axes](2)
        self.dec2, self.dec1 = Lower(axes), block(axes, 2 * WIDTH, WIDTH)
        self.head = CONVOLUTIONS[axes](WIDTH, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.enc1(image)
        middle = self.enc2(self.pool(fine))
        raised = self.dec2(self.bottom(self.pool(middle)), skip=middle)
        raised = nn.functional.interpolate(raised, size=fine.shape[2:])
        logits: Tensor = self.head(self.dec1(torch.cat([raised, fine], dim=1)))
        return logits


class OwnGated(nn.Module):
    """A network with a sigmoid gate of its own, which it multiplies by itself."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.first, self.second = block(axes, IN_CHANNELS, WIDTH), block(axes, WIDTH, WIDTH)
        self.score = nn.Sequential(CONVOLUTIONS[axes](WIDTH, 1, 1), nn.Sigmoid())
        self.head = CONVOLUTIONS[axes](WIDTH, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.first(image)
        logits: Tensor = self.head(self.second(features * self.score(features)))
        return logits


def build_sequential(axes: int) -> nn.Module:
    """A root that is an nn.Sequential, with instance norms beside the batch norms."""
    return nn.Sequential(
        block(axes, IN_CHANNELS, WIDTH),
        nn.Sequential(CONVOLUTIONS[axes](WIDTH, WIDTH, 3, padding=1), INSTANCE_NORMS[axes](WIDTH, track_running_stats=True)),
        nn.ReLU(),
        CONVOLUTIONS[axes](WIDTH, 1, 1),
    )


def named(name: str, **arguments: Any) -> Callable[[int], nn.Module]:
    """Builds a network by its name, with arguments of its own."""

    def build(axes: int) -> nn.Module:
        return build_host(
            NetworkConfig(name=name, spatial_dims=axes, in_channels=IN_CHANNELS, classes=1, arguments=arguments)  # type: ignore[arg-type]
        )

    return build


def planned(name: str, sizes: Mapping[int, tuple[int, ...]], widths: tuple[int, ...] = (4, 8, 8)) -> Host:
    """One of MONAI's, as it is planned for a few channels a level."""
    return Host(build=named(f"monai:{name}", **MONAI_NETWORKS[name](widths)), sizes=sizes)


ODD = {1: (11,), 2: (9, 10), 3: (8, 5, 9)}
SMALL = {1: (8,), 2: (8, 12), 3: (8, 4, 4)}
HOSTS = {
    "unet": Host(build=named("unet", widths=[4, 6, 8]), sizes=ODD),
    "unet:group": Host(build=named("unet", widths=[4, 8], norm="group", dropout=0.0), sizes=ODD),
    "monai:UNet": planned("UNet", SMALL),
    "monai:BasicUNet": planned("BasicUNet", {1: (32,), 2: (32, 16), 3: (32, 16, 16)}, widths=(2,)),
    "monai:DynUNet": planned("DynUNet", SMALL),
    "monai:SegResNet": planned("SegResNet", {axes: SMALL[axes] for axes in (2, 3)}, widths=(8, 16)),
    "monai:AttentionUnet": planned("AttentionUnet", SMALL),
    "nnunet:PlainConvUNet": Host(
        build=named("nnunet:PlainConvUNet", **NNUNET_NETWORKS["PlainConvUNet"]((4, 6, 8))), sizes=SMALL
    ),
    "nnunet:ResidualEncoderUNet": Host(
        build=named("nnunet:ResidualEncoderUNet", **NNUNET_NETWORKS["ResidualEncoderUNet"]((4, 6, 8))),
        sizes=SMALL,
        without_half=(3,),  # nn.AvgPool3d
        picklable=False,  # its blocks hold a lambda
    ),
    "hand-written": Host(
        build=HandWritten,
        sizes=ODD,
        places={
            "stages": ("enc*", "bottom"),
            "skips": {"fine": (f"dec1:0[{WIDTH}:]", "bottom"), "coarse": ("dec2:skip", "dec2:below")},
        },
    ),
    "sequential": Host(build=build_sequential, sizes=ODD, places={"stages": ("0", "2"), "skips": {"late": ("1", "0")}}),
    "own gate": Host(
        build=OwnGated,
        sizes=ODD,
        places={"stages": ("first",), "skips": {"late": ("second", "first")}, "own_gates": {"gate": "score"}},
    ),
}


if find_spec("segmentation_models_pytorch"):
    HOSTS["smp:Unet"] = Host(
        build=named("smp:Unet", encoder_name="resnet18", encoder_weights=None, decoder_channels=[8, 8, 4, 4, 4]),
        sizes={2: (64, 32)},
    )


def describe_unknown_family(network: nn.Module, *, stage: str, there: str) -> str:
    """The whole message for a network that is of no known family, whose first module and modules are named."""
    return (
        f"{type(network).__name__} is of no family whose sites are known (focalseg.UNet, smp's Unet, "
        f"MONAI's {', '.join(FAMILIES)}, nnU-Net's {', '.join(FAMILY)}); "
        f"name the places: focalseg.sites(network, stages=['{stage}'], skips=...), "
        f"handed on as candidates=..., or --set 'network.stages=[{stage}]'. "
        f"It has {there}."
    )


@functools.cache
def plain_host(host: str, axes: int) -> nn.Module:
    """One host of each, whose running norms have seen data. Take copies of it."""
    torch.manual_seed(0)
    network = HOSTS[host].build(axes)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-0.3, 0.3)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    return network


@functools.cache
def host_sites(host: str, axes: int) -> tuple[Site, ...]:
    """Its candidate sites."""
    return sites(plain_host(host, axes), HOSTS[host].image_shape(axes), **HOSTS[host].places)


def fitting_layout(host: str, axes: int, gate: str, *, beside: bool = False) -> dict[str, str]:
    """Where a kind of gate stands in a host, beside the gates of the host's own; empty where it fits nowhere.

    beside: gates of the other sort, SE on stages or AG on skips, are put in with it.
    """
    other = ("se" if GATES[gate].needs_gating_signal else "ag",) if beside else ()
    layout = plan_layout(host_sites(host, axes), (gate, *other))
    return layout if gate in layout.values() else {}


def copy_host(host: str, axes: int) -> nn.Module:
    """A plain host of one's own."""
    return copy.deepcopy(plain_host(host, axes))
