"""Patches of large images and volumes, a share of them on foreground: pure functions of (seed, step).

What a patch shows beyond the border of its image repeats the border, in image and mask alike, so that they agree.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from focalseg.errors import SettingError, ShapeError
from focalseg.feeding.batches import PATCH_STREAM, step_generator
from focalseg.imagesets.masks import VOID

_MOST_PLACES = 10_000
"""The number of places per label and case that are kept to centre patches on."""
_FOREGROUND_SHARE = 1 / 3
"""The share of patches that are centred on foreground, as in nnU-Net (Isensee et al. 2021, Methods, patch sampling)."""
_Places = Mapping[int, np.ndarray]
"""The places of some elements of one case by label, (n, D) int32; under `_JUDGED` those of any that somebody judged."""
_JUDGED = 0
"""The key of the places of judged elements, where not all are. The background has no places of its own."""


def find_places(mask: np.ndarray, *, seed: int, most: int = _MOST_PLACES) -> dict[int, np.ndarray]:
    """mask (*spatial) of labels -> by label other than 0, the indices (n, D) int32 of its elements, n at most `most`.

    Where there are more, they are drawn evenly and without repetition by a generator of that seed, then sorted. `VOID` is no
    label; of a mask that has it, the elements that somebody judged, background and all, are there under 0.
    """
    random = np.random.default_rng(seed)
    flat = mask.reshape(-1)
    places = {}
    held = np.unique(flat[flat != 0]).tolist()
    sought = [*held[:-1], _JUDGED] if held[-1:] == [VOID] else held
    for label in sought:
        found = np.flatnonzero(flat != VOID if label == _JUDGED else flat == label)
        if not len(found):
            continue
        if len(found) > most:
            found = np.sort(random.choice(found, most, replace=False, shuffle=False))
        places[label] = np.stack(np.unravel_index(found, mask.shape), axis=1).astype(np.int32)
    return places


def draw_corners(
    cases: Sequence[_Places],
    sizes: Sequence[tuple[int, ...]],
    patch: tuple[int, ...],
    *,
    seed: int,
    step: int,
    foreground_share: float = _FOREGROUND_SHARE,
) -> list[tuple[int, ...]]:
    """The first element of the patch of each case of a batch, in elements of the case, in the order of the batch.

    cases: `find_places` of each. sizes: of each, (D,). Over the steps of a training exactly the foreground_share of all patches
    are centred, as far as the border lets them, on an element of a label: one of the case's labels, each as likely, then one of
    the elements kept for it. The others lie anywhere, and so do those of a case without foreground; where somebody judged only
    part of a case, they are centred on an element of that part (as in nnU-Net, version 2). Where a case is shorter
    than the patch, it lies in the middle and the corner is negative. What happens to an entry depends on (seed, step), its
    place in the batch and its own case.
    Raises SettingError for a share outside of 0 to 1, ShapeError for sizes that do not fit the patch.
    """
    if not 0 <= foreground_share <= 1:
        raise SettingError(f"foreground_share was {foreground_share}; expected a number from 0 to 1.")
    if len(cases) != len(sizes) or any(len(size) != len(patch) for size in sizes):
        raise ShapeError(
            f"{len(cases)} cases of sizes {list(sizes)} and a patch of {patch}; expected one size each, of its axes."
        )
    count = len(cases)
    draws = torch.rand((count, 2 + len(patch)), generator=step_generator(seed, step, PATCH_STREAM), dtype=torch.float64)
    corners = []
    for entry, (places, size, (which, where, *along)) in enumerate(zip(cases, sizes, draws.tolist(), strict=True)):
        number = step * count + entry
        on_foreground = math.floor((number + 1) * foreground_share) > math.floor(number * foreground_share)
        labels = sorted(places.keys() - {_JUDGED})
        if (on_foreground and labels) or _JUDGED in places:
            label = labels[int(which * len(labels))] if on_foreground and labels else _JUDGED
            centre = places[label][int(where * len(places[label]))].tolist()
            wanted = [middle - length // 2 for middle, length in zip(centre, patch, strict=True)]
        else:
            wanted = [int(share * (whole - length + 1)) for share, whole, length in zip(along, size, patch, strict=True)]
        corners.append(tuple(map(_keep_inside, wanted, size, patch)))
    return corners


def cut_patch(array: np.ndarray, corner: Sequence[int], patch: Sequence[int]) -> np.ndarray:
    """The patch of an image (C, *spatial) or a mask (*spatial): (..., *patch) of its dtype, a copy.

    Beyond the border it repeats the border's values. Raises ShapeError for a patch that has nothing of the array.
    """
    leading = array.ndim - len(patch)
    size = array.shape[leading:]
    spans = [(max(start, 0), min(start + length, whole)) for start, length, whole in zip(corner, patch, size, strict=True)]
    if any(first >= last for first, last in spans):
        raise ShapeError(f"The patch of {tuple(patch)} at {tuple(corner)} lies outside of the array of {tuple(size)}.")
    kept: tuple[Any, ...] = (..., *(slice(first, last) for first, last in spans))
    part = array[kept]
    missing = [
        (first - start, start + length - last) for start, length, (first, last) in zip(corner, patch, spans, strict=True)
    ]
    if any(map(any, missing)):
        return np.pad(part, [(0, 0)] * leading + missing, mode="edge")
    return np.array(part, order="C")


def _keep_inside(start: int, whole: int, length: int) -> int:
    """Along one axis: the nearest start whose patch lies in the case; a patch longer than the case is centred on it."""
    return min(max(start, 0), whole - length) if whole >= length else -((length - whole) // 2)
