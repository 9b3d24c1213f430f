"""Distances between the surfaces of two masks: computed once, exactly, and read as many measures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from focalseg.errors import SettingError
from focalseg.metrics.emptiness import DEFAULT_EMPTY, Empty, check_empty, settle_empty
from focalseg.metrics.masks import read_binary, read_spacing
from focalseg.metrics.nearest import ROUNDING, measure_nearest
from focalseg.metrics.surfaces import (
    DEFAULT_SURFACE,
    Grid,
    SurfaceKind,
    check_surface,
    extract_surface,
    find_box,
)


@dataclass(frozen=True, kw_only=True)
class SurfaceDistances:
    """How far the elements of either surface are from the other surface.

    predicted_distances, reference_distances: (N,), (M,) float64, in mm or pixels; nan where the other surface is empty.
    predicted_weights, reference_weights: the area of every element, 1 each for surface="voxels". diagonal: of the image, the
    worst distance there is. surface: which definition.
    """

    predicted_distances: np.ndarray
    reference_distances: np.ndarray
    predicted_weights: np.ndarray
    reference_weights: np.ndarray
    diagonal: float
    surface: SurfaceKind

    def surface_dice(self, tolerance_mm: float, empty: Empty = DEFAULT_EMPTY) -> float:
        """The share of both surfaces within the tolerance of the other, in [0, 1] (NSD; Nikolov et al. 2018)."""
        check_tolerance(tolerance_mm)
        within = sum(float(weights[distances <= tolerance_mm * (1 + ROUNDING)].sum()) for distances, weights in self._sides())
        area = float(self.predicted_weights.sum() + self.reference_weights.sum())
        return self._settle(within / area if area else math.nan, 1.0, 0.0, empty)

    def hausdorff(self, percentile: float = 95.0, empty: Empty = DEFAULT_EMPTY) -> float:
        """The larger of the two directed percentiles of the distances; of 100 the Hausdorff distance itself.

        surfels: the smallest distance that holds at least so large a share of the surface (DeepMind's). voxels: as NumPy's
        percentile, linearly between elements (MONAI's).
        """
        _check_percentile(percentile)
        value = max(self._take_percentile(*side, percentile) for side in self._sides()) if self._measured else math.nan
        return self._settle(value, 0.0, self.diagonal, empty)

    def average_symmetric(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """ASSD: the mean over both surfaces laid together (Heimann et al. 2009); the larger surface weighs more."""
        total = sum(float(distances @ weights) for distances, weights in self._sides())
        area = float(self.predicted_weights.sum() + self.reference_weights.sum())
        return self._settle(total / area if self._measured else math.nan, 0.0, self.diagonal, empty)

    def mean_average(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """MASD: the mean of the two directed means; both surfaces weigh the same."""
        means = [float(distances @ weights) / float(weights.sum()) for distances, weights in self._sides() if self._measured]
        return self._settle(sum(means) / 2 if means else math.nan, 0.0, self.diagonal, empty)

    @property
    def _measured(self) -> bool:
        return bool(self.predicted_weights.size and self.reference_weights.size)

    def _sides(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        return (
            (self.predicted_distances, self.predicted_weights),
            (self.reference_distances, self.reference_weights),
        )

    def _take_percentile(self, distances: np.ndarray, weights: np.ndarray, percentile: float) -> float:
        if percentile == 100:
            return float(distances.max())
        if self.surface == "voxels":
            return float(np.percentile(distances, percentile))
        order = np.argsort(distances)
        covered = np.cumsum(weights[order])
        enough = np.searchsorted(covered, covered[-1] * (percentile / 100 - ROUNDING))
        return float(distances[order[min(int(enough), order.size - 1)]])

    def _settle(self, value: float, best: float, worst: float, empty: Empty) -> float:
        first, second = self.predicted_weights.size, self.reference_weights.size
        return settle_empty(value, best=best, worst=worst, first=first, second=second, empty=empty)


def measure_surfaces(
    predicted: Any,
    reference: Any,
    *,
    spacing_mm: Sequence[float] | None = None,
    inside: Any = None,
    surface: SurfaceKind = DEFAULT_SURFACE,
) -> SurfaceDistances:
    """The distances between the surfaces of two masks of one label, (*spatial) bool or 0 and 1, 1 to 3 axes.

    spacing_mm: one positive number per axis; distances are in mm then, else in pixels. inside: where pixels count; elsewhere
    both masks are taken for background, as beyond the edge of the image. Raises ShapeError and DataError for masks that do not
    fit, SettingError for a spacing or a surface that does not.
    """
    check_surface(surface)
    one, other = read_binary(predicted, reference, inside)
    box = find_box(one, other)
    return compare_surfaces(one[box], other[box], read_spacing(spacing_mm, one.ndim), surface, one.shape)


def compare_surfaces(
    predicted: np.ndarray,
    reference: np.ndarray,
    spacing: tuple[float, ...],
    kind: SurfaceKind,
    image: tuple[int, ...],
) -> SurfaceDistances:
    """`measure_surfaces` of bool masks that were checked and cut to a box. image: the shape of the image that they are a part
    of, for its diagonal."""
    grid = Grid(box=predicted.shape)
    first, second = (extract_surface(mask, grid, spacing, kind) for mask in (predicted, reference))
    return SurfaceDistances(
        predicted_distances=measure_nearest(first.places, second.places, grid, spacing),
        reference_distances=measure_nearest(second.places, first.places, grid, spacing),
        predicted_weights=first.weights,
        reference_weights=second.weights,
        diagonal=math.hypot(*(step * side for step, side in zip(spacing, image, strict=True))),
        surface=kind,
    )


def surface_dice(
    predicted: Any,
    reference: Any,
    *,
    tolerance_mm: float,
    spacing_mm: Sequence[float] | None = None,
    inside: Any = None,
    surface: SurfaceKind = DEFAULT_SURFACE,
    empty: Empty = DEFAULT_EMPTY,
) -> float:
    """NSD, the share of both surfaces within the tolerance of the other, in [0, 1]. tolerance_mm: in pixels without a spacing.

    The other arguments and errors as for `measure_surfaces`, which gives all of these measures from one computation.
    """
    check_empty(empty)
    check_tolerance(tolerance_mm)
    found = measure_surfaces(predicted, reference, spacing_mm=spacing_mm, inside=inside, surface=surface)
    return found.surface_dice(tolerance_mm, empty)


def hausdorff_distance(
    predicted: Any,
    reference: Any,
    *,
    percentile: float = 95.0,
    spacing_mm: Sequence[float] | None = None,
    inside: Any = None,
    surface: SurfaceKind = DEFAULT_SURFACE,
    empty: Empty = DEFAULT_EMPTY,
) -> float:
    """HD95, or with percentile=100 the Hausdorff distance, in mm or pixels; arguments as for `measure_surfaces`."""
    check_empty(empty)
    _check_percentile(percentile)
    found = measure_surfaces(predicted, reference, spacing_mm=spacing_mm, inside=inside, surface=surface)
    return found.hausdorff(percentile, empty)


def average_surface_distance(
    predicted: Any,
    reference: Any,
    *,
    spacing_mm: Sequence[float] | None = None,
    inside: Any = None,
    surface: SurfaceKind = DEFAULT_SURFACE,
    empty: Empty = DEFAULT_EMPTY,
) -> float:
    """ASSD, the mean distance over both surfaces laid together, in mm or pixels; arguments as for `measure_surfaces`."""
    check_empty(empty)
    found = measure_surfaces(predicted, reference, spacing_mm=spacing_mm, inside=inside, surface=surface)
    return found.average_symmetric(empty)


def check_tolerance(tolerance_mm: float) -> None:
    """Raises SettingError for a tolerance that is no length."""
    if not (isinstance(tolerance_mm, int | float | np.number) and 0 <= tolerance_mm < math.inf):
        raise SettingError(
            f"tolerance_mm is {tolerance_mm!r}; expected a finite number, at least 0, in mm or, without a spacing, in pixels, "
            "as in tolerance_mm=2.0."
        )


def _check_percentile(percentile: float) -> None:
    """Raises SettingError for a percentile outside (0, 100]."""
    if not (isinstance(percentile, int | float | np.number) and 0 < percentile <= 100):
        raise SettingError(f"percentile is {percentile!r}; expected a number above 0 and up to 100, as in percentile=95.")
