"""How deep a U-Net should be for images of a size."""

SMALLEST_BOTTLENECK = 12


def plan_widths(size: tuple[int, ...], *, base_width: int, most_levels: int) -> tuple[int, ...]:
    """Channels a level, doubling from base_width: as many levels as leave the bottleneck 12 pixels along its shortest side.

    At least two levels, at most most_levels. 64 x 64 gives three levels, 96 x 128 four, 288 x 384 five.
    """
    levels = 2
    while levels < most_levels and min(size) >> levels >= SMALLEST_BOTTLENECK:
        levels += 1
    return tuple(base_width << level for level in range(levels))
