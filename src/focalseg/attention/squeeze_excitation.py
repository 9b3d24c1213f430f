"""Squeeze-and-Excitation: coefficients that vary over channels."""

from typing import Self

import torch
from torch import Tensor, nn

from focalseg.attention.gate import MINIMUM_HIDDEN_CHANNELS, STARTING_BIAS, Gate, SiteShape


class SqueezeExcitation(Gate):
    """Channel gate of Hu et al. 2018, "Squeeze-and-Excitation Networks" (squeeze step, then excitation step).

    log s = logsigmoid(W2 relu(W1 z + b1) + b2), z the mean of the features over space.
    The hidden layer has channels / reduction units, at least four, so that narrow stages keep a working gate.
    """

    varies_over = "channels"

    def __init__(self, channels: int, *, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, MINIMUM_HIDDEN_CHANNELS)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        nn.init.constant_(self.squeeze.bias, STARTING_BIAS)

    @classmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate for a site of any kind: the mean over space needs no gating signal and no number of axes."""
        return cls(shape.channels)

    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """(B, C, *spatial) -> one logit per channel (B, C, 1, ...)."""
        return (along_channels(self.score(mean_over_space(features)), features),)

    def score(self, descriptor: Tensor) -> Tensor:
        """W2 relu(W1 z + b1) + b2 of a descriptor z, (B, C) -> (B, C)."""
        logit: Tensor = self.excite(self.squeeze(descriptor).relu())
        return logit


def along_channels(values: Tensor, features: Tensor) -> Tensor:
    """(B, C) -> (B, C, 1, ...) with as many axes as the features, so that it broadcasts to them."""
    return values.reshape(*values.shape, *(1,) * (features.ndim - 2))


def mean_over_space(features: Tensor) -> Tensor:
    """z, the squeeze step of Hu et al. 2018, equation 2. (B, C, *spatial) -> (B, C), in the dtype of the features."""
    # A sum divided by their number, for its gradient is a view of one value per channel. The gradient of torch's mean is as
    # large as the features and contiguous, and adding it to one in channels_last order took three quarters of the gate's
    # training step (benchmarks/attention.py). In float16 a sum can leave the range, so there it is the mean.
    pixels = features.flatten(2)
    return pixels.mean(dim=2) if features.dtype == torch.float16 else pixels.sum(dim=2) / pixels.shape[2]
