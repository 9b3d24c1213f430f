"""Reading the exponents of a network, training them at their own rate, and keeping them where they belong."""

import math
from typing import Any

import torch
from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.attachment import attention_sites

GAMMA_FACTOR = 10.0
"""The rate of exponents over the learning rate."""
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


def parameter_groups(
    network: nn.Module, learning_rate: float, *, weight_decay: float = 1e-2, gamma_factor: float = GAMMA_FACTOR
) -> list[dict[str, Any]]:
    """What to give an optimiser of torch: weights; norms and biases without decay; exponents without decay at a higher rate.

    Decay would pull a gamma to 0, which reads as "no attention wanted"; one rate for all leaves it near 1 (a trial of the
    paper's authors moved it by 0.035 in 1140 steps). gamma_factor: the rate of exponents over the learning rate.

    Every parameter that is to train (requires_grad) is in one group, once, and a group that would be empty is left out. Each
    has "params", "lr", "weight_decay" and a "name": weights, norms_and_biases or exponents. A scheduler that multiplies rates
    keeps the factor; one that sets them, such as OneCycleLR, is given a list: `[group["lr"] for group in groups]`. Put
    attention in before, and wrap or freeze the network as it trains. Raises SettingError for numbers below 0 and those that are
    not finite.

    >>> import focalseg, torch
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network)
    >>> optimiser = torch.optim.SGD(focalseg.parameter_groups(network, 0.01, weight_decay=3e-5), momentum=0.99)
    >>> [(group["name"], group["lr"], group["weight_decay"]) for group in optimiser.param_groups]
    [('weights', 0.01, 3e-05), ('norms_and_biases', 0.01, 0.0), ('exponents', 0.1, 0.0)]
    """
    given = {"learning_rate": learning_rate, "weight_decay": weight_decay, "gamma_factor": gamma_factor}
    for name, value in given.items():
        if not (math.isfinite(value) and value >= 0):
            raise SettingError(f"{name} was {value}; expected a finite number, at least 0.")
    gammas = {id(gamma) for gamma in (*gamma_parameters(network), *switch_parameters(network))}
    norms = [module for module in network.modules() if isinstance(module, nn.LayerNorm | nn.RMSNorm)]  # others have one axis
    undecayed = {id(parameter) for norm in norms for parameter in norm.parameters()}
    weights: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    exponents: list[nn.Parameter] = []
    for parameter in network.parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and id(parameter) not in undecayed
            (exponents if id(parameter) in gammas else weights if decays else plain).append(parameter)
    groups = [
        {"params": weights, "lr": learning_rate, "weight_decay": weight_decay, "name": "weights"},
        {"params": plain, "lr": learning_rate, "weight_decay": 0.0, "name": "norms_and_biases"},
        {"params": exponents, "lr": learning_rate * gamma_factor, "weight_decay": 0.0, "name": "exponents"},
    ]
    return [group for group in groups if group["params"]]


@torch.no_grad()
def project_gammas(network: nn.Module, optimiser: torch.optim.Optimizer | None = None) -> None:
    """Sets negative exponents to exactly 0, in place: called after every step of the optimiser, whatever attention is trained.

    An exponent that was set to 0 can come back as soon as its gradient turns. `SiteDropout.end_step` does the same.

    >>> import focalseg, torch
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network, gates=("se",))
    >>> optimiser = torch.optim.SGD(focalseg.parameter_groups(network, 0.2), weight_decay=0.0)
    >>> sum(gamma for name, gamma in network.named_parameters() if name.endswith("gamma")).backward()
    >>> optimiser.step()
    >>> focalseg.project_gammas(network, optimiser)
    >>> focalseg.read_gammas(network)
    {'encoder.0': 0.0, 'bottleneck': 0.0, 'decoder.0': 0.0}
    """
    for gamma in gamma_parameters(network):
        if gamma < 0:
            gamma.zero_()
            state = optimiser.state.get(gamma, {}) if optimiser else {}
            # Else the optimiser's running mean would push the exponent below 0 for many steps after the gradient has turned.
            for name in _RUNNING_MEANS & state.keys():
                state[name].zero_()
