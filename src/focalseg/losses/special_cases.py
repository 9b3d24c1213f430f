"""Losses of the field that are settings of the Unified Focal loss; tests compare each with its closed form.

Each is taken over all classes, the background included, as the Unified Focal loss is; for one channel too.
"""

from collections.abc import Mapping
from typing import Any

SPECIAL_CASES: Mapping[str, Mapping[str, Any]] = {
    # 1 - Dice (Milletari et al. 2016 without squares): TI at delta 0.5.
    "dice": {"overlap_weight": 1.0, "delta": 0.5, "gamma": 0.0},
    # 1 - TI (Salehi et al. 2017): delta is its beta, the weight of false negatives, 1 - delta its alpha.
    "tversky": {"overlap_weight": 1.0, "delta": 0.7, "gamma": 0.0},
    # (1 - TI)^(1 / gamma) with gamma = 4 / 3 (Abraham and Khan 2019): our 1 - gamma is its 1 / gamma.
    "focal_tversky": {"form": "symmetric", "overlap_weight": 1.0, "delta": 0.7, "gamma": 0.25},
    # (1 - p)^2 * CE (Lin et al. 2017), no class weighted: delta 0.5 halves, class_weights doubles again.
    "focal": {"form": "symmetric", "overlap_weight": 0.0, "delta": 0.5, "gamma": 2.0, "class_weights": (2.0,)},
    "cross_entropy": {"overlap_weight": 0.0, "delta": 0.5, "gamma": 0.0, "class_weights": (2.0,)},
    # (Dice + CE) / 2 (Taghanaki et al. 2019, alpha and beta one half).
    "combo": {"overlap_weight": 1 / 3, "delta": 0.5, "gamma": 0.0, "class_weights": (1.5,)},
    # mean (1 + phi) * CE (Caliva et al. 2019).
    "distance_penalised_cross_entropy": {
        "overlap_weight": 0.0,
        "delta": 0.5,
        "gamma": 0.0,
        "boundary_weight": 1.0,
        "class_weights": (2.0,),
    },
}
