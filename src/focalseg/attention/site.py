"""A site: the only place where features are multiplied by coefficients, and the only owner of a gamma."""

import torch
from torch import Tensor, nn

from focalseg.attention.gate import Gate
from focalseg.errors import SettingError, ShapeError
from focalseg.focal import focal


class AttentionSite(nn.Module):
    """y = x * F(gate(x, g), gamma): gamma 0 is the host to the bit, 1 the plain module, large shuts the path.

    gamma is one learnable scalar, >= 0 (`project_gammas` keeps it there during training).
    `removed` holds the constant that stands in for the coefficients while the cost of removal is measured.
    """

    def __init__(self, gate: Gate, *, gamma: float = 1.0) -> None:
        super().__init__()
        if not 0 <= gamma < float("inf"):
            raise SettingError(f"gamma was {gamma}; the focal exponent of a site is a finite number >= 0.")
        self.gate = gate
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))
        self.removed: Tensor | None = None

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """(B, C, *spatial) -> the same shape and dtype."""
        if self.removed is not None:
            return features * self.removed.to(features)
        return features * self.compute_coefficients(features, gating_signal).to(features.dtype)

    def compute_coefficients(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """What the features are multiplied by, in [0, 1], float32, broadcasting to the features."""
        log_coefficients = self.gate(features, gating_signal)
        if log_coefficients.ndim != features.ndim:
            raise ShapeError(
                f"{type(self.gate).__name__} gave log-coefficients {tuple(log_coefficients.shape)} "
                f"for features {tuple(features.shape)}; a gate returns a shape that broadcasts to its features."
            )
        return focal(log_coefficients, self.gamma)
