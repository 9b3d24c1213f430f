"""How deep a U-Net should be for images of a size."""

_SMALLEST_BOTTLENECK = {1: 12, 2: 12, 3: 4}
"""The fewest elements along the shortest side, by spatial axes. Volumes have short sides: nnU-Net stops at 4 as well."""


def plan_widths(size: tuple[int, ...], *, base_width: int, most_levels: int) -> tuple[int, ...]:
    """Channels per level, doubling from base_width: as many levels as leave the bottleneck _SMALLEST_BOTTLENECK elements.

    At least two levels and at most most_levels: 64 x 64 gives three levels, 96 x 128 four, 288 x 384 five; 36 x 50 x 36 four.
    """
    levels = 2
    while levels < most_levels and min(size) >> levels >= _SMALLEST_BOTTLENECK[len(size)]:
        levels += 1
    return tuple(base_width << level for level in range(levels))
