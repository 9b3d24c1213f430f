"""Masks that the tests of the scores share."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def mask_pairs(draw: st.DrawFn, *, axes: tuple[int, ...] = (1, 2, 3), most: int = 9) -> tuple[np.ndarray, np.ndarray, tuple]:
    """Two masks with a pixel each, nearly empty to nearly full, alike or not, and the size of their pixels."""
    count = draw(st.sampled_from(axes))
    shape = tuple(draw(st.integers(1, most)) for _ in range(count))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    pair = [random.random(shape) < draw(st.sampled_from([0.03, 0.3, 0.7, 1.0])) for _ in range(2)]
    if draw(st.booleans()):
        pair[1] = pair[0] ^ (random.random(shape) < 0.1)
    for mask in pair:
        mask.flat[random.integers(mask.size)] = True
    return pair[0], pair[1], tuple(draw(st.sampled_from([0.3, 0.7, 1.0, 2.5])) for _ in range(count))


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> np.ndarray:
    gaps = np.meshgrid(*(np.arange(side) - place for side, place in zip(shape, centre, strict=True)), indexing="ij")
    return sum(gap**2 for gap in gaps) <= radius**2


def box(shape: tuple[int, ...], start: tuple[int, ...], sides: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(first, first + side) for first, side in zip(start, sides, strict=True))] = True
    return mask
