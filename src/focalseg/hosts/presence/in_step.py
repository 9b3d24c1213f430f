"""Whether DistributedDataParallel can keep a network in step as it stands now."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from focalseg.attention.focal_site import AnySite
from focalseg.errors import SiteError

_MEND = "Wrap the network with find_unused_parameters=True"


def check_in_step(network: nn.Module, acting: Mapping[str, AnySite]) -> None:
    """At the start of a training pass within DistributedDataParallel, raises SiteError where weights would get out of step.

    Those that began to train after wrapping are not averaged over processes, which nothing shows; of those that it waits for
    in vain, torch says so at the next step, without a site's name.
    """
    wrapper = getattr(DistributedDataParallel, "_active_ddp_module", None)
    if wrapper is None or not network.training or not torch.is_grad_enabled() or not wrapper.require_backward_grad_sync:
        return
    kept = int(wrapper._get_ddp_logging_data()["num_parameter_tensors"])  # noqa: SLF001 - nothing else tells what it averages
    weights = [weight for name, weight in wrapper.module.named_parameters() if name not in wrapper.parameters_to_ignore]
    trained = sum(weight.requires_grad for weight in weights)
    if trained > kept:
        raise SiteError(
            f"{trained - kept} weights train that did not when the network was wrapped in DistributedDataParallel, which does "
            "not keep them in step. Call unfreeze_host(network) before wrapping it."
        )
    if wrapper.find_unused_parameters or wrapper.static_graph:
        return
    idle = [name for name, site in acting.items() if _is_idle(site)]
    if idle:
        raise SiteError(
            f"Attention is off at {', '.join(idle)}, and DistributedDataParallel waits for the gradients of its weights. "
            f"{_MEND}."
        )
    if trained < kept:
        raise SiteError(
            f"{kept - trained} weights were frozen after the network was wrapped in DistributedDataParallel, which waits for "
            f"their gradients. {_MEND}, or call freeze_host(network) before wrapping it."
        )


def _is_idle(site: AnySite) -> bool:
    """Whether the weights of a site take no part in a pass although they could train."""
    off = not site.enabled or getattr(site, "stand_in", None) is not None
    return off and any(weight.requires_grad for weight in site.parameters())
