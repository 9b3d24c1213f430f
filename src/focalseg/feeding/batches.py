"""Which cases a step sees, and its random numbers: pure functions of (seed, step), so that a resumed run sees the same."""

import torch
from torch import Tensor

ORDER_STREAM, AUGMENTATION_STREAM, DROPOUT_STREAM, OPERATION_STREAM, PATCH_STREAM = range(5)
"""What is drawn in a step: the order of cases, what is always drawn to augment them, dropout, further operations, patches."""


def select_batch(count: int, batch_size: int, *, seed: int, step: int) -> Tensor:
    """Indices (batch_size,) int64 of a step: epochs are permutations keyed by (seed, epoch), laid end to end."""
    places = [divmod(position, count) for position in range(step * batch_size, (step + 1) * batch_size)]
    orders = {epoch: torch.randperm(count, generator=step_generator(seed, epoch, ORDER_STREAM)) for epoch, _ in places}
    return torch.stack([orders[epoch][place] for epoch, place in places])


def step_generator(seed: int, step: int, stream: int) -> torch.Generator:
    """A generator of its own for (seed, step, stream)."""
    return torch.Generator().manual_seed(stream_seed(seed, step, stream))


def stream_seed(seed: int, step: int, stream: int) -> int:
    """One number for (seed, step, stream); streams keep apart what is drawn in a step."""
    return (seed * 1_000_003 + step) * 8 + stream
