"""Measures of a probability map of one label: how well it ranks pixels, and whether its numbers are what they say."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from focalseg.errors import DataError, SettingError
from focalseg.metrics.masks import check_shapes, find_labels, read_array, read_inside

DEFAULT_BINS = 15


@dataclass(frozen=True, kw_only=True)
class ProbabilityMeasures:
    """Of one label of one case. auc, average_precision, calibration_error, brier: in [0, 1].

    auc is nan where the reference has one class alone, average_precision where it has no foreground: nothing can stand in for
    them then, and they should stay out of every mean. true_pixels, pixels: of the foreground, and of all that count. bins: of
    the calibration error.
    """

    auc: float
    average_precision: float
    calibration_error: float
    brier: float
    true_pixels: int
    pixels: int
    bins: int


def measure_probabilities(
    probabilities: Any, reference: Any, *, bins: int = DEFAULT_BINS, inside: Any = None, ignore: int | None = None
) -> ProbabilityMeasures:
    """All measures of a probability map of one label.

    probabilities: (*spatial) float in [0, 1], that of the foreground. reference: (*spatial) bool or 0 and 1. inside, ignore:
    where pixels count, and the label of those that do not. bins: so many of equal width.
    Raises DataError for probabilities that are none or a reference of several labels, ShapeError and SettingError for the rest.
    """
    if not (isinstance(bins, int | np.integer) and bins > 0):
        raise SettingError(f"bins is {bins!r}; expected a whole number above 0, such as bins={DEFAULT_BINS}.")
    chances, truth = _read_chances(probabilities, reference, inside, ignore)
    true_pixels = int(np.count_nonzero(truth))
    hits, alarms, chosen = _count_by_threshold(chances, truth)
    return ProbabilityMeasures(
        auc=_find_area(hits, alarms),
        average_precision=_average_precision(hits, chosen),
        calibration_error=_find_calibration_error(chances, truth, int(bins)),
        brier=float(np.mean((chances - truth) ** 2)),
        true_pixels=true_pixels,
        pixels=truth.size,
        bins=int(bins),
    )


def auc(probabilities: Any, reference: Any, *, inside: Any = None, ignore: int | None = None) -> float:
    """The area under the ROC curve: the chance that a foreground pixel has a higher probability than a background pixel, ties
    counted as half. Arguments as for `measure_probabilities`."""
    return measure_probabilities(probabilities, reference, inside=inside, ignore=ignore).auc


def average_precision(probabilities: Any, reference: Any, *, inside: Any = None, ignore: int | None = None) -> float:
    """The sum over thresholds of precision times the gain in recall, as scikit-learn has it, without interpolation. Arguments
    as for `measure_probabilities`."""
    return measure_probabilities(probabilities, reference, inside=inside, ignore=ignore).average_precision


def calibration_error(
    probabilities: Any, reference: Any, *, bins: int = DEFAULT_BINS, inside: Any = None, ignore: int | None = None
) -> float:
    """ECE: over bins of equal width of the foreground's probability, the mean of |mean probability - share of foreground|,
    weighted by the pixels of the bins (Naeini et al. 2015, for one label). Arguments as for `measure_probabilities`."""
    return measure_probabilities(probabilities, reference, bins=bins, inside=inside, ignore=ignore).calibration_error


def _read_chances(probabilities: Any, reference: Any, inside: Any, ignore: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N,) float64 and truth (N,) bool of the pixels that count."""
    chances, truth = read_array(probabilities, "probabilities"), read_array(reference, "reference")
    check_shapes(chances, truth)
    where = read_inside(inside, ignore, truth)
    chances, truth = (values.reshape(-1) if where is None else values[where] for values in (chances, truth))
    if not np.isfinite(truth).all() or (strange := [one for one in _list_values(truth) if one not in (0, 1)]):
        found = "nan or inf" if not np.isfinite(truth).all() else ", ".join(f"{one:g}" for one in strange[:6])
        raise DataError(f"reference holds {found}; expected one label, bool or 0 and 1, such as reference == 1.")
    chances = chances.astype(np.float64)
    outside = ~((chances >= 0) & (chances <= 1))  # nan is in no range
    if outside.any():
        raise DataError(
            f"probabilities holds {chances[outside][0]:.6g}, and {np.count_nonzero(outside):,} pixels in all are outside of "
            "[0, 1]; expected probabilities. Put logits through sigmoid or softmax first."
        )
    return chances, truth.astype(bool)


def _list_values(values: np.ndarray) -> tuple[float, ...]:
    return find_labels(values) if values.dtype.kind in "biu" else tuple(map(float, np.unique(values)))


def _count_by_threshold(chances: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By threshold, the highest first: foreground pixels at or above it, background pixels, and both."""
    order = np.argsort(-chances, kind="stable")
    ordered = chances[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), ordered.size - 1)  # of equal probabilities the last
    hits = np.cumsum(truth[order], dtype=np.int64)[last]
    return hits, last + 1 - hits, last + 1


def _find_area(hits: np.ndarray, alarms: np.ndarray) -> float:
    """The area under the curve of hits over alarms, by trapezia, as a share of the whole."""
    if not (hits[-1] and alarms[-1]):
        return math.nan
    rates, falls = np.append(0.0, hits / hits[-1]), np.append(0.0, alarms / alarms[-1])
    return float(np.sum(np.diff(falls) * (rates[1:] + rates[:-1]) / 2))


def _average_precision(hits: np.ndarray, chosen: np.ndarray) -> float:
    if not hits[-1]:
        return math.nan
    return float(np.sum(np.diff(hits, prepend=0) * (hits / chosen)) / hits[-1])  # one division, so that 1 is not passed


def _find_calibration_error(chances: np.ndarray, truth: np.ndarray, bins: int) -> float:
    # Of two bins that meet at a probability the upper one has it; 1 is in the last.
    places = np.minimum((chances * bins).astype(np.int64), bins - 1)
    said, was = (np.bincount(places, weights=values, minlength=bins) for values in (chances, truth))
    return float(np.abs(said - was).sum() / chances.size)
