"""Planted tasks, whose truth about attention is known by construction.

All are blobs on noise, (3, size, size) with red, green and blue channels, foreground a few per cent of the pixels.
"""

import numpy as np

from focalseg.imagesets.phantoms.canvas import (
    Array,
    coordinates,
    disc,
    ellipse_distance,
    scatter_centres,
    smooth_noise,
    to_uint8,
)

NOISE = 0.25
CONTRAST = 0.8
CUE_LEVEL = 3.0
_BLOB_RADII = (2.5, 4.5)
RED, GREEN, BLUE = 0, 1, 2
CUE_SHARE = 3 / 8
REACH_OF_THREE_LEVELS = 24


def draw_local(
    random: np.random.Generator, size: int, *, contrast: float = CONTRAST, radii: tuple[float, float] = _BLOB_RADII
) -> tuple[Array, Array]:
    """Red blobs count, green ones do not: all that decides about a pixel stands next to it, so no attention is needed.

    Faint blobs (contrast near the noise) are hard to see, and attention does not help with that.
    """
    image = random.normal(0, NOISE, (3, size, size))
    anywhere = np.ones((size, size), bool)
    red, green = (_draw_blobs(random, anywhere, count=4, radii=radii) for _ in "rg")
    image[RED] += contrast * red
    image[GREEN] += contrast * green
    return to_uint8(image), red


def draw_global_cue(
    random: np.random.Generator,
    size: int,
    *,
    share: float = CUE_SHARE,
    reach: int = REACH_OF_THREE_LEVELS,
    radii: tuple[float, float] = _BLOB_RADII,
    cue: tuple[float, bool] | None = None,
    other_contrast: float = CONTRAST,
) -> tuple[Array, Array]:
    """A band along one side, bright or dark in blue, decides whether the red or the green blobs count.

    The blobs stand farther from the band than a U-Net can see (`reach` pixels), so a network without a gate that pools
    over the whole image can only guess; a channel gate that weighs red against green by the band solves it.
    cue: the band's level and whether red counts, where these are given; other_contrast: of the blobs that do not count.
    """
    image = random.normal(0, NOISE, (3, size, size))
    rows, _ = coordinates(size)
    red, green = (_draw_blobs(random, rows >= size * share + reach, count=3, radii=radii) for _ in "rg")
    level, red_counts = cue or ((CUE_LEVEL, True) if random.integers(0, 2) else (-CUE_LEVEL, False))
    image[BLUE] += (rows < size * share) * level
    image[RED] += (CONTRAST if red_counts else other_contrast) * red
    image[GREEN] += (other_contrast if red_counts else CONTRAST) * green
    turns = int(random.integers(0, 4))
    mask = red if red_counts else green
    return to_uint8(np.rot90(image, turns, (1, 2))), np.rot90(mask, turns)


def draw_context(random: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Alike blobs inside and outside an organ, of which only those inside count: context from the neighbourhood decides."""
    image = random.normal(0, NOISE, (3, size, size))
    centre = random.uniform(0.35, 0.65, 2) * size
    radii = random.uniform(0.22, 0.32, 2) * size
    distance = ellipse_distance(size, (centre[0], centre[1]), (radii[0], radii[1]), random.uniform(0, np.pi))
    image += 0.35 * (distance <= 1) + 0.15 * smooth_noise(random, size, size / 16)
    inside = _draw_blobs(random, distance <= 0.75, count=3)
    outside = _draw_blobs(random, distance >= 1.3, count=5)
    image[RED] += CONTRAST * (inside | outside)
    return to_uint8(image), inside


def _draw_blobs(random: np.random.Generator, allowed: Array, *, count: int, radii: tuple[float, float] = _BLOB_RADII) -> Array:
    """Union of up to `count` discs with their centres in allowed (size, size) bool; at least one where any pixel is allowed."""
    size = len(allowed)
    blobs = np.zeros_like(allowed)
    for centre in scatter_centres(random, allowed, int(random.integers(2, count + 1)), spacing=size / 6):
        blobs |= disc(size, centre, random.uniform(*radii))
    return blobs
