"""Scores of segmentations: overlap, surface distances, lesions, tubes and probability maps, from arrays. It knows no torch.

>>> import numpy as np
>>> from focalseg import metrics
>>> reference, predicted = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
>>> reference[10:40, 10:40] = 1
>>> predicted[10:40, 13:43] = 1
>>> scores = metrics.measure(predicted, reference, labels=(1,), spacing_mm=(0.5, 0.5), tolerance_mm=1.0)[1]
>>> f"Dice {scores.dice:.2f}, HD95 {scores.hd95:.1f} {scores.unit}, NSD {scores.nsd:.2f} at {scores.tolerance_mm} mm"
'Dice 0.90, HD95 1.5 mm, NSD 0.53 at 1.0 mm'
>>> metrics.measure(predicted * 0, reference, empty="leave-out", labels=(1,))[1].hd95
nan
"""

from focalseg.metrics.case import (
    LOWER_IS_BETTER,
    SCORES,
    Average,
    CaseMeasures,
    average_measures,
    measure,
)
from focalseg.metrics.distances import (
    SurfaceDistances,
    average_surface_distance,
    hausdorff_distance,
    measure_surfaces,
    surface_dice,
)
from focalseg.metrics.emptiness import Empty
from focalseg.metrics.lesions import LesionRule, Lesions, count_lesions, lesion_f1
from focalseg.metrics.overlap import (
    Counts,
    count_masks,
    dice,
    iou,
    precision,
    recall,
    relative_volume_difference,
    specificity,
    volume_difference,
)
from focalseg.metrics.probabilities import (
    ProbabilityMeasures,
    auc,
    average_precision,
    calibration_error,
    measure_probabilities,
)
from focalseg.metrics.surfaces import SurfaceKind
from focalseg.metrics.tubes import centreline_dice

__all__ = [
    "LOWER_IS_BETTER",
    "SCORES",
    "Average",
    "CaseMeasures",
    "Counts",
    "Empty",
    "LesionRule",
    "Lesions",
    "ProbabilityMeasures",
    "SurfaceDistances",
    "SurfaceKind",
    "auc",
    "average_measures",
    "average_precision",
    "average_surface_distance",
    "calibration_error",
    "centreline_dice",
    "count_lesions",
    "count_masks",
    "dice",
    "hausdorff_distance",
    "iou",
    "lesion_f1",
    "measure",
    "measure_probabilities",
    "measure_surfaces",
    "precision",
    "recall",
    "relative_volume_difference",
    "specificity",
    "surface_dice",
    "volume_difference",
]
