"""Doing what a placement says: kept sites keep their weights, the others are gone, and the given network is untouched."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from focalseg.attention import GATES
from focalseg.catalogue import unknown_name_message
from focalseg.errors import SettingError, ShapeError, SiteError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.gammas import read_gammas
from focalseg.hosts.instrument import OWN, fill_sites, instrument
from focalseg.hosts.presence.container import CONTAINER, escape
from focalseg.hosts.pruning import disable_attention, enable_attention, open_own_gates, remove_attention, without_attention
from focalseg.networks.unet import UNet
from focalseg.placement.applying import apply_placement
from focalseg.records.placement import Placement
from focalseg.records.site_decision import SiteDecision
from hosts.host_table import HOSTS, copy_host, describe_unknown_family, host_sites

pytestmark = pytest.mark.slow

BuildUNet = Callable[..., UNet]
DrawImages = Callable[..., torch.Tensor]
LookAt = Callable[[nn.Module], Any]
KEPT = {"encoder.0": "se", "skip.1": "ag"}


def keep(layout: dict[str, str], *, drop: Iterable[str] = ()) -> Placement:
    """A placement by hand."""
    numbers = {"gamma": 1.0, "removal_cost": 0.0, "spread": 0.0, "why": "by hand"}
    kept = [SiteDecision(site=name, gate=gate, kept=True, **numbers) for name, gate in layout.items()]
    dropped = [SiteDecision(site=name, gate="se", kept=False, **numbers) for name in drop]
    return Placement(policy="by hand", sites=(*kept, *dropped))


@pytest.fixture
def build_instrumented(build_unet: BuildUNet) -> BuildUNet:
    """A U-Net with every site filled, sharp gates, gammas all different."""

    def build(spatial_dims: int = 2, **settings: Any) -> UNet:
        network = build_unet(spatial_dims, **settings)
        instrument(network)
        with torch.no_grad():
            for number, site in enumerate(attention_sites(network).values()):
                site.gamma.fill_(0.5 + number)
                for weight in site.gate.parameters():
                    weight.mul_(4)
        return network

    return build


def shut(network: UNet, *, but: Iterable[str]) -> None:
    """Sets every gamma to 0 but those of some sites."""
    for name, site in attention_sites(network).items():
        if name not in but:
            nn.init.zeros_(site.gamma)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_outputs_are_the_same_to_the_bit_where_the_dropped_gammas_are_zero(
    build_instrumented: BuildUNet, draw_images: DrawImages, spatial_dims: int, training: bool
) -> None:
    network, images = build_instrumented(spatial_dims).train(training), draw_images(spatial_dims)
    shut(network, but=KEPT)
    lean = apply_placement(network, keep(KEPT)).train(training)
    assert torch.equal(lean(images), network(images))
    assert sum(weight.numel() for weight in lean.parameters()) < sum(weight.numel() for weight in network.parameters())


def test_outputs_differ_where_a_dropped_gamma_is_not_zero(build_instrumented: BuildUNet, draw_images: DrawImages) -> None:
    network, images = build_instrumented().eval(), draw_images()
    assert not torch.equal(apply_placement(network, keep(KEPT)).eval()(images), network(images))


def test_nothing_kept_gives_back_the_plain_network(build_unet: BuildUNet, draw_images: DrawImages) -> None:
    plain, images = build_unet().eval(), draw_images()
    network = build_unet().eval()
    instrument(network)
    lean = apply_placement(network, keep({}, drop=attention_sites(network))).eval()
    assert torch.equal(lean(images), plain(images))
    assert list(lean.state_dict()) == list(plain.state_dict())


def test_kept_sites_keep_their_weights_and_gammas_and_the_host_its_own(build_instrumented: BuildUNet) -> None:
    network = build_instrumented()
    lean = apply_placement(network, keep(KEPT))
    before, after = network.state_dict(), lean.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in after)
    gone = {
        f"{CONTAINER}.{escape(name)}.{weight}"
        for name, site in attention_sites(network).items()
        if name not in KEPT
        for weight in site.state_dict()
    }
    assert set(before) - set(after) == gone
    assert len(gone) > 10
    assert read_gammas(lean) == {name: gamma for name, gamma in read_gammas(network).items() if name in KEPT}


def test_the_network_that_was_given_is_left_as_it_was_and_shares_nothing_with_the_lean_one(
    build_instrumented: BuildUNet, look_at: LookAt
) -> None:
    network = build_instrumented()
    before = look_at(network)
    lean = apply_placement(network, keep(KEPT))
    with torch.no_grad():
        for tensor in lean.state_dict().values():
            tensor.zero_()
    assert look_at(network) == before


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_a_plain_network_is_filled_at_the_kept_sites(
    build_unet: BuildUNet, draw_images: DrawImages, look_at: LookAt, spatial_dims: int
) -> None:
    plain = build_unet(spatial_dims).eval()
    before = look_at(plain)
    lean = apply_placement(plain, keep(KEPT, drop=["decoder.0"])).eval()
    assert {name: type(site.gate) for name, site in attention_sites(lean).items()} == {
        name: GATES[gate] for name, gate in KEPT.items()
    }
    assert read_gammas(lean) == dict.fromkeys(KEPT, 1.0)
    images = draw_images(spatial_dims)
    assert lean(images).shape == plain(images).shape
    assert not torch.equal(lean(images), plain(images))
    shut(lean, but=())
    assert torch.equal(lean(images), plain(images))
    assert look_at(plain) == before


def test_kept_sites_that_are_empty_get_a_gate_beside_those_that_hold_one(build_unet: BuildUNet) -> None:
    network = build_unet()
    instrument(network, gates=("se",))
    lean = apply_placement(network, keep(KEPT))
    assert list(attention_sites(lean)) == ["encoder.0", "skip.1"]
    kept, old = attention_sites(lean)["encoder.0"], attention_sites(network)["encoder.0"]
    assert all(torch.equal(weight, old.get_parameter(name)) for name, weight in kept.named_parameters())


def test_a_placement_can_be_applied_again_to_what_it_gave(build_instrumented: BuildUNet, draw_images: DrawImages) -> None:
    lean = apply_placement(build_instrumented(), keep(KEPT)).eval()
    again = apply_placement(lean, keep(KEPT)).eval()
    assert list(again.state_dict()) == list(lean.state_dict())
    assert torch.equal(again(draw_images()), lean(draw_images()))


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_prune_save_and_load_give_the_same_logits(
    build_instrumented: BuildUNet, build_unet: BuildUNet, draw_images: DrawImages, tmp_path: Path, spatial_dims: int
) -> None:
    placement, images = keep(KEPT), draw_images(spatial_dims)
    lean = apply_placement(build_instrumented(spatial_dims), placement).eval()
    save_file(lean.state_dict(), tmp_path / "model.safetensors")
    fresh = apply_placement(build_unet(spatial_dims, seed=99), placement).eval()
    assert not torch.equal(fresh(images), lean(images))
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(fresh(images), lean(images))


def test_a_site_that_the_network_does_not_have_is_an_error_and_the_network_is_as_it_was(
    build_instrumented: BuildUNet, look_at: LookAt
) -> None:
    network = build_instrumented()
    before = look_at(network)
    with pytest.raises(SiteError) as raised:
        apply_placement(network, keep({"encoder.0": "se", "skip.2": "ag"}))
    assert str(raised.value) == (
        "No site named 'skip.2'; known are encoder.0, encoder.1, bottleneck, skip.0, skip.1, decoder.0, decoder.1. "
        "Did you mean 'skip.1'?"
    )
    assert look_at(network) == before


def test_a_gate_that_does_not_fit_its_site_or_is_not_known_is_an_error(build_unet: BuildUNet) -> None:
    with pytest.raises(SiteError) as raised:
        apply_placement(build_unet(), keep({"bottleneck": "ag"}))
    assert str(raised.value) == ("The gate 'ag' needs a gating signal, which bottleneck does not have; put it on a skip.")
    with pytest.raises(SettingError) as raised:
        apply_placement(build_unet(), keep({"bottleneck": "sse"}))
    assert str(raised.value) == unknown_name_message("gate", "sse", GATES)


def test_a_placement_that_wants_another_kind_than_the_one_that_stands_there_does_not_fit(
    build_instrumented: BuildUNet,
) -> None:
    with pytest.raises(SiteError, match=r"skip\.1"):
        apply_placement(build_instrumented(), keep({"skip.1": "se"}))


def test_a_network_of_no_known_family_is_refused() -> None:
    with pytest.raises(SiteError) as raised:
        apply_placement(nn.Linear(2, 2), keep(KEPT))
    assert str(raised.value) == describe_unknown_family(nn.Linear(2, 2), stage="layer1", there="no modules")


def test_the_gates_that_a_host_brought_along_are_open_unless_they_are_kept_whatever_else_stands_there() -> None:
    host = "monai:AttentionUnet"
    images = HOSTS[host].images(2)
    opened, alone, filled = (copy_host(host, 2).eval() for _ in range(3))
    open_own_gates(opened, host_sites(host, 2))
    fill_sites(alone, {"encoder.0": "se"}, candidates=host_sites(host, 2))
    instrument(filled, candidates=host_sites(host, 2))
    for network in (alone, filled):
        assert torch.equal(apply_placement(network, keep({}))(images), opened(images))
        lean = apply_placement(network, keep({"encoder.0": "se"}))
        assert [name for name, _ in lean.named_modules() if name.endswith("psi")] == []
    kept = apply_placement(filled, keep({"skip.0": OWN}))
    assert [name for name, _ in kept.named_modules() if name.endswith("psi")] == ["model.1.attention.psi"]
    again = apply_placement(kept, keep({"skip.0": OWN})).eval()
    assert torch.equal(again(images), kept.eval()(images))


def test_a_gate_of_the_hosts_own_that_a_person_named_anew_is_kept_and_the_others_of_the_family_are_opened() -> None:
    host = "monai:AttentionUnet"
    network = copy_host(host, 2)
    named = sites(network, HOSTS[host].image_shape(2), own_gates={"mine": "model.1.attention.psi"})
    fill_sites(network, {"mine": OWN}, candidates=named)
    lean = apply_placement(network, keep({"mine": OWN}))
    assert list(attention_sites(lean)) == ["mine"]
    assert [name for name, _ in lean.named_modules() if name.endswith("psi")] == ["model.1.attention.psi"]
    assert lean(HOSTS[host].images(2)).shape == network(HOSTS[host].images(2)).shape


def test_a_network_whose_places_a_person_named_is_pruned_without_naming_them_again() -> None:
    host = "hand-written"
    network, images = copy_host(host, 2).eval(), HOSTS[host].images(2)
    instrument(network, candidates=host_sites(host, 2))
    nn.init.zeros_(attention_sites(network)["enc2"].gamma)
    kept = {"enc1": "se", "bottom": "se", "fine": "ag", "coarse": "ag"}
    assert torch.equal(apply_placement(network, keep(kept))(images), network(images))
    with pytest.raises(SiteError, match="is of no family whose sites are known"):
        apply_placement(network, keep({**kept, "dec1": "se"}))


def test_what_is_removed_or_switched_must_be_there(build_unet: BuildUNet) -> None:
    plain = build_unet()
    with pytest.raises(SiteError) as raised:
        remove_attention(plain)
    assert str(raised.value) == "The network has no attention to remove; call instrument(network) first."
    for switch in (disable_attention, enable_attention, lambda network: without_attention(network).__enter__()):
        with pytest.raises(SiteError) as raised:
            switch(plain)
        assert str(raised.value) == "The network has no attention to enable or disable; call instrument(network) first."


def test_without_attention_puts_every_site_back_as_it_was_even_after_an_error(build_instrumented: BuildUNet) -> None:
    network = build_instrumented()
    attention_sites(network)["skip.0"].enabled = False
    with without_attention(network):
        assert not any(site.enabled for site in attention_sites(network).values())
    with pytest.raises(ShapeError), without_attention(network):
        network(torch.zeros(1, 5, 8, 8))
    assert [name for name, site in attention_sites(network).items() if not site.enabled] == ["skip.0"]
