"""Exponents are read, kept at or above 0, and can come back from 0."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from focalseg.errors import SettingError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.freezing import freeze_host
from focalseg.hosts.gammas import gamma_parameters, parameter_groups, project_gammas, read_gammas
from focalseg.hosts.instrument import instrument
from focalseg.networks.unet import UNet
from focalseg.training.optimisation import build_optimiser
from focalseg.training.training_config import TrainingConfig

NAMES = ["encoder.0", "encoder.1", "bottleneck", "skip.0", "skip.1", "decoder.0", "decoder.1"]


@pytest.fixture
def network(build_unet: Callable[..., UNet]) -> UNet:
    network = build_unet()
    instrument(network)
    return network


def set_gammas(network: UNet, values: list[float]) -> None:
    with torch.no_grad():
        for gamma, value in zip(gamma_parameters(network), values, strict=True):
            gamma.fill_(value)


def test_gammas_are_read_by_site_in_the_order_of_the_sites(network: UNet) -> None:
    set_gammas(network, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
    assert read_gammas(network) == dict(zip(NAMES, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0], strict=True))
    assert list(read_gammas(network)) == NAMES


def test_a_plain_network_has_no_gammas(build_unet: Callable[..., UNet]) -> None:
    plain = build_unet()
    assert read_gammas(plain) == {}
    assert gamma_parameters(plain) == []
    project_gammas(plain)


def test_the_parameters_are_those_of_the_network_and_not_copies(network: UNet) -> None:
    named = [weight for name, weight in network.named_parameters() if name.endswith("gamma")]
    assert {id(gamma) for gamma in gamma_parameters(network)} == {id(weight) for weight in named}


def test_negative_exponents_become_exactly_zero_and_nothing_else_moves(network: UNet) -> None:
    set_gammas(network, [-1e-9, -3.0, 0.0, 1e-9, 0.7, 5.0, -0.2])
    others = {name: weight.clone() for name, weight in network.named_parameters() if not name.endswith("gamma")}
    places = [gamma.data_ptr() for gamma in gamma_parameters(network)]
    project_gammas(network)
    expected = torch.tensor([0.0, 0.0, 0.0, 1e-9, 0.7, 5.0, 0.0])
    assert torch.equal(torch.stack(gamma_parameters(network)), expected)
    assert [gamma.data_ptr() for gamma in gamma_parameters(network)] == places
    assert all(torch.equal(weight, others[name]) for name, weight in network.named_parameters() if name in others)
    assert any((weight < 0).any() for weight in others.values())


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_the_running_mean_is_cleared_where_an_exponent_was_cut_and_only_there(
    network: UNet, kind: type[torch.optim.Optimizer]
) -> None:
    gammas = gamma_parameters(network)
    optimiser = kind(network.parameters(), lr=0.3)
    down, up = gammas[0], gammas[1]
    set_gammas(network, [0.1] * len(NAMES))
    (down - up).backward()
    optimiser.step()
    assert down < 0 < up
    squares = optimiser.state[down]["exp_avg_sq"].clone()
    project_gammas(network, optimiser)
    assert down.item() == 0.0
    assert optimiser.state[down]["exp_avg"].item() == 0.0
    assert torch.equal(optimiser.state[down]["exp_avg_sq"], squares)
    assert optimiser.state[up]["exp_avg"].item() == pytest.approx(-0.1)
    assert all(gamma not in optimiser.state for gamma in gammas[2:])


def steps_to_come_back(gamma: nn.Parameter, network: UNet, optimiser: torch.optim.Optimizer, *, clear: bool) -> int:
    """Pushes gamma below 0 for thirty steps, then reverses; the number of reversed steps until it is above 0 again."""
    for step in range(130):
        optimiser.zero_grad()
        (gamma if step < 30 else -gamma).backward()
        optimiser.step()
        project_gammas(network, optimiser if clear else None)
        assert gamma >= 0
        if step == 29:
            assert gamma == 0
        if step >= 30 and gamma > 0:
            return step - 29
    raise AssertionError("gamma never came back")


def test_a_gamma_comes_back_from_zero_as_soon_as_its_gradient_turns(network: UNet) -> None:
    one, other = gamma_parameters(network)[:2]
    assert steps_to_come_back(one, network, torch.optim.Adam([one], lr=0.1), clear=True) == 1
    assert steps_to_come_back(other, network, torch.optim.Adam([other], lr=0.1), clear=False) > 3


def test_a_training_can_drive_a_gamma_to_zero_and_back(network: UNet, draw_images: Callable[..., torch.Tensor]) -> None:
    site = attention_sites(network)["bottleneck"]
    features = draw_images().new_ones(2, 8, 3, 3)
    optimiser = torch.optim.Adam([site.gamma], lr=0.2)
    for wanted, reached in ((1.0, lambda gamma: gamma == 0.0), (0.1, lambda gamma: gamma > 1.5)):
        for _ in range(60):
            optimiser.zero_grad()
            (site(features) - 1.5 * wanted).square().mean().backward()
            optimiser.step()
            project_gammas(network, optimiser)
        assert reached(site.gamma.item())


# What an optimiser is given.

OPTIMISERS = {
    "SGD": lambda groups: torch.optim.SGD(groups, momentum=0.9, nesterov=True),
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
}


class Odd(nn.Module):
    """A network with a shared weight, norms of several axes, a frozen weight and one of no axes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2, 3, padding=1)
        self.second = nn.Conv2d(2, 2, 3, padding=1)
        self.second.weight = self.first.weight
        self.norm = nn.LayerNorm((2, 9, 10))
        self.root = nn.RMSNorm((9, 10))
        self.slope = nn.PReLU()
        self.scale = nn.Parameter(torch.ones(()))
        self.first.bias.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.scale * self.second(self.slope(self.root(self.norm(self.first(images)))))


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_every_parameter_that_trains_is_in_one_group_once(network: UNet, kind: str) -> None:
    next(network.encoder[0].parameters()).requires_grad_(False)
    optimiser = OPTIMISERS[kind](parameter_groups(network, 0.01, weight_decay=0.25, gamma_factor=3.0))
    given = [id(weight) for group in optimiser.param_groups for weight in group["params"]]
    assert len(given) == len(set(given))
    assert set(given) == {id(weight) for weight in network.parameters() if weight.requires_grad}
    by_name = {group["name"]: group for group in optimiser.param_groups}
    assert list(by_name) == ["weights", "norms_and_biases", "exponents"]
    assert [group["lr"] for group in by_name.values()] == pytest.approx([0.01, 0.01, 0.03])
    assert [group["weight_decay"] for group in by_name.values()] == [0.25, 0.0, 0.0]
    assert [id(weight) for weight in by_name["exponents"]["params"]] == [id(gamma) for gamma in gamma_parameters(network)]
    assert all(weight.ndim > 1 for weight in by_name["weights"]["params"])


def test_norms_of_any_shape_and_weights_that_are_shared_or_frozen_have_their_place() -> None:
    odd = Odd()
    instrument(odd, gates=("se",), candidates=sites(odd, image_shape=(2, 9, 10), stages=["first"]))
    gate = {id(weight) for name, weight in odd.named_parameters() if name.startswith("focal_attention")}
    groups = {group["name"]: [id(weight) for weight in group["params"]] for group in parameter_groups(odd, 0.1)}
    assert [weight for weight in groups["weights"] if weight not in gate] == [id(odd.first.weight)]
    plain = [odd.scale, odd.second.bias, odd.norm.weight, odd.norm.bias, odd.root.weight, odd.slope.weight]
    assert set(groups["norms_and_biases"]) - gate == {id(weight) for weight in plain}
    assert id(odd.first.bias) not in {weight for group in groups.values() for weight in group}


def test_a_plain_network_has_no_group_of_exponents_and_a_frozen_host_leaves_the_gates(
    build_unet: Callable[..., UNet], network: UNet
) -> None:
    assert [group["name"] for group in parameter_groups(build_unet(), 0.1)] == ["weights", "norms_and_biases"]
    freeze_host(network)
    given = [weight for group in parameter_groups(network, 0.1) for weight in group["params"]]
    gates = [weight for name, weight in network.named_parameters() if name.startswith("focal_attention")]
    assert {id(weight) for weight in given} == {id(weight) for weight in gates}


def test_a_wrapped_network_has_the_groups_of_the_network(network: UNet) -> None:
    averaged = AveragedModel(network)
    own = [(group["name"], len(group["params"])) for group in parameter_groups(network, 0.1)]
    assert [(group["name"], len(group["params"])) for group in parameter_groups(averaged, 0.1)] == own


def test_the_defaults_are_those_of_our_own_training(network: UNet) -> None:
    settings = TrainingConfig()
    optimiser, _ = build_optimiser(network, settings)
    groups = parameter_groups(network, settings.learning_rate)
    assert [(group["name"], group["weight_decay"]) for group in optimiser.param_groups] == [
        (group["name"], group["weight_decay"]) for group in groups
    ]
    assert [group["max_lr"] for group in optimiser.param_groups] == [group["lr"] for group in groups]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"learning_rate": -0.1}, "learning_rate was -0.1; expected a finite number, at least 0."),
        ({"learning_rate": float("nan")}, "learning_rate was nan; expected a finite number, at least 0."),
        ({"weight_decay": -1.0}, "weight_decay was -1.0; expected a finite number, at least 0."),
        ({"gamma_factor": float("inf")}, "gamma_factor was inf; expected a finite number, at least 0."),
    ],
)
def test_rates_that_are_none_are_refused(network: UNet, settings: dict[str, float], fault: str) -> None:
    with pytest.raises(SettingError) as raised:
        parameter_groups(network, **{"learning_rate": 0.1, **settings})
    assert str(raised.value) == fault
