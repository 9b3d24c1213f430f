"""The regimes under which exponents train: each against NumPy, a closed form or a count of many draws."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.gammas import gamma_parameters, read_gammas, switch_parameters
from focalseg.hosts.instrument import instrument
from focalseg.placement.exponents import REGIMES
from focalseg.placement.exponents.dropout import SitesAtRandom, draw_subset
from focalseg.placement.exponents.hard_concrete import HardConcrete, HardConcreteSwitch
from focalseg.placement.exponents.path import SparsityPath
from focalseg.placement.exponents.regime import Regime

pytestmark = pytest.mark.slow

every_regime = pytest.mark.parametrize("name", list(REGIMES))


@pytest.fixture
def network(build_unet):
    """Seven sites of gates that do something."""
    unet = build_unet()
    instrument(unet)
    return unet.eval()


def start(name, network, *, steps=20, seed=0):
    return REGIMES[name](network, steps=steps, seed=seed)


@every_regime
def test_a_network_without_attention_is_left_alone(name, build_unet, look_at):
    unet = build_unet()
    optimiser = torch.optim.SGD(unet.parameters(), lr=0.1)
    before = look_at(unet)
    regime = start(name, unet)
    for step in range(20):
        regime.begin_step(step)
        assert regime.penalty(step) is None
        regime.take_gradients(step)
        assert regime.end_step(step, optimiser) is False
    regime.begin_validation()
    assert regime.finish() == {}
    assert look_at(unet) == before


@every_regime
def test_once_a_regime_has_finished_nothing_of_it_is_left(name, network, draw_images, look_at):
    before = look_at(network)
    regime = start(name, network)
    regime.begin_step(3)
    with torch.no_grad():
        network(draw_images())
        regime.begin_validation()
        scored = network(draw_images())
        regime.begin_step(4)
        regime.begin_validation()
        regime.finish()
        assert torch.equal(network(draw_images()), scored)
    left = look_at(network)
    del before["state"], left["state"]  # gamma of the hard concrete regime took its switch's factor in
    assert left == before
    assert all(site.switch is None and site.stand_in is None for site in attention_sites(network).values())


@every_regime
def test_every_site_acts_while_the_network_is_scored_and_afterwards(name, network):
    regime = start(name, network)
    for step in range(10):
        regime.begin_step(step)
        regime.begin_validation()
        assert all(site.stand_in is None and site.enabled for site in attention_sites(network).values())
    regime.begin_step(10)
    regime.finish()
    assert all(site.stand_in is None and site.enabled for site in attention_sites(network).values())


# Exponents on a quadratic: sum of c / 2 (gamma - t)^2, whose gradient is c (gamma - t), so that at 0 it is -c t.
CURVATURES = np.array([0.5, 0.2, 0.4, 0.1, 0.3, 0.25, 0.35])
TARGETS = np.array([1.5, 0.1, 0.8, 1.2, 0.6, 2.5, 1.0])
RATE = 0.5


def train_on_quadratic(regime, network, *, steps, targets=lambda _step: TARGETS):
    """The exponents after every step (steps, sites), and whether the regime asked for a validation."""
    gammas = gamma_parameters(network)
    optimiser = torch.optim.SGD(gammas, lr=RATE)
    values, telling = [], []
    for step in range(steps):
        optimiser.zero_grad()
        regime.begin_step(step)
        loss = sum(
            curvature / 2 * (gamma - target) ** 2
            for gamma, curvature, target in zip(gammas, CURVATURES.tolist(), targets(step).tolist(), strict=True)
        )
        loss.backward()
        regime.take_gradients(step)
        optimiser.step()
        telling.append(regime.end_step(step, optimiser))
        values.append([float(gamma.detach()) for gamma in gammas])
    return np.array(values), telling


def follow_in_numpy(*, steps, pressed, targets=lambda _step: TARGETS):
    """The same: gradient steps cut off at 0 and, once pressed, max(gamma - (gradient + p), 0)."""
    gamma, values = np.ones(len(CURVATURES)), []
    for step in range(steps):
        gradient = CURVATURES * (gamma - targets(step))
        share = (step / steps - 0.4) / 0.5
        if pressed and share >= 0:
            gamma = np.maximum(gamma - (gradient + 10 ** (4 * min(share, 1) - 4)), 0)
        else:
            gamma = np.maximum(gamma - RATE * gradient, 0)
        values.append(gamma)
    return np.array(values)


def test_free_exponents_follow_the_optimiser_and_stop_at_zero(network):
    targets = lambda _step: TARGETS - 1  # noqa: E731 - most of them below 0
    values, telling = train_on_quadratic(start("free", network), network, steps=40, targets=targets)
    assert np.allclose(values, follow_in_numpy(steps=40, pressed=False, targets=targets), rtol=1e-5, atol=1e-6)
    assert (values[-1] == 0).tolist() == (TARGETS < 1).tolist()
    assert not any(telling)


def test_free_is_the_base_that_adds_nothing(network):
    regime = start("free", network)
    assert type(regime) is Regime
    gradients = [torch.full_like(gamma, 0.5) for gamma in gamma_parameters(network)]
    for gamma, gradient in zip(gamma_parameters(network), gradients, strict=True):
        gamma.grad = gradient
    regime.begin_step(0)
    regime.take_gradients(0)
    assert regime.penalty(0) is None
    assert all(gamma.grad is gradient for gamma, gradient in zip(gamma_parameters(network), gradients, strict=True))


# The path.


def test_the_pressure_grows_by_a_constant_factor_from_two_fifths_to_nine_tenths_of_the_training(network):
    regime = SparsityPath(network, steps=1000, seed=0)
    pressures = np.array([regime.pressure(step) for step in range(1000)])
    assert not pressures[:400].any()
    assert pressures[400] == pytest.approx(1e-4)
    assert pressures[650] == pytest.approx(1e-2)
    assert np.allclose(pressures[401:901] / pressures[400:900], 10 ** (4 / 500))
    assert np.allclose(pressures[900:], 1.0, rtol=1e-12)


def test_a_step_of_the_path_is_the_proximal_step_in_numpy(network):
    values, _ = train_on_quadratic(SparsityPath(network, steps=400, seed=0), network, steps=400)
    assert np.allclose(values, follow_in_numpy(steps=400, pressed=True), rtol=1e-4, atol=1e-5)
    assert (values[150] > 0).all()
    assert (values[-1] == 0).all()


@pytest.mark.slow
def test_an_exponent_leaves_once_the_pressure_exceeds_its_gradient_at_zero_so_that_a_larger_one_leaves_later(network):
    steps = 4000
    regime = SparsityPath(network, steps=steps, seed=0)
    values, telling = train_on_quadratic(regime, network, steps=steps)
    left = np.array([np.flatnonzero(values[:, site] > 0)[-1] + 1 for site in range(len(TARGETS))])
    assert np.argsort(left).tolist() == np.argsort(CURVATURES * TARGETS).tolist()
    for step, gradient in zip(left, CURVATURES * TARGETS, strict=True):
        due = steps * (0.4 + 0.5 * (4 + math.log10(gradient)) / 4)  # where 10^(4 share - 4) is the gradient
        assert due <= step <= due + 40  # steps until what is left of it is gone: it shrinks by 1 - curvature in each
    assert np.flatnonzero(telling).tolist() == [steps * 2 // 5 - 1, *sorted(set(left.tolist()))]


def test_an_exponent_that_left_the_path_comes_back_when_it_is_missed_by_more_than_the_pressure(network):
    def targets(step):
        return np.where(step < 320, 0.0, 20.0) * np.ones(len(TARGETS))

    values, telling = train_on_quadratic(SparsityPath(network, steps=400, seed=0), network, steps=400, targets=targets)
    assert np.allclose(values, follow_in_numpy(steps=400, pressed=True, targets=targets), rtol=1e-4, atol=1e-4)
    assert (values[319] == 0).all()
    assert (values[320] > 0).all()
    assert not any(telling[320:]), "coming back is no leaving"


def test_the_optimiser_does_not_touch_an_exponent_on_the_path(network):
    gammas = gamma_parameters(network)
    optimiser = torch.optim.AdamW(gammas, lr=0.1, weight_decay=0.5)
    regime = SparsityPath(network, steps=10, seed=0)
    for gamma in gammas:
        gamma.grad = torch.tensor(0.25)
    regime.take_gradients(4)
    optimiser.step()
    assert set(read_gammas(network).values()) == {1.0}
    regime.end_step(4, optimiser)
    assert list(read_gammas(network).values()) == pytest.approx([1 - 0.25 - 1e-4] * len(gammas), rel=1e-6)


def test_an_exponent_that_no_gradient_reached_is_pressed_by_the_pressure_alone(network):
    regime = SparsityPath(network, steps=10, seed=0)
    regime.take_gradients(9)
    assert regime.end_step(9, torch.optim.SGD(gamma_parameters(network), lr=0.1)) is True
    assert set(read_gammas(network).values()) == {0.0}


@pytest.mark.parametrize(("steps", "last_free"), [(10, 3), (11, 4), (400, 159)])
def test_the_path_asks_to_be_scored_after_the_last_step_without_a_pressure(network, steps, last_free):
    regime = SparsityPath(network, steps=steps, seed=0)
    _, telling = train_on_quadratic(regime, network, steps=steps)
    assert telling.index(True) == last_free
    assert (regime.pressure(last_free), regime.pressure(last_free + 1) > 0) == (0.0, True)


# Site dropout.


def test_every_number_of_acting_sites_is_as_likely_and_within_a_number_every_subset():
    draws = [tuple(draw_subset(5, seed=3, step=step)) for step in range(12000)]
    sizes = np.bincount([sum(acting) for acting in draws], minlength=6)
    assert stats.chisquare(sizes).pvalue > 1e-3  # 1 / 6 each
    for size in range(1, 5):
        counts = [draws.count(acting) for acting in itertools.product([True, False], repeat=5) if sum(acting) == size]
        assert stats.chisquare(counts).pvalue > 1e-3


def test_a_seed_and_a_step_name_a_subset_and_others_name_others():
    subsets = {(seed, step): draw_subset(40, seed=seed, step=step) for seed in range(3) for step in range(3)}
    assert all(draw_subset(40, seed=seed, step=step) == subset for (seed, step), subset in subsets.items())
    assert len(set(map(tuple, subsets.values()))) == 9


def test_the_subset_of_a_step_does_not_hang_on_what_went_before(network):
    sites = attention_sites(network).values()

    def acting():
        return [site.stand_in is None for site in sites]

    straight, resumed = SitesAtRandom(network, steps=20, seed=7), SitesAtRandom(network, steps=20, seed=7)
    for step in range(12):
        straight.begin_step(step)
    expected = acting()
    resumed.begin_step(11)
    assert acting() == expected == draw_subset(7, seed=7, step=11)
    assert len({tuple(draw_subset(7, seed=7, step=step)) for step in range(12)}) > 6


def test_in_the_first_two_fifths_of_a_training_exponents_are_free_under_every_regime(network):
    for name in REGIMES:
        regime = start(name, network, steps=20)
        for step in range(8):
            regime.begin_step(step)
            assert all(site.stand_in is None for site in attention_sites(network).values())
            assert regime.penalty(step) is None
            regime.take_gradients(step)
        regime.finish()
    regime = start("dropout", network, steps=20)
    for step in range(8, 20):
        regime.begin_step(step)
        assert [site.stand_in is None for site in attention_sites(network).values()] == draw_subset(7, seed=0, step=step)


def test_where_no_site_acts_the_network_is_the_host_to_the_bit(build_unet, draw_images):
    host, network = build_unet().eval(), build_unet().eval()
    instrument(network)
    regime = SitesAtRandom(network, steps=1000, seed=0)
    none = next(step for step in range(400, 1000) if not any(draw_subset(7, seed=0, step=step)))
    every = next(step for step in range(400, 1000) if all(draw_subset(7, seed=0, step=step)))
    with torch.no_grad():
        whole = network(draw_images())
        regime.begin_step(none)
        assert torch.equal(network(draw_images()), host(draw_images()))
        regime.begin_step(every)
        assert torch.equal(network(draw_images()), whole)
    assert not torch.equal(whole, host(draw_images()))


def test_a_site_that_is_left_out_of_a_step_learns_nothing_in_it(network, draw_images):
    regime = SitesAtRandom(network, steps=20, seed=1)
    step, acting = next((step, acting) for step in range(8, 20) if 1 < sum(acting := draw_subset(7, seed=1, step=step)) < 6)
    regime.begin_step(step)
    network(draw_images()).square().sum().backward()
    reached = [any(weight.grad is not None for weight in site.parameters()) for site in attention_sites(network).values()]
    assert reached == acting


# Hard concrete switches.


def switch_many(log_alpha, count=100_000):
    """One switch that is drawn many times at once."""
    switch = HardConcreteSwitch()
    switch.log_alpha = torch.nn.Parameter(torch.full((count,), float(log_alpha)))
    return switch


LOG_ALPHAS = (-4.0, -2.0, -0.5, 0.0, 0.7, 2.1972, 4.0)


@pytest.mark.parametrize("log_alpha", LOG_ALPHAS)
def test_the_factor_is_that_of_the_paper_in_numpy_for_the_same_draws(log_alpha):
    switch = switch_many(log_alpha, count=1000).train()
    torch.manual_seed(4)
    z = switch().detach().numpy()
    torch.manual_seed(4)
    u = torch.rand(1000).double().numpy()
    s = 1 / (1 + np.exp(-(np.log(u) - np.log(1 - u) + log_alpha) / (2 / 3)))  # equation 10, beta = 2 / 3
    expected = np.minimum(1, np.maximum(0, s * (1.1 - -0.1) - 0.1))  # equations 11 and 12, gamma = -0.1, zeta = 1.1
    assert np.allclose(z, expected, atol=2e-6)
    assert ((z >= 0) & (z <= 1)).all()
    z = switch_many(log_alpha, count=1).eval()().item()
    assert z == pytest.approx(min(1, max(0, 1.2 / (1 + math.exp(-log_alpha)) - 0.1)), abs=1e-6)  # equation 13


@pytest.mark.parametrize("log_alpha", LOG_ALPHAS)
def test_the_open_probability_is_how_often_a_hundred_thousand_draws_are_above_zero(log_alpha):
    switch = switch_many(log_alpha).train()
    torch.manual_seed(0)
    found = float((switch() > 0).double().mean())
    probability = float(switch.open_probability()[0].detach())
    assert found == pytest.approx(probability, abs=4 * math.sqrt(probability * (1 - probability) / 100_000))


def test_a_switch_starts_open_in_ninety_eight_of_a_hundred_draws():
    assert round(HardConcreteSwitch().open_probability().item(), 2) == 0.98


def test_a_switch_is_kept_where_a_draw_can_still_turn_it_and_the_loss_can_bring_it_back(network):
    regime = HardConcrete(network, steps=20, seed=0)
    switches = switch_parameters(network)
    optimiser = torch.optim.SGD(switches, lr=1.0)
    with torch.no_grad():
        for log_alpha, value in zip(switches, (-1e6, -5, -4, 0, 4, 5, 1e6), strict=True):
            log_alpha.fill_(value)
    assert regime.end_step(0, optimiser) is False
    edge = math.log(100)
    assert [float(log_alpha.detach()) for log_alpha in switches] == pytest.approx([-edge, -edge, -4, 0, 4, edge, edge])
    regime.penalty(19).backward()
    assert all(log_alpha.grad > 1e-6 for log_alpha in switches)


def test_the_penalty_is_a_hundredth_of_the_sites_expected_to_be_open_and_so_is_its_gradient(network):
    regime = HardConcrete(network.double(), steps=20, seed=0)
    switches = switch_parameters(network)
    with torch.no_grad():
        for log_alpha, value in zip(switches, LOG_ALPHAS, strict=True):
            log_alpha.fill_(value)

    def penalty():
        """The closed form, P(z > 0) of the stretched binary concrete, in NumPy."""
        logits = np.array([float(log_alpha.detach()) for log_alpha in switches])
        return 0.01 * (1 / (1 + np.exp(-(logits - 2 / 3 * np.log(0.1 / 1.1))))).sum()

    price = regime.penalty(8)
    assert float(price.detach()) == pytest.approx(penalty(), rel=1e-12)
    price.backward()
    for log_alpha in switches:
        slopes = []
        for change in (1e-4, -1e-4):
            with torch.no_grad():
                log_alpha.add_(change)
                slopes.append(penalty() / 2e-4)
                log_alpha.sub_(change)
        assert float(log_alpha.grad) == pytest.approx(slopes[0] - slopes[1], rel=1e-5)


def test_a_factor_multiplies_the_exponent_and_a_switch_at_zero_is_the_host_to_the_bit(build_unet, draw_images):
    host, network = build_unet().eval(), build_unet().eval()
    instrument(network)
    with torch.no_grad():
        plain = network(draw_images())
        HardConcrete(network, steps=20, seed=0)
        for log_alpha in switch_parameters(network):
            log_alpha.fill_(10)
        assert torch.equal(network(draw_images()), plain)
        for log_alpha in switch_parameters(network):
            log_alpha.fill_(-10)
        assert torch.equal(network(draw_images()), host(draw_images()))


def test_after_the_end_a_network_with_switches_predicts_as_it_did_and_has_no_switch(network, draw_images):
    names = set(network.state_dict())
    gammas = read_gammas(network)
    regime = HardConcrete(network, steps=20, seed=0)
    with torch.no_grad():
        for log_alpha, value in zip(switch_parameters(network), LOG_ALPHAS, strict=True):
            log_alpha.fill_(value)
        before = network(draw_images())
        probabilities = regime.finish()
        assert torch.equal(network(draw_images()), before)
    assert set(network.state_dict()) == names
    assert switch_parameters(network) == []
    assert list(probabilities) == list(gammas)
    for (name, gamma), log_alpha in zip(read_gammas(network).items(), LOG_ALPHAS, strict=True):
        assert gamma == pytest.approx(min(1, max(0, 1.2 / (1 + math.exp(-log_alpha)) - 0.1)), abs=1e-6)
        open_odds = math.exp(log_alpha) * 11 ** (2 / 3)  # P(z > 0) / P(z = 0) = a (1.1 / 0.1)^(2/3)
        assert probabilities[name] == pytest.approx(open_odds / (1 + open_odds), rel=1e-5)
    assert regime.finish() == {}


def test_gradients_reach_the_switch_and_the_exponent_behind_it(network, draw_images):
    HardConcrete(network, steps=20, seed=0)
    for log_alpha in switch_parameters(network):
        log_alpha.data.fill_(0.5)
    network(draw_images()).square().sum().backward()
    assert all(weight.grad.isfinite() and weight.grad != 0 for weight in switch_parameters(network))
    assert all(weight.grad.isfinite() and weight.grad != 0 for weight in gamma_parameters(network))
