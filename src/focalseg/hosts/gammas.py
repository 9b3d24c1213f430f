"""Reading the exponents of a network and keeping them where they belong."""

import torch
from torch import nn

from focalseg.hosts.attachment import attention_sites

_RUNNING_MEANS = {"exp_avg", "momentum_buffer"}


def read_gammas(network: nn.Module) -> dict[str, float]:
    """The focal exponent gamma, >= 0, of every site that holds attention, by the name of the site.

    >>> import focalseg
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network)
    >>> focalseg.read_gammas(network)
    {'encoder.0': 1.0, 'bottleneck': 1.0, 'skip.0': 1.0, 'decoder.0': 1.0}
    """
    return {name: float(site.gamma.detach()) for name, site in attention_sites(network).items()}


def gamma_parameters(network: nn.Module) -> list[nn.Parameter]:
    """The exponent of every site, in the order of the sites."""
    return [site.gamma for site in attention_sites(network).values()]


def switch_parameters(network: nn.Module) -> list[nn.Parameter]:
    """The parameters of the switches of exponents, where sites have switches."""
    switches = [site.switch for site in attention_sites(network).values() if site.switch is not None]
    return [parameter for switch in switches for parameter in switch.parameters()]


@torch.no_grad()
def project_gammas(network: nn.Module, optimiser: torch.optim.Optimizer | None = None) -> None:
    """Sets negative exponents to exactly 0, in place, after an optimiser's step.

    An exponent that was set to 0 can come back as soon as its gradient turns.
    """
    for gamma in gamma_parameters(network):
        if gamma < 0:
            gamma.zero_()
            state = optimiser.state.get(gamma, {}) if optimiser else {}
            # Else the optimiser's running mean would push the exponent below 0 for many steps after the gradient has turned.
            for name in _RUNNING_MEANS & state.keys():
                state[name].zero_()
