"""Size and normalisation are fixed on the training cases."""

import numpy as np
import pytest

from focalseg.data.case import Case
from focalseg.data.preparation import plan_preparation
from focalseg.errors import DataError


def make_case(name, image):
    return Case(name=name, group=name, image=image, mask=np.zeros(image.shape[1:], bool))


def test_training_images_come_out_with_mean_0_and_deviation_1_a_channel():
    random = np.random.default_rng(0)
    cases = [make_case(str(number), random.integers(0, 255, (3, 20, 30)).astype(np.uint8)) for number in range(5)]
    preparation = plan_preparation(cases, longest_side=64)
    pixels = np.stack([preparation.prepare_image(case.image).numpy() for case in cases])
    assert (preparation.height, preparation.width) == (20, 30)
    np.testing.assert_allclose(pixels.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(pixels.std(axis=(0, 2, 3)), 1, atol=1e-5)


def test_the_median_size_is_shrunk_to_the_longest_side_and_never_enlarged():
    cases = [make_case(str(side), np.zeros((1, side, 2 * side), np.uint8)) for side in (100, 200, 300)]
    preparation = plan_preparation(cases, longest_side=128)
    assert (preparation.height, preparation.width) == (64, 128)
    assert plan_preparation(cases, longest_side=1000).width == 400


def test_a_channel_that_never_varies_becomes_0():
    preparation = plan_preparation([make_case("a", np.full((1, 8, 8), 77, np.uint8))], longest_side=8)
    assert not preparation.prepare_image(np.full((1, 8, 8), 77, np.uint8)).any()


def test_shrinking_averages_and_a_mask_keeps_pixels_that_are_at_least_half_full():
    image = np.zeros((1, 4, 4), np.float32)
    image[0, :, :2] = 8
    mask = image[0] > 0
    cases = [make_case("a", image)]
    preparation = plan_preparation(cases, longest_side=2)
    assert preparation.prepare_mask(mask).tolist() == [[True, False], [True, False]]


def test_a_case_with_other_channels_is_named():
    cases = [make_case("a", np.zeros((3, 8, 8), np.uint8)), make_case("b", np.zeros((1, 8, 8), np.uint8))]
    with pytest.raises(DataError, match=r"^b: has 1 channel\(s\) where a has 3; convert it to the same\.$"):
        plan_preparation(cases, longest_side=8)
    with pytest.raises(DataError, match="trained on 3"):
        plan_preparation(cases[:1], longest_side=8).prepare_image(np.zeros((1, 8, 8)))
