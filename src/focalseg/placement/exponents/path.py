"""Exponents pressed to 0 ever harder, so that sites leave one by one, and the order they leave in is the evidence."""

from typing import ClassVar

import torch
from torch import nn

from focalseg.hosts.gammas import project_gammas
from focalseg.placement.exponents.regime import WARM_UP, Regime, Replacement

_ENDS = 0.9
"""The share of the training after which the pressure stays at its highest."""
_LOWEST, _HIGHEST = 1e-4, 1.0
"""The pressure at both ends of the path, in loss per unit of exponent."""
_STEP_SIZE = 1.0
"""The change of an exponent per step on the path and unit of its gradient."""


class SparsityPath(Regime):
    """Exponents are free at first; then, with a pressure p that grows by a constant factor per step from 1e-4 to 1,

        gamma <- max(gamma - (gradient + p), 0)

    the proximal gradient step of the loss + p * sum of gamma (Beck and Teboulle 2009; schedule and use are ours). A site stays
    open while the loss would grow by more than p per unit of its exponent; at the end all exponents are 0. The network is
    scored before the pressure begins, while all sites are still there, and whenever one leaves.
    """

    replacement: ClassVar[Replacement] = "host"
    witnesses_path: ClassVar[bool] = True

    def __init__(self, network: nn.Module, *, steps: int, seed: int) -> None:
        super().__init__(network, steps=steps, seed=seed)
        self.gradients: dict[str, float] = {}

    def take_gradients(self, step: int) -> None:
        """On the path, takes the gradients of the exponents away from the optimiser and keeps them for the end of the step."""
        self.gradients = {}
        if self.pressure(step):
            for name, site in self.filled.items():
                self.gradients[name] = 0.0 if site.gamma.grad is None else float(site.gamma.grad)
                # The optimiser skips what has no gradient. An adaptive one divides a gradient by its own size, so that an L1
                # term would drive every exponent to 0 alike.
                site.gamma.grad = None

    @torch.no_grad()
    def end_step(self, step: int, optimiser: torch.optim.Optimizer) -> bool:
        """Takes the proximal step. Whether an exponent reached 0, or the next step is the first with a pressure."""
        if not self.gradients:
            project_gammas(self.network, optimiser)
            return bool(self.filled) and self.pressure(step + 1) > 0
        pressure, departed = self.pressure(step), False
        for name, gradient in self.gradients.items():
            gamma = self.filled[name].gamma
            was_open = bool(gamma > 0)
            gamma.sub_(_STEP_SIZE * (gradient + pressure)).clamp_(min=0)
            departed |= was_open and not gamma > 0
        return departed

    def pressure(self, step: int) -> float:
        """The pressure p at a step; 0 while exponents are free."""
        share = (step / self.steps - WARM_UP) / (_ENDS - WARM_UP)
        return float(_LOWEST * (_HIGHEST / _LOWEST) ** min(share, 1.0)) if self.has_set_in(step) else 0.0
