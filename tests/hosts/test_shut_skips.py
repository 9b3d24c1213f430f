"""Skips that are shut: what reads the skip gets zeros, to the bit, and nothing else of the host changes."""

import copy
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from damage import read_unsealed
from focalseg.configuration import from_mapping, to_mapping
from focalseg.errors import SettingError, SiteError
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.attachment import attention_sites, filled_sites, occupied_sites
from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.costs import count_parameters, measure_costs
from focalseg.hosts.dead_sites import find_dead_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.gammas import gamma_parameters, read_gammas
from focalseg.hosts.instrument import Touched, fill_sites, instrument
from focalseg.hosts.presence.container import CONTAINER
from focalseg.hosts.pruning import disable_attention, enable_attention, remove_attention, without_attention
from focalseg.hosts.site import Site
from focalseg.hosts.weights import ATTENTION, WEIGHTS, load_attention, save_attention
from focalseg.networks.state import read_state, write_state
from focalseg.networks.unet import UNet
from focalseg.placement.applying import apply_placement
from focalseg.placement.evidence import gather_evidence
from focalseg.records.placement import SHUT, Placement
from focalseg.records.site_decision import SiteDecision
from focalseg.training.run import RunConfig, build_network
from hosts.host_table import HOSTS, copy_host, host_sites
from hosts.shutting import shut_by_hand

pytestmark = pytest.mark.slow

BuildUNet = Callable[..., UNet]
DrawImages = Callable[..., Tensor]
LookAt = Callable[[nn.Module], Any]
MIXED = {"encoder.0": "se", "skip.0": SHUT, "skip.1": "ag"}


def find_skips(host: str, axes: int) -> list[str]:
    return [site.name for site in host_sites(host, axes) if site.kind == "skip"]


SKIPPING = [(host, axes) for host in HOSTS for axes in HOSTS[host].sizes if find_skips(host, axes)]
EACH_SKIPPING_HOST = pytest.mark.parametrize(("host", "axes"), SKIPPING)


def shut(host: str, axes: int, names: Iterable[str], *, beside: dict[str, str] | None = None) -> nn.Module:
    """The host with these skips shut, and gates beside."""
    network = copy_host(host, axes)
    torch.manual_seed(1)
    fill_sites(network, {**dict.fromkeys(names, SHUT), **(beside or {})}, candidates=host_sites(host, axes))
    return network


def logits_and_gradients(network: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, Tensor | None]]:
    torch.manual_seed(2)
    logits = network(images)
    logits.square().sum().backward()
    return logits.detach(), {name: weight.grad for name, weight in network.named_parameters()}


def same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other if one is None or other is None else torch.equal(one, other)


def count_hooks(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


def place(layout: dict[str, str]) -> Placement:
    """A placement by hand; the site of a shut skip holds the kind of gate that was weighed there."""
    numbers = {"gamma": 1.0, "removal_cost": 0.0, "spread": 0.0, "why": "by hand"}
    decisions = (
        SiteDecision(site=name, gate="ag" if kind == SHUT else kind, kept=kind != SHUT, shut=kind == SHUT, **numbers)
        for name, kind in layout.items()
    )
    return Placement(policy="by hand", sites=tuple(decisions))


@pytest.fixture
def mixed(build_unet: BuildUNet) -> UNet:
    """A U-Net in evaluation mode with an SE, a shut skip and an AG, the gammas 0.5 and 1.5."""
    network = build_unet().eval()
    fill_sites(network, MIXED)
    for number, gamma in enumerate(gamma_parameters(network)):
        nn.init.constant_(gamma, 0.5 + number)
    return network


@pytest.mark.slow
@pytest.mark.parametrize("training", [False, True])
@EACH_SKIPPING_HOST
def test_logits_and_gradients_are_those_of_the_host_without_the_skip_to_the_bit(host: str, axes: int, training: bool) -> None:
    names, images = find_skips(host, axes), HOSTS[host].images(axes)
    for chosen in [[name] for name in names] + [names] * (len(names) > 1):
        network, plain = shut(host, axes, chosen), shut_by_hand(host, copy_host(host, axes), chosen)
        logits, gradients = logits_and_gradients(network.train(training), images)
        expected, expected_gradients = logits_and_gradients(plain.train(training), images)
        assert torch.equal(logits, expected)
        assert gradients.keys() == expected_gradients.keys()
        assert [name for name in gradients if not same(gradients[name], expected_gradients[name])] == []
        with torch.no_grad():
            assert not torch.equal(network.eval()(images), copy_host(host, axes).eval()(images))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@EACH_SKIPPING_HOST
def test_so_they_are_in_other_number_types_beside_attention_that_does_nothing(host: str, axes: int, dtype: torch.dtype) -> None:
    if dtype.itemsize == 2 and axes in HOSTS[host].without_half:
        pytest.skip("torch lacks a layer of the host in this type")
    names, images = find_skips(host, axes), HOSTS[host].images(axes).to(dtype)
    stages = {site.name: "se" for site in host_sites(host, axes) if site.kind == "stage"}
    network = shut(host, axes, names, beside=stages).to(dtype).eval()
    for gamma in gamma_parameters(network):
        nn.init.zeros_(gamma)
    plain = shut_by_hand(host, copy_host(host, axes).to(dtype).eval(), names)
    with torch.no_grad():
        logits = network(images)
        assert logits.dtype == dtype
        assert torch.equal(logits, plain(images))


@EACH_SKIPPING_HOST
def test_a_shut_skip_adds_no_weight_and_no_name_to_a_state_file(host: str, axes: int) -> None:
    network, plain = shut(host, axes, find_skips(host, axes)), copy_host(host, axes)
    assert list(network.state_dict()) == list(plain.state_dict())
    assert count_parameters(network) == count_parameters(plain)
    assert (attention_sites(network), filled_sites(network), read_gammas(network)) == ({}, {}, {})
    assert {name: kind for name, (_, kind) in occupied_sites(network).items()} == dict.fromkeys(find_skips(host, axes), SHUT)


@EACH_SKIPPING_HOST
def test_a_deep_copy_is_shut_by_itself_and_what_is_taken_out_leaves_the_host_to_the_bit(host: str, axes: int) -> None:
    network, images, names = shut(host, axes, find_skips(host, axes)).eval(), HOSTS[host].images(axes), find_skips(host, axes)
    with torch.no_grad():
        expected, plain = network(images), copy_host(host, axes).eval()
        twin = copy.deepcopy(network)
        remove_attention(network)
        assert torch.equal(network(images), plain(images))
        assert (count_hooks(network), hasattr(network, CONTAINER)) == (0, False)
        assert [name for name, _ in network.named_modules()] == [name for name, _ in plain.named_modules()]
        assert torch.equal(twin(images), expected)
        assert list(occupied_sites(twin)) == names
        fill_sites(network, dict.fromkeys(names, SHUT), candidates=host_sites(host, axes))
        assert torch.equal(network(images), expected)


@EACH_SKIPPING_HOST
def test_a_disabled_network_is_the_host_and_is_shut_again_once_enabled(host: str, axes: int) -> None:
    network, plain, images = shut(host, axes, find_skips(host, axes)).eval(), copy_host(host, axes), HOSTS[host].images(axes)
    with torch.no_grad():
        expected, open_logits = network(images), plain.eval()(images)
        with without_attention(network):
            assert torch.equal(network(images), open_logits)
        assert torch.equal(network(images), expected)
        disable_attention(network)
        assert torch.equal(network(images), open_logits)
        enable_attention(network)
        assert torch.equal(network(images), expected)


@EACH_SKIPPING_HOST
def test_a_file_says_which_skips_are_shut_and_shuts_them_in_a_fresh_host(host: str, axes: int, tmp_path: Path) -> None:
    names, images = find_skips(host, axes), HOSTS[host].images(axes)
    network, fresh = shut(host, axes, names).eval(), copy_host(host, axes).eval()
    save_attention(network, tmp_path)
    load_attention(fresh, tmp_path)
    assert torch.equal(fresh(images), network(images))
    assert occupied_sites(fresh) == occupied_sites(network)
    records = json.loads((tmp_path / ATTENTION).read_text(encoding="utf-8"))["sites"]
    assert [(record["site"]["name"], record["gate"]) for record in records] == [(name, SHUT) for name in names]
    assert load_file(tmp_path / WEIGHTS) == {}


def test_shut_skips_and_gates_go_to_a_file_and_back_together(
    mixed: UNet, build_unet: BuildUNet, draw_images: DrawImages, tmp_path: Path
) -> None:
    save_attention(mixed, tmp_path)
    fresh = build_unet().eval()
    load_attention(fresh, tmp_path)
    assert torch.equal(fresh(draw_images()), mixed(draw_images()))
    assert read_gammas(fresh) == {"encoder.0": 0.5, "skip.1": 1.5}


def test_weights_for_a_shut_skip_are_refused(mixed: UNet, build_unet: BuildUNet, look_at: LookAt, tmp_path: Path) -> None:
    save_attention(mixed, tmp_path)
    state = load_file(tmp_path / WEIGHTS)
    save_file({**state, f"{CONTAINER}.skip/0.gamma": torch.ones(())}, tmp_path / WEIGHTS)
    (tmp_path / ATTENTION).write_text(json.dumps(read_unsealed(tmp_path / ATTENTION)), encoding="utf-8")
    network = build_unet()
    before = look_at(network)
    with pytest.raises(SettingError, match=r"does not hold the weights that attention\.json describes"):
        load_attention(network, tmp_path)
    assert look_at(network) == before


def test_what_is_shut_has_no_gamma_no_evidence_and_no_cost(mixed: UNet, draw_images: DrawImages) -> None:
    assert read_gammas(mixed) == {"encoder.0": 0.5, "skip.1": 1.5}
    images = draw_images()
    evidence = gather_evidence(mixed, [(images, images[:, 0] > 0)])
    assert [record.site for record in evidence.sites] == ["encoder.0", "skip.1"]
    assert [cost.site for cost in measure_costs(mixed, (2, 9, 10), repeats=1).sites] == ["encoder.0", "skip.1"]
    with torch.no_grad():
        mixed.decoder[0].layers[0].weight[:, :4] = 0
    assert "skip.0" not in find_dead_sites(mixed)
    remove_attention(mixed)
    assert find_dead_sites(mixed)["skip.0"] == "its features never reach the output"


def test_a_network_with_shut_skips_alone_has_no_attention_to_weigh_or_to_price(build_unet: BuildUNet) -> None:
    network = build_unet()
    fill_sites(network, {"skip.0": SHUT})
    with pytest.raises(SiteError, match="no attention whose cost could be measured"):
        measure_costs(network, (2, 9, 10))
    with pytest.raises(SiteError, match="no attention to gather evidence on"):
        gather_evidence(network, [])
    assert find_dead_sites(network) == find_dead_sites(build_unet())


def test_filling_sites_tells_what_was_shut_and_leaves_the_candidates_as_they_were(build_unet: BuildUNet) -> None:
    network = build_unet()
    candidates = sites(network)
    touched = fill_sites(network, MIXED)
    assert touched == tuple(Touched(site=name, gate=kind) for name, kind in MIXED.items())
    assert sites(network) == candidates


@EACH_SKIPPING_HOST
def test_a_placement_shuts_a_skip_in_a_copy_of_a_plain_network_and_of_one_with_a_gate_there(host: str, axes: int) -> None:
    candidates, names, images = host_sites(host, axes), find_skips(host, axes), HOSTS[host].images(axes)
    plain, probe = copy_host(host, axes).eval(), copy_host(host, axes).eval()
    instrument(probe, candidates=candidates)
    expected, probed = shut(host, axes, names).eval(), probe(images)
    placement = place(dict.fromkeys(names, SHUT) | {site.name: "own" for site in candidates if site.kind == "own"})
    if len(placement.layout) > len(names):
        fill_sites(expected, {name: kind for name, kind in placement.layout.items() if kind != SHUT}, candidates=candidates)
    for network in (plain, probe, expected):
        lean = apply_placement(network, placement, candidates=candidates).eval()
        assert torch.equal(lean(images), expected(images))
        assert {name: kind for name, (_, kind) in occupied_sites(lean).items()} == placement.layout
    assert occupied_sites(plain) == {}
    assert torch.equal(probe(images), probed)


def test_a_placement_keeps_the_weights_of_the_gates_beside_a_skip_that_it_shuts(
    build_unet: BuildUNet, draw_images: DrawImages
) -> None:
    network = build_unet().eval()
    instrument(network)
    for number, gamma in enumerate(gamma_parameters(network)):
        nn.init.constant_(gamma, 0.5 + number)
    expected = copy.deepcopy(network)
    shut_by_hand("unet", expected, ["skip.0"])
    for name, site in attention_sites(expected).items():
        if name not in MIXED:
            nn.init.zeros_(site.gamma)
    lean = apply_placement(network, place(MIXED)).eval()
    with torch.no_grad():
        assert torch.equal(lean(draw_images()), expected(draw_images()))
    assert read_gammas(lean) == {name: gamma for name, gamma in read_gammas(network).items() if name in ("encoder.0", "skip.1")}


def test_a_placement_that_does_not_name_a_shut_skip_opens_it_and_one_with_a_gate_there_is_refused(
    mixed: UNet, build_unet: BuildUNet, draw_images: DrawImages, look_at: LookAt
) -> None:
    before, plain = look_at(mixed), build_unet().eval()
    assert torch.equal(apply_placement(mixed, place({}))(draw_images()), plain(draw_images()))
    with pytest.raises(SiteError) as raised:
        apply_placement(mixed, place({"skip.0": "ag"}))
    assert str(raised.value) == "skip.0 holds 'shut' where the placement has 'ag'; start from a plain network."
    assert look_at(mixed) == before


def test_a_placement_goes_to_a_file_and_back_and_counts_no_module_for_what_is_shut(tmp_path: Path) -> None:
    placement = place(MIXED)
    placement.save(tmp_path / "placement.json")
    records = json.loads((tmp_path / "placement.json").read_text(encoding="utf-8"))["sites"]
    assert [(record["gate"], record["kept"], record["shut"]) for record in records] == [
        ("se", True, False),
        ("ag", False, True),
        ("ag", True, False),
    ]
    assert (placement.layout, placement.modules) == (MIXED, 2)


def test_the_network_of_a_run_has_its_skips_shut_and_its_weights_go_to_a_file_and_back(
    draw_images: DrawImages, tmp_path: Path
) -> None:
    config = RunConfig(
        data="phantom:local",
        preparation=Preparation(size=(16, 16), mean=(0.0, 0.0), standard_deviation=(1.0, 1.0)),
        network=NetworkConfig(in_channels=2, arguments={"widths": [4, 6, 8]}),
        attention=MIXED,
    )
    assert from_mapping(RunConfig, to_mapping(config)) == config
    network, images = build_network(config).eval(), draw_images()
    bare = build_network(replace(config, attention={name: kind for name, kind in MIXED.items() if kind != SHUT})).eval()
    assert list(network.state_dict()) == list(bare.state_dict())
    with torch.no_grad():
        assert torch.equal(network(images), shut_by_hand("unet", bare, ["skip.0"])(images))
    save_file(read_state(network), tmp_path / "model.safetensors")
    fresh = build_network(replace(config, seed=1)).eval()
    assert not torch.equal(fresh(images), network(images))
    write_state(fresh, load_file(tmp_path / "model.safetensors"), "the file")
    assert torch.equal(fresh(images), network(images))


def test_a_shut_skip_stays_shut_while_the_network_trains(mixed: UNet, draw_images: DrawImages) -> None:
    optimiser = torch.optim.SGD(mixed.train().parameters(), lr=0.01)
    mixed(draw_images()).square().mean().backward()
    optimiser.step()
    arrived: list[Tensor] = []
    mixed.decoder[0].register_forward_pre_hook(lambda _module, arguments: arrived.append(arguments[0]))
    mixed(draw_images())
    assert not arrived[0][:, :4].any()
    assert arrived[0][:, 4:].any()


def refuse(network: nn.Module, call: Callable[[], object], message: str, look_at: LookAt) -> None:
    before = look_at(network)
    with pytest.raises(SiteError) as raised:
        call()
    assert str(raised.value) == message
    assert look_at(network) == before


@pytest.mark.parametrize("host", ["unet", "monai:AttentionUnet"])
def test_only_a_skip_can_be_shut(host: str, look_at: LookAt) -> None:
    network, candidates = copy_host(host, 2), host_sites(host, 2)
    for site in (site for site in candidates if site.kind != "skip"):
        found = "a stage" if site.kind == "stage" else "a gate of the host's own"
        message = (
            f"{site.name} was to be shut and is {found}; expected a skip, beside which other features reach the output. "
            "Take it out of the placement, or give a kind of gate there."
        )
        layout = {candidates[0].name: "se", site.name: SHUT}
        refuse(network, lambda layout=layout: fill_sites(network, layout, candidates=candidates), message, look_at)
        refuse(network, lambda layout=layout: apply_placement(network, place(layout)), message, look_at)


def test_a_skip_that_is_shut_takes_nothing_more_in(build_unet: BuildUNet, look_at: LookAt) -> None:
    network = build_unet()
    fill_sites(network, {"skip.0": SHUT})
    message = "Attention already stands at skip.0; take it out first or start from a plain network."
    refuse(network, lambda: instrument(network), message, look_at)
    refuse(network, lambda: fill_sites(network, {"skip.0": SHUT}), message, look_at)


def test_an_added_skip_is_not_shut_where_it_is_not_known_what_takes_the_sum(look_at: LookAt) -> None:
    host = "monai:SegResNet"
    network, candidates = copy_host(host, 2), [replace(site, sum_at="") for site in host_sites(host, 2)]
    added: Site = next(site for site in candidates if site.added_at)
    message = (
        f"{added.name} was to be shut and does not say where its sum with {added.added_at} passes; expected sum_at. "
        "Find the sites anew with sites(network)."
    )
    refuse(network, lambda: fill_sites(network, {added.name: SHUT}, candidates=candidates), message, look_at)


@pytest.mark.slow
@pytest.mark.parametrize("host", ["unet", "monai:SegResNet"])
def test_a_network_with_shut_skips_is_compiled_whole_and_what_is_done_to_them_then_takes_effect(host: str) -> None:
    names, images = find_skips(host, 2), HOSTS[host].images(2)
    network, plain = shut(host, 2, names).eval(), copy_host(host, 2).eval()
    torch._dynamo.reset()
    faster = torch.compile(network, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        expected, open_logits = network(images), plain(images)
        assert torch.allclose(faster(images), expected, rtol=1e-5, atol=1e-6)
        disable_attention(faster)
        assert torch.allclose(faster(images), open_logits, rtol=1e-5, atol=1e-6)
        enable_attention(faster)
        assert torch.allclose(faster(images), expected, rtol=1e-5, atol=1e-6)
        remove_attention(faster)
        assert torch.allclose(faster(images), open_logits, rtol=1e-5, atol=1e-6)
    torch._dynamo.reset()


@pytest.mark.parametrize("host", ["unet", "monai:SegResNet"])
def test_an_exported_program_has_its_skips_shut(host: str) -> None:
    network, images = shut(host, 2, find_skips(host, 2)).eval(), HOSTS[host].images(2)
    program = torch.export.export(network, (images,))
    assert torch.allclose(program.module()(images), network(images), rtol=1e-5, atol=1e-6)
