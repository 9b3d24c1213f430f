"""Patches lie in their cases, on foreground as often as asked for, and are functions of (seed, step)."""

import numpy as np
import pytest

from focalseg.errors import SettingError, ShapeError
from focalseg.feeding.patches import cut_patch, draw_corners, find_places
from focalseg.imagesets.masks import VOID


@pytest.fixture
def mask():
    """Two labels: 3 a large block, 1 a small one."""
    labels = np.zeros((40, 50), np.uint8)
    labels[5:25, 10:30] = 3
    labels[37, 45:48] = 1
    return labels


def draw_many(mask, patch, *, steps=300, count=2, share=1 / 3, seed=0):
    places = find_places(mask, seed=0)
    return [
        corner
        for step in range(steps)
        for corner in draw_corners([places] * count, [mask.shape] * count, patch, seed=seed, step=step, foreground_share=share)
    ]


def test_the_places_of_each_label_are_where_it_is(mask):
    places = find_places(mask, seed=0)
    assert sorted(places) == [1, 3]
    for label, indices in places.items():
        assert indices.dtype == np.int32
        np.testing.assert_array_equal(indices, np.argwhere(mask == label))


def test_of_a_large_label_a_sample_is_kept_that_is_spread_evenly_and_the_same_again():
    mask = np.ones((300, 100), np.uint8)
    places = find_places(mask, seed=4, most=6000)[1]
    assert places.shape == (6000, 2)
    assert len(np.unique(places, axis=0)) == 6000
    for part in range(3):
        share = (places[:, 0] // 100 == part).mean()
        assert abs(share - 1 / 3) < 4 * np.sqrt(2 / 9 / 6000)
    np.testing.assert_array_equal(find_places(mask, seed=4, most=6000)[1], places)
    assert not np.array_equal(find_places(mask, seed=5, most=6000)[1], places)


def test_a_mask_without_foreground_has_no_places_and_its_patches_lie_anywhere():
    empty = np.zeros((30, 30), np.uint8)
    assert find_places(empty, seed=0) == {}
    corners = draw_many(empty, (10, 10), share=1.0)
    assert {row for row, _ in corners} == set(range(21))


@pytest.mark.parametrize("shape", [(33,), (20, 31), (9, 14, 12)])
@pytest.mark.parametrize("share", [0.0, 1 / 3, 1.0])
def test_every_patch_lies_in_its_case_and_reaches_its_ends(shape, share):
    mask = np.ones(shape, np.uint8)
    patch = tuple(length // 2 for length in shape)
    corners = np.array(draw_many(mask, patch, share=share))
    assert (corners >= 0).all()
    assert (corners + patch <= shape).all()
    np.testing.assert_array_equal(corners.min(axis=0), 0)
    np.testing.assert_array_equal((corners + patch).max(axis=0), shape)


def test_patches_anywhere_are_spread_evenly():
    corners = np.array(draw_many(np.zeros((13, 29), np.uint8), (8, 8), steps=2000))
    for axis, choices in enumerate((6, 22)):
        counts = np.bincount(corners[:, axis], minlength=choices)
        expected = len(corners) / choices
        assert ((counts - expected) ** 2 / expected).sum() < 3 * choices  # chi squared, whose mean is choices - 1


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1 / 3, 100), (0.5, 150), (1.0, 300)])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_exactly_the_share_of_the_patches_holds_foreground(share, expected, count):
    """The one pixel of foreground is far from where the other patches of this case can reach."""
    mask = np.zeros((2001, 2001), np.uint8)
    mask[1000, 1000] = 1
    corners = np.array(draw_many(mask, (3, 3), steps=300 // count, count=count, share=share))
    holds = ((corners <= 1000) & (corners + 3 > 1000)).all(axis=1)
    assert abs(int(holds.sum()) - expected) <= 1
    np.testing.assert_array_equal(corners[holds], 999)


def test_every_label_is_as_likely_however_small_it_is(mask):
    corners = draw_many(mask, (9, 9), steps=400, share=1.0)
    holds_small = sum(bool((cut_patch(mask, corner, (9, 9)) == 1).any()) for corner in corners)
    holds_large = sum(bool((cut_patch(mask, corner, (9, 9)) == 3).any()) for corner in corners)
    assert holds_small + holds_large == len(corners) == 800
    assert abs(holds_small - 400) < 4 * np.sqrt(200)


def test_a_batch_depends_on_seed_and_step_and_an_entry_not_on_the_cases_beside_it(mask):
    places, size = find_places(mask, seed=0), mask.shape
    first = draw_corners([places] * 4, [size] * 4, (9, 9), seed=1, step=5)
    assert draw_corners([places] * 4, [size] * 4, (9, 9), seed=1, step=5) == first
    assert draw_corners([places] * 4, [size] * 4, (9, 9), seed=1, step=6) != first
    assert draw_corners([places] * 4, [size] * 4, (9, 9), seed=2, step=5) != first
    mixed = draw_corners([{}, places, {}, places], [(80, 80), size, (9, 9), size], (9, 9), seed=1, step=5)
    assert (mixed[1], mixed[3]) == (first[1], first[3])


def test_a_case_smaller_than_the_patch_lies_in_its_middle_and_the_border_is_repeated():
    image = np.arange(12, dtype=np.int16).reshape(1, 3, 4)
    ((top, left),) = draw_corners([{}], [(3, 4)], (7, 4), seed=0, step=0)
    assert (top, left) == (-2, 0)
    patch = cut_patch(image, (top, left), (7, 4))
    np.testing.assert_array_equal(patch[0], image[0][[0, 0, 0, 1, 2, 2, 2]])
    assert patch.dtype == np.int16
    corners = draw_corners([{1: np.array([[2, 3]])}], [(3, 4)], (5, 6), seed=0, step=0, foreground_share=1.0)
    assert corners == [(-1, -1)]


@pytest.mark.parametrize("corner", [(0, 0), (3, 5), (2, 1)])
def test_a_patch_is_a_copy_of_its_part_of_image_and_mask(corner):
    image = np.random.default_rng(0).integers(0, 255, (3, 8, 10)).astype(np.uint8)
    mask = image[0] % 3
    top, left = corner
    for array in (image, mask):
        patch = cut_patch(array, corner, (5, 5))
        np.testing.assert_array_equal(patch, array[..., top : top + 5, left : left + 5])
        assert not np.shares_memory(patch, array)
        assert patch.flags.c_contiguous
        assert patch.dtype == np.uint8


def test_misuse_is_refused():
    with pytest.raises(SettingError) as raised:
        draw_corners([{}], [(9, 9)], (3, 3), seed=0, step=0, foreground_share=1.5)
    assert str(raised.value) == "foreground_share was 1.5; expected a number from 0 to 1."
    with pytest.raises(ShapeError) as raised:
        draw_corners([{}], [(9, 9, 9)], (3, 3), seed=0, step=0)
    assert str(raised.value) == "1 cases of sizes [(9, 9, 9)] and a patch of (3, 3); expected one size each, of its axes."
    with pytest.raises(ShapeError) as raised:
        cut_patch(np.zeros((8, 8)), (8, 0), (4, 4))
    assert str(raised.value) == "The patch of (4, 4) at (8, 0) lies outside of the array of (8, 8)."


def test_patches_of_a_case_that_was_judged_in_part_lie_about_what_was(mask):
    judged = np.zeros(mask.shape, bool)
    judged[4:30, 5:20] = True
    open_mask = np.where(judged, mask, VOID).astype(np.uint8)
    places = find_places(open_mask, seed=0)
    assert sorted(places) == [0, *sorted(set(mask[judged].tolist()) - {0})]
    for label, where in places.items():
        expected = judged if label == 0 else judged & (mask == label)
        assert np.array_equal(where, np.argwhere(expected))
    for step in range(200):
        for share in (0.0, 0.5):
            [corner] = draw_corners([places], [mask.shape], (5, 5), seed=0, step=step, foreground_share=share)
            assert judged[corner[0] : corner[0] + 5, corner[1] : corner[1] + 5].any()


def test_a_case_that_nobody_judged_has_no_places():
    assert find_places(np.full((9, 9), VOID, np.uint8), seed=0) == {}


def test_void_takes_no_part_in_the_draw_of_labels(mask):
    """Half of the patches about foreground would be about void, were it a label."""
    open_mask = mask.copy()
    open_mask[0] = VOID
    places = find_places(open_mask, seed=0)
    drawn = [draw_corners([places], [mask.shape], (1, 1), seed=0, step=step, foreground_share=1.0)[0] for step in range(300)]
    assert {int(open_mask[place]) for place in drawn} == set(places) - {0}
