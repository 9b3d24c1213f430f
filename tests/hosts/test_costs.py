"""Costs of the sites: parameters counted by hand, operations by closed form, and a table."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from focalseg.attention import GATES
from focalseg.errors import SiteError
from focalseg.hosts.costs import count_parameters, measure_costs
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import fill_sites, instrument
from focalseg.hosts.pruning import disable_attention
from focalseg.networks.unet import UNet
from focalseg.records.costs import CostTable, SiteCost
from hosts.host_table import HOSTS, copy_host, host_sites

SIZES = {1: (16,), 2: (16, 8), 3: (8, 4, 8)}


@pytest.fixture(params=[1, 2, 3])
def table(request: pytest.FixtureRequest) -> tuple[int, CostTable]:
    """Of a U-Net of two levels with 32 and 40 channels: SE at its stages, AG on its skip."""
    axes = request.param
    network = UNet(spatial_dims=axes, in_channels=2, widths=(32, 40))
    instrument(network, candidates=sites(network, (2, *SIZES[axes])))
    return axes, measure_costs(network, (2, *SIZES[axes]), repeats=1)


def test_parameters_are_those_of_the_formulas_and_the_exponent(table: tuple[int, CostTable]) -> None:
    axes, costs = table
    by_site = {one.site: one.parameters for one in costs.sites}

    def squeeze_excitation(channels: int) -> int:
        hidden = max(channels // 16, 4)
        return (channels * hidden + hidden) + (hidden * channels + channels) + 1

    hidden = 16
    gate = 32 * hidden * 2**axes + (40 * hidden + hidden) + (hidden + 1) + 1
    assert by_site == {
        "encoder.0": squeeze_excitation(32),
        "bottleneck": squeeze_excitation(40),
        "skip.0": gate,
        "decoder.0": squeeze_excitation(32),
    }


def test_operations_are_two_for_every_multiply_add_of_convolutions_and_products(table: tuple[int, CostTable]) -> None:
    axes, costs = table
    by_site = {one.site: one.flops for one in costs.sites}
    coarse = math.prod(side // 2 for side in SIZES[axes])
    hidden = 16
    gate = 2 * coarse * (32 * 2**axes * hidden + 40 * hidden + hidden)
    assert by_site == {"encoder.0": 2 * 2 * 32 * 4, "bottleneck": 2 * 2 * 40 * 4, "skip.0": gate, "decoder.0": 2 * 2 * 32 * 4}


def test_the_operations_of_the_network_are_those_of_its_convolutions_and_of_its_sites() -> None:
    network = UNet(spatial_dims=2, in_channels=2, widths=(4, 6))
    instrument(network, gates=("se",))
    costs = measure_costs(network, (2, 8, 8), repeats=1)
    full, half = 64, 16
    stages = 9 * (full * (2 * 4 + 4 * 4) + half * (4 * 6 + 6 * 6) + full * (8 * 4 + 4 * 4))
    ones = half * 6 * 4 + full * 4 * 1
    assert costs.flops == 2 * (stages + ones) + sum(one.flops for one in costs.sites)
    assert costs.parameters == count_parameters(network) == sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("gate", list(GATES))
def test_every_gate_is_measured_with_the_parameters_that_it_added(gate: str) -> None:
    network = UNet(in_channels=2, widths=(4, 6))
    before = count_parameters(network)
    candidates = sites(network, (2, 8, 8))
    site = "skip.0" if GATES[gate].needs_gating_signal else "encoder.0"
    fill_sites(network, {site: gate}, candidates=candidates)
    (cost,) = measure_costs(network, (2, 8, 8), repeats=1).sites
    assert (cost.site, cost.gate, cost.parameters) == (site, gate, count_parameters(network) - before)
    assert cost.flops > 0
    assert cost.seconds > 0


@pytest.mark.parametrize("host", ["hand-written", "own gate", "monai:SegResNet", "monai:AttentionUnet"])
def test_the_network_is_left_as_it_was_with_its_attention_disabled_or_not(
    host: str, look_at: Callable[[nn.Module], Any]
) -> None:
    network = copy_host(host, 2)
    touched = instrument(network, candidates=host_sites(host, 2))
    before = look_at(network)
    costs = measure_costs(network, HOSTS[host].image_shape(2), repeats=1)
    assert look_at(network) == before
    assert [(one.site, one.gate) for one in costs.sites] == [(one.site, one.gate) for one in touched]
    disable_attention(network)
    again = measure_costs(network, HOSTS[host].image_shape(2), repeats=1)
    assert [(one.site, one.flops) for one in again.sites] == [(one.site, one.flops) for one in costs.sites]
    assert again.flops == costs.flops


def test_a_network_that_returns_several_outputs_has_costs() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 1, 1)

        def forward(self, image: Tensor) -> dict[str, Any]:
            features = self.first(image)
            return {"logits": self.last(features), "deep": [features, None]}

    network = Deep()
    instrument(network, ("se",), candidates=sites(network, (2, 4, 4), stages=["first"]))
    costs = measure_costs(network, (2, 4, 4), repeats=1)
    assert costs.flops == 2 * 16 * (2 * 4 + 4) + 2 * 2 * 4 * 4
    assert costs.seconds > 0


def test_on_the_meta_device_there_are_counts_and_no_seconds() -> None:
    with torch.device("meta"):
        network = UNet(in_channels=2, widths=(4, 6))
    instrument(network)
    costs = measure_costs(network, (2, 8, 8))
    assert math.isnan(costs.seconds)
    assert all(math.isnan(one.seconds) and one.flops > 0 for one in costs.sites)


def test_a_table_prints_a_line_a_site_and_one_for_the_network() -> None:
    table = CostTable(
        sites=(
            SiteCost(site="encoder.0", gate="se", parameters=1234, flops=2_500_000, seconds=0.00125),
            SiteCost(site="skip.0", gate="spatial", parameters=99, flops=0, seconds=0.01),
        ),
        parameters=1_234_567,
        flops=3_210_000_000,
        seconds=1.5,
    )
    assert str(table) == (
        "site       gate     parameters   MFLOPs       ms\n"
        "encoder.0  se            1,234     2.50     1.25\n"
        "skip.0     spatial          99     0.00    10.00\n"
        "network              1,234,567  3210.00  1500.00"
    )


def test_a_plain_network_has_no_costs_to_measure() -> None:
    with pytest.raises(SiteError) as raised:
        measure_costs(UNet(widths=(4, 6)), (3, 8, 8))
    assert str(raised.value) == "The network has no attention whose cost could be measured; call instrument(network) first."
