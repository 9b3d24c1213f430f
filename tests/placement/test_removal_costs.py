"""What taking sites away costs: one by one, each alone, with the host in their place, and of a skip that lets nothing pass."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.instrument import fill_sites, instrument
from focalseg.networks.unet import UNet
from focalseg.placement.evidence import gather_evidence, take_away_one_by_one
from hosts.by_hand import Batch, build_network_by_hand, dice, draw_cases_by_hand, put_constant

BuildUNet = Callable[..., UNet]
DrawImages = Callable[..., torch.Tensor]


@pytest.fixture
def network_by_hand() -> UNet:
    return build_network_by_hand()


@pytest.fixture
def cases_by_hand() -> list[Batch]:
    return draw_cases_by_hand()


def take_away_plainly(names: tuple[str, ...], price: Callable[[tuple[str, ...]], np.ndarray]) -> dict[str, np.ndarray]:
    """What each site costs when it goes: every time all that are left are priced, and the cheapest goes."""
    gone: list[str] = []
    costs = {}
    while left := [name for name in names if name not in gone]:
        prices = [price((*gone, name)) for name in left]
        cheapest = int(np.argmin([cost.mean() for cost in prices]))
        costs[left[cheapest]] = prices[cheapest]
        gone.append(left[cheapest])
    return costs


Price = Callable[[tuple[str, ...]], tuple[float, ...]]


def draw_prices(sites: int, seed: int, *, levels: int = 0) -> Price:
    """Costs on three cases of any set of sites that never fall when another joins; with levels, many of them are alike."""
    random = np.random.default_rng(seed)
    names = "abcdefgh"[:sites]
    drawn = {}
    for count in range(1, sites + 1):
        for some in itertools.combinations(names, count):
            own = random.integers(0, levels, 3) if levels else random.random(3) * count
            below = [drawn[frozenset(some) - {name}] for name in some] if count > 1 else []
            drawn[frozenset(some)] = np.max([own, *below], axis=0)
    return lambda some: tuple(drawn[frozenset(some)].tolist())


@pytest.mark.parametrize("levels", [0, 3])
@pytest.mark.parametrize("seed", range(25))
def test_where_prices_grow_sites_leave_in_the_order_of_pricing_all_of_them_anew(seed: int, levels: int) -> None:
    names, price = tuple("abcdef"), draw_prices(6, seed, levels=levels)
    asked: list[tuple[str, ...]] = []

    def count(some: tuple[str, ...]) -> tuple[float, ...]:
        asked.append(some)
        return price(some)

    found = take_away_one_by_one({name: price((name,)) for name in names}, count)
    expected = take_away_plainly(names, lambda some: np.array(price(some)))
    assert list(found) == list(expected)
    assert all(found[name] == tuple(expected[name]) for name in names)
    assert len(names) - 1 <= len(asked) <= len(names) * (len(names) - 1) // 2
    assert len({frozenset(some) for some in asked}) == len(asked)


def test_a_site_with_a_stand_in_costs_nothing_alone_and_its_worth_once_the_stand_in_is_gone() -> None:
    def price(some: tuple[str, ...]) -> tuple[float, ...]:
        return (0.3 if {"a", "c"} <= set(some) else 0.0,)

    assert take_away_one_by_one({name: price((name,)) for name in "abc"}, price) == {"a": (0.0,), "b": (0.0,), "c": (0.3,)}


def test_no_sites_leave_nothing_to_price() -> None:
    assert take_away_one_by_one({}, lambda _: ()) == {}


def test_joint_costs_by_hand_are_those_of_a_plain_greedy_on_the_network(
    network_by_hand: UNet, cases_by_hand: list[Batch]
) -> None:
    evidence = gather_evidence(network_by_hand, cases_by_hand)
    whole = dice(network_by_hand, cases_by_hand)
    means = {"encoder.0": 0.5, "bottleneck": 1 / (1 + np.exp(-0.3)), "skip.0": 1.0, "decoder.0": 0.5}

    def price(some: tuple[str, ...]) -> np.ndarray:
        undone = [put_constant(network_by_hand, name, torch.tensor(means[name])) for name in some]
        cost: np.ndarray = whole - dice(network_by_hand, cases_by_hand)
        for undo in undone:
            undo()
        return cost

    expected = take_away_plainly(tuple(means), price)
    assert [record.site for record in evidence.sites] == list(means)
    for record in evidence.sites:
        assert record.joint_case_costs == pytest.approx(expected[record.site], abs=1e-9)
    # The constants go first, at no cost; what the gate that decides costs is then what it costs alone.
    assert evidence.sites[0].joint_case_costs == pytest.approx((-0.2, 1.0), abs=1e-12)
    assert [record.joint_cost for record in evidence.sites] == pytest.approx([0.4, 0, 0, 0], abs=1e-12)


def test_the_scores_with_every_site_in_place_are_kept(network_by_hand: UNet, cases_by_hand: list[Batch]) -> None:
    assert gather_evidence(network_by_hand, cases_by_hand).case_scores == pytest.approx((0.8, 1.0), abs=1e-12)


def test_a_skip_that_lets_nothing_pass_costs_what_can_be_worked_out_by_hand(
    network_by_hand: UNet, cases_by_hand: list[Batch]
) -> None:
    evidence = gather_evidence(network_by_hand, cases_by_hand)
    # Nothing reaches the head but its bias of -1.5: nothing is predicted. Dice 0 in place of 0.8, and 1 where nothing is.
    assert evidence.sites[2].shut_case_costs == pytest.approx((0.8, 0.0), abs=1e-12)
    assert [record.shut_case_costs for record in evidence.sites if record.site != "skip.0"] == [()] * 3


def test_the_host_may_stand_in_for_a_site_in_place_of_its_mean(network_by_hand: UNet, cases_by_hand: list[Batch]) -> None:
    evidence = gather_evidence(network_by_hand, cases_by_hand, exponents="dropout")
    # Open everywhere, the first gate lets the dim image's 4 pass 1.5, where nothing is: Dice 0 in place of 1.
    assert evidence.sites[0].case_costs == pytest.approx((0.0, 1.0), abs=1e-12)
    # The last gate halves what the head doubles. Open, it lets 2 become 4, minus 1.5, which was above 0 as well.
    assert evidence.sites[3].case_costs == (0.0, 0.0)
    assert evidence.sites[2].shut_case_costs == pytest.approx((0.8, 0.0), abs=1e-12)


@pytest.mark.parametrize(
    ("regime", "costs"), [("free", "mean"), ("dropout", "host"), ("path", "host"), ("hard_concrete", "host")]
)
def test_what_stands_in_for_a_site_is_what_its_regime_taught_the_network_to_do_without(
    network_by_hand: UNet, cases_by_hand: list[Batch], regime: str, costs: str
) -> None:
    evidence = gather_evidence(network_by_hand, cases_by_hand, exponents=regime)
    assert evidence.exponents == regime
    # Of the first gate: by its mean, and by the host (worked out above).
    by_mean = gather_evidence(network_by_hand, cases_by_hand).sites[0].case_costs
    assert by_mean != pytest.approx((0.0, 1.0))
    assert evidence.sites[0].case_costs == (by_mean if costs == "mean" else pytest.approx((0.0, 1.0), abs=1e-12))


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_a_site_that_the_host_stands_in_for_costs_what_a_network_without_it_scores_less(
    build_unet: BuildUNet, draw_images: DrawImages, spatial_dims: int
) -> None:
    network = build_unet(spatial_dims, norm="group")
    layout = {one.site: one.gate for one in instrument(network)}
    with torch.no_grad():
        for weight in (weight for site in attention_sites(network).values() for weight in site.gate.parameters()):
            weight.mul_(6)
        network.head.bias.sub_(network(draw_images(spatial_dims)).median() + 1e-3)
    images = draw_images(spatial_dims, count=5)
    batches = [(images, network(images)[:, 0].detach() + 0.2 * images[:, 0] > 0)]
    whole, state = dice(network, batches), network.state_dict()
    evidence = gather_evidence(network, batches, exponents="dropout")
    for record in evidence.sites:
        without = build_unet(spatial_dims, norm="group")
        fill_sites(without, {name: gate for name, gate in layout.items() if name != record.site})
        without.load_state_dict({name: state[name] for name in without.state_dict()})
        assert record.case_costs == pytest.approx(whole - dice(without, batches), abs=1e-9)
    plain = build_unet(spatial_dims, norm="group")
    plain.load_state_dict({name: state[name] for name in plain.state_dict()})
    nothing_left = tuple(whole - dice(plain, batches))
    assert any(record.joint_case_costs == pytest.approx(nothing_left, abs=1e-9) for record in evidence.sites)
    assert any(any(record.case_costs) for record in evidence.sites)
