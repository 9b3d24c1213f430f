"""What each filled site costs: parameters, operations and measured time."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from focalseg.errors import SiteError
from focalseg.hosts.attachment import attention_sites, filled_sites, unwrap
from focalseg.hosts.dead_sites import find_tensors
from focalseg.hosts.tracing import copy_network, run_copy
from focalseg.records.costs import CostTable, SiteCost

REPEATS = 5


def measure_costs(network: nn.Module, image_shape: Sequence[int], *, repeats: int = REPEATS) -> CostTable:
    """What each filled site of a network costs for one image (C, *spatial). The network is left as it was: a copy is run.

    Raises SiteError where no attention stands.
    """
    network = unwrap(network)
    filled = filled_sites(network)
    if not filled:
        raise SiteError("The network has no attention whose cost could be measured; call instrument(network) first.")
    probe = copy_network(network).eval()
    weight = next(probe.parameters())
    image = torch.zeros(1, *image_shape, device=weight.device, dtype=weight.dtype)
    calls: dict[str, tuple[Tensor, ...]] = {}
    handles = [
        module.register_forward_pre_hook(lambda _module, arguments, name=name: calls.update({name: arguments}))
        for name, module in attention_sites(probe).items()
    ]
    for module in attention_sites(probe).values():
        module.enabled = True
    run_copy(probe, image_shape)
    for handle in handles:
        handle.remove()
    costs = []
    for name, module in attention_sites(probe).items():
        passing = [None if one is None else one.detach().requires_grad_() for one in calls[name]]
        costs.append(
            SiteCost(
                site=name,
                gate=filled[name][1],
                parameters=count_parameters(module),
                flops=count_flops(module, *passing),
                seconds=measure_seconds(module, *passing, repeats=repeats),
            )
        )
    return CostTable(
        sites=tuple(costs),
        parameters=count_parameters(network),
        flops=count_flops(probe, image),
        seconds=measure_seconds(probe, image, repeats=repeats),
    )


def count_parameters(module: nn.Module) -> int:
    """Numbers in all its weights."""
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def count_flops(module: nn.Module, *arguments: Any) -> int:
    """Floating-point operations of one call: convolutions and matrix products, a multiply-add counted as two."""
    with FlopCounterMode(display=False) as counter:
        module(*arguments)
    return int(counter.get_total_flops())


def measure_seconds(module: nn.Module, *arguments: Any, repeats: int) -> float:
    """Median time of a forward and backward pass, after one that does not count; nan on the meta device."""
    if next(module.parameters()).is_meta:
        return math.nan
    wait: Callable[[], None] = torch.cuda.synchronize if next(module.parameters()).is_cuda else lambda: None
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        with torch.enable_grad():
            torch.autograd.backward([output.sum() for output in find_tensors(module(*arguments))])
        wait()
        times.append(time.perf_counter() - started)
        module.zero_grad(set_to_none=True)
    return statistics.median(times[1:])
