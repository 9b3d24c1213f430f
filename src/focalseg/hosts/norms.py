"""Running statistics of norms, estimated anew for a network that they do not belong to."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from focalseg.layers import RunningNorm


@torch.no_grad()
def estimate_norms(network: nn.Module, images: Sequence[Tensor]) -> None:
    """Running mean and variance of every batch norm, in place: the average over these batches, each by its number of cases.

    The network is in evaluation mode after that, and all else of it is meanwhile: dropout leaves nothing out.
    """
    norms = [module for module in network.modules() if isinstance(module, RunningNorm)]
    norms = [norm for norm in norms if norm.track_running_stats]
    if not norms or not images:
        return
    momenta = [norm.momentum for norm in norms]
    seen = dict.fromkeys(norms, 0)

    def weigh(norm: RunningNorm, arguments: tuple[Tensor, ...]) -> None:
        """Momentum of a call, of which there may be several in a pass."""
        seen[norm] += len(arguments[0])
        norm.momentum = len(arguments[0]) / seen[norm]

    network.eval()
    hooks = [norm.register_forward_pre_hook(weigh) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    try:
        for batch in images:
            network(batch)
    finally:
        for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
            hook.remove()
            norm.momentum = momentum
            norm.eval()
