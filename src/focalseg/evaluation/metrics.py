"""Overlap and distances of the predicted and the true mask of a case, by label: the scores of a run, by `focalseg.metrics`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.configuration import CheckedConfig, setting
from focalseg.metrics.case import DEFAULT_TOLERANCE
from focalseg.metrics.distances import measure_surfaces
from focalseg.metrics.emptiness import Emptiness
from focalseg.metrics.overlap import Counts, count_pixels
from focalseg.records.distances import Unit


@dataclass(frozen=True, kw_only=True)
class ScoreConfig(CheckedConfig):
    """tolerance: surfaces that lie no farther apart are the same for the surface Dice (NSD) of test cases, in mm; in pixels for
    images that state no spacing."""

    tolerance: float = setting(DEFAULT_TOLERANCE, at_least=0)


@dataclass(frozen=True, kw_only=True)
class Overlap(Emptiness):
    """Scores of one label of one case, each in [0, 1], with the pixel counts they come from.

    Both masks empty: every score is 1. One of them empty: every score is 0.
    """

    dice: float
    iou: float
    precision: float
    recall: float
    true_pixels: int
    predicted_pixels: int


@dataclass(frozen=True, kw_only=True)
class Distances:
    """How far the surfaces of one label of one case lie apart. nsd in [0, 1]; hd95, assd and tolerance in `unit`.

    Both masks empty: nsd is 1, the distances 0. One of them empty: nsd is 0, the distances the diagonal of the image.
    """

    nsd: float
    hd95: float
    assd: float
    tolerance: float
    unit: Unit


def measure_overlap(predicted: np.ndarray, true: np.ndarray) -> Overlap:
    """predicted and true (*spatial) bool of one shape -> their Overlap."""
    if predicted.shape != true.shape:
        raise ValueError(f"The prediction has shape {predicted.shape} and the mask {true.shape}; they must be the same.")
    if predicted.dtype != bool or true.dtype != bool:
        raise ValueError(f"The masks are {predicted.dtype} and {true.dtype}; expected bool. Use measure_labels for labels.")
    return score_counts(count_pixels(predicted, true))


def score_counts(counts: Counts) -> Overlap:
    """The Overlap of counted pixels of one label."""
    return Overlap(
        dice=counts.dice("one"),
        iou=counts.iou("one"),
        precision=counts.precision("one"),
        recall=counts.recall("one"),
        true_pixels=counts.true_pixels,
        predicted_pixels=counts.predicted_pixels,
    )


def measure_labels(
    predicted: np.ndarray, true: np.ndarray, labels: int, *, inside: np.ndarray | None = None
) -> tuple[Overlap, ...]:
    """predicted and true (*spatial) labels of one shape, 0 the background -> the Overlap of each label from 1 to labels.

    inside (*spatial) bool: where pixels count; everywhere by default.
    """
    if inside is not None:
        predicted, true = predicted[inside], true[inside]
    return tuple(measure_overlap(predicted == label, true == label) for label in range(1, labels + 1))


def measure_distances(
    predicted: np.ndarray,
    true: np.ndarray,
    labels: int,
    *,
    inside: np.ndarray | None = None,
    spacing_mm: tuple[float, ...] | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
) -> tuple[Distances, ...]:
    """predicted and true as for `measure_labels` -> the Distances of each label from 1 to labels.

    inside (*spatial) bool: where pixels count; both masks end there. spacing_mm: the size of a pixel along each axis; without
    it lengths are in pixels, the tolerance too.
    """
    found = []
    for label in range(1, labels + 1):
        one, other = predicted == label, true == label
        if inside is not None:
            one, other = one & inside, other & inside
        surfaces = measure_surfaces(one, other, spacing_mm=spacing_mm)
        found.append(
            Distances(
                nsd=surfaces.surface_dice(tolerance, "one"),
                hd95=surfaces.hausdorff(95, "one"),
                assd=surfaces.average_symmetric("one"),
                tolerance=tolerance,
                unit="pixels" if spacing_mm is None else "mm",
            )
        )
    return tuple(found)


def average_labels(scores: Sequence[Overlap] | Sequence[Distances], score: str) -> float:
    """A score of a case by the name of its field: the mean over its foreground labels.

    A label that the case lacks counts like any other: perfect where nothing was predicted either, else the worst there is.
    """
    return float(sum(getattr(one, score) for one in scores) / len(scores))
