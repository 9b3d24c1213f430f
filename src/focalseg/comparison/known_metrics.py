"""What the name of a metric tells of it: how it is printed, which end is the good one, and where its values can lie."""

import re
from typing import Literal

from focalseg.records.scores.comparison import Better

WITH_OBJECT = "Dice with object"
"""The Dice of the labels that a case has, of the cases that have any."""
_Kind = Literal["share", "distance", "count", "fault count"]
_KNOWN: dict[str, tuple[_Kind, tuple[str, ...]]] = {
    "Dice": ("share", ("dsc", "dice_similarity", "dice_similarity_coefficient")),
    WITH_OBJECT: ("share", ("dice_with_object",)),
    "Dice at tuned threshold": ("share", ("tuned_dice",)),
    "IoU": ("share", ("jaccard", "intersection_over_union")),
    "Precision": ("share", ("ppv", "positive_predictive_value")),
    "Recall": ("share", ("sensitivity", "tpr", "true_positive_rate")),
    "Specificity": ("share", ("tnr", "true_negative_rate")),
    "NSD": ("share", ("surface_dice", *(f"normali{s}ed_surface_{what}" for s in "sz" for what in ("dice", "distance")))),
    "clDice": ("share", ("cl_dice", "centerline_dice", "centreline_dice")),
    "F1": ("share", ("f1score",)),
    "AUC": ("share", ("auroc", "roc_auc")),
    "AP": ("share", ("average_precision", "avg_precision", "auprc")),
    "Accuracy": ("share", ("acc",)),
    "Lesion F1": ("share", ()),
    "Lesion recall": ("share", ()),
    "Lesion precision": ("share", ()),
    "HD95": ("distance", ("95hd", "hd_95", "hausdorff95", "hausdorff_95", "hausdorff_distance_95", "hausdorff_distance95")),
    "HD": ("distance", ("hausdorff", "hausdorff_distance")),
    "ASSD": ("distance", ("average_symmetric_surface_distance",)),
    "ASD": ("distance", ("average_surface_distance",)),
    "MASD": ("distance", ()),
    "MSD": ("distance", ("mean_surface_distance",)),
    "ECE": ("distance", ("expected_calibration_error",)),
    "TP": ("count", ()),
    "TN": ("count", ()),
    "FP": ("fault count", ()),
    "FN": ("fault count", ()),
    "Volume difference": ("distance", ("absolute_volume_difference", "avd")),
    "Relative volume difference": ("distance", ("absolute_relative_volume_difference",)),
}
"""By the name that is printed: what kind of number it is, and its other names."""
_ALIASES = {alias: name for name, (_, more) in _KNOWN.items() for alias in (name.lower().replace(" ", "_"), *more)}
_FILLERS = re.compile(r"^(?:(?:val|validation|test|mean|avg|average)_)+|(?:_(?:score|coefficient|index|metric|mm|px|pixels))+$")
"""What is said around the name of a metric, as in val_mean_dice or DiceMetric."""
_HIGHER_WORDS = frozenset(["dice", "dsc", "f1", "iou", "jaccard", "precision", "recall", "sensitivity", "specificity"])
_HIGHER_WORDS |= frozenset(["nsd", "cldice", "auc", "auroc", "ap", "accuracy"])
_LOWER_WORDS = frozenset(["hd", "hd95", "hausdorff", "distance", "asd", "assd", "msd", "error", "ece", "loss"])


def name_metric(metric: str) -> str:
    """The one name under which a known metric is printed, whatever its source writes: Dice for dice, DSC and val_mean_dice."""
    return _find_known(metric) or metric.strip()


def find_better(metric: str) -> Better | None:
    """Which end of a metric is the good one, None where its name does not tell: Dice higher, my_surface_distance lower."""
    known = _find_known(metric)
    if known is not None:
        kind = _KNOWN[known][0]
        return "lower" if kind in ("distance", "fault count") else "higher"
    words = _split(metric)
    if words & _LOWER_WORDS:
        return "lower"
    return "higher" if words & _HIGHER_WORDS else None


def is_share(metric: str) -> bool:
    """Whether it is known to lie between 0 and 1, or 0 and 100 in percent."""
    known = _find_known(metric)
    return _KNOWN[known][0] == "share" if known else find_better(metric) == "higher"


def is_distance(metric: str) -> bool:
    """Whether it is known to be 0 at best and without a bound."""
    known = _find_known(metric)
    return _KNOWN[known][0] == "distance" if known else find_better(metric) == "lower"


def is_at_tolerance(metric: str) -> bool:
    """Whether it is a share of surfaces within a tolerance, without which it says nothing."""
    return _find_known(metric) == "NSD"


def are_same(one: str, other: str) -> bool:
    """Whether two names are of one metric, such as Dice, dice and val_mean_dice."""
    return name_metric(one).lower() == name_metric(other).lower()


def name_source(metric: str) -> str:
    """The metric that is read where this one is asked for: Dice, where it is taken over the cases that have the object."""
    return "Dice" if are_same(metric, WITH_OBJECT) else metric


def is_known(name: str) -> bool:
    """Whether a column of that name holds a metric, rather than the scores of a system."""
    return _find_known(name) is not None or name.strip().lower() in _HIGHER_WORDS | _LOWER_WORDS


def _find_known(metric: str) -> str | None:
    whole = metric.strip()
    for text in (whole, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", whole)):  # MeanDice are two words, and IoU is one
        joined = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
        core = _FILLERS.sub("", joined)
        for name in (joined, core, core.replace("_", "")):  # the last for MeanIoU
            if name in _ALIASES:
                return _ALIASES[name]
    return None


def _split(metric: str) -> frozenset[str]:
    return frozenset(re.split(r"[^a-z0-9]+", metric.strip().lower()))
