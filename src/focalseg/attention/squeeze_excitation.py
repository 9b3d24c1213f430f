"""Squeeze-and-Excitation: coefficients that vary over channels."""

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.attention.gate import Gate

MINIMUM_HIDDEN_CHANNELS = 4
STARTING_BIAS = 0.5


class SqueezeExcitation(Gate):
    """Channel gate of Hu et al. 2018, "Squeeze-and-Excitation Networks" (squeeze step, then excitation step).

    log s = logsigmoid(W2 relu(W1 z + b1) + b2), z the mean of the features over space.
    The hidden layer has channels / reduction units, at least four, so that narrow stages keep a working gate.
    """

    def __init__(self, channels: int, *, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, MINIMUM_HIDDEN_CHANNELS)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        # With few hidden units all of them may start below 0 on every image, and a gate that starts dead stays a constant.
        nn.init.constant_(self.squeeze.bias, STARTING_BIAS)

    @classmethod
    def for_site(cls, *, channels: int, gating_channels: int, spatial_dims: int) -> Self:  # noqa: ARG003
        """Any site will do: the mean over space needs no signal and no number of axes."""
        return cls(channels)

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """(B, C, *spatial) -> log-coefficients (B, C, 1, ...)."""
        context = features.flatten(2).mean(dim=2)
        log_coefficients = F.logsigmoid(self.excite(self.squeeze(context).relu()))
        return log_coefficients.reshape(*context.shape, *(1,) * (features.ndim - 2))
