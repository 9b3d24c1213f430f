"""The candidate sites of a network, by name, kind, order and channels; those a person names, and what cannot be one."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from focalseg.attention.focal_site import FocalSite
from focalseg.errors import ShapeError, SiteError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import fill_sites, instrument
from focalseg.hosts.pruning import open_own_gates, remove_attention
from focalseg.hosts.site import select_sites
from focalseg.networks.unet import UNet
from hosts.host_table import HOSTS, HandWritten, OwnGated, describe_unknown_family, host_sites

BuildUNet = Callable[..., UNet]
NAMES = ["encoder.0", "encoder.1", "bottleneck", "skip.0", "skip.1", "decoder.0", "decoder.1"]
IMAGE = (2, 8, 8)
PLACES = {"stages": ["enc*", "bottom"], "skips": {"fine": ("dec1:0[4:]", "bottom")}}


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_a_unet_has_a_site_after_every_stage_and_on_every_skip_finest_first(build_unet: BuildUNet, spatial_dims: int) -> None:
    found = sites(build_unet(spatial_dims))
    assert [site.name for site in found] == NAMES
    assert [site.kind for site in found] == ["stage", "stage", "stage", "skip", "skip", "stage", "stage"]
    assert {site.shape.spatial_dims for site in found} == {spatial_dims}


def test_the_number_of_sites_follows_the_depth(build_unet: BuildUNet) -> None:
    for levels in (2, 3, 5):
        assert len(sites(build_unet(widths=(4,) * levels))) == 3 * levels - 2


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_a_site_says_how_many_channels_pass_and_which_signal_steers(
    build_unet: BuildUNet, draw_images: Callable[..., torch.Tensor], spatial_dims: int
) -> None:
    network, passed, images = build_unet(spatial_dims), {}, draw_images(spatial_dims)
    found = sites(network, tuple(images.shape[1:]))
    for site in found:
        network.get_submodule(site.name).register_forward_hook(
            lambda _, arguments, output, name=site.name: passed.update({name: [output, *arguments[1:]]})
        )
    network(images)
    for site in found:
        features, *signal = passed[site.name]
        assert (site.shape.channels, site.shape.size) == (features.shape[1], tuple(features.shape[2:]))
        assert site.shape.gating_channels == (signal[0].shape[1] if signal else 0)
    assert [site.shape.gating_channels for site in found if site.name == "skip.1"] == [8]
    assert {site.shape.gating_channels for site in found if site.kind == "stage"} == {0}
    assert {site.shape.gating_stride for site in found if site.kind == "skip"} == {(2,) * spatial_dims}


def test_an_image_passes_every_site_once(build_unet: BuildUNet, draw_images: Callable[..., torch.Tensor]) -> None:
    network, calls = build_unet(), []
    for site in sites(network):
        network.get_submodule(site.features).register_forward_hook(lambda *_, name=site.name: calls.append(name))
    network(draw_images())
    assert sorted(calls) == sorted(NAMES)


def test_only_filled_sites_hold_attention_and_they_come_in_the_order_of_the_sites(build_unet: BuildUNet) -> None:
    network = build_unet()
    assert attention_sites(network) == {}
    instrument(network, gates=("ag",))
    assert list(attention_sites(network)) == ["skip.0", "skip.1"]
    instrument(network, gates=("se",))
    assert list(attention_sites(network)) == NAMES
    assert all(isinstance(site, FocalSite) for site in attention_sites(network).values())


def test_sites_are_selected_by_name_in_the_order_asked_for(build_unet: BuildUNet) -> None:
    found = sites(build_unet())
    assert [site.name for site in select_sites(found, ["skip.1", "encoder.0"])] == ["skip.1", "encoder.0"]
    assert select_sites(found, []) == ()


def test_a_site_that_the_network_does_not_have_is_an_error_that_offers_the_nearest(build_unet: BuildUNet) -> None:
    with pytest.raises(SiteError) as raised:
        select_sites(sites(build_unet()), ["skip.0", "decoder.2"])
    assert str(raised.value) == f"No site named 'decoder.2'; known are {', '.join(NAMES)}. Did you mean 'decoder.1'?"
    assert isinstance(raised.value, LookupError)


@pytest.mark.parametrize(
    ("network", "named", "there"),
    [
        (nn.Linear(2, 3), "layer1", "no modules"),
        (nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU()), "0", "0, 1"),
        (HandWritten(1), "enc1", "enc1, enc2, bottom, pool, dec2, dec1, head"),
    ],
)
def test_a_network_of_no_known_family_is_an_error_that_says_how_places_are_named(
    network: nn.Module, named: str, there: str
) -> None:
    with pytest.raises(SiteError) as raised:
        sites(network)
    assert str(raised.value) == describe_unknown_family(network, stage=named, there=there)


@pytest.mark.parametrize("host", [name for name in HOSTS if name.startswith("monai:")])
def test_the_sites_of_a_known_family_have_the_names_that_our_u_net_has(host: str) -> None:
    for axes in HOSTS[host].sizes:
        found = host_sites(host, axes)
        names = [site.name for site in found]
        levels = sum(name.startswith("encoder.") for name in names)
        # MONAI's UNet makes the logits in its finest decoder stage, which is therefore no place for attention.
        decoders = range(1 if host == "monai:UNet" else 0, levels)
        assert names == [
            *(f"encoder.{level}" for level in range(levels)),
            "bottleneck",
            *(f"skip.{level}" for level in range(levels)),
            *(f"decoder.{level}" for level in decoders),
        ]
        sizes = {site.name: site.shape.size for site in found}
        full = HOSTS[host].sizes[axes]
        assert {sizes["encoder.0"], sizes["skip.0"]} <= {full, tuple(side // 2 for side in full)}
        for level in range(1, levels):
            assert sizes[f"encoder.{level}"] == tuple(side // 2 for side in sizes[f"encoder.{level - 1}"])


def test_places_that_a_person_names_become_sites_in_the_order_stages_skips_own_gates() -> None:
    found = sites(HandWritten(2), IMAGE, **PLACES)
    assert [(site.name, site.kind, site.shape.channels, site.shape.size) for site in found] == [
        ("enc1", "stage", 4, (8, 8)),
        ("enc2", "stage", 4, (4, 4)),
        ("bottom", "stage", 4, (2, 2)),
        ("fine", "skip", 4, (8, 8)),
    ]
    assert (found[-1].shape.gating_channels, found[-1].shape.gating_stride) == (4, (4, 4))
    own = sites(OwnGated(2), IMAGE, stages=["head"], own_gates={"mine": "score"})
    assert [(site.name, site.kind, site.shape.channels) for site in own] == [("head", "stage", 1), ("mine", "own", 1)]


def test_a_pattern_matches_whole_names_between_dots_only() -> None:
    network = nn.Sequential(HandWritten(2))
    assert [site.name for site in sites(network, IMAGE, stages=["0.enc*"])] == ["0.enc1", "0.enc2"]
    assert [site.name for site in sites(network, IMAGE, stages=["*.dec1:0[:4]"])] == ["0.dec1:0[:4]"]
    assert [site.name for site in sites(network, IMAGE, stages=["0.*2.block"])] == ["0.dec2.block"]


def test_an_image_shape_that_is_not_given_is_guessed_from_the_first_convolution() -> None:
    shapes = {site.name: site.shape for site in sites(HandWritten(1), **PLACES)}
    assert shapes["enc1"].size[0] == 4 * shapes["bottom"].size[0]
    assert {shape.channels for shape in shapes.values()} == {4}


class Awkward(nn.Module):
    """Modules that are called twice, never, or give and take other things than one tensor of features."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.pair = Pair()
        self.never = nn.Conv2d(4, 4, 1)
        self.last = nn.Conv2d(4, 1, 1)
        self.score = nn.Linear(1, 1)

    def forward(self, image: Tensor) -> Tensor:
        features, _ = self.pair(self.first(image), 0.5)
        features, _ = self.pair(features, 0.5)
        logits = self.last(features)
        return logits * self.score(logits.mean(dim=(2, 3)))[..., None, None]


class Pair(nn.Module):
    def forward(self, features: Tensor, factor: float) -> tuple[Tensor, Tensor]:
        return features * factor, features


GRAMMAR = "expected a module's path, with :ARGUMENT for what it is called with and [START:STOP] for some channels"
AWKWARD = "the network has first, pair, never, last, score."
HAND = "the network has enc1, enc2, bottom, pool, dec2, dec1, head."


@pytest.mark.parametrize(
    ("network", "places", "message"),
    [
        (Awkward(), {"stages": ["pair"]}, "What passes pair is a tuple; expected one tensor. Name another place."),
        (
            Awkward(),
            {"stages": ["pair:factor"]},
            "What passes pair:factor is a float; expected one tensor. Name another place.",
        ),
        (Awkward(), {"stages": ["pair:2"]}, "pair is not called with '2'; it takes features, factor."),
        (Awkward(), {"stages": ["pair:x"]}, "pair is not called with 'x'; it takes features, factor."),
        (
            Awkward(),
            {"stages": ["pair:0"]},
            "pair:0, named for pair:0, is passed 2 times in a forward pass; expected once. Name a place that is passed once.",
        ),
        (
            Awkward(),
            {"stages": ["first", "never"]},
            "never, named for never, is passed 0 times in a forward pass; expected once. Name a place that is passed once.",
        ),
        (
            Awkward(),
            {"stages": ["score"]},
            "What passes at score has shape (B, 1); expected features (B, C, *spatial) with one to three spatial axes. "
            "Name another place.",
        ),
        (Awkward(), {"stages": ["firts"]}, f"No module named 'firts'; {AWKWARD} Did you mean 'first'?"),
        (Awkward(), {"stages": ["zz*"]}, f"No module named 'zz*'; {AWKWARD}"),
        (Awkward(), {"own_gates": {"mine": "zz"}}, f"No module named 'zz'; {AWKWARD}"),
        (Awkward(), {"stages": ["first["]}, f"'first[' is no place in a network; {GRAMMAR}."),
        (Awkward(), {"stages": ["first:a:b"]}, f"'first:a:b' is no place in a network; {GRAMMAR}."),
        (Awkward(), {"stages": ["first[-1:]"]}, f"'first[-1:]' is no place in a network; {GRAMMAR}."),
        (
            Awkward(),
            {"stages": ["first[3:3]"]},
            "Nothing passes at first[3:3]: it has no channels there. Name channels that there are.",
        ),
        (
            Awkward(),
            {"stages": ["first[4:]"]},
            "Nothing passes at first[4:]: it has no channels there. Name channels that there are.",
        ),
        (Awkward(), {"stages": ["first", "fir*"]}, "first is named twice; expected each site once. Name it once."),
        (Awkward(), {"stages": "first"}, "stages was 'first'; expected a list of places, such as ['first']."),
        (Awkward(), {"stages": [""]}, "The site '' was given an empty place; expected a module's path, such as 'layer1'."),
        (
            Awkward(),
            {"skips": {"mine": ("first", "")}},
            "The site 'mine' was given an empty place; expected a module's path, such as 'layer1'.",
        ),
        (Awkward(), {"own_gates": {"": "first"}}, "A site was named ''; expected a name, without a slash. Name it anew."),
        (Awkward(), {"own_gates": {"a/b": "first"}}, "A site was named 'a/b'; expected a name, without a slash. Name it anew."),
        (
            Awkward(),
            {"own_gates": {"mine": "first:0"}},
            "The own gate 'mine' was given 'first:0'; expected a module's path, whose output is coefficients.",
        ),
        (
            HandWritten(2),
            {"stages": ["enc1"], "own_gates": {"enc1": "enc2"}},
            "enc1 is named twice; expected each site once. Name it once.",
        ),
        (
            HandWritten(2),
            {"skips": {"mine": "ab"}},
            "The skip 'mine' was given 'ab'; expected two places, that of the skip and that of its gating signal, "
            "such as ('up1:1', 'up1:0').",
        ),
        (
            HandWritten(2),
            {"skips": {"mine": ("enc1",)}},
            "The skip 'mine' was given ('enc1',); expected two places, that of the skip and that of its gating signal, "
            "such as ('up1:1', 'up1:0').",
        ),
        (
            HandWritten(2),
            {"skips": {"mine": ("enc1", "bottom")}},
            "The gating signal bottom passes after the features enc1 of mine, which it should steer; "
            "name the place where the skip enters the decoder, such as `up1:1`.",
        ),
        (
            HandWritten(2),
            {"skips": {"mine": ("dec2:skip", "dec2")}},
            "The gating signal dec2 passes after the features dec2:skip of mine, which it should steer; "
            "name the place where the skip enters the decoder, such as `up1:1`.",
        ),
        (
            HandWritten(2),
            {"skips": {"mine": ("bottom", "enc1")}},
            "The gating signal at enc1 has spatial shape (8, 8) and the features of mine (2, 2); expected a grid as coarse or "
            "coarser. Name another place for the signal.",
        ),
        (HandWritten(2), {"skips": {"mine": ("dec9:0", "bottom")}}, f"No module named 'dec9'; {HAND} Did you mean 'dec2'?"),
        (
            HandWritten(2),
            {"stages": ["dec2.blok"]},
            "No module named 'dec2.blok'; dec2 has dec2.block. Did you mean 'dec2.block'?",
        ),
    ],
)
def test_a_place_where_attention_cannot_stand_is_refused_with_the_mend_and_the_network_is_as_it_was(
    network: nn.Module, places: dict[str, Any], message: str, look_at: Callable[[nn.Module], Any]
) -> None:
    before = look_at(network)
    with pytest.raises(SiteError) as raised:
        sites(network, IMAGE, **places)
    assert str(raised.value) == message
    assert look_at(network) == before


def test_an_image_that_the_network_does_not_take_is_an_error_with_its_shape_and_what_the_network_said() -> None:
    with pytest.raises(ShapeError) as raised:
        sites(Awkward(), (3, 8, 8), stages=["first"])
    assert str(raised.value).startswith("Awkward does not take an image of shape (3, 8, 8) (")
    assert str(raised.value).endswith("); give image_shape, (C, *spatial) of one that it takes.")
    with pytest.raises(SiteError) as raised:
        sites(nn.Sequential(nn.Flatten(), nn.Linear(8, 2)), stages=["1"])
    assert str(raised.value) == ("Sequential has no convolution to tell what it takes; give image_shape, (C, *spatial).")


@pytest.mark.parametrize("name", ["handles", "sites", "gates", "module", "train", "gamma", "1"])
def test_a_person_may_give_a_skip_any_name(name: str) -> None:
    network, image = HandWritten(2).eval(), torch.randn(1, *IMAGE)
    expected, before = network(image), list(network.state_dict())
    found = sites(network, IMAGE, stages=["enc1"], skips={name: ("dec1:0[4:]", "bottom")})
    instrument(network, candidates=found)
    assert list(attention_sites(network)) == ["enc1", name]
    assert not torch.equal(network(image), expected)
    assert torch.equal(copy.deepcopy(network)(image), network(image))
    remove_attention(network)
    assert torch.equal(network(image), expected)
    assert list(network.state_dict()) == before


def test_a_gate_may_stand_on_part_of_what_a_module_is_called_with_and_the_rest_is_untouched() -> None:
    network, passed = HandWritten(2).eval(), []
    found = sites(network, IMAGE, stages=["dec1:0[2:5]"])
    handle = network.dec1.register_forward_pre_hook(lambda _module, arguments: passed.append(arguments[0]))
    image = torch.randn(1, *IMAGE)
    network(image)
    fill_sites(network, {"dec1:0[2:5]": "se"}, candidates=found)
    handle.remove()
    network.dec1.register_forward_pre_hook(lambda _module, arguments: passed.append(arguments[0]))
    network(image)
    plain, attended = passed
    assert torch.equal(plain[:, :2], attended[:, :2])
    assert torch.equal(plain[:, 5:], attended[:, 5:])
    coefficients = attention_sites(network)["dec1:0[2:5]"].compute_coefficients(plain[:, 2:5])
    assert torch.equal(attended[:, 2:5], plain[:, 2:5] * coefficients)


def test_a_gate_of_the_hosts_own_that_was_opened_is_a_site_no_more() -> None:
    host = "monai:AttentionUnet"
    network = HOSTS[host].build(2)
    open_own_gates(network, host_sites(host, 2))
    found = sites(network, HOSTS[host].image_shape(2))
    assert [site.name for site in found] == [site.name for site in host_sites(host, 2) if site.kind != "own"]
