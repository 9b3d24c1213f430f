"""Size and normalisation are fixed on the training cases."""

import numpy as np
import pytest

from focalseg.data.case import Case
from focalseg.data.preparation import check_alike, plan_preparation
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


def test_every_case_unlike_most_is_named():
    cases = [make_case(name, np.zeros((3, 8, 8), np.uint8)) for name in "abc"]
    check_alike(cases)
    with pytest.raises(DataError) as caught:
        check_alike([make_case("x", np.zeros((1, 8, 8), np.uint8)), *cases, make_case("y", np.zeros((3, 8, 8), np.uint16))])
    assert caught.value.faults == (
        "x: has 1 channel(s) of uint8 where most have 3 of uint8; convert it.",
        "y: has 3 channel(s) of uint16 where most have 3 of uint8; convert it.",
    )


def test_an_image_of_other_channels_than_the_training_images_is_refused():
    preparation = plan_preparation([make_case("a", np.zeros((3, 8, 8), np.uint8))], longest_side=8)
    with pytest.raises(DataError, match="trained on 3"):
        preparation.prepare_image(np.zeros((1, 8, 8)))
