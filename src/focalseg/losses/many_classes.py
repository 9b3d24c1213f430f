"""The Unified Focal loss by softmax, every pixel of one class: most of the work is done once a pixel.

Of a pixel only the probability p of its true class t and the sum q of the others' are needed; q is summed, never 1 - p.
"""

import torch
from torch import Tensor

from focalseg.losses.arms import Overlap, Sums, modified_focal
from focalseg.losses.class_axis import (
    Classes,
    along_classes,
    as_block,
    constants,
    first,
    largest,
    minus,
    minus_,
    of_every_class,
    plus_,
    softmax,
    sum_pixels,
    times,
    times_,
    total,
)
from focalseg.losses.unified_focal_config import Arms


def sum_regions(logits: Tensor, truth: Tensor, weights: Tensor | None) -> Sums:
    """(B, K, N) logits, one-hot truth, weights (B, 1 or K, N) or none -> sums (K, B)."""
    true = along_classes(truth)
    p, wrong = split(softmax(along_classes(logits)), true)
    inside = _weigh(true, weights)
    return Sums(
        hits=sum_pixels(times(inside, p)),
        missed=sum_pixels(times(inside, total(wrong))),
        invented=sum_pixels(_weigh(wrong, weights)),
    )


def differentiate(
    arms: Arms, overlap: Overlap | None, logits: Tensor, truth: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The cross-entropy arm of these pixels, summed (B,), and the gradient of both arms in the logits, (B, K, N)."""
    z, true = along_classes(logits), along_classes(truth)
    probabilities = softmax(z)
    highest = largest(probabilities)
    p, wrong = split(probabilities, true)
    q = total(wrong)
    # log p is z_t - max z and the log of the highest probability h; where t is the highest, 1 - h is q to the last digit.
    below_largest = (total(times(z, true)) - largest(z)).clamp(min=-torch.finfo(q.dtype).max)
    log_p = below_largest + torch.log1p((highest - p) - q)
    safe_q = q.clamp(min=torch.finfo(q.dtype).tiny)
    per_q = safe_q.reciprocal()
    term = modified_focal(_settle(true, arms.pixel_gammas), log_p=log_p, log_q=safe_q.log_(), p=p, q=q)
    inside = _weigh(true, weights)
    mass = _settle(true, arms.pixel_weights)
    mass = mass if weights is None else mass * total(inside)
    value = -(mass * term.gain).flatten(1).sum(dim=1)
    towards_truth = mass * term.slope
    # What the true class gains the others lose, by their share of q.
    shares = times_(wrong, per_q)
    if overlap is None:
        return value, as_block(times_(minus_(shares, true), towards_truth))
    loss = _weigh(of_every_class(overlap.slopes[1]), weights)
    mean_loss = total(times(shares, loss))
    deviations = minus(loss, mean_loss)
    # Once more: where one class has nearly all of q, its deviation is the rounding of the first mean.
    remainder = total(times(shares, deviations))
    towards_truth = towards_truth + p * q * (total(times(inside, of_every_class(overlap.slopes[0]))) + mean_loss)
    pulls = plus_(times_(deviations, q), towards_truth - q * remainder)
    return value, as_block(minus_(times_(shares, pulls), times(true, towards_truth)))


def split(probabilities: Classes, truth: Classes) -> tuple[Tensor, Classes]:
    """The probability of the true class, and those of the others with exactly 0 for the true one, written into the argument."""
    marked = times(probabilities, truth)
    return total(marked), minus_(probabilities, marked)


def _weigh(values: Classes, weights: Tensor | None) -> Classes:
    """Multiplies each class by its boundary weight; one row of weights serves every class."""
    return values if weights is None else times(values, along_classes(weights))


def _settle(truth: Classes, settings: tuple[float, ...]) -> Tensor | float:
    """The setting of the class that every pixel belongs to; an arbitrary one where a pixel belongs to none."""
    background, *foregrounds = settings
    if len(set(foregrounds)) > 1:
        return total(times(truth, constants(settings, truth)))
    if background == foregrounds[0]:
        return background
    return first(truth) * (background - foregrounds[0]) + foregrounds[0]
