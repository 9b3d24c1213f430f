"""A site: the only place where features are multiplied by coefficients, and the only owner of a gamma.

The ways of being off. Weights and gammas stay, unless it says otherwise; `=` the output is that of the host, to the bit.

way              set by                                             output                                      undone by
`enabled` False  disable_attention, without_attention               =                                           enable_attention
`stand_in`       gather_evidence, SiteDropout                       = for ones; else scaled by the constant     setting None
gamma 0          training: project_gammas, SparsityPath and others  =                                           a gradient step
`ShutSite`       fill_sites, apply_placement; it has no weights     without the skip; = while not `enabled`     remove_attention
`Open`           open_own_gates (hosts/pruning.py); weights go      with the host's own gate open for good      a new network

For an `OwnGateSite` the host is gamma 1: gamma 0, and ones as the stand-in, open the host's gate and leave all else as it is.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from focalseg.attention.gate import Gate
from focalseg.errors import SettingError, ShapeError
from focalseg.focal import at_least_float32, focal

ALL_PASSES, NOTHING_PASSES = torch.ones(()), torch.zeros(())
"""Constants that may stand in for coefficients: with ones everything passes, as in the host, with zeros nothing does."""


class FocalSite(nn.Module, ABC):
    """What every site has: gamma, and ways of not applying its coefficients (see the table above).

    gamma is one learnable scalar, >= 0 (`project_gammas` keeps it there during training). `enabled`: where it is False the site
    lets everything through as if it were not there. `stand_in`: a constant that is applied instead of the coefficients, while
    the cost of removal is measured and in the steps of a training in which site dropout leaves the site out; None: the
    coefficients are. It is no part of the state that is saved. `borrows`: where it is True each case of a batch of two or
    more has the coefficients of another one, half a batch away, since those next to it often are of its group. `switch`: a
    module that gives a factor in [0, 1] of gamma.
    """

    def __init__(self, *, gamma: float = 1.0) -> None:
        super().__init__()
        if not 0 <= gamma < float("inf"):
            raise SettingError(f"gamma was {gamma}; the focal exponent of a site is a finite number >= 0.")
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))
        self.enabled = True
        self.stand_in: Tensor | None = None
        self.borrows = False
        self.switch: nn.Module | None = None

    def _borrow(self, coefficients: Tensor) -> Tensor | None:
        """The coefficients of other cases, (B, ...) in another order; None where there are none or it is not asked."""
        return coefficients.roll(len(coefficients) // 2, dims=0) if self.borrows and len(coefficients) > 1 else None

    @property
    def exponent(self) -> Tensor:
        """The power that the coefficients are raised to: gamma, times the factor of the switch where there is one."""
        return self.gamma if self.switch is None else self.gamma * self.switch()

    @abstractmethod
    def compute_coefficients(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """The coefficients that features are multiplied by: in [0, 1], float32 at least, broadcasting to the features."""


class AttentionSite(FocalSite):
    """y = x * F(gate(x, g), gamma): gamma 0 is the host to the bit, 1 the plain module, large shuts the path."""

    def __init__(self, gate: Gate, *, gamma: float = 1.0) -> None:
        super().__init__(gamma=gamma)
        self.gate = gate

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """features (B, C, *spatial) -> y, of the same shape and dtype."""
        if not self.enabled:
            return features
        if self.borrows and (others := self._borrow(self.compute_coefficients(features, gating_signal))) is not None:
            return features * others.to(features.dtype)
        if self.stand_in is not None:
            return features * self.stand_in.to(features)
        return features * self.compute_coefficients(features, gating_signal).to(features.dtype)

    def compute_coefficients(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """F(gate(x, g), gamma), in [0, 1], float32 at least, broadcasting to the features."""
        log_coefficients = self.gate(features, gating_signal)
        if log_coefficients.ndim != features.ndim:
            raise ShapeError(
                f"{type(self.gate).__name__} gave log-coefficients {tuple(log_coefficients.shape)} "
                f"for features {tuple(features.shape)}; a gate returns a shape that broadcasts to its features."
            )
        return focal(log_coefficients, self.exponent)


class OwnGateSite(FocalSite):
    """Makes a gate that the host brought along focal: a becomes F(log a, gamma), and the host multiplies by it.

    gamma 1 is the host, gamma 0 the host with this gate open.
    """

    def forward(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:
        """The host's coefficients, in [0, 1] and of any shape -> the focal ones, of the same shape and dtype."""
        if not self.enabled:
            return features
        if self.borrows and (others := self._borrow(self.compute_coefficients(features, gating_signal))) is not None:
            return others.to(features.dtype)
        if self.stand_in is not None:
            return self.stand_in.to(features).expand_as(features)
        return self.compute_coefficients(features, gating_signal).to(features.dtype)

    def compute_coefficients(self, features: Tensor, gating_signal: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """F(log a, gamma) of the host's coefficients a, in [0, 1], float32 at least."""
        coefficients = at_least_float32(features)
        # The host hands over a and not its logit, and log 0 is -inf: so a is clamped to the smallest normal number of float32.
        return focal(coefficients.clamp(min=torch.finfo(torch.float32).tiny, max=1.0).log(), self.exponent)


class ShutSite(nn.Module):
    """Stands where nothing shall pass a skip, for good: it has no coefficients, no gamma and no weights.

    `enabled` is as in every site.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True

    def forward(self, features: Tensor, others: Tensor | None = None) -> Tensor:
        """features (B, C, *spatial) -> the same shape and dtype without the skip: zeros, or the others where the features are
        the sum of the skip and of others."""
        if not self.enabled:
            return features
        # Not features * 0: 0 times an infinite feature is not 0.
        return torch.zeros_like(features) if others is None else others.to(features.dtype)


AnySite = FocalSite | ShutSite
"""Whatever may stand at a site of a network."""
