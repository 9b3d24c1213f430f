"""Curves of F(l, gamma) = exp(gamma * l) in its three uses."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.focal import focal

_GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 4.0, 16.0)
"""Every exponent that the curves show; those of maps and trainings are among them, so that each has one colour."""
_POINTS = 97
_STEEPEST_LOGIT = 6.0
_NEAREST_TO_END = 0.98
"""p_t and the distance stop short of 1, where l is minus infinity."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One curve of a panel, a value for each place of the panel's axis."""

    gamma: float
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves of one use. use: network, loss, cross_entropy or boundary. axis: what they are drawn against."""

    use: str
    axis: tuple[float, ...]
    curves: tuple[Curve, ...]


def compute_curves() -> tuple[Panel, ...]:
    """Four panels for three uses, in float64; the loss has its factor and what becomes of the cross-entropy by it.

    network: coefficient^gamma against the gate's logit. loss: (1 - p_t)^gamma against p_t. cross_entropy: that times
    -log(p_t). boundary: phi^gamma against the distance to the border as a share of the farthest, phi = 1 - distance.
    """
    logits = torch.linspace(-_STEEPEST_LOGIT, _STEEPEST_LOGIT, _POINTS, dtype=torch.float64)
    shares = torch.linspace(0, _NEAREST_TO_END, _POINTS, dtype=torch.float64)
    probabilities = torch.linspace(1 - _NEAREST_TO_END, _NEAREST_TO_END, _POINTS, dtype=torch.float64)
    # By use: the axis, l along it, and what F(l, gamma) is multiplied by.
    uses: dict[str, tuple[Tensor, Tensor, Tensor | float]] = {
        "network": (logits, F.logsigmoid(logits), 1.0),
        "loss": (probabilities, torch.log1p(-probabilities), 1.0),
        "cross_entropy": (probabilities, torch.log1p(-probabilities), -probabilities.log()),
        "boundary": (shares, torch.log1p(-shares), 1.0),
    }
    return tuple(
        Panel(
            use=use,
            axis=tuple(axis.tolist()),
            curves=tuple(Curve(gamma=gamma, values=tuple((focal(log, gamma) * factor).tolist())) for gamma in _GAMMAS),
        )
        for use, (axis, log, factor) in uses.items()
    )
