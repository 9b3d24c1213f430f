"""What each site that holds attention costs: parameters, operations and measured time."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from focalseg.errors import SiteError
from focalseg.hosts.attachment import attention_sites, filled_sites
from focalseg.hosts.dead_sites import find_tensors
from focalseg.hosts.presence.wrappers import unwrap
from focalseg.hosts.tracing import copy_network, run_copy
from focalseg.records.costs import CostTable, SiteCost


def measure_costs(network: nn.Module, image_shape: Sequence[int], *, repeats: int = 5) -> CostTable:
    """Measures what each site with attention costs for one image (C, *spatial), on a copy; the network is left as it was.

    Time is the median of that many repeats of a forward and backward pass, in seconds, on the network's device.
    Raises SiteError where no attention stands.

    >>> import focalseg
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network, gates=("se",))
    >>> table = focalseg.measure_costs(network, (3, 32, 32), repeats=1)
    >>> [(cost.site, cost.parameters, cost.flops) for cost in table.sites]
    [('encoder.0', 77, 128), ('bottleneck', 149, 256), ('decoder.0', 77, 128)]
    """
    network = unwrap(network)
    filled = filled_sites(network)
    if not filled:
        raise SiteError("The network has no attention whose cost could be measured; call instrument(network) first.")
    probe = copy_network(network).eval()
    weight = next(probe.parameters())
    image = torch.zeros(1, *image_shape, device=weight.device, dtype=weight.dtype)
    calls: dict[str, tuple[Tensor, ...]] = {}
    handles, costs = [], []
    for name, module in attention_sites(probe).items():
        module.enabled = True
        handles.append(module.register_forward_pre_hook(lambda _, arguments, name=name: calls.update({name: arguments})))
    run_copy(probe, image_shape)
    for handle in handles:
        handle.remove()
    for name, module in attention_sites(probe).items():
        passing = [None if one is None else one.detach().requires_grad_() for one in calls[name]]
        costs.append(
            SiteCost(
                site=name,
                gate=filled[name][1],
                parameters=count_parameters(module),
                flops=count_flops(module, *passing),
                seconds=_measure_seconds(module, *passing, repeats=repeats),
            )
        )
    return CostTable(
        sites=tuple(costs),
        parameters=count_parameters(network),
        flops=count_flops(probe, image),
        seconds=_measure_seconds(probe, image, repeats=repeats),
    )


def count_parameters(module: nn.Module) -> int:
    """The count of numbers in all weights of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def count_flops(module: nn.Module, *arguments: Any) -> int:
    """The floating-point operations of one call in convolutions and matrix products; a multiply-add counts as two."""
    with FlopCounterMode(display=False) as counter:
        module(*arguments)
    return int(counter.get_total_flops())


def _measure_seconds(module: nn.Module, *arguments: Any, repeats: int) -> float:
    """The median time of a forward and backward pass, after one that does not count; nan on the meta device."""
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
