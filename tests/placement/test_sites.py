"""The candidate sites of a network, by name, kind, order and channels."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from focalseg.attention.site import AttentionSite
from focalseg.errors import SiteError
from focalseg.networks.unet import UNet
from focalseg.placement.instrument import instrument
from focalseg.placement.sites import attention_sites, select_sites, sites

BuildUNet = Callable[..., UNet]
NAMES = ["encoder.0", "encoder.1", "bottleneck", "skip.0", "skip.1", "decoder.0", "decoder.1"]


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_a_unet_has_a_site_after_every_stage_and_on_every_skip_finest_first(build_unet: BuildUNet, spatial_dims: int) -> None:
    found = sites(build_unet(spatial_dims))
    assert [site.name for site in found] == NAMES
    assert [site.kind for site in found] == ["stage", "stage", "stage", "skip", "skip", "stage", "stage"]
    assert {site.spatial_dims for site in found} == {spatial_dims}


def test_the_number_of_sites_follows_the_depth(build_unet: BuildUNet) -> None:
    for levels in (2, 3, 5):
        assert len(sites(build_unet(widths=(4,) * levels))) == 3 * levels - 2


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_a_site_says_how_many_channels_pass_and_which_signal_steers(
    build_unet: BuildUNet, draw_images: Callable[..., torch.Tensor], spatial_dims: int
) -> None:
    network, passed = build_unet(spatial_dims), {}
    for site in sites(network):
        network.get_submodule(site.path).register_forward_pre_hook(
            lambda _, arguments, name=site.name: passed.update({name: [tensor.shape[1] for tensor in arguments]})
        )
    network(draw_images(spatial_dims))
    expected = {
        site.name: [site.channels, site.gating_channels] if site.kind == "skip" else [site.channels] for site in sites(network)
    }
    assert passed == expected
    assert passed["skip.1"] == [6, 8]
    assert {site.gating_channels for site in sites(network) if site.kind == "stage"} == {0}


def test_an_image_passes_every_site_once(build_unet: BuildUNet, draw_images: Callable[..., torch.Tensor]) -> None:
    network, calls = build_unet(), []
    for site in sites(network):
        network.get_submodule(site.path).register_forward_hook(lambda *_, name=site.name: calls.append(name))
    network(draw_images())
    assert sorted(calls) == sorted(NAMES)


def test_filling_sites_does_not_change_which_sites_there_are(build_unet: BuildUNet) -> None:
    network = build_unet()
    before = sites(network)
    instrument(network)
    assert sites(network) == before


def test_only_filled_sites_hold_attention_and_they_come_in_the_order_of_the_sites(build_unet: BuildUNet) -> None:
    network = build_unet()
    assert attention_sites(network) == {}
    instrument(network, gates=("ag",))
    assert list(attention_sites(network)) == ["skip.0", "skip.1"]
    instrument(network, gates=("se",))
    assert list(attention_sites(network)) == NAMES
    assert all(isinstance(site, AttentionSite) for site in attention_sites(network).values())


def test_sites_are_selected_by_name_in_the_order_asked_for(build_unet: BuildUNet) -> None:
    assert [site.name for site in select_sites(build_unet(), ["skip.1", "encoder.0"])] == ["skip.1", "encoder.0"]
    assert select_sites(build_unet(), []) == ()


def test_a_site_that_the_network_does_not_have_is_an_error_that_offers_the_nearest(build_unet: BuildUNet) -> None:
    with pytest.raises(SiteError) as raised:
        select_sites(build_unet(), ["skip.0", "decoder.2"])
    assert str(raised.value) == f"No site named 'decoder.2'; known are {', '.join(NAMES)}. Did you mean 'decoder.1'?"
    assert isinstance(raised.value, LookupError)


def test_a_network_of_no_known_family_is_an_error_that_names_it() -> None:
    with pytest.raises(SiteError) as raised:
        sites(nn.Linear(2, 3))
    assert str(raised.value) == "Linear is of no family whose sites are known; expected a focalseg.UNet."
