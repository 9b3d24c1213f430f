"""The two arms of the Unified Focal loss: what they weigh, class by class, and the overlap arm of an image from its sums.

Symbols: W the boundary weight, y one-hot truth, p probabilities, sums over the pixels of an image. TP = sum W y p,
FN = sum W y (1 - p), FP = sum W (1 - y) p, TI = (TP + eps) / (TP + delta FN + (1 - delta) FP + eps) (Yeung et al. 2022,
arXiv 2102.04525).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from focalseg.focal import focal

_EPSILON = 1e-7
_SMALLEST_SHORTFALL = 1e-30
"""Below it the slope of (1 - TI)^(1 - gamma) in TI grows no further. Its slope in the logits is bounded of itself."""


@dataclass(frozen=True, kw_only=True)
class Arms:
    """The loss for a given number of classes. Tuples hold a number a class, the background first.

    overlap_gammas, pixel_gammas: the exponents of the arms, 0 where the form leaves a class alone.
    overlap_weights: overlap_weight * class weight / classes.
    pixel_weights: (1 - overlap_weight) * class weight * delta for a foreground, * (1 - delta) for the background.
    """

    delta: float
    overlap_gammas: tuple[float, ...]
    pixel_gammas: tuple[float, ...]
    overlap_weights: tuple[float, ...]
    pixel_weights: tuple[float, ...]


class Sums(NamedTuple):
    """TP, FN and FP of every image, (C, B) each. TP is summed like the others: as a difference it would lose its digits."""

    hits: Tensor
    missed: Tensor
    invented: Tensor


class Overlap(NamedTuple):
    """The overlap arm of a batch: its value an image, (B,), and how steep it is in the probability of a class, (2, C, B).

    slopes[0]: what it falls by in a pixel of the class; slopes[1]: what it rises by in a pixel of another. Both non-negative
    and per unit of boundary weight.
    """

    value: Tensor
    slopes: Tensor


def modified_focal_tversky(arms: Arms, sums: Sums) -> Overlap:
    """The mean over classes of (1 - TI)^(1 - gamma), weighted, an image.

    1 - TI is formed as a ratio and not by subtraction, which would lose every digit at TI near 1.
    """
    gammas = sums.hits.new_tensor(arms.overlap_gammas).unsqueeze(1)
    weights = sums.hits.new_tensor(arms.overlap_weights).unsqueeze(1)
    hits = sums.hits + _EPSILON
    errors = arms.delta * sums.missed + (1 - arms.delta) * sums.invented
    shortfall = errors / (errors + hits)
    enhancement = weights * focal(shortfall.clamp(min=_SMALLEST_SHORTFALL).log(), -gammas)
    steepness = (1 - gammas) * enhancement / (errors + hits) ** 2
    return Overlap(
        value=(shortfall * enhancement).sum(dim=0),
        slopes=torch.stack([steepness * (arms.delta * hits + errors), steepness * (1 - arms.delta) * hits]),
    )


class PixelTerm(NamedTuple):
    """Modified focal cross-entropy of a pixel per unit of weight: its value, sign turned, and how fast it falls in z.

    z is the logit of the pixel's class against all others together.
    """

    gain: Tensor
    slope: Tensor


def modified_focal(gamma: Tensor | float, *, log_p: Tensor, log_q: Tensor, p: Tensor, q: Tensor) -> PixelTerm:
    """q^gamma * log p, p the probability of a class and q = 1 - p, all of one shape."""
    if isinstance(gamma, float) and gamma == 0:
        return PixelTerm(log_p, q)
    factor = focal(log_q, gamma)
    # q - gamma p log p, whose terms have one sign.
    steepness = (p * log_p).mul_(gamma).sub_(q).neg_().mul_(factor)
    return PixelTerm(factor.mul_(log_p), steepness)
