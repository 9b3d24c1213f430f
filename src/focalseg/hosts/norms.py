"""Running statistics of norms, estimated anew after a network was changed."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from focalseg.layers import RunningNorm


@torch.no_grad()
def estimate_norms(network: nn.Module, images: Sequence[Tensor], *, predict: Callable[[Tensor], Any] | None = None) -> None:
    """Sets the running mean and variance of every batch norm, in place, to the average over all cases of these batches.

    images: batches (B, C, *spatial). predict: how images pass the network where it is not called with them. Afterwards the
    network is in evaluation mode; meanwhile all but the norms is as well, so that dropout leaves nothing out.
    """
    norms = [module for module in network.modules() if isinstance(module, RunningNorm) and module.track_running_stats]
    if not norms or not images:
        return
    momenta = [norm.momentum for norm in norms]
    seen = dict.fromkeys(norms, 0)

    def weigh(norm: RunningNorm, arguments: tuple[Tensor, ...]) -> None:
        """A forward pre-hook: sets the momentum for one call of a norm, of which a pass may make several."""
        # running <- (1 - m) running + m batch with m = cases now / cases so far is the mean in which every case counts once.
        seen[norm] += len(arguments[0])
        norm.momentum = len(arguments[0]) / seen[norm]

    network.eval()
    hooks = [norm.register_forward_pre_hook(weigh) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    try:
        for batch in images:
            (predict or network)(batch)
    finally:
        for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
            hook.remove()
            norm.momentum = momentum
            norm.eval()
