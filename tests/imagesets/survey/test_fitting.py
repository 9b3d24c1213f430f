"""A zoom and a shift that were put in are found again, up to contrast."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from focalseg.imagesets.survey.fitting import correlate, register, stay, warp


def scene(places, seed):
    """A smooth function of the position: a sum of waves, so that it can be seen at any place exactly."""
    random = np.random.default_rng(seed)
    waves = random.normal(0, 0.25, (12, len(places)))
    phases = random.uniform(0, 2 * np.pi, 12)
    grids = np.meshgrid(*places, indexing="ij")
    return sum(
        np.sin(sum(w * grid for w, grid in zip(wave, grids, strict=True)) + p) for wave, p in zip(waves, phases, strict=True)
    )


@pytest.mark.parametrize("sides", [(48, 48), (64,), (16, 16, 16)])
def test_the_placing_that_was_put_in_is_found_again_whatever_the_contrast(sides):
    axes = len(sides)
    placing = np.tile([[1.04, 1.0]], (axes, 1)) * [[1, (-1) ** axis] for axis in range(axes)]
    other_places = [np.arange(side) - (side - 1) / 2 for side in sides]
    one_places = [zoom * place + shift for (zoom, shift), place in zip(placing, other_places, strict=True)]
    ones = np.stack([scene(one_places, seed) for seed in range(4)]).astype(np.float32)
    others = np.stack([2 * scene(other_places, seed) + 5 for seed in range(4)]).astype(np.float32)
    found = register(ones, others, stay(4, axes), steps=12)
    np.testing.assert_allclose(found, np.tile(placing, (4, *[1] * 2)), atol=0.1)
    moved, weights = warp(others, found)
    assert correlate(ones, moved, weights).min() > 0.995


def test_a_picture_that_stays_is_seen_as_it_is_and_one_shifted_out_has_no_weight_there():
    pictures = np.random.default_rng(0).normal(size=(3, 20, 20)).astype(np.float32)
    moved, weights = warp(pictures, stay(3, 2))
    np.testing.assert_allclose(moved, pictures, atol=1e-6)
    assert weights.min() == 1
    placing = stay(3, 2)
    placing[:, 0, 1] = 3
    moved, weights = warp(pictures, placing)
    np.testing.assert_allclose(moved[:, :17], pictures[:, 3:], atol=1e-5)
    assert weights[:, :17].min() == 1
    assert weights[:, 17:].max() == 0


def test_correlation_is_that_of_the_pixels_with_weight_and_0_for_flat_pictures():
    random = np.random.default_rng(0)
    ones, others = gaussian_filter(random.normal(size=(2, 2, 20, 20)), (0, 0, 2, 2))
    weights = (random.random((2, 20, 20)) < 0.7).astype(np.float32)
    expected = [np.corrcoef(one[w > 0], other[w > 0])[0, 1] for one, other, w in zip(ones, others, weights, strict=True)]
    np.testing.assert_allclose(correlate(ones, others, weights), expected, rtol=1e-6)
    assert correlate(ones * 0, others, weights).tolist() == [0, 0]
