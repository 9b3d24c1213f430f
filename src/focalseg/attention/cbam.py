"""Convolutional Block Attention Module: a channel gate, then a spatial gate on what the channel gate lets through."""

from typing import Self

from torch import Tensor

from focalseg.attention.gate import Gate, SiteShape
from focalseg.attention.spatial import SpatialGate
from focalseg.attention.squeeze_excitation import SqueezeExcitation, along_channels, mean_over_space


class ConvolutionalBlockAttention(Gate):
    """Channel and spatial gate of Woo et al. 2018, "CBAM" (channel attention module, then spatial attention module).

    log a = log c + log s; log c = logsigmoid(MLP(mean of x over space) + MLP(maximum of x over space)), with one MLP for both;
    log s = logsigmoid(f([mean_c x'; max_c x'])), x' = c x the refined features, f as in the spatial gate.
    The site multiplies once: x a^gamma = (x c s)^gamma at gamma = 1, and x' is made inside the gate for its two maps alone. It
    is refined by c and not by c^gamma, so that the log-coefficients do not depend on gamma.
    The MLP is the SE gate's, with biases, as in the authors' code; the equations of the paper and timm have none.
    """

    varies_over = "both"

    def __init__(self, channels: int, *, spatial_dims: int) -> None:
        super().__init__()
        self.channel = SqueezeExcitation(channels)
        self.spatial = SpatialGate(spatial_dims)

    @classmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate for a site of any kind: it needs no gating signal."""
        return cls(shape.channels, spatial_dims=shape.spatial_dims)

    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """(B, C, *spatial) -> one logit per channel (B, C, 1, ...) and one per pixel (B, 1, *spatial)."""
        descriptors = mean_over_space(features), features.flatten(2).amax(dim=2)
        channel = along_channels(self.channel.score(descriptors[0]) + self.channel.score(descriptors[1]), features)
        refined = features * self.take_log(channel).exp().to(features.dtype)
        return (channel, *self.spatial.compute_logits(refined))
