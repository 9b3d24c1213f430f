"""Logits that come in slabs along the first axis of an image, linearly interpolated to another size a few rows at a time."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.layers import LINEAR_INTERPOLATIONS


def resize_in_rows(slabs: Iterator[Tensor], size: tuple[int, ...], wanted: tuple[int, ...], *, rows: int) -> Iterator[Tensor]:
    """Slabs (1, K, rows, *size[1:]) that make up an image of `size` -> (1, K, rows, *wanted[1:]) that make up one of `wanted`.

    All but the last have so many rows. The numbers are those of `F.interpolate` on the whole, linear, align_corners=False, to a
    few units in the last place; where the whole is no more than so many rows, it is what is called.
    """
    if size != wanted and max(math.prod(size), math.prod(wanted)) <= rows * math.prod(wanted[1:]):
        whole = torch.cat(list(slabs), dim=2)
        yield F.interpolate(whole, size=wanted, mode=LINEAR_INTERPOLATIONS[len(wanted)], align_corners=False)
        return
    held: Tensor | None = None
    first = 0  # the row that `held` begins with
    lower, upper, share = _find_sources(size[0], wanted[0])
    for start in range(0, wanted[0], rows):
        place = slice(start, start + rows)
        begin, end = int(lower[place][0]), int(upper[place][-1]) + 1
        if held is not None:
            gone = min(begin - first, held.shape[2])  # where it shrinks, rows of slabs to come may be gone as well
            held, first = held[:, :, gone:], first + gone
        while held is None or first + held.shape[2] < end:
            slab = _resize_behind_first(next(slabs), wanted[1:])
            held = slab if held is None or not held.shape[2] else torch.cat([held, slab], dim=2)
        if size[0] == wanted[0]:
            yield held[:, :, begin - first : end - first]
            continue
        device = held.device
        weight = share[place].to(device).reshape(-1, *(1,) * (len(size) - 1))
        below, above = (held.index_select(2, (source[place] - first).to(device)) for source in (lower, upper))
        yield below.mul_(1 - weight).addcmul_(above, weight)


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
