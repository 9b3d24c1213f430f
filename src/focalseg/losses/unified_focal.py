"""The Unified Focal loss for one channel, from logits."""

from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import ShapeError
from focalseg.focal import at_least_float32, focal

EPSILON = 1e-7
SMALLEST_SHORTFALL = 1e-6


@dataclass(frozen=True, kw_only=True)
class UnifiedFocalConfig(CheckedConfig):
    """Settings of the Unified Focal loss, with the defaults of Yeung et al. 2022."""

    form: Literal["asymmetric", "symmetric"] = "asymmetric"
    overlap_weight: float = setting(0.5, at_least=0, at_most=1)
    delta: float = setting(0.6, above=0, below=1)
    gamma: float = setting(0.5, at_least=0, below=1)


class UnifiedFocalLoss(nn.Module):
    """overlap_weight * L_mFT + (1 - overlap_weight) * L_mF (Yeung et al. 2022, arXiv 2102.04525).

    delta weighs false negatives against false positives, foreground against background. gamma enhances the rare class in
    the overlap arm and suppresses easy background in the cross-entropy arm; "asymmetric" keeps each of the two to the class
    it is meant for. gamma 0 gives Tversky and weighted cross-entropy; delta 0.5 then Dice and half of cross-entropy.
    The paper calls overlap_weight lambda; its figure and its code disagree on which end lambda is.
    Raises SettingError for a setting out of range.
    """

    def __init__(
        self,
        *,
        form: Literal["asymmetric", "symmetric"] = UnifiedFocalConfig.form,
        overlap_weight: float = UnifiedFocalConfig.overlap_weight,
        delta: float = UnifiedFocalConfig.delta,
        gamma: float = UnifiedFocalConfig.gamma,
    ) -> None:
        super().__init__()
        config = UnifiedFocalConfig(form=form, overlap_weight=overlap_weight, delta=delta, gamma=gamma)
        self.form, self.overlap_weight, self.delta, self.gamma = (
            config.form,
            config.overlap_weight,
            config.delta,
            config.gamma,
        )

    @classmethod
    def from_config(cls, config: UnifiedFocalConfig) -> Self:
        """The loss of these settings."""
        return cls(**{field.name: getattr(config, field.name) for field in fields(config)})

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """logits (B, 1, *spatial); target (B, *spatial) or (B, 1, *spatial), values 0 and 1 -> a scalar, float32 at least.

        Raises ShapeError for more than one channel or a target of another shape.
        """
        logits, target = flatten_pair(logits, target)
        overlap = self.overlap_arm(logits, target).mean()
        cross_entropy = self.cross_entropy_arm(logits, target).mean()
        return self.overlap_weight * overlap + (1 - self.overlap_weight) * cross_entropy

    def overlap_arm(self, logits: Tensor, target: Tensor) -> Tensor:
        """Modified focal Tversky: (B, N) -> (B, 2), background and foreground a column each."""
        # The slope of exp(logsigmoid(z)) keeps its digits where that of sigmoid(z), formed as y (1 - y), loses them near 1.
        foreground, background = F.logsigmoid(logits).exp(), F.logsigmoid(-logits).exp()
        missed = (target * background).sum(dim=1)
        invented = ((1 - target) * foreground).sum(dim=1)
        shortfall = torch.stack(
            [
                tversky_shortfall(((1 - target) * background).sum(dim=1), invented, missed, self.delta),
                tversky_shortfall((target * foreground).sum(dim=1), missed, invented, self.delta),
            ],
            dim=1,
        )
        # s^(1 - gamma) = s * s^(-gamma): below the smallest shortfall the slope stays as it is instead of growing to infinity.
        enhanced = shortfall * focal(shortfall.clamp(min=SMALLEST_SHORTFALL).log(), -self.gamma)
        if self.form == "symmetric":
            return enhanced
        return torch.stack([shortfall[:, 0], enhanced[:, 1]], dim=1)

    def cross_entropy_arm(self, logits: Tensor, target: Tensor) -> Tensor:
        """Modified focal: (B, N) -> (B, N), per pixel, before the mean."""
        log_foreground, log_background = F.logsigmoid(logits), F.logsigmoid(-logits)
        background = -(1 - self.delta) * focal(log_foreground, self.gamma) * log_background
        foreground = -self.delta * log_foreground
        if self.form == "symmetric":
            foreground = foreground * focal(log_background, self.gamma)
        return target * foreground + (1 - target) * background


def tversky_shortfall(hits: Tensor, false_negatives: Tensor, false_positives: Tensor, delta: float) -> Tensor:
    """1 - TI per image, formed as a ratio and not by subtraction, which would lose every digit at TI near 1."""
    errors = delta * false_negatives + (1 - delta) * false_positives
    shortfall: Tensor = ShareOfErrors.apply(errors, hits + EPSILON)  # type: ignore[no-untyped-call]
    return shortfall


class ShareOfErrors(torch.autograd.Function):
    """errors / (errors + hits), with slopes that are products and not differences of large terms."""

    @staticmethod
    def forward(ctx: Any, errors: Tensor, hits: Tensor) -> Tensor:
        """Both (B,), non-negative, their sum positive."""
        ctx.save_for_backward(errors, hits)
        return errors / (errors + hits)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """The slopes in errors and in hits."""
        errors, hits = ctx.saved_tensors
        scale = gradients[0] / (errors + hits) ** 2
        return scale * hits, -scale * errors


def flatten_pair(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and target as (B, N) in float32 at least. Raises ShapeError where they do not fit together."""
    if logits.ndim < 3 or logits.shape[1] != 1:
        raise ShapeError(f"The logits have shape {tuple(logits.shape)}; one channel was expected: (B, 1, *spatial).")
    if target.ndim == logits.ndim - 1:
        target = target.unsqueeze(1)
    if target.shape != logits.shape:
        raise ShapeError(
            f"The target has shape {tuple(target.shape)}; logits {tuple(logits.shape)} need (B, *spatial) or (B, 1, *spatial)."
        )
    flat = at_least_float32(logits).flatten(1)
    return flat, target.flatten(1).to(flat.dtype)
