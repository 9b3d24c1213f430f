"""focalseg: does attention help on my data, which kind, and where in the network?

The names below are the public interface; each is loaded when it is first used, so that importing the package is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "UNet": "focalseg.networks.unet",
    "UnifiedFocalLoss": "focalseg.losses.unified_focal",
    "sites": "focalseg.placement.sites",
    "instrument": "focalseg.placement.instrument",
    "gather_evidence": "focalseg.placement.evidence",
    "decide": "focalseg.placement.decision",
    "apply_placement": "focalseg.placement.pruning",
    "read_placement": "focalseg.placement.decision",
}
__all__ = [
    "UNet",
    "UnifiedFocalLoss",
    "__version__",
    "apply_placement",
    "decide",
    "gather_evidence",
    "instrument",
    "read_placement",
    "sites",
]

if TYPE_CHECKING:
    from focalseg.losses.unified_focal import UnifiedFocalLoss
    from focalseg.networks.unet import UNet
    from focalseg.placement.decision import decide, read_placement
    from focalseg.placement.evidence import gather_evidence
    from focalseg.placement.instrument import instrument
    from focalseg.placement.pruning import apply_placement
    from focalseg.placement.sites import sites


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'focalseg' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
