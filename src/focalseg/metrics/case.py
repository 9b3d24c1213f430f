"""All scores of one case in one call: a record per label, and means that say what they leave out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from focalseg.errors import SettingError
from focalseg.metrics.distances import check_tolerance, compare_surfaces
from focalseg.metrics.emptiness import DEFAULT_EMPTY, Emptiness, Empty, check_empty
from focalseg.metrics.lesions import LesionRule, match_lesions
from focalseg.metrics.masks import Label, choose_labels, read_inside, read_pair, read_spacing, select_label
from focalseg.metrics.overlap import count_pixels, relate_volumes
from focalseg.metrics.surfaces import DEFAULT_SURFACE, SurfaceKind, check_surface, find_box
from focalseg.metrics.tubes import compare_centrelines, find_skeletonize

DEFAULT_TOLERANCE = 1.0


@dataclass(frozen=True, kw_only=True)
class CaseMeasures(Emptiness):
    """All scores of one label of one case. nan: not defined for these masks under this policy, or not asked for.

    dice, iou, precision, recall, specificity, nsd, lesion_f1, lesion_recall, lesion_precision, cldice: in [0, 1], higher is
    better. hd95, hd, assd, masd: distances in `unit`, lower is better. volume_difference: in `unit` to the power of the axes,
    at least 0; relative_volume_difference: as a share of the true volume. nsd: the surface Dice at tolerance_mm, which is in
    `unit`. true_pixels, predicted_pixels: the sizes of the masks. unit: mm or pixels. empty, surface: the policy, and the
    definition of the surface.
    """

    label: Label
    dice: float
    iou: float
    precision: float
    recall: float
    specificity: float
    volume_difference: float
    relative_volume_difference: float
    nsd: float
    hd95: float
    hd: float
    assd: float
    masd: float
    true_pixels: int
    predicted_pixels: int
    tolerance_mm: float
    unit: Literal["mm", "pixels"]
    empty: Empty
    surface: SurfaceKind
    lesion_f1: float = math.nan
    lesion_recall: float = math.nan
    lesion_precision: float = math.nan
    cldice: float = math.nan


SCORES = tuple(field.name for field in fields(CaseMeasures) if field.type is float and field.name != "tolerance_mm")
"""The names of the scores of a `CaseMeasures`."""
LOWER_IS_BETTER = frozenset(("volume_difference", "relative_volume_difference", "hd95", "hd", "assd", "masd"))


@dataclass(frozen=True, kw_only=True)
class Average:
    """A mean over cases and labels with what it rests on. value: nan where nothing is counted. counted: how many scores are in
    it; left_out: how many are nan. both_empty, one_empty: how many had empty masks, whether they are counted or left out."""

    value: float
    counted: int
    left_out: int
    both_empty: int
    one_empty: int


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What is measured of every label of a case."""

    spacing: tuple[float, ...]
    unit: Literal["mm", "pixels"]
    tolerance_mm: float
    empty: Empty
    surface: SurfaceKind
    lesions: LesionRule | None
    cldice: bool

    def __post_init__(self) -> None:
        check_empty(self.empty)
        check_surface(self.surface)
        check_tolerance(self.tolerance_mm)
        if not (self.lesions is None or isinstance(self.lesions, LesionRule)):
            raise SettingError(
                f"lesions is {self.lesions!r}; expected the rule by which they are matched, as in "
                "lesions=focalseg.metrics.LesionRule(least_iou=0.5), or None."
            )
        if self.cldice:
            find_skeletonize()


def measure(  # noqa: PLR0913
    predicted: Any,
    reference: Any,
    *,
    labels: Sequence[Label] | None = None,
    spacing_mm: Sequence[float] | None = None,
    tolerance_mm: float = DEFAULT_TOLERANCE,
    inside: Any = None,
    ignore: int | None = None,
    empty: Empty = DEFAULT_EMPTY,
    surface: SurfaceKind = DEFAULT_SURFACE,
    lesions: LesionRule | None = None,
    cldice: bool = False,
) -> dict[Label, CaseMeasures]:
    """All scores of one case, by label: the distances are computed once and read as many measures.

    predicted, reference: (*spatial) bool or whole numbers of one shape, 1 to 3 axes, anything that np.asarray takes. labels:
    what to measure, each a number or a tuple of numbers that make one region; by default what either mask holds beside 0.
    spacing_mm: one number per axis; without it lengths are in pixels, tolerance_mm too. inside: (*spatial), where pixels count;
    ignore: the label of pixels in the reference that do not; such pixels are background to surfaces. empty: what scores of
    empty masks are. lesions: how they are matched, where lesion scores are wanted; cldice: whether it is, which needs
    scikit-image.

    Raises ShapeError, DataError and SettingError, one for each thing that does not fit, before anything is computed.
    """
    one, other = read_pair(predicted, reference)
    wanted = _Wanted(
        spacing=read_spacing(spacing_mm, one.ndim),
        unit="pixels" if spacing_mm is None else "mm",
        tolerance_mm=tolerance_mm,
        empty=empty,
        surface=surface,
        lesions=lesions,
        cldice=cldice,
    )
    where = read_inside(inside, ignore, other)
    pixels = one.size if where is None else int(np.count_nonzero(where))
    return {
        label: _measure_label(label, _cut_label(one, other, label, where), pixels, one.shape, wanted)
        for label in choose_labels(labels, one, other, ignore)
    }


def _measure_label(
    label: Label,
    parts: tuple[np.ndarray, np.ndarray],
    pixels: int,
    image: tuple[int, ...],
    wanted: _Wanted,
) -> CaseMeasures:
    """The record of one label. parts: its masks within a box. pixels: how many count in the image, which has that shape."""
    empty = wanted.empty
    counts = count_pixels(*parts, pixels)
    surfaces = compare_surfaces(*parts, wanted.spacing, wanted.surface, image)
    extra: dict[str, float] = {}
    if wanted.lesions is not None:
        found = match_lesions(*parts, wanted.lesions)
        extra |= {"lesion_f1": found.f1(empty)}
        extra |= {"lesion_recall": found.recall(empty), "lesion_precision": found.precision(empty)}
    if wanted.cldice:
        extra["cldice"] = compare_centrelines(*parts, empty)
    return CaseMeasures(
        label=label,
        dice=counts.dice(empty),
        iou=counts.iou(empty),
        precision=counts.precision(empty),
        recall=counts.recall(empty),
        specificity=counts.specificity(empty),
        volume_difference=abs(counts.predicted_pixels - counts.true_pixels) * math.prod(wanted.spacing),
        relative_volume_difference=relate_volumes(counts, empty),
        nsd=surfaces.surface_dice(wanted.tolerance_mm, empty),
        hd95=surfaces.hausdorff(95, empty),
        hd=surfaces.hausdorff(100, empty),
        assd=surfaces.average_symmetric(empty),
        masd=surfaces.mean_average(empty),
        true_pixels=counts.true_pixels,
        predicted_pixels=counts.predicted_pixels,
        tolerance_mm=float(wanted.tolerance_mm),
        unit=wanted.unit,
        empty=empty,
        surface=wanted.surface,
        **extra,
    )


def _cut_label(
    predicted: np.ndarray, reference: np.ndarray, label: Label, where: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Both masks of a label, bool, within the box that holds it."""
    boxes = [find_box(select_label(mask, label)) for mask in (predicted, reference)]
    held = [box for box in boxes if box[0].stop]
    box = tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*(held or boxes), strict=True)
    )
    one, other = (select_label(mask[box], label) for mask in (predicted, reference))
    if where is not None:
        one, other = one & where[box], other & where[box]
    return one, other


def average_measures(measures: Iterable[CaseMeasures], score: str) -> Average:
    """The mean of a score, by the name of its field, over cases and labels; nan stays out and is counted.

    Raises SettingError for a name that no score has.
    """
    if score not in SCORES:
        raise SettingError(f"There is no score {score!r}; expected one of {', '.join(SCORES)}.")
    every = tuple(measures)
    values = [value for one in every if not math.isnan(value := getattr(one, score))]
    return Average(
        value=math.fsum(values) / len(values) if values else math.nan,
        counted=len(values),
        left_out=len(every) - len(values),
        both_empty=sum(one.both_empty for one in every),
        one_empty=sum(one.one_empty for one in every),
    )
