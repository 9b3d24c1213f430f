"""The Unified Focal loss of two classes: a function of the margin z, the logit of the foreground against the background's.

p = sigmoid(z) and q = sigmoid(-z) are formed apart, since 1 - p loses its digits where p is near 1.
"""

import torch
from torch import Tensor

from focalseg.losses.arms import Overlap, PixelTerm, Sums, modified_focal
from focalseg.losses.unified_focal_config import Arms


def sum_regions(logits: Tensor, truth: Tensor, weights: Tensor | None) -> Sums:
    """(B, 1 or 2, N) logits, (B, 1, N) truth of the foreground in [0, 1], boundary weights or none -> sums (2, B)."""
    margin = _to_margin(logits)
    inside, outside = _weigh(truth, weights)
    p, q = torch.sigmoid(margin), torch.sigmoid(-margin)
    hits = torch.stack([(outside * q).sum(dim=1), (inside * p).sum(dim=1)])
    missed = torch.stack([(outside * p).sum(dim=1), (inside * q).sum(dim=1)])
    return Sums(hits=hits, missed=missed, invented=missed.flip(0))


def differentiate(
    arms: Arms, overlap: Overlap | None, logits: Tensor, truth: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The cross-entropy arm of these pixels, summed (B,), and the gradient of both arms in the logits, (B, 1 or 2, N)."""
    inside, outside = _weigh(truth, weights)
    p, q, log_p, log_q = _take_logarithms(_to_margin(logits))
    value_0, down = _weigh_term(arms, 0, outside, modified_focal(arms.pixel_gammas[0], log_p=log_q, log_q=log_p, p=q, q=p))
    value_1, up = _weigh_term(arms, 1, inside, modified_focal(arms.pixel_gammas[1], log_p=log_p, log_q=log_q, p=p, q=q))
    del log_p, log_q  # at most ten rows at a time
    if overlap is not None:
        (gain_0, gain_1), (loss_0, loss_1) = overlap.slopes[0].unsqueeze(-1), overlap.slopes[1].unsqueeze(-1)
        spread = p.mul_(q)
        down, up = down.addcmul_(spread, gain_0 + loss_1), up.addcmul_(spread, gain_1 + loss_0)
    gradient = down.mul_(outside).addcmul_(inside, up, value=-1)
    gradient = gradient.unsqueeze(1)
    return value_0 + value_1, gradient if logits.shape[1] == 1 else torch.cat([-gradient, gradient], dim=1)


def _take_logarithms(margin: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """p, q, log p and log q of the margin z."""
    if torch.compiler.is_compiling():
        # Another formula than in the first sweep, or the compiler would write its p and q out and read them again.
        ratio = torch.exp(-margin.abs())
        larger = (1 + ratio).reciprocal()
        p, q = torch.where(margin >= 0, larger, ratio * larger), torch.where(margin >= 0, ratio * larger, larger)
        log_larger = -torch.log1p(ratio)
    else:
        p, q = torch.sigmoid(margin), torch.sigmoid(-margin)
        log_larger = torch.minimum(p, q).neg_().log1p_()
    # log p = min(z, 0) + log(larger of p and q), and log q = log(larger) - max(z, 0): no logarithm of a small number.
    return p, q, margin.clamp(max=0).add_(log_larger), log_larger.sub_(margin.clamp(min=0))


def _weigh_term(arms: Arms, index: int, mass: Tensor, term: PixelTerm) -> tuple[Tensor, Tensor]:
    """The cross-entropy arm of one class, summed over pixels (B,), and its slope in a pixel of that class."""
    weight = arms.pixel_weights[index]
    return -weight * (mass * term.gain).sum(dim=1), term.slope * weight


def _to_margin(logits: Tensor) -> Tensor:
    """The margin z, (B, N): the only logit, or that of the foreground less that of the background."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    largest = torch.finfo(logits.dtype).max  # the difference of finite numbers is one
    return (logits[:, 1] - logits[:, 0]).clamp_(-largest, largest)


def _weigh(truth: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """W y and W (1 - y) of the foreground, (B, N)."""
    inside, outside = truth[:, 0], 1 - truth[:, 0]
    return (inside, outside) if weights is None else (weights[:, 0] * inside, weights[:, 0] * outside)
