"""Attention Gate: coefficients that vary over space, steered by features from below."""

from typing import Any, Self

from torch import Tensor, nn

from focalseg.attention.gate import MINIMUM_HIDDEN_CHANNELS, STARTING_BIAS, Gate, SiteShape
from focalseg.attention.gating_signal import check_site_has_signal, fill_stride, require_signal, resample
from focalseg.layers import CONVOLUTIONS


class AttentionGate(Gate):
    """Additive grid gate of Oktay et al. 2018, "Attention U-Net" (section 2.2, additive attention with a grid signal).

    log a = logsigmoid(upsample(psi(relu(W_x x + W_g g + b_g)) + b_psi)), x the features of a skip, g the features one
    level below. W_x strides to the grid of g; where the host rounded that grid otherwise, W_g g is resampled to it.
    Oktay et al. upsample a; we upsample its logit, which keeps the logarithm exact where a gate is almost shut. Their code
    goes on with a convolution and a norm of the product, which belong to the host and would break gamma = 0.
    The hidden layer has half as many channels as the features, at least four, so that narrow skips keep a working gate.
    """

    needs_gating_signal = True
    varies_over = "space"

    def __init__(self, channels: int, gating_channels: int, *, stride: tuple[int, ...]) -> None:
        super().__init__()
        convolution: type[Any] = CONVOLUTIONS[len(stride)]
        hidden = max(channels // 2, MINIMUM_HIDDEN_CHANNELS)
        self.project_features = convolution(channels, hidden, kernel_size=stride, stride=stride, bias=False)
        self.project_signal = convolution(gating_channels, hidden, kernel_size=1)
        self.score = convolution(hidden, 1, kernel_size=1)
        nn.init.constant_(self.project_signal.bias, STARTING_BIAS)

    @classmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate for a skip, with the stride between the grid of its features and that of its gating signal."""
        check_site_has_signal(cls, shape)
        return cls(shape.channels, shape.gating_channels, stride=shape.gating_stride)

    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, C, *spatial) and signal (B, G, *coarser) -> one logit per pixel (B, 1, *spatial)."""
        projected = self.project_features(fill_stride(features, self.project_features.stride))
        signal = resample(self.project_signal(require_signal(self, gating_signal)), tuple(projected.shape[2:]))
        return (resample(self.score((projected + signal).relu()), tuple(features.shape[2:])),)
