"""Every law of attention, over every gate, host, number of spatial axes and number type.

Gates come from their catalogue and hosts from `host_table.py`: a new one of either is tested on arrival. Cheap laws run over
the whole product; the others over every host in all its axes, the gates taking turns, so that each is met.
"""

import copy
import inspect
import json
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from focalseg.attention import GATES
from focalseg.attention.focal_site import AttentionSite
from focalseg.catalogue import unknown_name_message
from focalseg.errors import SettingError, SiteError
from focalseg.hosts.attachment import attention_sites, filled_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.freezing import freeze_host, unfreeze_host
from focalseg.hosts.gammas import gamma_parameters, read_gammas
from focalseg.hosts.instrument import OWN, fill_sites, instrument, plan_layout
from focalseg.hosts.presence.container import CONTAINER
from focalseg.hosts.pruning import disable_attention, enable_attention, open_own_gates, remove_attention, without_attention
from focalseg.hosts.site import Site
from focalseg.hosts.weights import load_attention, save_attention
from focalseg.networks.state import read_state, write_state
from focalseg.placement.applying import apply_placement
from focalseg.records.placement import Placement
from focalseg.records.site_decision import SiteDecision
from hosts.host_table import HOSTS, IN_CHANNELS, copy_host, fitting_layout, host_sites

pytestmark = pytest.mark.slow

LookAt = Callable[[nn.Module], Any]
MODES = (True, False)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cell of the matrix. beside: gates of the other sort, on stages or on skips, stand there as well."""

    gate: str
    host: str
    axes: int
    dtype: torch.dtype = torch.float32
    beside: bool = False

    def __str__(self) -> str:
        return f"{self.gate}-{self.host}-{self.axes}d-{str(self.dtype).removeprefix('torch.')}"

    @property
    def candidates(self) -> tuple[Site, ...]:
        return host_sites(self.host, self.axes)

    @property
    def layout(self) -> dict[str, str]:
        return fitting_layout(self.host, self.axes, self.gate, beside=self.beside)

    @property
    def images(self) -> Tensor:
        return HOSTS[self.host].images(self.axes).to(self.dtype)

    def plain(self) -> nn.Module:
        """The host."""
        return copy_host(self.host, self.axes).to(self.dtype)

    def filled(self, *, gamma: float | None = None) -> nn.Module:
        """The host with the gate wherever it fits, sharp enough to show; all gammas different unless one is given."""
        network = self.plain()
        torch.manual_seed(1)
        fill_sites(network, self.layout, candidates=self.candidates)
        with torch.no_grad():
            for number, site in enumerate(attention_sites(network).values()):
                site.gamma.fill_(0.5 + 0.25 * number if gamma is None else gamma)
                for name, weight in site.named_parameters():
                    if name != "gamma":
                        weight.mul_(3)
        return network


def fitting_gates(host: str, axes: int) -> list[str]:
    """The kinds of gate that the host has a place for."""
    return [gate for gate in GATES if fitting_layout(host, axes, gate)]


PLACES = [(host, axes) for host in HOSTS for axes in HOSTS[host].sizes]
EVERY = [Case(gate=gate, host=host, axes=axes, beside=axes == 2) for host, axes in PLACES for gate in fitting_gates(host, axes)]


def take_turns(*dtypes: torch.dtype) -> list[Case]:
    """Every host in all its axes once, gates and number types taking turns, and every gate at least once."""
    turns, types = cycle(GATES), cycle(dtypes)
    cases = []
    for host, axes in PLACES:
        gate = next(gate for gate in turns if gate in fitting_gates(host, axes))
        dtype = next(types)
        lacking = dtype == torch.bfloat16 and axes in HOSTS[host].without_half
        cases.append(Case(gate=gate, host=host, axes=axes, dtype=torch.float64 if lacking else dtype, beside=True))
    assert {case.gate for case in cases} == set(GATES)
    return cases


TURNS = take_turns(torch.float32)
NUMBER_TYPES = (torch.bfloat16, torch.float64)


def opened(case: Case) -> nn.Module:
    """The host, with the gates that it brought along open."""
    network = case.plain()
    open_own_gates(network, case.candidates)
    return network


def outputs_and_gradients(network: nn.Module, images: Tensor, names: Iterable[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and the gradients of the weights that have one: some layers of a host are for outputs that were not asked for."""
    network.zero_grad()
    logits = network(images)
    logits.square().sum().backward()
    weights = dict(network.named_parameters())
    gradients = {name: weights[name].grad for name in names}
    return logits.detach(), {name: gradient for name, gradient in gradients.items() if gradient is not None}


def host_state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items() if not name.startswith(f"{CONTAINER}.")}


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Names of the tensors that are not the same to the bit."""
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


def count_hooks(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


def place(layout: dict[str, str], *, dropped: Iterable[tuple[str, str]] = ()) -> Placement:
    """A placement by hand."""
    numbers = {"gamma": 1.0, "removal_cost": 0.0, "spread": 0.0, "why": "by hand"}
    kept = [SiteDecision(site=name, gate=gate, kept=True, **numbers) for name, gate in layout.items()]
    gone = [SiteDecision(site=name, gate=gate, kept=False, **numbers) for name, gate in dropped]
    return Placement(policy="by hand", sites=(*kept, *gone))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:TF32 acceleration on top of oneDNN")
@pytest.mark.parametrize("case", [*EVERY, *take_turns(*NUMBER_TYPES), *take_turns(*NUMBER_TYPES[::-1])], ids=str)
def test_with_every_gamma_zero_outputs_and_gradients_are_those_of_the_host_to_the_bit(case: Case) -> None:
    network, plain, images = case.filled(gamma=0.0), opened(case), case.images
    names = [name for name, _ in plain.named_parameters()]
    for training in MODES:
        # oneDNN's bfloat16 slopes in the weights of a convolution on very few voxels differ from run to run of the host alone.
        with torch.backends.mkldnn.flags(enabled=False) if case.dtype == torch.bfloat16 else nullcontext():
            logits, gradients = outputs_and_gradients(network.train(training), images, names)
            expected, expected_gradients = outputs_and_gradients(plain.train(training), images, names)
        assert torch.equal(logits, expected)
        assert logits.dtype == case.dtype
        assert differing(gradients, expected_gradients) == []
    assert any(gradient.any() for gradient in expected_gradients.values())


@pytest.mark.parametrize("case", TURNS, ids=str)
def test_a_gamma_other_than_zero_at_any_one_site_shows_in_the_output(case: Case) -> None:
    network, images = case.filled(gamma=0.0).eval(), case.images
    expected = network(images)
    silent = []
    for name, site in attention_sites(network).items():
        nn.init.ones_(site.gamma)
        if torch.equal(network(images), expected):
            silent.append(name)
        nn.init.zeros_(site.gamma)
    assert torch.equal(network(images), expected)
    assert silent == []


OWN_HOSTS = [(host, axes) for host, axes in PLACES if any(site.kind == "own" for site in host_sites(host, axes))]


@pytest.mark.parametrize(("host", "axes"), OWN_HOSTS)
def test_a_gate_of_the_hosts_own_is_the_host_at_gamma_one(host: str, axes: int) -> None:
    plain, images = copy_host(host, axes).eval(), HOSTS[host].images(axes)
    network = copy.deepcopy(plain)
    own = {site.name: OWN for site in host_sites(host, axes) if site.kind == "own"}
    fill_sites(network, own, candidates=host_sites(host, axes))
    expected = plain(images)
    assert torch.allclose(network(images), expected, rtol=1e-6, atol=1e-6 * float(expected.detach().abs().max()))
    for gamma in gamma_parameters(network):
        nn.init.constant_(gamma, 3.0)
    assert not torch.allclose(network(images), expected, rtol=1e-3)


def watch(network: nn.Module, text: str, seen: list[Tensor]) -> Any:
    """Notes what passes at a place, read by hand: an observer that knows nothing of ports."""
    whole, _, channels = text.rstrip("]").partition("[")
    path, _, argument = whole.partition(":")
    module = network.get_submodule(path)
    bounds = slice(*(int(bound) if bound else None for bound in channels.split(":"))) if channels else slice(None)
    if not argument:
        return module.register_forward_hook(lambda _module, _arguments, output: seen.append(output[:, bounds].detach().clone()))

    def before(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        given = inspect.signature(module.forward).bind(*arguments, **keywords).arguments
        value = list(given.values())[int(argument)] if argument.isdigit() else given[argument]
        seen.append(value[:, bounds].detach().clone())

    return module.register_forward_pre_hook(before, with_kwargs=True)


@pytest.mark.slow
@pytest.mark.parametrize("case", EVERY, ids=str)
def test_what_a_site_hands_on_at_gamma_one_is_the_features_times_the_coefficients_of_the_plain_module(case: Case) -> None:
    network, chosen = case.plain().eval(), [site for site in case.candidates if site.name in case.layout]
    raw: dict[str, list[Tensor]] = {site.name: [] for site in chosen}
    handed_on: dict[str, list[Tensor]] = {site.name: [] for site in chosen}
    signals: dict[str, list[Tensor]] = {site.name: [] for site in chosen}
    features: dict[str, list[Tensor]] = {site.name: [] for site in chosen}
    for site in chosen:
        watch(network, site.added_at or site.features, raw[site.name])  # hooked first, so it sees what the host made
    torch.manual_seed(1)
    fill_sites(network, case.layout, candidates=case.candidates)
    for site in chosen:
        watch(network, site.added_at or site.features, handed_on[site.name])
        if site.signal:
            watch(network, site.signal, signals[site.name])
        if site.added_at:
            watch(network, site.features, features[site.name])
    with torch.no_grad():
        network(case.images)
        for site in chosen:
            module = attention_sites(network)[site.name]
            (at_place,), (given,) = raw[site.name], handed_on[site.name]
            if not isinstance(module, AttentionSite):
                assert torch.allclose(given, at_place, rtol=1e-6, atol=1e-9)
                continue
            passing = features[site.name][0] if site.added_at else at_place
            signal = signals[site.name][0] if site.signal else None
            coefficients = module.gate(passing, signal).double().exp()
            assert coefficients.max() <= 1
            expected = passing.double() * coefficients
            if site.added_at:
                expected = at_place.double() - passing.double() + expected
            scale = float(at_place.abs().max())
            assert torch.allclose(given.double(), expected, rtol=1e-6, atol=1e-6 * scale)
            assert not torch.allclose(given, at_place, rtol=1e-2)


@pytest.mark.parametrize("case", TURNS, ids=str)
def test_a_frozen_host_keeps_every_weight_and_statistic_while_everything_that_was_added_trains(case: Case) -> None:
    network, images = case.filled(gamma=1.0).train(), case.images
    weights = [weight for name, weight in network.named_parameters() if not name.startswith(CONTAINER)]
    for weight in (weights[0], next((weight for weight in weights if weight.ndim == 1), weights[0])):
        weight.requires_grad_(False)  # as someone left them, a kernel and a norm's scale or a bias
    for norm in [
        module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
    ][:1]:
        norm.weight.requires_grad_(False)
    for norm in [module for module in network.modules() if getattr(module, "running_mean", None) is not None][:1]:
        norm.eval()
    network(images).square().sum().backward()  # a step before
    trainable = {name: weight.requires_grad for name, weight in network.named_parameters()}
    modes = {name: module.training for name, module in network.named_modules()}
    before, added_before = host_state(network), {name: tensor.clone() for name, tensor in added(network).items()}

    freeze_host(network)
    assert all(weight.grad is None for weight in weights)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.05, weight_decay=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        network.train()
        (network(images) - 1).square().mean().backward()
        optimiser.step()

    assert differing(host_state(network), before) == []
    frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    assert frozen == {name for name in trainable if not name.startswith(f"{CONTAINER}.")}
    moved = set(differing(added(network), added_before))
    assert {name for name in moved if name.endswith("gamma")} == {name for name in added_before if name.endswith("gamma")}
    assert len(moved) > 0.5 * len(added_before)

    unfreeze_host(network)
    assert {name: weight.requires_grad for name, weight in network.named_parameters()} == trainable
    assert {name: module.training for name, module in network.named_modules()} == modes


def added(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if name.startswith(f"{CONTAINER}.")}


@pytest.mark.parametrize("case", TURNS, ids=str)
def test_attention_is_switched_off_and_on_and_taken_out_and_the_host_is_back_to_the_bit(case: Case) -> None:
    plain, network, images = case.plain().eval(), case.filled().eval(), case.images
    with torch.no_grad():
        attended, expected = network(images), plain(images)
        assert not torch.equal(attended, expected)
        disable_attention(network)
        assert torch.equal(network(images), expected)
        with without_attention(network):
            assert torch.equal(network(images), expected)
        assert torch.equal(network(images), expected)
        enable_attention(network)
        with without_attention(network):
            assert torch.equal(network(images), expected)
        assert torch.equal(network(images), attended)
        remove_attention(network)
        assert torch.equal(network(images), expected)
    assert list(network.state_dict()) == list(plain.state_dict())
    assert differing(network.state_dict(), plain.state_dict()) == []
    assert [name for name, _ in network.named_modules()] == [name for name, _ in plain.named_modules()]
    assert (count_hooks(network), hasattr(network, CONTAINER)) == (0, False)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*TURNS, *take_turns(*NUMBER_TYPES)], ids=str)
def test_attention_saved_and_loaded_into_a_fresh_host_of_the_same_weights_gives_the_same_logits(
    case: Case, tmp_path: Path
) -> None:
    network, fresh, images = case.filled().eval(), case.plain().eval(), case.images
    save_attention(network, tmp_path)
    load_attention(fresh, tmp_path)
    assert torch.equal(fresh(images), network(images))
    assert differing(fresh.state_dict(), network.state_dict()) == []
    assert filled_sites(fresh) == filled_sites(network)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attention.json", "attention.safetensors"]
    assert load_file(tmp_path / "attention.safetensors").keys() == added(network).keys()
    records = json.loads((tmp_path / "attention.json").read_text(encoding="utf-8"))["sites"]
    assert {record["site"]["name"]: record["gate"] for record in records} == case.layout


@pytest.mark.parametrize("case", TURNS, ids=str)
def test_pruning_where_the_dropped_gammas_are_zero_changes_no_output_and_what_is_left_is_saved_and_loaded(
    case: Case, tmp_path: Path
) -> None:
    network, images = case.filled().eval(), case.images
    kept = dict(list(case.layout.items())[::2])
    dropped = [(name, gate) for name, gate in case.layout.items() if name not in kept]
    for name, _ in dropped:
        nn.init.zeros_(attention_sites(network)[name].gamma)
    placement, before = place(kept, dropped=dropped), host_state(network)

    lean = apply_placement(network, placement, candidates=case.candidates).eval()

    assert torch.equal(lean(images), network(images))
    assert list(attention_sites(lean)) == list(kept)
    assert read_gammas(lean) == {name: gamma for name, gamma in read_gammas(network).items() if name in kept}
    assert list(attention_sites(network)) == list(case.layout)
    assert differing(host_state(network), before) == []
    save_file(read_state(lean), tmp_path / "model.safetensors")
    fresh = apply_placement(case.plain(), placement, candidates=case.candidates).eval()
    assert not torch.equal(fresh(images), lean(images))
    write_state(fresh, load_file(tmp_path / "model.safetensors"), "the file")
    assert torch.equal(fresh(images), lean(images))


@pytest.mark.parametrize("case", TURNS, ids=str)
def test_the_hooks_of_a_deep_copy_use_the_sites_of_the_copy(case: Case) -> None:
    network, images = case.filled().eval(), case.images
    with torch.no_grad():
        expected = network(images)
        twin = copy.deepcopy(network)
        assert torch.equal(twin(images), expected)
        for gamma in gamma_parameters(twin):
            gamma.add_(2)
        assert torch.equal(network(images), expected)
        assert not torch.equal(twin(images), expected)
        third = copy.deepcopy(network)
        remove_attention(network)
        assert torch.equal(third(images), expected)
        assert torch.equal(network(images), case.plain().eval()(images))
        remove_attention(third)
        assert torch.equal(third(images), network(images))
    assert (count_hooks(network), count_hooks(third)) == (0, 0)


@pytest.mark.parametrize("case", TURNS, ids=str)
def test_a_state_dict_goes_from_one_instrumented_network_to_another(case: Case) -> None:
    network, other, images = case.filled().eval(), case.filled(gamma=0.2).eval(), case.images
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.1)
    assert not torch.equal(other(images), network(images))
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(images), network(images))


@pytest.mark.parametrize("case", TURNS, ids=str)
def test_every_weight_that_was_added_receives_a_finite_gradient(case: Case) -> None:
    network = case.filled(gamma=1.0).train()
    network(case.images).square().sum().backward()
    gradients = {name: weight.grad for name, weight in network.named_parameters() if name.startswith(CONTAINER)}
    assert [name for name, gradient in gradients.items() if gradient is None or not torch.isfinite(gradient).all()] == []
    assert all(gradient.any() for name, gradient in gradients.items() if name.endswith("gamma"))


@pytest.mark.parametrize(("host", "axes"), PLACES)
def test_filling_sites_does_not_change_which_sites_there_are(host: str, axes: int) -> None:
    network, table = copy_host(host, axes), HOSTS[host]
    instrument(network, candidates=host_sites(host, axes))
    assert sites(network, table.image_shape(axes), **table.places) == host_sites(host, axes)


@pytest.mark.parametrize(("host", "axes"), PLACES)
def test_the_weights_of_the_host_are_the_same_objects_under_the_same_names_once_it_is_filled(host: str, axes: int) -> None:
    network = copy_host(host, axes)
    state = {name: (tensor.data_ptr(), tensor.clone()) for name, tensor in network.state_dict().items()}
    objects = {name: id(weight) for name, weight in network.named_parameters()}
    touched = instrument(network, candidates=host_sites(host, axes))
    assert {one.site: one.gate for one in touched} == plan_layout(host_sites(host, axes), ("se", "ag"))
    after = network.state_dict()
    assert all(after[name].data_ptr() == where and torch.equal(after[name], old) for name, (where, old) in state.items())
    assert {name: id(weight) for name, weight in network.named_parameters() if name in objects} == objects
    assert {name.split(".")[0] for name in set(after) - set(state)} == {CONTAINER}


@pytest.mark.parametrize(("host", "axes"), PLACES)
def test_a_call_that_is_at_fault_says_so_and_leaves_the_host_as_it_was(host: str, axes: int, look_at: LookAt) -> None:
    network, candidates = copy_host(host, axes), host_sites(host, axes)
    first = candidates[0].name
    known = [site.name for site in candidates]
    before = look_at(network)

    def fails(error: type[Exception], message: str, call: Callable[[], object]) -> None:
        with pytest.raises(error) as raised:
            call()
        assert str(raised.value) == message
        assert look_at(network) == before

    unknown_gate, unknown_site = unknown_name_message("gate", "se2", GATES), unknown_name_message("site", "nowhere", known)
    both = "gates names 'se' and 'eca', both for stages; expected one of them."
    fails(SettingError, unknown_gate, lambda: instrument(network, ("se2",), candidates=candidates))
    fails(SettingError, unknown_gate, lambda: fill_sites(network, {first: "se2"}, candidates=candidates))
    fails(SettingError, both, lambda: instrument(network, ("se", "eca"), candidates=candidates))
    fails(SiteError, unknown_site, lambda: fill_sites(network, {first: "se", "nowhere": "se"}, candidates=candidates))
    fails(SiteError, unknown_site, lambda: apply_placement(network, place({"nowhere": "se"}), candidates=candidates))
    needs = f"The gate 'ag' needs a gating signal, which {first} does not have; put it on a skip."
    fails(SiteError, needs, lambda: fill_sites(network, {known[1]: "se", first: "ag"}, candidates=candidates))
    fails(SiteError, needs, lambda: apply_placement(network, place({first: "ag"}), candidates=candidates))
    has_none = (
        f"{first} has no gate of the host's own; the placement has 'own' there. Make the placement anew for this network."
    )
    fails(SiteError, has_none, lambda: fill_sites(network, {first: OWN}, candidates=candidates))
    for site in (site for site in candidates if site.kind == "own"):
        holds = (
            f"{site.name} holds a gate of the host's own; the placement has 'se' there. "
            "Make the placement anew for this network."
        )
        fails(SiteError, holds, lambda name=site.name: fill_sites(network, {name: "se"}, candidates=candidates))
    nothing = "The network has no attention to remove; call instrument(network) first."
    fails(SiteError, nothing, lambda: remove_attention(network))

    fill_sites(network, {first: "se"}, candidates=candidates)
    before = look_at(network)
    stands = f"Attention already stands at {first}; take it out first or start from a plain network."
    fails(SiteError, stands, lambda: instrument(network, ("se",), candidates=candidates))
    fails(SiteError, stands, lambda: fill_sites(network, {first: "eca"}, candidates=candidates))
    other = f"{first} holds 'se' where the placement has 'eca'; start from a plain network."
    fails(SiteError, other, lambda: apply_placement(network, place({first: "eca"}), candidates=candidates))


@pytest.mark.parametrize(("host", "axes"), PLACES)
def test_the_dry_run_leaves_the_network_as_it_was_and_runs_none_of_it(host: str, axes: int, look_at: LookAt) -> None:
    network, table = copy_host(host, axes), HOSTS[host]
    ran: list[None] = []
    before = look_at(network)
    handle = network.register_forward_pre_hook(lambda module, _arguments: ran.append(None) if module is network else None)
    found = sites(network, table.image_shape(axes), **table.places)
    handle.remove()
    assert (ran, look_at(network)) == ([], before)
    assert {site.shape.spatial_dims for site in found} == {axes}


def test_the_matrix_meets_every_gate_and_every_host() -> None:
    assert {case.gate for case in EVERY} == set(GATES)
    assert {case.host for case in EVERY} == set(HOSTS)
    assert {HOSTS[host].images(axes).shape[1] for host, axes in PLACES} == {IN_CHANNELS}
