"""Focus gate: channel and spatial coefficients side by side, steered by features from below."""

import math
from typing import Any, Self

from torch import Tensor, nn

from focalseg.attention.gate import STARTING_BIAS, Gate, SiteShape
from focalseg.attention.gating_signal import check_site_has_signal, require_signal, resample
from focalseg.attention.squeeze_excitation import along_channels, mean_over_space
from focalseg.layers import CONVOLUTIONS


class FocusGate(Gate):
    """Focus gate of Yeung et al. 2021, "Focus U-Net" (arXiv 2105.07467), read from the authors' code of May 2022.

    log a = log c + log s; q = relu(up(W_g g + b_g) + W_x x), x the features of a skip, g the features one level below, both
    W of kernel 1, W_x with the stride to the grid of g, and q with as many channels as x;
    log c = logsigmoid(C1D_k(mean of q over space)), log s = logsigmoid(up(C_k(mean of q over channels))), with one kernel each,
    zeros beyond the ends and no bias. c and s multiply, so gamma raises their product, as in the code.

    k is the code's rule |log2(n / 2) + 1 / 2| (that of ECA-Net with its slope read into the logarithm), cut to a whole number,
    an even one raised by one. For c, n is the channels.
    For s the code takes the rows of q, of square images; we take the length of q along each axis, a kernel size per axis, which
    is the same on a square. The example's size sets it, other sizes run with it.
    Two grids are joined by linear interpolation, where the code repeats elements; and we raise the logit of s, where the code
    raises the coefficients (see the Attention Gate). The authors' convolution and batch norm of the product, which would
    break gamma = 0, and those that prepare g belong to the host and are left out.
    """

    needs_gating_signal = True
    varies_over = "both"

    def __init__(self, channels: int, gating_channels: int, *, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        convolution: type[Any] = CONVOLUTIONS[len(stride)]
        self.project_features = convolution(channels, channels, kernel_size=1, stride=stride, bias=False)
        self.project_signal = convolution(gating_channels, channels, kernel_size=1)
        nn.init.constant_(self.project_signal.bias, STARTING_BIAS)
        along = _adaptive_kernel_size(channels)
        across = tuple(_adaptive_kernel_size(math.ceil(n / step)) for n, step in zip(size, stride, strict=True))
        self.channel = nn.Conv1d(1, 1, along, padding=along // 2, bias=False)
        self.spatial = convolution(1, 1, across, padding=tuple(k // 2 for k in across), bias=False)

    @classmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate for a skip, with the stride between the grid of its features and that of its gating signal."""
        check_site_has_signal(cls, shape)
        return cls(shape.channels, shape.gating_channels, size=shape.size, stride=shape.gating_stride)

    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, C, *spatial), signal (B, G, *coarser) -> one logit per channel (B, C, 1, ...) and per pixel (B, 1, *spatial)."""
        projected = self.project_features(features)
        signal = resample(self.project_signal(require_signal(self, gating_signal)), tuple(projected.shape[2:]))
        joined = (projected + signal).relu()
        channel = self.channel(mean_over_space(joined)[:, None])[:, 0]
        spatial = self.spatial(joined.mean(dim=1, keepdim=True))
        return along_channels(channel, features), resample(spatial, tuple(features.shape[2:]))


def _adaptive_kernel_size(length: int) -> int:
    """The kernel size |log2(n / 2) + 1 / 2|, made odd, for n channels or n elements along an axis."""
    return int(abs(math.log2(length / 2) + 0.5)) | 1
