"""The Unified Focal loss by softmax, where a pixel may belong to several classes in part.

Every class needs its own 1 - p, summed from the others' and never subtracted, and its own logarithms.
"""

from functools import reduce
from itertools import accumulate

import torch
from torch import Tensor

from focalseg.losses.arms import Overlap, Sums, modified_focal
from focalseg.losses.unified_focal_config import Arms

Classes = list[Tensor]
"""One row (B, N) per class."""


def sum_regions(logits: Tensor, truth: Tensor, weights: Tensor | None) -> Sums:
    """(B, K, N) logits, truth in [0, 1], weights (B, 1 or K, N) or none -> sums (K, B)."""
    _, exponentials, others, scale = _exponentiate(logits)
    inside, outside = _weigh(truth, weights)
    return Sums(
        hits=torch.stack([(row * own * scale).sum(dim=1) for row, own in zip(inside, exponentials, strict=True)]),
        missed=torch.stack([(row * other * scale).sum(dim=1) for row, other in zip(inside, others, strict=True)]),
        invented=torch.stack([(row * own * scale).sum(dim=1) for row, own in zip(outside, exponentials, strict=True)]),
    )


def differentiate(
    arms: Arms, overlap: Overlap | None, logits: Tensor, truth: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The cross-entropy arm of these pixels, summed (B,), and the gradient of both arms in the logits, (B, K, N)."""
    below_largest, exponentials, others, scale = _exponentiate(logits)
    inside, outside = _weigh(truth, weights)
    smallest = torch.finfo(scale.dtype).tiny
    value = torch.zeros_like(scale[:, 0])
    probabilities, rests, slopes = [], [], []  # slopes: of the loss in log p, class by class, their sign turned
    for index, (own, other) in enumerate(zip(exponentials, others, strict=True)):
        p, q = own * scale, other * scale
        safe_q = q.clamp(min=smallest)
        log_p = below_largest[index] - torch.log1p(other + (own - 1))
        term = modified_focal(arms.pixel_gammas[index], log_p=log_p, log_q=safe_q.log(), p=p, q=safe_q)
        mass = arms.pixel_weights[index] * inside[index]
        value = value - (mass * term.gain).sum(dim=1)
        slope = mass * term.slope / safe_q
        if overlap is not None:
            gain, loss = overlap.slopes[:, index].unsqueeze(-1)
            slope = slope + p * (inside[index] * gain - outside[index] * loss)
        probabilities.append(p)
        rests.append(q)
        slopes.append(slope)
    pieces = zip(probabilities, rests, slopes, _sum_of_others(slopes), strict=True)
    return value, torch.stack([p * others_slope - q * slope for p, q, slope, others_slope in pieces], dim=1)


def _exponentiate(logits: Tensor) -> tuple[Classes, Classes, Classes, Tensor]:
    """z_k - max z, their exponentials, for each class the sum of the other exponentials, and one over the sum of all."""
    rows = logits.unbind(dim=1)
    largest = reduce(torch.maximum, rows)
    below_largest = [(row - largest).clamp(min=-torch.finfo(row.dtype).max) for row in rows]
    exponentials = [row.exp() for row in below_largest]
    return below_largest, exponentials, _sum_of_others(exponentials), reduce(torch.add, exponentials).reciprocal()


def _weigh(truth: Tensor, weights: Tensor | None) -> tuple[Classes, Classes]:
    """W y and W (1 - y), one row per class."""
    inside, outside = (truth, 1 - truth) if weights is None else (weights * truth, weights * (1 - truth))
    return list(inside.unbind(dim=1)), list(outside.unbind(dim=1))


def _sum_of_others(values: Classes) -> Classes:
    """For every class the sum over the other classes."""
    # By additions alone, from running sums of both ends: the total less the class itself would lose its digits.
    before = [torch.zeros_like(values[0]), *accumulate(values[:-1])]
    after = [torch.zeros_like(values[0]), *accumulate(values[:0:-1])][::-1]
    return [left + right for left, right in zip(before, after, strict=True)]
