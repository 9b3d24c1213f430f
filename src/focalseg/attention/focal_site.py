"""A site: the only place where features are multiplied by coefficients, and the only owner of a gamma; or nothing passes."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from focalseg.attention.gate import Gate
from focalseg.errors import SettingError, ShapeError
from focalseg.focal import at_least_float32, focal

ALL_PASSES, NOTHING_PASSES = torch.ones(()), torch.zeros(())
"""Constants that may stand in for coefficients: everything passes, as in the host, or nothing does."""


class FocalSite(nn.Module, ABC):
    """What every site has: gamma, and ways of not applying its coefficients.

    gamma is one learnable scalar, >= 0 (`project_gammas` keeps it there during training). `enabled`: a site that is not lets
    everything through as if it were not there. `removed` holds the constant that stands in for the coefficients while the
    cost of removal is measured. `switch`: a module that gives a factor in [0, 1] of gamma, while a training needs one.
    """

    def __init__(self, *, gamma: float = 1.0) -> None:
        super().__init__()
        if not 0 <= gamma < float("inf"):
            raise SettingError(f"gamma was {gamma}; the focal exponent of a site is a finite number >= 0.")
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))
        self.enabled = True
        self.stand_in: Tensor | None = None
        self.switch: nn.Module | None = None

    @property
    def exponent(self) -> Tensor:
        """What the coefficients are raised to: gamma, times the factor of the switch where there is one."""
        return self.gamma if self.switch is None else self.gamma * self.switch()

    @abstractmethod
    def compute_coefficients(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """What the features are multiplied by, in [0, 1], float32, broadcasting to the features."""


class AttentionSite(FocalSite):
    """y = x * F(gate(x, g), gamma): gamma 0 is the host to the bit, 1 the plain module, large shuts the path."""

    def __init__(self, gate: Gate, *, gamma: float = 1.0) -> None:
        super().__init__(gamma=gamma)
        self.gate = gate

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """(B, C, *spatial) -> the same shape and dtype."""
        if not self.enabled:
            return features
        if self.stand_in is not None:
            return features * self.stand_in.to(features)
        return features * self.compute_coefficients(features, gating_signal).to(features.dtype)

    def compute_coefficients(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """F(gate(x, g), gamma), in [0, 1], float32, broadcasting to the features."""
        log_coefficients = self.gate(features, gating_signal)
        if log_coefficients.ndim != features.ndim:
            raise ShapeError(
                f"{type(self.gate).__name__} gave log-coefficients {tuple(log_coefficients.shape)} "
                f"for features {tuple(features.shape)}; a gate returns a shape that broadcasts to its features."
            )
        return focal(log_coefficients, self.exponent)


class OwnGateSite(FocalSite):
    """Makes a gate that the host brought along focal: a becomes F(log a, gamma), and the host multiplies by it.

    a is the output of the host's own sigmoid, so the logarithm is taken of a clamped to the smallest normal number of
    float32. gamma 1 is the host, gamma 0 the host with this gate open.
    """

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """The host's coefficients, any shape, in [0, 1] -> the same shape and dtype."""
        if not self.enabled:
            return features
        if self.stand_in is not None:
            return self.stand_in.to(features).expand_as(features)
        return self.compute_coefficients(features, gating_signal).to(features.dtype)

    def compute_coefficients(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """F(log a, gamma) of the host's coefficients a, float32."""
        coefficients = at_least_float32(features)
        return focal(coefficients.clamp(min=torch.finfo(torch.float32).tiny, max=1).log(), self.exponent)


class ShutSite(nn.Module):
    """Stands where nothing shall pass a skip, for good: it has no coefficients, no gamma and no weights.

    A gate that gives 0 would not do: 0 times an infinite feature is not 0. `enabled` is as in every site.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True

    def forward(self, features: Tensor, others: Tensor | None = None) -> Tensor:
        """(B, C, *spatial) -> the same shape and dtype, without the skip: zeros; or, where features are the sum of the skip
        and of others, the others."""
        if not self.enabled:
            return features
        return torch.zeros_like(features) if others is None else others.to(features.dtype)


AnySite = FocalSite | ShutSite
"""What may stand at a place in a network."""
