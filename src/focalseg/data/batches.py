"""Which cases a step sees and how they are augmented: pure functions of (seed, step), so a resumed run sees the same."""

import torch
from torch import Tensor

BRIGHTNESS = 0.2
CONTRAST = 0.2
ORDER_STREAM, AUGMENTATION_STREAM, DROPOUT_STREAM = 0, 1, 2


def select_batch(count: int, batch_size: int, *, seed: int, step: int) -> Tensor:
    """Indices (batch_size,) int64 of a step: epochs are permutations keyed by (seed, epoch), laid end to end."""
    positions = torch.arange(step * batch_size, (step + 1) * batch_size)
    orders = {
        epoch: torch.randperm(count, generator=step_generator(seed, epoch, ORDER_STREAM))
        for epoch in {int(position) // count for position in positions}
    }
    return torch.stack([orders[int(position) // count][int(position) % count] for position in positions])


def augment(images: Tensor, *maps: Tensor, seed: int, step: int) -> tuple[Tensor, ...]:
    """images (B, C, *spatial) float32 normalised: flips and quarter turns, brightness and contrast, a case each.

    maps (B, *spatial) or (B, K, *spatial), masks and what is measured on them, are moved with the images. Every axis may be
    flipped; quarter turns are in the plane of the last two and left out where these differ in size. Returns the images and
    the maps.
    """
    spatial = tuple(range(2 - images.ndim, 0))
    generator = step_generator(seed, step, AUGMENTATION_STREAM)
    count = len(images)
    flips = torch.rand((count, len(spatial)), generator=generator) < 0.5
    square = len(spatial) > 1 and images.shape[-1] == images.shape[-2]
    turns = torch.randint(0, 4 if square else 1, (count,), generator=generator)
    a_case = (count, *(1,) * (images.ndim - 1))
    contrast = 1 + CONTRAST * (2 * torch.rand(a_case, generator=generator) - 1)
    brightness = BRIGHTNESS * (2 * torch.rand(a_case, generator=generator) - 1)
    moved = [torch.empty_like(values) for values in (images, *maps)]
    for case in range(count):
        axes = [axis for axis, flip in zip(spatial, flips[case], strict=True) if flip]
        for values, target in zip((images, *maps), moved, strict=True):
            flipped = values[case].flip(axes)
            target[case] = flipped.rot90(int(turns[case]), (-2, -1)) if square else flipped
    return moved[0] * contrast.to(images.device) + brightness.to(images.device), *moved[1:]


def step_generator(seed: int, step: int, stream: int) -> torch.Generator:
    """A generator of its own for (seed, step, stream)."""
    return torch.Generator().manual_seed(stream_seed(seed, step, stream))


def stream_seed(seed: int, step: int, stream: int) -> int:
    """One number for (seed, step, stream); streams keep order, augmentation and dropout apart."""
    return (seed * 1_000_003 + step) * 8 + stream
