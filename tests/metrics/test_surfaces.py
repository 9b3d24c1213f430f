"""Surface elements against brute force, MONAI's table, and areas that are known."""

import numpy as np
import pytest
from hypothesis import given, settings

from focalseg.metrics.surfaces import Grid, extract_surface, measure_codes
from metrics.masks import box, mask_pairs
from oracles.surfaces import list_contour, list_voxels


def extract(mask, spacing, kind):
    grid = Grid(box=mask.shape)
    found = extract_surface(mask, grid, spacing, kind)
    return np.stack(np.unravel_index(found.places, grid.shape), axis=1), found


@given(mask_pairs())
@settings(deadline=None, max_examples=60)
def test_border_voxels_are_those_with_a_face_neighbour_outside(pair):
    mask, _, spacing = pair
    places, found = extract(mask, spacing, "voxels")
    expected, weights = list_voxels(mask)
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(found.weights, weights)


@given(mask_pairs(axes=(1, 2)))
@settings(deadline=None, max_examples=60)
def test_surfels_in_1d_and_2d_are_pieces_of_the_contour_between_the_pixels(pair):
    mask, _, spacing = pair
    places, found = extract(mask, spacing, "surfels")
    expected, lengths = list_contour(mask, spacing)
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_allclose(found.weights, lengths, rtol=1e-12)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 2.0, 3.5)])
def test_surfels_in_3d_have_the_areas_of_monai_s_table(spacing):
    tables = pytest.importorskip("monai.metrics.utils")
    table, _ = tables.create_table_neighbour_code_to_surface_area(spacing)
    np.testing.assert_allclose(measure_codes(spacing), table.numpy(), rtol=1e-6)


def test_a_face_of_a_box_has_its_area_wherever_it_is_no_edge():
    spacing = (2.0, 3.0, 5.0)
    places, found = extract(box((12, 12, 12), (2, 2, 2), (8, 8, 8)), spacing, "surfels")
    first = places[:, 0] == places[:, 0].min()
    middle = first & ((places[:, 1:] > 4) & (places[:, 1:] < 9)).all(axis=1)
    assert middle.sum() == 16
    np.testing.assert_allclose(found.weights[middle], 3.0 * 5.0)


def test_the_contour_of_a_large_disc_has_the_length_that_squares_of_pixels_allow():
    """A piece between the middles of two sides runs along the grid or across it at 45 degrees, so that a line between these is
    made of both: over all slopes the mean is (8 / pi)(sqrt 2 - 1) times the length, 5.5 % more."""
    mask = np.hypot(*(np.mgrid[:801, :801] - 400)) <= 380
    _, found = extract(mask, (1.0, 1.0), "surfels")
    assert found.weights.sum() / (2 * np.pi * 380) == pytest.approx(8 / np.pi * (np.sqrt(2) - 1), rel=0.003)
