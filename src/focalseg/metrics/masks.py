"""Two masks to compare, checked before anything is computed: of one shape, whole numbers, and where they count."""

import math
from collections.abc import Collection, Sequence
from operator import index
from typing import Any

import numpy as np

from focalseg.errors import DataError, SettingError, ShapeError

Label = int | tuple[int, ...]
"""A label, or a region of several: the pixels that have any of them."""
_CHUNK = 2**16  # pixels that are counted at a time, so that counting needs no memory to speak of
_WIDEST = 2**16  # labels farther apart than this are sorted and not counted
_MOST_AXES = 3
_MANY_SHOWN = 6
_COMMON_VOID = 255


def read_pair(predicted: Any, reference: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both masks as (*spatial) arrays of whole numbers or bool. They are anything that np.asarray takes, CPU tensors too.

    Raises ShapeError for shapes that differ or have not 1 to 3 axes, DataError for values that are no labels.
    """
    pair = read_array(predicted, "predicted"), read_array(reference, "reference")
    check_shapes(*pair)
    for mask, name in zip(pair, ("predicted", "reference"), strict=True):
        _check_whole(mask, name)
    one, other = (mask if mask.dtype.kind in "biu" else mask.astype(np.int64) for mask in pair)
    return one, other


def read_array(values: Any, name: str) -> np.ndarray:
    """Anything that np.asarray takes as an array of numbers. Raises DataError for what is none, or has masked pixels."""
    if np.ma.is_masked(values):  # np.asarray would take what is under the mask
        hidden = np.count_nonzero(np.ma.getmaskarray(values))
        raise DataError(
            f"{name} is a masked array with {hidden:,} masked pixels. Say where pixels count, and what lies under the mask: "
            f"{name}.filled(0) with inside=~numpy.ma.getmaskarray({name})."
        )
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # what torch raises on a GPU, with a gradient, and for bfloat16
        reason = str(error).rstrip(".")
        raise DataError(
            f"{name} is no array: {reason}. Hand over a NumPy array; of a tensor, {name}.detach().float().cpu()."
        ) from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} has the dtype {array.dtype}; expected numbers or bool, such as {name}.astype(numpy.uint8).")
    return array


def check_shapes(predicted: np.ndarray, reference: np.ndarray) -> None:
    """Raises ShapeError where the two cannot be laid on one another, or have no pixels."""
    if predicted.shape != reference.shape:
        raise ShapeError(
            f"predicted has shape {predicted.shape} and reference {reference.shape}; expected the same shape. "
            "Bring the prediction to the reference's grid first, labels by the nearest pixel."
        )
    if not 1 <= predicted.ndim <= _MOST_AXES or not predicted.size:
        raise ShapeError(
            f"The masks have shape {predicted.shape}; expected (*spatial) with 1 to {_MOST_AXES} axes and a pixel along each. "
            "Take one case at a time, without the axes of batch and channel: predicted[0, 0]."
        )


def _check_whole(mask: np.ndarray, name: str) -> None:
    """Raises DataError for a mask that holds anything but whole numbers."""
    if mask.dtype.kind != "f":
        return
    if not np.isfinite(mask).all():
        strange = mask[~np.isfinite(mask)]
        raise DataError(
            f"{name} holds {strange[0]} in {strange.size:,} pixels; expected whole numbers, the labels. "
            f"Find out where they come from before the case is scored."
        )
    broken = mask != np.rint(mask)
    if broken.any():
        raise DataError(
            f"{name} holds {mask[broken][0]:.6g}, which is no label; expected whole numbers. "
            f"Cut probabilities first: {name} = {name} > 0.5; they have measures of their own, measure_probabilities."
        )


def read_binary(predicted: Any, reference: Any, inside: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Two masks of one label as bool, False outside of `inside`. Raises DataError where a mask holds more than 0 and 1."""
    pair = read_pair(predicted, reference)
    for mask, name in zip(pair, ("predicted", "reference"), strict=True):
        if strange := [label for label in find_labels(mask) if label not in (0, 1)]:
            raise DataError(
                f"{name} holds {_list(strange)}; expected one label, bool or 0 and 1. "
                f"Compare one label: {name} == {strange[0]}; or all of them by focalseg.metrics.measure."
            )
    where = read_inside(inside, None, pair[1])
    one, other = (select_label(mask, 1) for mask in pair)
    if where is not None:
        one, other = one & where, other & where
    return one, other


def read_inside(inside: Any, ignore: int | None, reference: np.ndarray) -> np.ndarray | None:
    """Where pixels count, (*spatial) bool: inside a field of view and not of the ignored label; None for everywhere.

    Raises ShapeError for a field of view of another shape, DataError where no pixel counts.
    """
    judged: np.ndarray | None = None if ignore is None else reference != ignore
    if inside is not None:
        view = read_array(inside, "inside")
        if view.shape != reference.shape:
            raise ShapeError(f"inside has shape {view.shape}; expected that of the masks, {reference.shape}.")
        judged = view != 0 if judged is None else judged & (view != 0)
    if judged is None or judged.all():
        return None
    if not judged.any():
        raise DataError(
            "No pixel counts: the field of view is empty, or the reference is the ignored label all over. Take the case out."
        )
    return judged


def find_labels(mask: np.ndarray) -> tuple[int, ...]:
    """The values of a mask of whole numbers, in order."""
    if mask.dtype == bool:
        return tuple(label for label, held in ((0, not mask.all()), (1, mask.any())) if held)
    low, high = int(mask.min()), int(mask.max())
    if high - low >= _WIDEST:
        return tuple(map(int, np.unique(mask)))
    counts = np.zeros(high - low + 1, np.int64)
    flat = mask.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        counts += np.bincount(part.astype(np.int64) - low, minlength=counts.size)
    return tuple(int(place) + low for place in np.flatnonzero(counts))


def choose_labels(
    labels: Sequence[Label] | None, predicted: np.ndarray, reference: np.ndarray, ignore: int | None
) -> tuple[Label, ...]:
    """The labels to measure: those that were named, else those that either mask holds beside 0 and the ignored one.

    Raises SettingError for a name that is none, DataError for a label that a mask holds and nobody named.
    """
    held = {"predicted": _find_foreground(predicted, ignore), "reference": _find_foreground(reference, ignore)}
    if labels is None:
        return _guess_labels(held, predicted, reference)
    chosen = _read_labels(labels)
    named = {label for one in chosen for label in (one if isinstance(one, tuple) else (one,))}
    if not named or len(set(chosen)) < len(chosen) or ignore in named:
        raise SettingError(
            f"labels is {labels!r}; expected different whole numbers or tuples of them, without the ignored label ({ignore}), "
            "such as labels=(1, 2)."
        )
    for name, found in held.items():
        if strange := sorted(found - named):
            raise DataError(
                f"{name} holds {_list(strange)}, which labels={chosen} does not name. Name it there or make it 0 in the mask; "
                f"where it marks what nobody judged, ignore={strange[0]}."
            )
    return chosen


def _read_labels(labels: Sequence[Label]) -> tuple[Label, ...]:
    """The labels that were named; none where one of them is no whole number or tuple of such."""
    try:
        return tuple(tuple(map(index, one)) if isinstance(one, Collection) else index(one) for one in labels)
    except TypeError:
        return ()


def _find_foreground(mask: np.ndarray, ignore: int | None) -> set[int]:
    return set(find_labels(mask)) - {0, ignore}


def _guess_labels(held: dict[str, set[int]], predicted: np.ndarray, reference: np.ndarray) -> tuple[Label, ...]:
    """The labels of two masks of which nobody said what they hold. Raises DataError where that would be a guess."""
    if predicted.dtype == reference.dtype == bool:
        return (1,)
    for (name, mine), (other, theirs), mask in zip(held.items(), [*held.items()][::-1], (reference, predicted), strict=True):
        if mine - {1} and mask.dtype == bool:
            raise DataError(f"{name} holds {_list(sorted(mine))} and {other} is bool. Compare like with like: {name} == 1.")
        if _COMMON_VOID in mine - theirs:
            raise DataError(
                f"{name} holds {_COMMON_VOID} and {other} does not. Where it marks what nobody judged, ignore={_COMMON_VOID}; "
                f"where it is the foreground, {name} == {_COMMON_VOID}; else name the labels, as in labels=(1, 2)."
            )
    found = sorted(held["predicted"] | held["reference"])
    if not found:
        raise DataError("Neither mask holds a label but 0. Name those that are looked for, as in labels=(1,).")
    return tuple(found)


def select_label(mask: np.ndarray, label: Label) -> np.ndarray:
    """Where a mask has a label, or any label of a region, (*spatial) bool."""
    if isinstance(label, tuple):
        selected: np.ndarray = np.isin(mask, label)
        return selected
    if mask.dtype == bool:
        return mask if label == 1 else ~mask if label == 0 else np.zeros_like(mask)
    if mask.dtype == np.uint8 and label == 1 and (not mask.size or mask.max() <= 1):
        return mask.view(bool)  # the same bytes, so that nothing is copied
    equal: np.ndarray = mask == label
    return equal


def read_spacing(spacing_mm: Sequence[float] | None, axes: int) -> tuple[float, ...]:
    """The size of a pixel along every axis, 1 without a spacing. Raises SettingError where the spacing does not fit."""
    if spacing_mm is None:
        return (1.0,) * axes
    try:
        steps = tuple(map(float, np.ravel(np.asarray(spacing_mm))))
    except (TypeError, ValueError):
        steps = ()
    if len(steps) != axes or not all(math.isfinite(step) and step > 0 for step in steps):
        raise SettingError(
            f"spacing_mm is {spacing_mm}; expected positive, finite numbers, one for each of the {axes} axes, as in "
            f"spacing_mm={(1.0,) * axes}; None for pixels."
        )
    return steps


def _list(labels: Sequence[int]) -> str:
    return ", ".join(map(str, labels[:_MANY_SHOWN])) + (" and more" if len(labels) > _MANY_SHOWN else "")
