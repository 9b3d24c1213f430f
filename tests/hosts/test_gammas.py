"""Exponents are read, kept at or above 0, and can come back from 0."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.gammas import gamma_parameters, project_gammas, read_gammas
from focalseg.hosts.instrument import instrument
from focalseg.networks.unet import UNet

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
