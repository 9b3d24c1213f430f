"""What one of two processes does that train a network together; run by `test_in_step.py`.

    python two_processes.py RANK FILE OUT

FILE is where the two meet. OUT gets, by the name of each scenario, what came of it: weights as one list, or an error.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from focalseg.errors import SiteError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.freezing import freeze_host, unfreeze_host
from focalseg.hosts.instrument import fill_sites, instrument
from focalseg.hosts.pruning import disable_attention, enable_attention
from focalseg.networks.unet import UNet

STEPS = 3


def build() -> nn.Module:
    """The same network in every process, with norms that know nothing of batches."""
    torch.manual_seed(0)
    network = UNet(in_channels=1, widths=(4, 8), norm="group", dropout=0.0)
    instrument(network)
    return network


def images(rank: int, step: int) -> Tensor:
    return torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(10 * step + rank))


def optimiser_of(network: nn.Module) -> torch.optim.Optimizer:
    """Weight decay and momentum would move weights whose gradient is 0 and not None."""
    return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)


def train(network: nn.Module, ranks: list[int], switch: Callable[[int], None] = lambda _: None) -> list[float]:
    """The weights after a few steps, as one list. ranks: whose images this process takes. switch: done before each step."""
    optimiser = optimiser_of(network)
    for step in range(STEPS):
        switch(step)
        optimiser.zero_grad()
        network(torch.cat([images(rank, step) for rank in ranks])).square().mean().backward()
        optimiser.step()
    return weights_of(network)


def accumulate(network: nn.Module, ranks: list[int]) -> list[float]:
    """As `train`, each step over the images of two."""
    optimiser = optimiser_of(network)
    for step in range(STEPS):
        optimiser.zero_grad()
        for part in (0, 1):
            wait = network.no_sync() if part == 0 and isinstance(network, DistributedDataParallel) else contextlib.nullcontext()
            with wait:
                network(torch.cat([images(rank, 2 * step + part) for rank in ranks])).square().mean().backward()
        optimiser.step()
    return weights_of(network)


def weights_of(network: nn.Module) -> list[float]:
    return torch.cat([weight.detach().flatten() for weight in network.parameters()]).tolist()


def off_at(network: nn.Module, steps: tuple[int, ...]) -> Callable[[int], None]:
    return lambda step: disable_attention(network) if step in steps else enable_attention(network)


def replace_coefficients(network: nn.Module) -> nn.Module:
    next(iter(attention_sites(network).values())).stand_in = torch.ones(())
    return network


def shut(network: nn.Module) -> nn.Module:
    """A plain network whose skip is shut."""
    torch.manual_seed(0)
    plain = UNet(in_channels=1, widths=(4, 8), norm="group", dropout=0.0)
    fill_sites(plain, {"skip.0": "shut", "encoder.0": "se"}, candidates=sites(plain))
    return plain


def frozen(network: nn.Module) -> nn.Module:
    freeze_host(network)
    return network


def thawed(network: nn.Module) -> nn.Module:
    unfreeze_host(network)
    return network


def evaluated(network: nn.Module) -> nn.Module:
    """After a look at the host without attention."""
    disable_attention(network)
    with torch.no_grad():
        network(images(0, 0))
    enable_attention(network)
    return network


Scenario = Callable[[Callable[..., nn.Module], list[int]], list[float]]
SCENARIOS: dict[str, Scenario] = {
    "plain": lambda wrap, ranks: train(wrap(build()), ranks),
    "accumulated": lambda wrap, ranks: accumulate(wrap(build()), ranks),
    "evaluated between": lambda wrap, ranks: train(evaluated(wrap(build())), ranks),
    "off at one step": lambda wrap, ranks: train(
        network := wrap(build(), find_unused_parameters=True), ranks, off_at(network, (1,))
    ),
    "off throughout": lambda wrap, ranks: train(
        network := wrap(build(), find_unused_parameters=True), ranks, off_at(network, (0, 1, 2))
    ),
    "off, static graph": lambda wrap, ranks: train(
        network := wrap(build(), static_graph=True), ranks, off_at(network, (0, 1, 2))
    ),
    "frozen before": lambda wrap, ranks: train(wrap(frozen(build())), ranks),
    "frozen after": lambda wrap, ranks: train(frozen(wrap(build(), find_unused_parameters=True)), ranks),
    "shut": lambda wrap, ranks: train(wrap(shut(build())), ranks),
    "refused: off": lambda wrap, ranks: train(network := wrap(build()), ranks, off_at(network, (1,))),
    "refused: stand-in": lambda wrap, ranks: train(replace_coefficients(wrap(build())), ranks),
    "refused: frozen after": lambda wrap, ranks: train(frozen(wrap(build())), ranks),
    "refused: thawed after": lambda wrap, ranks: train(thawed(wrap(frozen(build()))), ranks),
}


def run(scenario: Scenario, wrap: Callable[..., nn.Module], ranks: list[int]) -> list[float] | str:
    try:
        return scenario(wrap, ranks)
    except SiteError as error:
        return str(error)


def main() -> None:
    """Takes part in every scenario."""
    rank, meeting, out = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    found = {name: run(scenario, DistributedDataParallel, [rank]) for name, scenario in SCENARIOS.items()}
    out.write_text(json.dumps(found), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
