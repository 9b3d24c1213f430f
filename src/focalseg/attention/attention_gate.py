"""Attention Gate: coefficients that vary over space, steered by features from below."""

from typing import Self

import torch.nn.functional as F
from torch import Tensor

from focalseg.attention.gate import Gate
from focalseg.errors import ShapeError
from focalseg.layers import CONVOLUTIONS, LINEAR_INTERPOLATIONS


class AttentionGate(Gate):
    """Additive grid gate of Oktay et al. 2018, "Attention U-Net" (section 2.2, additive attention with a grid signal).

    log a = logsigmoid(upsample(psi(relu(W_x x + W_g g + b_g)) + b_psi)), x the features of a skip, g the features one
    level below. W_x strides to the grid of g. Oktay et al. upsample a; we upsample its logit, which keeps the
    logarithm exact where a gate is almost shut.
    """

    needs_gating_signal = True

    def __init__(self, channels: int, gating_channels: int, *, spatial_dims: int, stride: int = 2) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[spatial_dims]
        hidden = max(channels // 2, 1)
        self.project_features = convolution(channels, hidden, kernel_size=stride, stride=stride, bias=False)
        self.project_signal = convolution(gating_channels, hidden, kernel_size=1)
        self.score = convolution(hidden, 1, kernel_size=1)
        self.interpolation = LINEAR_INTERPOLATIONS[spatial_dims]

    @classmethod
    def for_site(cls, *, channels: int, gating_channels: int, spatial_dims: int) -> Self:
        """For a skip whose gating signal lies one level below."""
        return cls(channels, gating_channels, spatial_dims=spatial_dims)

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """(B, C, *spatial) and signal (B, G, *coarser) -> log-coefficients (B, 1, *spatial)."""
        if gating_signal is None:
            raise ShapeError("An attention gate needs the gating signal, features of the level below; none was given.")
        projected = self.project_features(features)
        signal = self.project_signal(gating_signal)
        if projected.shape != signal.shape:
            raise ShapeError(
                f"The gating signal {tuple(gating_signal.shape)} does not lie on the strided grid of the features "
                f"{tuple(features.shape)}; expected spatial shape {tuple(projected.shape[2:])}."
            )
        logit = self.score((projected + signal).relu())
        logit = F.interpolate(logit, size=features.shape[2:], mode=self.interpolation, align_corners=False)
        return F.logsigmoid(logit)
