"""The focal primitive F(l, gamma) = exp(gamma * l), shared by attention, losses and distance penalty.

l is a logarithm, at most 0: the log-coefficients of a gate, the log of 1 - p_t in a focal loss, or the log of the
closeness to a boundary. Raising in the log domain is exact where the bare power is not: for l = logsigmoid(z) the slope
in z is gamma * a^gamma * (1 - a), at most gamma, while a ** gamma has an infinite slope at a = 0 for gamma < 1.
"""

import torch
from torch import Tensor


def focal(logarithm: Tensor, gamma: Tensor | float) -> Tensor:
    """F(l, gamma) = exp(gamma * l), computed in float32 at least.

    logarithm: any shape, any floating dtype, finite, <= 0. gamma: a non-negative scalar or a tensor that broadcasts.
    Returns values in [0, 1] in float32 (float64 for float64 input); exactly 1 where gamma is 0.
    """
    return torch.exp(gamma * at_least_float32(logarithm))


def at_least_float32(values: Tensor) -> Tensor:
    """Casts half precision up to float32 and leaves float32 and float64: powers, logarithms and sums need the range."""
    return values if values.dtype == torch.float64 else values.float()
