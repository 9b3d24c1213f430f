"""Pairs of masks looked at, so that every fault is known before anything is scored, and then scored one at a time."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from focalseg.counting import Count
from focalseg.errors import DataError, SettingError
from focalseg.evaluation.masks.labelling import Labelling, Look
from focalseg.evaluation.masks.pairing import PairedCase
from focalseg.evaluation.masks.reading import MaskPixels, MaskReader, show_sides
from focalseg.evaluation.masks.settings import EvaluationSettings
from focalseg.findings import Finding, show_path
from focalseg.imagesets.dataset import read_mask
from focalseg.imagesets.masks import VOID, MaskCoding
from focalseg.imagesets.volumes.reading import compare_headers
from focalseg.metrics.case import CaseMeasures, measure

_VIEW = MaskCoding(threshold=True)
"""Fields of view come with stray values."""
_RESAMPLE = (
    "Resample the prediction onto the grid of the reference, labels by the nearest voxel, or copy its qform and sform where "
    "only they are wrong."
)
_RESIZE = "Resize the prediction to the size of the reference, labels by the nearest pixel."
_TURN = "Turn the prediction: its sides are those of the reference in another order."
MOST_WORKERS = 8
"""Masks at a time unless the caller says otherwise: each of them is held in memory."""
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True, kw_only=True)
class Sides:
    """How masks are read. views: by case, a mask of where scores count; for cases without one, everywhere."""

    predicted: MaskReader
    reference: MaskReader
    views: dict[str, Path]


@dataclass(frozen=True, kw_only=True)
class LookedAt:
    """A pair that was looked at. None where that side cannot be read. spacing_mm: of a volume. identical: to the pixel."""

    predicted: Look | None
    reference: Look | None
    faults: tuple[str | Finding, ...] = ()
    spacing_mm: tuple[float, ...] | None = None
    note: str = ""


def look_at_pairs(
    pairs: Sequence[PairedCase], sides: Sides, settings: EvaluationSettings, *, count: Count, workers: int | None
) -> list[LookedAt]:
    """Every pair, with all that keeps it from being scored."""
    return _do_all("reading masks", lambda pair: _look(pair, sides, settings), pairs, count, workers)


def score_pairs(
    pairs: Sequence[PairedCase],
    sides: Sides,
    settings: EvaluationSettings,
    labelling: Labelling,
    *,
    count: Count,
    workers: int | None,
) -> list[dict[str, CaseMeasures]]:
    """The measures of every pair by the name of the label, in the order of the pairs. Raises DataError naming the mask."""
    return _do_all("scoring", lambda pair: _score(pair, sides, settings, labelling), pairs, count, workers)


def _do_all(
    title: str, do: Callable[[_Given], _Made], given: Sequence[_Given], count: Count, workers: int | None
) -> list[_Made]:
    """What is made of each, several at a time; at most so many masks are in memory at once."""
    made: list[_Made] = []
    with count(title) as advance, ThreadPoolExecutor(workers or min(os.cpu_count() or 1, MOST_WORKERS)) as pool:
        try:
            for one in pool.map(do, given):
                made.append(one)
                advance(len(made), len(given))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # a fault or a signal does not wait for all the others
            raise
    return made


def _look(pair: PairedCase, sides: Sides, settings: EvaluationSettings) -> LookedAt:
    faults: list[str | Finding] = []
    masks: list[MaskPixels | None] = []
    for reader, files in ((sides.predicted, pair.predicted), (sides.reference, pair.reference)):
        try:
            masks.append(reader.read(files))
        except DataError as error:
            faults += error.findings or error.faults
            masks.append(None)
    one, other = masks
    if one is not None and other is not None:
        faults += _compare(pair, one, other, settings)
    if other is not None and not faults:
        faults += _find_unjudged(pair, other, sides, settings)
    predicted, reference = (
        None if mask is None else Look(path=show_path(files.masks[0]), shape=mask.array.shape, values=mask.values)
        for mask, files in zip(masks, (pair.predicted, pair.reference), strict=True)
    )
    spacing = None if other is None else other.spacing_mm
    note = next((mask.note for mask in masks if mask is not None and mask.note), "")
    return LookedAt(predicted=predicted, reference=reference, faults=tuple(faults), spacing_mm=spacing, note=note)


def _compare(pair: PairedCase, one: MaskPixels, other: MaskPixels, settings: EvaluationSettings) -> Iterator[str | Finding]:
    """What keeps the two masks from being laid on one another."""
    paths = pair.predicted.masks[0], pair.reference.masks[0]
    if one.header is not None and other.header is not None:
        for finding in compare_headers(other.header, one.header, paths[1], paths[0], labels=False):
            yield replace(finding, mend=_TURN if finding.kind == "sizes_differ" and _are_turned(one, other) else _RESAMPLE)
    elif (one.header is None) != (other.header is None):
        kinds = ["a picture" if mask.header is None else "a volume" for mask in (one, other)]
        yield (
            f"{show_path(paths[0])}: is {kinds[0]} but its reference {show_path(paths[1])} is {kinds[1]}; expected the same "
            "kind of file. Convert the prediction."
        )
    elif one.array.shape != other.array.shape:
        mend = _TURN if _are_turned(one, other) else _RESIZE
        yield (
            f"{show_path(paths[0])}: is {show_sides(one.array.shape)} pixels but its reference {show_path(paths[1])} is "
            f"{show_sides(other.array.shape)}; expected the same size. {mend}"
        )
    elif settings.spacing_mm is not None and len(settings.spacing_mm) not in (1, other.array.ndim):
        yield (
            f"{show_path(paths[1])}: has {other.array.ndim} axes and --spacing {len(settings.spacing_mm)} numbers; expected "
            "one number, or one for each axis. Mend --spacing."
        )


def _are_turned(one: MaskPixels, other: MaskPixels) -> bool:
    return one.array.shape != other.array.shape and sorted(one.array.shape) == sorted(other.array.shape)


def _find_unjudged(
    pair: PairedCase, reference: MaskPixels, sides: Sides, settings: EvaluationSettings
) -> Iterator[str | Finding]:
    """A reference of which no pixel counts, and a field of view that cannot be read or has another size."""
    path = show_path(pair.reference.masks[0])
    void = VOID if sides.reference.coding is not None else settings.ignore
    judged = np.ones((), bool) if void is None or not reference.numbered else reference.array != void
    view = _find_view(pair, sides)
    if view is not None:
        try:
            inside = _read_view(view)
        except DataError as error:
            yield from error.findings or error.faults
            return
        if inside.shape != reference.array.shape:
            yield (
                f"{show_path(view)}: is {show_sides(inside.shape)} pixels but the mask {path} is "
                f"{show_sides(reference.array.shape)}; expected the same size. Export it again."
            )
            return
        judged = judged & inside
    if not judged.any():
        yield f"{path}: has no pixel that counts, as nobody judged any; expected some in every case. Take the case out."


def _find_view(pair: PairedCase, sides: Sides) -> Path | None:
    return sides.views.get(pair.name, pair.reference.field_of_view)


def _read_view(path: Path) -> np.ndarray:
    inside: np.ndarray = read_mask(path, _VIEW)[0].labels > 0
    return inside


def _score(pair: PairedCase, sides: Sides, settings: EvaluationSettings, labelling: Labelling) -> dict[str, CaseMeasures]:
    one, other = sides.predicted.read(pair.predicted), sides.reference.read(pair.reference)
    spacing = other.spacing_mm
    if spacing is None and settings.spacing_mm is not None:
        given = settings.spacing_mm
        spacing = given if len(given) > 1 else given * other.array.ndim
    view = _find_view(pair, sides)
    predicted, reference = (labelling.arrange(mask, ignore=settings.ignore) for mask in (one, other))
    try:
        measures = measure(
            predicted,
            reference,
            labels=tuple(dict.fromkeys(labelling.labels.values())),
            spacing_mm=spacing,
            tolerance_mm=settings.tolerance_mm,
            inside=None if view is None else _read_view(view),
            ignore=labelling.void,
            empty=settings.empty,
            surface=settings.surface,
            lesions=settings.lesion_rule,
            cldice=settings.cldice,
        )
    except (DataError, SettingError) as error:
        raise DataError(f"{show_path(pair.predicted.masks[0])}: {error}") from error
    return {name: measures[label] for name, label in labelling.labels.items()}
