"""The focal distance penalty: what a pixel weighs by its closeness to the border of its class.

W = 1 + beta * F(log phi, gamma_d) = 1 + beta * phi^gamma_d, phi 1 on the border and 0 far from it. beta = 1 and gamma_d = 1 are
the weights of Caliva et al. 2019 (arXiv 1908.03679); a larger gamma_d draws them to the border. The exponent is ours.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from focalseg.distance import closeness_to_border
from focalseg.errors import DataError, ShapeError
from focalseg.focal import at_least_float32, focal
from focalseg.losses.targets import Target, find_outside, refuse_gradient


def weigh_pixels(
    logits: Tensor,
    target: Target,
    closeness: Tensor | None,
    *,
    weight: float,
    gamma: float,
    radius: float | None,
    spacing_mm: Sequence[float] | None,
    check: bool,
) -> Tensor | None:
    """The weights W for logits (B, K, *spatial): (B, 1, N), or (B, K, N) for three classes or more; 0 for a pixel left out.

    None where every pixel weighs 1. closeness: phi if it is known, else it is made from the target. check: whether the range
    of a given closeness is checked, which waits for the device.
    """
    counted = None if target.valid is None else at_least_float32(target.valid.unsqueeze(1))
    if closeness is not None:
        closeness = _read_closeness(logits, closeness, check)
    if weight == 0:
        return counted
    if closeness is None:
        closeness = find_closeness(logits, target, radius=radius, spacing_mm=spacing_mm)
    # F(log phi, gamma_d) = phi^gamma_d, where phi is 0 too: exp(gamma_d * -inf) is 0, and phi^0 is 1.
    weights = 1 + weight * (focal(closeness.log(), gamma) if gamma > 0 else torch.ones_like(closeness))
    return weights if counted is None else weights * counted


def find_closeness(logits: Tensor, target: Target, *, radius: float | None, spacing_mm: Sequence[float] | None) -> Tensor:
    """phi from the target's masks: (B, 1, N) for two classes, which share one border, and (B, K, N) for more."""
    classes, spatial = max(2, logits.shape[1]), logits.shape[2:]
    masks = target.masks(classes).reshape(len(logits), -1, *spatial)
    valid = None if target.valid is None else target.valid.reshape(len(logits), *spatial)
    return closeness_to_border(masks, radius=radius, valid=valid, spacing_mm=spacing_mm).flatten(2)


def _read_closeness(logits: Tensor, closeness: Tensor, check: bool) -> Tensor:
    refuse_gradient(closeness, "closeness")
    classes = logits.shape[1]
    spatial = logits.shape[2:]
    given = closeness.unsqueeze(1) if closeness.shape == (len(logits), *spatial) else closeness
    if given.shape[2:] != spatial or len(given) != len(logits) or given.shape[1] not in {1, classes}:
        raise ShapeError(
            f"The closeness has shape {tuple(closeness.shape)}; logits {tuple(logits.shape)} need "
            "(B, *spatial), (B, 1, *spatial) or (B, K, *spatial)."
        )
    if check and not torch.compiler.is_compiling():
        outside = find_outside(given, 1)
        if outside is not None:
            raise DataError(f"The closeness holds {outside:g}; expected values from 0 to 1.")
    return at_least_float32(given).flatten(2)
