"""Logits that come in slabs along the first axis of an image, linearly interpolated to another size a few rows at a time."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.layers import LINEAR_INTERPOLATIONS


def resize_in_rows(slabs: Iterator[Tensor], size: tuple[int, ...], wanted: tuple[int, ...], *, rows: int) -> Iterator[Tensor]:
    """Slabs (1, K, rows, *size[1:]) that make up an image of `size` -> (1, K, rows, *wanted[1:]) that make up one of `wanted`.

    At most so many rows come at a time, as soon as their slabs are there. The numbers are those of `F.interpolate` on all,
    linear, align_corners=False, to a few units in the last place; where that is no more than so many rows, it is called.
    """
    if size != wanted and max(math.prod(size), math.prod(wanted)) <= rows * math.prod(wanted[1:]):
        whole = torch.cat(list(slabs), dim=2)
        yield F.interpolate(whole, size=wanted, mode=LINEAR_INTERPOLATIONS[len(wanted)], align_corners=False)
        return
    lower, upper, share = _find_sources(size[0], wanted[0])
    held: Tensor | None = None
    first = done = 0  # the row that `held` begins with, and the wanted rows that were handed on
    for slab in slabs:
        resized = _resize_behind_first(slab, wanted[1:])
        held = resized if held is None or not held.shape[2] else torch.cat([held, resized], dim=2)
        ready = int(torch.searchsorted(upper, first + held.shape[2]))  # wanted rows that need none of the slabs to come
        while done < ready:
            place = slice(done, min(done + rows, ready))
            yield _mix_rows(held, lower[place] - first, upper[place] - first, share[place])
            done = place.stop
        gone = held.shape[2] if done == wanted[0] else min(int(lower[done]) - first, held.shape[2])
        held, first = held[:, :, gone:].clone(), first + gone
        del slab, resized  # or they would be held while the windows of the next slab are predicted


def _mix_rows(held: Tensor, lower: Tensor, upper: Tensor, share: Tensor) -> Tensor:
    """Rows of (1, K, rows, *spatial) that lie between two of its rows each, at that share of the way to the second."""
    if not share.any() and torch.equal(lower, torch.arange(int(lower[0]), int(lower[0]) + len(lower))):
        return held[:, :, int(lower[0]) : int(lower[-1]) + 1].clone()  # whoever keeps them does not keep the whole slab
    weight = share.to(held.device).reshape(-1, *(1,) * (held.ndim - 3))
    below, above = (held.index_select(2, source.to(held.device)) for source in (lower, upper))
    return below.mul_(1 - weight).addcmul_(above, weight)


def _find_sources(side: int, wanted: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each of `wanted` rows the two rows of `side` that it lies between, and the share of the second, float32."""
    # As torch does it, in float32 but for one multiply-add, so that a mask is the same whichever way it was made.
    scale = torch.tensor(side, dtype=torch.float32) / wanted
    place = ((torch.arange(wanted) + 0.5).double() * scale - 0.5).float().clamp(min=0)
    lower = place.long().clamp(max=side - 1)
    share = (place - lower).clamp(0, 1)
    return lower, torch.where(share > 0, lower + 1, lower).clamp(max=side - 1), share


def _resize_behind_first(slab: Tensor, wanted: tuple[int, ...]) -> Tensor:
    """(1, K, rows, *spatial) -> (1, K, rows, *wanted): every row is an image of its own."""
    if tuple(slab.shape[3:]) == wanted:
        return slab
    # Rows take the place of channels, and channels that of the batch, so that nothing has to be moved.
    return F.interpolate(slab[0], size=wanted, mode=LINEAR_INTERPOLATIONS[len(wanted)], align_corners=False)[None]
