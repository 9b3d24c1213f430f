"""What every gate is: features in, log-coefficients out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.configuration import CheckedConfig, setting
from focalseg.focal import at_least_float32

_VARIANCE_FLOOR = 1e-5
"""What is added to the variance of logits that are standardised, as in torch's norms: a constant map becomes 0, not noise."""

MINIMUM_HIDDEN_CHANNELS = 4
STARTING_BIAS = 0.5
"""The bias that hidden layers before a ReLU start at. With few units all may start below 0 on every image, and a gate that
starts dead stays a constant: hence no fewer than four units, and a start above 0."""


@dataclass(frozen=True, kw_only=True)
class SiteShape(CheckedConfig):
    """What a gate must know of its site to be built. size: the spatial shape of the features for an example image.

    gating_channels: those of the gating signal, 0 where there is none. gating_stride: how many elements of the features there
    are for one of the signal along each axis, rounded; empty where there is no signal.
    """

    channels: int = setting(at_least=1)
    size: tuple[int, ...] = setting(at_least=1)
    gating_channels: int = setting(0, at_least=0)
    gating_stride: tuple[int, ...] = setting((), at_least=1)

    @property
    def spatial_dims(self) -> int:
        """The number of spatial axes."""
        return len(self.size)


class Gate(nn.Module, ABC):
    """Computes log-coefficients (<= 0) and never touches the features: the site multiplies.

    A gate gives logits and says how their logarithms go together; the sigmoid is taken here, once for all gates, in float32
    at least. `needs_gating_signal`: whether it uses features from a coarser level as well. `varies_over`: what its
    coefficients vary over. `standardise`: whether each case's logits are first brought to mean 0 and variance 1, so that
    the gate's own scale and shift cannot stand in for gamma. A map of one element (one channel, or one pixel) then has the
    coefficient one half, and a map of two elements can only say which of them is the larger.
    """

    needs_gating_signal: ClassVar[bool] = False
    varies_over: ClassVar[Literal["channels", "space", "both"]]
    standardise: bool = False

    @classmethod
    @abstractmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate with its usual settings, for a site where such features pass."""

    @abstractmethod
    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:
        """The logits of the coefficients: one map or several, each broadcasting to the features (B, C, *spatial)."""

    def combine(self, logs: tuple[Tensor, ...]) -> Tensor:
        """The logarithm of the coefficients of all maps together: that of their product, unless a gate says otherwise."""
        return sum(logs[1:], start=logs[0])

    def take_log(self, logit: Tensor) -> Tensor:
        """log a = logsigmoid(z) of one map of logits, float32 at least; z is standardised first where the gate is set so."""
        logit = at_least_float32(logit)
        # logsigmoid and not log(sigmoid(z)), which is -inf for z below -104 in float32 and has no gradient there.
        return F.logsigmoid(standardise(logit) if self.standardise else logit)

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """The log-coefficients of features (B, C, *spatial): finite, <= 0, float32 at least, broadcasting to the features."""
        return self.combine(tuple(self.take_log(logit) for logit in self.compute_logits(features, gating_signal)))


def standardise(logit: Tensor) -> Tensor:
    """The logits of each case at mean 0 and variance 1 over channels and space; a constant becomes 0, but for rounding."""
    axes = tuple(range(1, logit.ndim))
    centred = logit - logit.mean(dim=axes, keepdim=True)
    variance = centred.square().mean(dim=axes, keepdim=True)
    return centred * (variance + _VARIANCE_FLOOR).rsqrt()
