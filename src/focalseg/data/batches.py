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


def augment(images: Tensor, masks: Tensor, *, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """images (B, C, H, W) float32 normalised, masks (B, H, W): flips and quarter turns, brightness and contrast, a case each.

    Quarter turns are left out where height and width differ.
    """
    generator = step_generator(seed, step, AUGMENTATION_STREAM)
    count = len(images)
    flips = torch.rand((count, 2), generator=generator) < 0.5
    turns = torch.randint(0, 4 if images.shape[-1] == images.shape[-2] else 1, (count,), generator=generator)
    contrast = 1 + CONTRAST * (2 * torch.rand((count, 1, 1, 1), generator=generator) - 1)
    brightness = BRIGHTNESS * (2 * torch.rand((count, 1, 1, 1), generator=generator) - 1)
    moved_images, moved_masks = torch.empty_like(images), torch.empty_like(masks)
    for case in range(count):
        axes = [axis for axis, flip in zip((-2, -1), flips[case], strict=True) if flip]
        moved_images[case] = images[case].flip(axes).rot90(int(turns[case]), (-2, -1))
        moved_masks[case] = masks[case].flip(axes).rot90(int(turns[case]), (-2, -1))
    return moved_images * contrast.to(images.device) + brightness.to(images.device), moved_masks


def step_generator(seed: int, step: int, stream: int) -> torch.Generator:
    """A generator of its own for (seed, step, stream)."""
    return torch.Generator().manual_seed(stream_seed(seed, step, stream))


def stream_seed(seed: int, step: int, stream: int) -> int:
    """One number for (seed, step, stream); streams keep order, augmentation and dropout apart."""
    return (seed * 1_000_003 + step) * 8 + stream
