"""A plain network as large as the one with attention: what the placed network has to beat is capacity, too."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import ceil, inf
from typing import Any

import torch

from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig, build_host, plan_arguments
from focalseg.hosts.costs import count_parameters
from focalseg.training.run import RunConfig, build_network

MOST_WIDENING = 4
"""No attention makes a network sixteen times as large, which is about what four times the channels do."""


def plan_wider(config: RunConfig, widths: Sequence[int], chosen: Mapping[str, Any], layout: Mapping[str, str]) -> NetworkConfig:
    """The plain network of a run, just wide enough to have at least the parameters of the one with attention.

    All channels per level grow by the smallest common factor that does it, each rounded up, and nothing else of the network
    changes: a factor that does not fit the rest, such as the groups of its norms, is passed over. widths: what the network was
    planned from. chosen: the arguments that a person laid over. layout: kind of gate by site. Raises SettingError for a network
    whose channels do not follow from widths.
    """
    target = count_parameters(build_network(replace(config, attention=layout)))
    networks = _widen_step_by_step(config.network, config.network.widths or tuple(widths), fixed=chosen.keys() - {"widths"})

    @cache
    def size_of(number: int) -> int | None:
        return _measure_size(networks[number])

    def measure(number: int) -> float:
        """Parameters of the first network from that number on that can be built; endless where there is none."""
        sizes = map(size_of, range(number, len(networks)))
        return next((float(size) for size in sizes if size is not None), inf)

    # Sizes only grow along the steps, so a search by halves builds a dozen networks instead of all of them.
    least = bisect_left(range(len(networks)), float(target), key=measure)
    found = next((networks[number] for number in range(least, len(networks)) if size_of(number) is not None), None)
    if found is None or len(networks) == 1:
        raise SettingError(
            f"rivals names 'wider', and the channels of {config.network.name} do not follow from widths that focalseg plans; "
            "expected a network that they do follow from, such as unet. Leave it out: --set 'rivals=[random]'."
        )
    return found


def _widen_step_by_step(network: NetworkConfig, widths: Sequence[int], *, fixed: Set[str]) -> list[NetworkConfig]:
    """The network, and then a wider one for each factor at which a width goes up by a channel. fixed: arguments that stay."""
    growing = find_channel_counts(network.name, widths) - fixed
    factors = sorted({Fraction(count, width) for width in widths for count in range(width, MOST_WIDENING * width + 1)})
    found: list[NetworkConfig] = []
    for factor in factors:
        planned = plan_arguments(network.name, widths=[ceil(width * factor) for width in widths])
        wider = replace(network, arguments={**network.arguments, **{name: planned[name] for name in growing}})
        if wider not in found[-1:]:  # an argument may round two steps to the same network
            found.append(wider)
    return found


def find_channel_counts(name: str, widths: Sequence[int]) -> set[str]:
    """The arguments of a network of that name that count channels: whole numbers that double with the widths."""
    planned, doubled = (plan_arguments(name, widths=[factor * width for width in widths]) for factor in (1, 2))
    counts = {argument: read_numbers(value) for argument, value in planned.items()}
    return {name for name, some in counts.items() if some and read_numbers(doubled[name]) == [2 * one for one in some]}


def read_numbers(value: Any) -> list[int]:
    """The whole number of an argument, or several; none for anything else."""
    several = value if isinstance(value, list) else [value]
    return several if all(type(one) is int for one in several) else []


def _measure_size(config: NetworkConfig) -> int | None:
    """Parameters of a network; None where it cannot be built."""
    try:
        with torch.random.fork_rng(devices=[]):
            return count_parameters(build_host(config))
    except SettingError:
        return None
