"""Sites where attention could do nothing are found without training, and no other site is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from focalseg.attention import GATES
from focalseg.errors import ShapeError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.building import NetworkConfig, build_host
from focalseg.hosts.dead_sites import find_dead_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import fill_sites
from hosts.host_table import HOSTS, copy_host, host_sites

CANCELLED = "a norm right behind it cancels any factor that a channel is given"
UNUSED = "its features never reach the output"
IMAGE = (2, 8, 8)


class Normed(nn.Module):
    """convolution, norm, ReLU, convolution; and a branch that nobody uses."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = norm
        self.act = nn.ReLU()
        self.last = nn.Conv2d(4, 1, 1)
        self.unused = nn.Conv2d(4, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.act(self.norm(self.first(image)))
        self.unused(features)
        return self.last(features)


NORMS = {
    "instance": nn.InstanceNorm2d(4, affine=True),
    "batch": nn.BatchNorm2d(4),
    "group of one": nn.GroupNorm(4, 4),
}


def find(network: nn.Module, layout: dict[str, str], image_shape: tuple[int, ...] = IMAGE) -> dict[str, str]:
    places = [name for name in ("first", "norm", "act", "unused") if name in layout]
    (gate,) = set(layout.values())
    candidates = sites(network, image_shape, stages=places)
    return find_dead_sites(network, (gate,), candidates=candidates, image_shape=image_shape)


@pytest.mark.parametrize("gate", [gate for gate, kind in GATES.items() if not kind.needs_gating_signal])
def test_a_channel_gate_right_before_a_norm_over_each_channels_pixels_is_dead_and_no_other_is(gate: str) -> None:
    for name in ("instance", "group of one"):
        dead = find(Normed(NORMS[name]), dict.fromkeys(("first", "norm", "act"), gate))
        assert dead == ({"first": CANCELLED} if GATES[gate].varies_over == "channels" else {}), name
    # Groups of two channels, and batches, keep what tells one channel, or one image, from the others.
    assert find(Normed(nn.GroupNorm(2, 4)), dict.fromkeys(("first", "norm", "act"), gate)) == {}
    assert find(Normed(nn.Identity()), dict.fromkeys(("first", "norm", "act"), gate)) == {}


@pytest.mark.parametrize("gate", ["se", "spatial"])
def test_a_stage_whose_features_nobody_uses_is_dead(gate: str) -> None:
    assert find(Normed(nn.Identity()), {"unused": gate, "act": gate}) == {"unused": UNUSED}


@pytest.mark.parametrize("gate", ["se", "eca"])
def test_what_is_called_dead_has_no_effect_once_it_is_trained_to_differ(gate: str) -> None:
    torch.manual_seed(0)
    network = Normed(nn.InstanceNorm2d(4, affine=True)).double().eval()
    image = 30 * torch.randn(1, *IMAGE, dtype=torch.float64)  # so that the norm's epsilon is nothing beside the variance
    expected = network(image)
    fill_sites(network, {"first": gate, "act": gate}, candidates=sites(network, IMAGE, stages=["first", "act"]))
    with torch.no_grad():
        for weight in network.get_submodule("focal_attention.first.gate").parameters():
            weight.mul_(3)
    attention_sites(network)["act"].enabled = False
    assert torch.allclose(network(image), expected, rtol=1e-3, atol=1e-3 * float(expected.detach().abs().max()))
    attention_sites(network)["act"].enabled = True
    assert not torch.allclose(network(image), expected, rtol=1e-2, atol=1e-2 * float(expected.detach().abs().max()))


def test_the_last_stage_of_a_segresnet_is_dead_where_its_final_norm_has_one_channel_a_group() -> None:
    arguments = {"init_filters": 4, "blocks_down": [1, 1], "blocks_up": [1]}
    for groups, dead in ((4, {"decoder.0": CANCELLED}), (1, {})):
        norm = ["GROUP", {"num_groups": groups}]
        network = build_host(NetworkConfig(name="monai:SegResNet", in_channels=2, arguments={**arguments, "norm": norm}))
        found = find_dead_sites(network, ("se",), image_shape=IMAGE)
        assert {name: why for name, why in found.items() if name == "decoder.0"} == dead


@pytest.mark.parametrize("host", list(HOSTS))
def test_sites_that_spatial_gates_and_skip_gates_get_are_all_alive_and_the_host_is_left_as_it_was(
    host: str, look_at: Callable[[nn.Module], Any]
) -> None:
    network, before = copy_host(host, 2), None
    before, random = look_at(network), torch.get_rng_state()
    for gate in ("spatial", "ag"):
        assert find_dead_sites(network, (gate,), candidates=host_sites(host, 2), image_shape=HOSTS[host].image_shape(2)) == {}
    assert look_at(network) == before
    assert torch.equal(torch.get_rng_state(), random)
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.slow
def test_our_u_net_has_no_dead_site_for_any_gate() -> None:
    for axes in HOSTS["unet"].sizes:
        for gate in GATES:
            assert find_dead_sites(copy_host("unet", axes), (gate,), image_shape=HOSTS["unet"].image_shape(axes)) == {}


def test_a_host_whose_weights_are_frozen_or_that_holds_attention_already_is_judged_alike() -> None:
    layout = dict.fromkeys(("first", "norm", "unused"), "se")
    expected = {"first": CANCELLED, "unused": UNUSED}
    frozen = Normed(nn.InstanceNorm2d(4)).requires_grad_(False)
    assert find(frozen, layout) == expected
    assert not any(weight.requires_grad for weight in frozen.parameters())
    filled = Normed(nn.InstanceNorm2d(4))
    fill_sites(filled, {"act": "se"}, candidates=sites(filled, IMAGE, stages=["act"]))
    assert find(filled, layout) == expected


def test_a_network_that_returns_several_outputs_is_judged_by_all_of_them() -> None:
    class Deep(Normed):
        def forward(self, image: Tensor) -> Any:
            features = self.first(image)
            return {"logits": self.last(features), "deep": [self.unused(features), None]}

    assert find(Deep(nn.Identity()), {"unused": "se", "first": "se"}) == {}


def test_no_candidates_are_no_dead_ones() -> None:
    assert find_dead_sites(copy_host("unet", 2), candidates=(), image_shape=IMAGE) == {}


def test_weights_that_start_at_zero_let_nothing_through_yet_and_are_no_reason() -> None:
    network = Normed(nn.Identity())
    nn.init.zeros_(network.last.weight)
    assert find(network, {"first": "se", "act": "se"}) == {}
    assert not network.last.weight.any()


def test_a_network_that_takes_its_own_number_type_alone_is_judged_in_that() -> None:
    class Exact(Normed):
        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image.float())

    assert find(Exact(nn.InstanceNorm2d(4)), {"first": "se", "norm": "se"}) == {"first": CANCELLED}


def test_the_answer_does_not_depend_on_the_state_of_random_numbers() -> None:
    network = Normed(nn.InstanceNorm2d(4))
    answers = []
    for seed in range(3):
        torch.manual_seed(seed)
        answers.append(find(network, {"first": "se", "norm": "se"}))
    assert answers == [{"first": CANCELLED}] * 3


def test_a_network_that_cannot_be_run_on_noise_is_said_so() -> None:
    class Picky(Normed):
        def forward(self, image: Tensor) -> Tensor:
            if image.any():
                raise RuntimeError("only black images")
            return super().forward(image)

    with pytest.raises(ShapeError) as raised:
        find(Picky(nn.Identity()), {"first": "se"})
    assert str(raised.value) == (
        "Picky could not be run on noise (RuntimeError: only black images); dead sites were not looked for."
    )


def test_a_site_that_only_a_convolution_follows_is_alive_however_many_pixels_there_are() -> None:
    network = Normed(nn.Identity())
    for side in (8, 64, 512):
        assert find(network, {"first": "se", "act": "se"}, (IMAGE[0], side, side)) == {}, side


def test_an_instrumented_network_is_judged_at_the_places_that_are_filled() -> None:
    network = Normed(nn.InstanceNorm2d(4))
    fill_sites(network, {"first": "se", "act": "se"}, candidates=sites(network, IMAGE, stages=["first", "act"]))
    assert find_dead_sites(network, ("se",), image_shape=IMAGE) == {"first": CANCELLED}
