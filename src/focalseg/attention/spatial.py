"""Spatial gate: coefficients that vary over space, from the mean and the maximum over the channels around each pixel."""

from typing import Self

import torch
from torch import Tensor

from focalseg.attention.gate import Gate, SiteShape
from focalseg.layers import CONVOLUTIONS

_KERNEL_SIZE = 7


class SpatialGate(Gate):
    """The spatial part of Woo et al. 2018, "CBAM" (spatial attention module), alone.

    log a = logsigmoid(f([mean_c x; max_c x])), f a convolution 7 wide along every axis, zeros beyond the border.
    The authors' code, and timm's, put a batch norm after f. We give f a bias instead: at inference that is the same family of
    gates, and a norm over the batch would let the cases of a batch see one another.
    """

    varies_over = "space"

    def __init__(self, spatial_dims: int) -> None:
        super().__init__()
        self.convolution = CONVOLUTIONS[spatial_dims](2, 1, _KERNEL_SIZE, padding=_KERNEL_SIZE // 2)

    @classmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate for a site of any kind: channels are reduced to two maps."""
        return cls(shape.spatial_dims)

    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """(B, C, *spatial) -> one logit per pixel (B, 1, *spatial)."""
        maps = torch.cat([features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)], dim=1)
        return (self.convolution(maps),)
