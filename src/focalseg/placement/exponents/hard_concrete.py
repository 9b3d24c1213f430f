"""Exponents switched on and off at random, with learned probabilities and a price for being on: L0 regularisation."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from focalseg.placement.exponents.regime import Regime, Replacement

_TEMPERATURE = 2 / 3
_STRETCH_LOW, _STRETCH_HIGH = -0.1, 1.1
_LARGEST_LOGIT = math.log(100)
PRICE = 0.01
"""The reduction of the loss that an open site has to be worth."""


class HardConcreteSwitch(nn.Module):
    """A factor z of an exponent, exactly 0 or 1 with some probability each and between them else.

    z = clip(s (1.1 + 0.1) - 0.1, 0, 1), s = sigmoid((log u - log(1 - u) + log a) / (2/3)), u uniform while training; for
    evaluation s = sigmoid(log a). Source: Louizos, Welling and Kingma 2018, "Learning Sparse Neural Networks through L0
    Regularization", equations 10 to 13.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_alpha = nn.Parameter(torch.tensor(math.log(9.0)))  # open in 98 of 100 draws

    def forward(self) -> Tensor:
        """Draws z, a scalar in [0, 1]."""
        if self.training:
            uniform = torch.rand_like(self.log_alpha).clamp(1e-6, 1 - 1e-6)
            share = torch.sigmoid((uniform.log() - (-uniform).log1p() + self.log_alpha) / _TEMPERATURE)
        else:
            share = torch.sigmoid(self.log_alpha)
        return (share * (_STRETCH_HIGH - _STRETCH_LOW) + _STRETCH_LOW).clamp(0, 1)

    def open_probability(self) -> Tensor:
        """P(z > 0), a scalar: the price of a site is proportional to it, and differentiable where z itself may be flat."""
        return torch.sigmoid(self.log_alpha - _TEMPERATURE * math.log(-_STRETCH_LOW / _STRETCH_HIGH))


class HardConcrete(Regime):
    """Multiplies the exponent of each site by a switch; the loss grows by 0.01 for every site that is sure to be open.

    A switch at 0 leaves the host, to the bit, so that this is the paper's mixture of identity and module.
    """

    replacement: ClassVar[Replacement] = "host"
    witnesses_probability: ClassVar[bool] = True
    mixes_networks: ClassVar[bool] = True

    def __init__(self, network: nn.Module, *, steps: int, seed: int) -> None:
        super().__init__(network, steps=steps, seed=seed)
        for site in self.filled.values():
            site.switch = HardConcreteSwitch().to(site.gamma).train(site.training)

    def penalty(self, step: int) -> Tensor | None:
        """0.01 times the expected number of open sites; None while gates learn what they are good for."""
        probabilities = [switch.open_probability() for switch in self.switches().values()]
        return PRICE * torch.stack(probabilities).sum() if probabilities and self.has_set_in(step) else None

    @torch.no_grad()
    def end_step(self, step: int, optimiser: torch.optim.Optimizer) -> bool:
        """Keeps log a within +-log 100, as the authors' code does: beyond it hardly any draw would turn a switch."""
        for switch in self.switches().values():
            switch.log_alpha.clamp_(-_LARGEST_LOGIT, _LARGEST_LOGIT)
        return super().end_step(step, optimiser)

    @torch.no_grad()
    def finish(self) -> dict[str, float]:
        """Multiplies each gamma by the factor that its switch has in evaluation, and takes the switches out."""
        switches = self.switches()
        for name, switch in switches.items():
            site = self.filled[name]
            site.gamma.mul_(switch.eval()())
            site.switch = None
        return {name: float(switch.open_probability()) for name, switch in switches.items()}

    def switches(self) -> dict[str, HardConcreteSwitch]:
        """The switch of every site."""
        return {name: site.switch for name, site in self.filled.items() if isinstance(site.switch, HardConcreteSwitch)}
