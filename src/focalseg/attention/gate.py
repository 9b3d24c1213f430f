"""What every gate is: features in, log-coefficients out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.configuration import CheckedConfig, setting
from focalseg.focal import at_least_float32

_VARIANCE_FLOOR = 1e-5
"""Added to the variance of logits that are standardised, as torch's norms do: a constant map becomes 0, not noise."""

MINIMUM_HIDDEN_CHANNELS = 4
STARTING_BIAS = 0.5
"""Of hidden layers before a ReLU. With few units all may start below 0 on every image, and a gate that starts dead stays a
constant: hence no fewer than four of them, and a start above 0."""


@dataclass(frozen=True, kw_only=True)
class SiteShape(CheckedConfig):
    """What a gate must know of its site to be built. size: the spatial shape of the features in an example.

    gating_channels: of the gating signal, 0 where there is none. gating_stride: elements of the features for one of the
    signal along each axis, rounded; empty where there is none.
    """

    channels: int = setting(at_least=1)
    size: tuple[int, ...] = setting(at_least=1)
    gating_channels: int = setting(0, at_least=0)
    gating_stride: tuple[int, ...] = setting((), at_least=1)

    @property
    def spatial_dims(self) -> int:
        """Number of spatial axes."""
        return len(self.size)


class Gate(nn.Module, ABC):
    """Computes log-coefficients (<= 0) and never touches the features: the site multiplies.

    A gate gives logits and says how their logarithms go together; the sigmoid is taken here, once for all gates, in float32
    at least. `needs_gating_signal`: whether it uses features from a coarser level besides. `varies_over`: what its
    coefficients vary over. `standardise`: whether each case's logits are first brought to mean 0 and variance 1, so that
    the gate's own scale and shift cannot stand in for gamma; a map of one element (one channel, or one pixel) has nothing
    but a shift, and its coefficient is then one half; one of two elements can say no more than which is the larger.
    """

    needs_gating_signal: ClassVar[bool] = False
    varies_over: ClassVar[Literal["channels", "space", "both"]]
    standardise: bool = False

    @classmethod
    @abstractmethod
    def for_site(cls, shape: SiteShape) -> Self:
        """The gate with its usual settings for such a site."""

    @abstractmethod
    def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:
        """One logit map or several, each of a shape that broadcasts to the features (B, C, *spatial)."""

    def combine(self, logs: tuple[Tensor, ...]) -> Tensor:
        """The logarithm of what the coefficients of the maps make together: of their product, unless a gate says otherwise."""
        total = logs[0]
        for one in logs[1:]:
            total = total + one
        return total

    def take_log(self, logit: Tensor) -> Tensor:
        """log a = logsigmoid(z) of one map, float32 at least, z standardised first where the gate is so set."""
        logit = at_least_float32(logit)
        return F.logsigmoid(standardise(logit) if self.standardise else logit)

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """Log-coefficients for features (B, C, *spatial), a shape that broadcasts to them, finite, <= 0, float32 at least."""
        return self.combine(tuple(self.take_log(logit) for logit in self.compute_logits(features, gating_signal)))


def standardise(logit: Tensor) -> Tensor:
    """Mean 0 and variance 1 over channels and space, a case each; a constant becomes 0, but for rounding."""
    axes = tuple(range(1, logit.ndim))
    centred = logit - logit.mean(dim=axes, keepdim=True)
    variance = centred.square().mean(dim=axes, keepdim=True)
    return centred * (variance + _VARIANCE_FLOOR).rsqrt()
