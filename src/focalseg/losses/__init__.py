"""Losses, from logits."""

from focalseg.losses.unified_focal import (
    UnifiedFocalConfig,
    UnifiedFocalLoss,
    modified_focal_loss,
    modified_focal_tversky_loss,
    unified_focal_loss,
)

__all__ = [
    "UnifiedFocalConfig",
    "UnifiedFocalLoss",
    "modified_focal_loss",
    "modified_focal_tversky_loss",
    "unified_focal_loss",
]
