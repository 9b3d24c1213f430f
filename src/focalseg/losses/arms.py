"""The two arms of the Unified Focal loss: what they weigh, class by class, and the overlap arm of an image from its sums.

Symbols: W the boundary weight, y one-hot truth, p probabilities, sums over the pixels of an image. TP = sum W y p,
FN = sum W y (1 - p), FP = sum W (1 - y) p, TI = (TP + eps) / (TP + delta FN + (1 - delta) FP + eps) (Yeung et al. 2022,
arXiv 2102.04525).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from focalseg.focal import focal
from focalseg.losses.unified_focal_config import Arms

_EPSILON = 1e-7
_SMALLEST_SHORTFALL = 1e-30
"""The 1 - TI below which the slope of (1 - TI)^(1 - gamma) in TI grows no further; that in the logits is bounded anyway."""


class Sums(NamedTuple):
    """TP, FN and FP of every class and image, (C, B) each, all summed: TP as a difference would lose its digits."""

    hits: Tensor
    missed: Tensor
    invented: Tensor


class Overlap(NamedTuple):
    """The overlap arm of a batch: its value per image, (B,), and how steep it is in the probability of a class, (2, C, B).

    slopes[0]: how fast it falls in a pixel of the class; slopes[1]: how fast it rises in a pixel of another class. Both are
    non-negative and per unit of boundary weight.
    """

    value: Tensor
    slopes: Tensor


def modified_focal_tversky(arms: Arms, sums: Sums) -> Overlap:
    """The weighted mean over classes of (1 - TI)^(1 - gamma) of every image, with its slopes."""
    gammas = sums.hits.new_tensor(arms.overlap_gammas).unsqueeze(1)
    weights = sums.hits.new_tensor(arms.overlap_weights).unsqueeze(1)
    hits = sums.hits + _EPSILON
    errors = arms.delta * sums.missed + (1 - arms.delta) * sums.invented
    shortfall = errors / (errors + hits)  # 1 - TI as a ratio: by subtraction it would lose every digit at TI near 1
    enhancement = weights * focal(shortfall.clamp(min=_SMALLEST_SHORTFALL).log(), -gammas)
    steepness = (1 - gammas) * enhancement / (errors + hits) ** 2
    return Overlap(
        value=(shortfall * enhancement).sum(dim=0),
        slopes=torch.stack([steepness * (arms.delta * hits + errors), steepness * (1 - arms.delta) * hits]),
    )


class PixelTerm(NamedTuple):
    """The modified focal cross-entropy of a pixel per unit of weight: minus its value, and how fast it falls in z.

    z is the logit of the pixel's class against all others together.
    """

    gain: Tensor
    slope: Tensor


def modified_focal(gamma: Tensor | float, *, log_p: Tensor, log_q: Tensor, p: Tensor, q: Tensor) -> PixelTerm:
    """q^gamma * log p and its slope, for p the probability of a class and q = 1 - p; all tensors have one shape."""
    if isinstance(gamma, float) and gamma == 0:
        return PixelTerm(log_p, q)
    factor = focal(log_q, gamma)
    # q - gamma p log p: both terms are positive, so that no digits are lost.
    steepness = (p * log_p).mul_(gamma).sub_(q).neg_().mul_(factor)
    return PixelTerm(factor.mul_(log_p), steepness)
