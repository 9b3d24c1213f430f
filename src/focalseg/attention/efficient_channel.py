"""Efficient Channel Attention: coefficients that vary over channels, from each channel's neighbours."""

import math
from typing import Self

from torch import Tensor, nn

from focalseg.attention.gate import Gate, SiteShape
from focalseg.attention.squeeze_excitation import along_channels, mean_over_space

_MINIMUM_KERNEL_SIZE = 3


class EfficientChannelAttention(Gate):
    """Channel gate of Wang et al. 2020, "ECA-Net" (channel-wise convolution of the descriptor, adaptive kernel size).

    log w = logsigmoid(C1D_k(z)), z the mean of the features over space, C1D_k a convolution along the channels with one
    kernel of k weights, zeros beyond the ends and no bias. k is the odd number of the paper's rule |log2(C) / 2 + 1 / 2|, with
    the slope 2 and offset 1 of the paper (there gamma and b): cut to a whole number, an even one raised by one. We take at
    least 3, as timm does: with k = 1, which the rule gives below 8 channels, no channel would see another.
    """

    varies_over = "channels"

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel_size = max(int((math.log2(channels) + 1) / 2) | 1, _MINIMUM_KERNEL_SIZE)
        self.convolution = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    @classmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate for a site of any kind: the mean over space needs no gating signal and no number of axes."""
        return cls(shape.channels)

    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """(B, C, *spatial) -> one logit per channel (B, C, 1, ...)."""
        descriptor = mean_over_space(features)
        return (along_channels(self.convolution(descriptor[:, None])[:, 0], features),)
