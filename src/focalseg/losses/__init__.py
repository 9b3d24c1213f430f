"""Losses, from logits. LOSSES names them all: a name gives a builder, whose keywords are the loss's settings.

Each name is loaded when it is first used, so that the settings of a loss are read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from focalseg.losses.boundary_loss import BoundaryLoss
    from focalseg.losses.loss_catalogue import LOSSES
    from focalseg.losses.unified_focal import (
        UnifiedFocalLoss,
        modified_focal_loss,
        modified_focal_tversky_loss,
        unified_focal_loss,
    )
    from focalseg.losses.unified_focal_config import UnifiedFocalConfig

__all__ = [
    "LOSSES",
    "BoundaryLoss",
    "UnifiedFocalConfig",
    "UnifiedFocalLoss",
    "modified_focal_loss",
    "modified_focal_tversky_loss",
    "unified_focal_loss",
]
_HOMES = {"LOSSES": "loss_catalogue", "BoundaryLoss": "boundary_loss", "UnifiedFocalConfig": "unified_focal_config"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'focalseg.losses' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"focalseg.losses.{_HOMES.get(name, 'unified_focal')}"), name)
