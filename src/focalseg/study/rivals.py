"""What the placed network has to beat besides all attention and none: capacity, chance, and one kind of gate everywhere."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import torch

from focalseg.errors import SettingError
from focalseg.networks.building import NetworkConfig, build_host, plan_arguments
from focalseg.placement.costs import count_parameters
from focalseg.training.run import RunConfig, build_network

MOST_WIDENING = 4
"""No attention makes a network sixteen times as large, which is about what four times the channels do."""


def plan_wider(config: RunConfig, widths: Sequence[int], chosen: Mapping[str, Any], layout: Mapping[str, str]) -> NetworkConfig:
    """The plain network of a run, just wide enough to have at least the parameters of the one with attention.

    All channels a level grow by the smallest common factor that does it, each rounded up. widths: what the network was planned
    from. chosen: the arguments that a person laid over. layout: kind of gate by site. Raises SettingError for a network whose
    channels do not follow from widths.
    """
    target = count_parameters(build_network(replace(config, attention=layout)))
    channels = config.network.widths or tuple(widths)

    def widen(factor: Fraction) -> NetworkConfig:
        planned = plan_arguments(config.network.name, widths=[ceil(width * factor) for width in channels])
        laid_over = {name: value for name, value in chosen.items() if name != "widths"}
        return replace(config.network, arguments={**planned, **laid_over})

    def measure(factor: Fraction) -> int:
        with torch.random.fork_rng(devices=[]):
            return count_parameters(build_host(widen(factor)))

    # The steps at which a width goes up by a channel: from one to the next of them nothing changes.
    steps = sorted({Fraction(count, width) for width in channels for count in range(width, MOST_WIDENING * width + 1)})
    if widen(steps[0]).arguments == widen(steps[-1]).arguments or measure(steps[-1]) < target:
        raise SettingError(
            f"rivals names 'wider', and the channels of {config.network.name} do not follow from widths that focalseg plans; "
            "expected a network that they do follow from, such as unet. Leave it out: --set 'rivals=[random]'."
        )
    return widen(steps[bisect_left(steps, target, key=measure)])


def draw_sites(candidates: Mapping[str, str], count: int, *, seed: int, fold: int) -> dict[str, str]:
    """So many of the candidates, drawn anew for every seed and fold, in the order of the network; kind of gate by site."""
    names = list(candidates)
    drawn = set(np.random.default_rng((seed, fold)).choice(len(names), size=count, replace=False).tolist())
    return {name: candidates[name] for number, name in enumerate(names) if number in drawn}
