"""Planted tasks so small (32 x 32, a U-Net of two levels) that every placement of attention can be trained.

As in `planted`, blobs on noise in red, green and blue. What decides lies above the blobs: `halves` and `two-cues` are to be
trained without flips and turns.
"""

from functools import partial

import numpy as np

from focalseg.imagesets.phantoms.canvas import Array, coordinates, disc, scatter_centres, to_uint8
from focalseg.imagesets.phantoms.planted import BLUE, CUE_LEVEL, GREEN, NOISE, RED, draw_global_cue, draw_local

REACH_OF_TWO_LEVELS = 12
_RADII = (2.0, 3.0)
draw_small_local = partial(draw_local, radii=_RADII)
draw_faint = partial(draw_small_local, contrast=0.35)
draw_small_global_cue = partial(draw_global_cue, share=5 / 16, reach=REACH_OF_TWO_LEVELS, radii=_RADII)
_DOT_CONTRAST = 1.2
_DOT_RADII = (1.5, 2.0)
# Of centres below the band, least and beyond the most: from well within the network's reach to out of it.
_DOT_DISTANCES = (5, 13)
_DOTS_A_HALF = 2  # at most
_MARGIN = 3  # free columns beside the edges and the middle
HALVES_BAND = 8
COLOUR_ROWS, TWO_CUES_BAND = 7, 16
SCANNERS = 5
HINT_CONTRAST = 0.6


def draw_halves(random: np.random.Generator, size: int) -> tuple[Array, Array]:
    """A band along the top is bright in blue over one half and dark over the other: red dots in the bright half count.

    Most dots are too far below the band for a U-Net of two levels to make it out. A gate that pools over the whole image sees
    the same in every image, one half each; a spatial gate at the first stage looks three pixels farther, and so tells.
    """
    image = random.normal(0, NOISE, (3, size, size))
    rows, _ = coordinates(size)
    bright = _choose_half(random, size)
    dots, _ = _draw_dots(random, size, HALVES_BAND, [])
    image[BLUE] += (rows < HALVES_BAND) * np.where(bright, CUE_LEVEL, -CUE_LEVEL)
    image[RED] += _DOT_CONTRAST * dots
    return to_uint8(image), dots & bright


def draw_two_cues(random: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Rows at the top, bright or dark in blue, say whether red or green dots count; a band below them, in which half.

    The first cue is out of reach and needs a gate that pools over the whole image; the second is that of `draw_halves`, in
    red and green together, about which such a gate learns nothing. Either gate alone leaves half of the question open.
    """
    image = random.normal(0, NOISE, (3, size, size))
    rows, _ = coordinates(size)
    bright = _choose_half(random, size)
    red_counts = bool(random.integers(0, 2))
    red, taken = _draw_dots(random, size, TWO_CUES_BAND, [])
    green, _ = _draw_dots(random, size, TWO_CUES_BAND, taken)
    image[BLUE] += (rows < COLOUR_ROWS) * (CUE_LEVEL if red_counts else -CUE_LEVEL)
    band = (rows >= COLOUR_ROWS) & (rows < TWO_CUES_BAND)
    image[[RED, GREEN]] += band * np.where(bright, CUE_LEVEL, -CUE_LEVEL)
    image[RED] += _DOT_CONTRAST * red
    image[GREEN] += _DOT_CONTRAST * green
    return to_uint8(image), (red if red_counts else green) & bright


def choose_shortcuts() -> tuple[partial[tuple[Array, Array]], ...]:
    """One drawing function per scanner. Scanners next to each other in level differ in the colour that counts.

    Blobs of the colour that counts are the brighter ones; a band out of reach has the level of the scanner in blue. A gate that
    pools over the whole image can learn by heart which colour counts on each scanner of the training set, more easily than the
    contrast. It then misleads on others: what was learnt of the nearest ones is wrong for a scanner that was not in the set.
    """
    levels = np.linspace(-CUE_LEVEL, CUE_LEVEL, SCANNERS).tolist()
    cues = [(level, number % 2 == 1) for number, level in enumerate(levels)]
    return tuple(partial(draw_small_global_cue, cue=cue, other_contrast=HINT_CONTRAST) for cue in cues)


def _choose_half(random: np.random.Generator, size: int) -> Array:
    """The left or the right half, (size, size) bool."""
    _, columns = coordinates(size)
    left: Array = columns < size / 2
    return left if random.integers(0, 2) else ~left


def _draw_dots(
    random: np.random.Generator, size: int, band: int, taken: list[tuple[int, int]]
) -> tuple[Array, list[tuple[int, int]]]:
    """One or two dots in either half, below a band that ends at row `band`, and the centres taken until then and by them."""
    rows, columns = coordinates(size)
    below = (rows >= band + _DOT_DISTANCES[0]) & (rows < band + _DOT_DISTANCES[1])
    from_middle = np.abs(columns - (size - 1) / 2)
    allowed = below & (from_middle > _MARGIN) & (from_middle < size / 2 - _MARGIN)
    dots = np.zeros((size, size), bool)
    for half in (columns < size / 2, columns >= size / 2):
        for centre in scatter_centres(random, allowed & half, int(random.integers(1, _DOTS_A_HALF + 1)), 5, taken):
            taken = [*taken, centre]
            dots |= disc(size, centre, random.uniform(*_DOT_RADII))
    return dots, taken
