"""smp's Unet: sites where its decoder meets the encoder's features. A stand-in of its calls; the real one where installed."""

import sys
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig, build_host
from focalseg.hosts.finding import sites
from focalseg.hosts.gammas import gamma_parameters
from focalseg.hosts.instrument import instrument


class Block(nn.Module):
    """A decoder block as smp calls one: features from below, the size to reach, and a skip or none."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels + skip, out, 3, padding=1)

    def forward(self, feature_map, target_height, target_width, skip_connection=None):
        raised = F.interpolate(feature_map, size=(target_height, target_width))
        joined = raised if skip_connection is None else torch.cat([raised, skip_connection], dim=1)
        return self.conv(joined).relu()


class Encoder(nn.ModuleList):
    """Stages, and the channels that each level of features has, the image's first."""

    out_channels = (3, 4, 6, 8)


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(8, 6, 6), Block(6, 4, 4), Block(4, 0, 4)])


def unet_forward(self, image):
    features = [image]
    for stage in self.encoder:
        features.append(stage(features[-1]))
    value = features[-1]
    for block, skip, like in zip(self.decoder.blocks, [*features[-2:0:-1], None], features[-2::-1], strict=True):
        value = block(value, *like.shape[2:], skip_connection=skip)
    return self.head(value)


def unet_init(self, in_channels: int = 3, classes: int = 1, encoder_name: str = "", encoder_weights: str | None = None) -> None:
    nn.Module.__init__(self)
    widths = [in_channels, 4, 6, 8]
    self.encoder = Encoder(nn.Conv2d(widths[i], widths[i + 1], 3, stride=2, padding=1) for i in range(3))
    self.decoder = Decoder()
    self.head = nn.Conv2d(4, classes, 1)


@pytest.fixture
def stand_in(monkeypatch):
    """A package of that name whose Unet has smp's parts and smp's calls."""
    package = ModuleType("segmentation_models_pytorch")
    package.Unet = type(
        "Unet",
        (nn.Module,),
        {"__init__": unet_init, "forward": unet_forward, "__module__": "segmentation_models_pytorch.decoders.unet.model"},
    )
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", package)


@pytest.fixture(params=["stand-in", "real"])
def smp(request):
    if request.param == "stand-in":
        request.getfixturevalue("stand_in")
    else:
        pytest.importorskip("segmentation_models_pytorch")
    torch.manual_seed(0)
    arguments = {"encoder_name": "resnet18", "encoder_weights": None}
    return build_host(NetworkConfig(name="smp:Unet", arguments=arguments)).eval()


def test_its_skips_lie_where_the_decoder_is_handed_them_and_are_steered_from_below(smp):
    found = {site.name: site for site in sites(smp, (3, 64, 64))}
    levels = len(smp.decoder.blocks)
    assert set(found) == {
        "bottleneck",
        *(f"skip.{level}" for level in range(1, levels)),
        *(f"decoder.{level}" for level in range(levels)),
    }
    for level in range(1, levels):
        skip = found[f"skip.{level}"]
        block = f"decoder.blocks.{levels - 1 - level}"
        assert (skip.features, skip.signal) == (f"{block}:skip_connection", f"{block}:feature_map")
        assert skip.shape.size == (64 >> level, 64 >> level)
        assert skip.shape.gating_stride == (2, 2)


def test_with_every_gamma_zero_it_is_the_host_to_the_bit(smp):
    image = torch.randn(2, 3, 64, 64)
    plain = smp(image)
    instrument(smp)
    assert not torch.equal(smp(image), plain)
    for gamma in gamma_parameters(smp):
        nn.init.zeros_(gamma)
    assert torch.equal(smp(image), plain)


def test_where_it_is_not_installed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(SettingError, match=r"The network smp:Unet needs it installed: `pip install focalseg\[smp\]` \(.*\)\."):
        build_host(NetworkConfig(name="smp:Unet"))


def test_volumes_are_not_for_it(stand_in):
    with pytest.raises(SettingError) as raised:
        build_host(NetworkConfig(name="smp:Unet", spatial_dims=3))
    assert str(raised.value) == "smp:Unet is made for images; the data has 3 spatial axes. Take another network."


def test_a_level_at_which_the_encoder_gives_nothing_has_no_skip(stand_in, monkeypatch):
    network = build_host(NetworkConfig(name="smp:Unet"))
    monkeypatch.setattr(Encoder, "out_channels", (3, 0, 6, 8))
    assert [site.name for site in sites(network, (3, 64, 64)) if site.kind == "skip"] == ["skip.2"]


@pytest.mark.parametrize(
    ("arguments", "harmless"),
    [
        ({}, True),
        ({"encoder_name": "resnet34", "decoder_channels": [8, 8, 8, 8, 8]}, True),
        ({"encoder_weights": "imagenet"}, False),
        ({"encoder_name": "tu-hf-hub:someone/something"}, False),
        ({"encoder_name": "tu-resnet18", "checkpoint_path": "weights.pth"}, False),
        ({"encoder_name": ["resnet18"]}, False),
    ],
)
def test_a_file_alone_may_not_make_it_load_or_fetch_anything(arguments, harmless):
    assert NetworkConfig(name="smp:Unet", arguments=arguments).built_in is harmless
