"""What the name of a metric tells of it: which end is the good one, and where its values can lie."""

import re

from focalseg.records.comparison import Better

_HIGHER = frozenset(
    [
        "dice",
        "dsc",
        "f1",
        "iou",
        "jaccard",
        "precision",
        "recall",
        "sensitivity",
        "specificity",
        "nsd",
        "cldice",
        "auc",
        "auroc",
        "ap",
        "accuracy",
        "tp",
        "tn",
    ]
)
_LOWER = frozenset(["hd", "hd95", "hausdorff", "distance", "asd", "assd", "masd", "msd", "error", "ece", "loss", "fp", "fn"])
_OF_VOLUMES = frozenset(["volume", "difference"])
_COUNTS = frozenset(["tp", "tn", "fp", "fn"])


def find_better(metric: str) -> Better | None:
    """Which end of a metric is the good one, None where its name does not tell: Dice higher, mean_surface_distance lower."""
    words = _split(metric)
    if words & _LOWER or words >= _OF_VOLUMES:
        return "lower"
    return "higher" if words & _HIGHER else None


def is_share(metric: str) -> bool:
    """Whether it is known to lie between 0 and 1, or 0 and 100 in percent."""
    words = _split(metric)
    return find_better(metric) == "higher" and not words & _COUNTS


def is_distance(metric: str) -> bool:
    """Whether it is known to be 0 at best and without a bound."""
    return find_better(metric) == "lower" and not _split(metric) & _COUNTS


def are_same(one: str, other: str) -> bool:
    """Whether two names are of one metric, such as Dice, dice and val_mean_dice."""
    known = [_split(name) & (_HIGHER | _LOWER) for name in (one, other)]
    return _normalise(one) == _normalise(other) or (known[0] == known[1] and bool(known[0]))


def is_known(name: str) -> bool:
    """Whether a column of that name holds a metric, rather than the scores of a system."""
    return _normalise(name) in _HIGHER | _LOWER


def _normalise(name: str) -> str:
    return name.strip().lower()


def _split(metric: str) -> frozenset[str]:
    return frozenset(re.split(r"[^a-z0-9]+", _normalise(metric)))
