"""What every gate is: features in, log-coefficients out."""

from abc import ABC, abstractmethod
from typing import Self

from torch import Tensor, nn


class Gate(nn.Module, ABC):
    """Computes log-coefficients (<= 0) and never touches the features: the site multiplies.

    `needs_gating_signal` says whether `forward` uses its second argument, features from a coarser level.
    """

    needs_gating_signal = False

    @classmethod
    @abstractmethod
    def for_site(cls, *, channels: int, gating_channels: int, spatial_dims: int) -> Self:
        """The gate with its usual settings for a site of so many channels; gating_channels is 0 where there is no signal."""

    @abstractmethod
    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """Log-coefficients for features (B, C, *spatial), of a shape that broadcasts to them, finite and <= 0."""
