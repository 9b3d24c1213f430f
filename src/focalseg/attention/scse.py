"""Concurrent spatial and channel Squeeze-and-Excitation: two gates side by side."""

import math
from typing import Self

import torch
from torch import Tensor

from focalseg.attention.gate import Gate, SiteShape
from focalseg.attention.squeeze_excitation import SqueezeExcitation
from focalseg.layers import CONVOLUTIONS

_REDUCTION = 2


class ConcurrentSqueezeExcitation(Gate):
    """scSE gate of Roy et al. 2018, "Concurrent Spatial and Channel Squeeze & Excitation" (cSE, sSE and their combination).

    a = (c + s) / 2; c = sigmoid(W2 relu(W1 z + b1) + b2), z the mean over space and half as many hidden units as channels, the
    paper's reduction; s = sigmoid(w . x + b), a 1 x 1 convolution. In logarithms, log a = logaddexp(log c, log s) - log 2.
    The paper adds the two products, x c + x s, which at gamma = 0 is 2 x and not the host. Their average is half of that sum
    at gamma = 1, lies in (0, 1] as coefficients do, and is exactly x at gamma = 0.
    """

    varies_over = "both"

    def __init__(self, channels: int, *, spatial_dims: int) -> None:
        super().__init__()
        self.channel = SqueezeExcitation(channels, reduction=_REDUCTION)
        self.spatial = CONVOLUTIONS[spatial_dims](channels, 1, kernel_size=1)

    @classmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate for a site of any kind: it needs no gating signal."""
        return cls(shape.channels, spatial_dims=shape.spatial_dims)

    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """(B, C, *spatial) -> one logit per channel (B, C, 1, ...) and one per pixel (B, 1, *spatial)."""
        return (*self.channel.compute_logits(features), self.spatial(features))

    def combine(self, logs: tuple[Tensor, ...]) -> Tensor:
        """log((c + s) / 2) from log c (B, C, 1, ...) and log s (B, 1, *spatial) -> (B, C, *spatial), at most 0."""
        channel, spatial = logs
        # The sum stays in the log domain, exact where both gates are almost shut; rounding may end above 0 where both are open.
        return (torch.logaddexp(channel, spatial) - math.log(2)).clamp(max=0)
