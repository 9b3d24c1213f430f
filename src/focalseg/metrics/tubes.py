"""clDice: whether tubes are connected as they should be, from the skeletons of two masks. Needs scikit-image."""

import importlib
import math
from types import ModuleType
from typing import Any

import numpy as np

from focalseg.errors import SettingError
from focalseg.metrics.emptiness import DEFAULT_EMPTY, Empty, check_empty, settle_empty
from focalseg.metrics.masks import read_binary


def centreline_dice(predicted: Any, reference: Any, *, inside: Any = None, empty: Empty = DEFAULT_EMPTY) -> float:
    """clDice of two masks of one label, (*spatial) bool or 0 and 1 in 2-D or 3-D, in [0, 1] (Shit et al. 2021, equations 1, 2).

    The harmonic mean of the share of the predicted skeleton inside the reference and the share of the reference's skeleton
    inside the prediction. Skeletons are scikit-image's: Zhang and Suen 1984 in 2-D, Lee et al. 1994 in 3-D. Thinning looks at
    pixels in some order, so that a turned image may have a skeleton that is a pixel off. Raises SettingError without
    scikit-image or in 1-D, else as `dice` does.
    """
    check_empty(empty)
    find_skeletonize()
    return compare_centrelines(*read_binary(predicted, reference, inside), empty)


def find_skeletonize() -> ModuleType:
    """scikit-image's module of skeletons. Raises SettingError where it is not installed."""
    try:
        return importlib.import_module("skimage.morphology")
    except ImportError as error:
        raise SettingError("clDice needs scikit-image, which is not installed: pip install 'focalseg[tubes]'.") from error


def compare_centrelines(predicted: np.ndarray, reference: np.ndarray, empty: Empty) -> float:
    """`centreline_dice` of bool masks that were checked. Raises SettingError in 1-D, where there are no tubes."""
    if predicted.ndim == 1:
        raise SettingError("clDice compares tubes in 2-D and 3-D; these masks are 1-D. Leave it out.")
    skeletonize = find_skeletonize().skeletonize
    inside: list[float] = []
    for mask, other in ((predicted, reference), (reference, predicted)):
        skeleton = skeletonize(mask) > 0 if mask.any() else mask
        length = int(np.count_nonzero(skeleton))
        inside.append(float(np.count_nonzero(skeleton & other)) / length if length else math.nan)
    precision, sensitivity = inside
    total = precision + sensitivity
    value = 2 * precision * sensitivity / total if total else total  # 0 where no skeleton is inside, nan where there is none
    first, second = int(predicted.any()), int(reference.any())
    return settle_empty(value, best=1.0, worst=0.0, first=first, second=second, empty=empty)
