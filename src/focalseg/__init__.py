"""focalseg: does attention help on my data, which kind, and where in the network?

The names below are the public interface; each is loaded when it is first used, so that importing the package is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "UNet": "focalseg.networks.unet",
    "UnifiedFocalLoss": "focalseg.losses.unified_focal",
    "sites": "focalseg.hosts.finding",
    "instrument": "focalseg.hosts.instrument",
    "find_dead_sites": "focalseg.hosts.dead_sites",
    "measure_costs": "focalseg.hosts.costs",
    "freeze_host": "focalseg.hosts.freezing",
    "unfreeze_host": "focalseg.hosts.freezing",
    "save_attention": "focalseg.hosts.weights",
    "load_attention": "focalseg.hosts.weights",
    "disable_attention": "focalseg.hosts.pruning",
    "enable_attention": "focalseg.hosts.pruning",
    "without_attention": "focalseg.hosts.pruning",
    "remove_attention": "focalseg.hosts.pruning",
    "reattach_attention": "focalseg.hosts.attachment",
    "allow_unreached": "focalseg.hosts.attachment",
    "read_gammas": "focalseg.hosts.gammas",
    "parameter_groups": "focalseg.hosts.gammas",
    "project_gammas": "focalseg.hosts.gammas",
    "SiteDropout": "focalseg.placement.site_dropout",
    "gather_evidence": "focalseg.placement.evidence",
    "decide": "focalseg.placement.decision",
    "read_placement": "focalseg.records.placement",
    "apply_placement": "focalseg.placement.applying",
    "load": "focalseg.inference.loading",
    "compare": "focalseg.comparison.comparing",
    "compare_results": "focalseg.comparison.results",
    "evaluate": "focalseg.evaluation.masks.evaluating",
    "save": "focalseg.exporting.saving",
    "evaluate_job": "focalseg.study.external.evaluating",
}
_ROOMS = ("metrics",)
"""Modules that are used as such: focalseg.metrics.dice."""
__all__ = list(_HOMES)
__all__ += list(_ROOMS)
__all__ += ["__version__"]

if TYPE_CHECKING:
    from focalseg import metrics as metrics
    from focalseg.comparison.comparing import compare as compare
    from focalseg.comparison.results import compare_results as compare_results
    from focalseg.evaluation.masks.evaluating import evaluate as evaluate
    from focalseg.exporting.saving import save as save
    from focalseg.hosts.attachment import allow_unreached as allow_unreached
    from focalseg.hosts.attachment import reattach_attention as reattach_attention
    from focalseg.hosts.costs import measure_costs as measure_costs
    from focalseg.hosts.dead_sites import find_dead_sites as find_dead_sites
    from focalseg.hosts.finding import sites as sites
    from focalseg.hosts.freezing import freeze_host as freeze_host
    from focalseg.hosts.freezing import unfreeze_host as unfreeze_host
    from focalseg.hosts.gammas import parameter_groups as parameter_groups
    from focalseg.hosts.gammas import project_gammas as project_gammas
    from focalseg.hosts.gammas import read_gammas as read_gammas
    from focalseg.hosts.instrument import instrument as instrument
    from focalseg.hosts.pruning import disable_attention as disable_attention
    from focalseg.hosts.pruning import enable_attention as enable_attention
    from focalseg.hosts.pruning import remove_attention as remove_attention
    from focalseg.hosts.pruning import without_attention as without_attention
    from focalseg.hosts.weights import load_attention as load_attention
    from focalseg.hosts.weights import save_attention as save_attention
    from focalseg.inference.loading import load as load
    from focalseg.losses.unified_focal import UnifiedFocalLoss as UnifiedFocalLoss
    from focalseg.networks.unet import UNet as UNet
    from focalseg.placement.applying import apply_placement as apply_placement
    from focalseg.placement.decision import decide as decide
    from focalseg.placement.evidence import gather_evidence as gather_evidence
    from focalseg.placement.site_dropout import SiteDropout as SiteDropout
    from focalseg.records.placement import read_placement as read_placement
    from focalseg.study.external.evaluating import evaluate_job as evaluate_job


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"focalseg.{name}")
    if name not in _HOMES:
        known = ", ".join(sorted((*_HOMES, *_ROOMS)))
        raise AttributeError(f"module 'focalseg' has no attribute {name!r}; it has {known}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
