"""All losses by name: a name gives a builder, whose keywords are the loss's settings."""

from collections.abc import Callable
from functools import partial

from torch import nn

from focalseg.catalogue import Catalogue
from focalseg.losses.boundary_loss import BoundaryLoss
from focalseg.losses.from_monai import FROM_MONAI, MonaiLoss
from focalseg.losses.special_cases import SPECIAL_CASES
from focalseg.losses.unified_focal import UnifiedFocalLoss

LOSSES = Catalogue[Callable[..., nn.Module]](
    "loss",
    {
        "unified_focal": UnifiedFocalLoss,
        **{name: partial(UnifiedFocalLoss, **settings) for name, settings in SPECIAL_CASES.items()},
        "boundary": BoundaryLoss,
        **{name: partial(MonaiLoss, name) for name in FROM_MONAI},
    },
)
