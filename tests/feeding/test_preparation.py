"""Size and normalisation are fixed on the training cases."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from focalseg.errors import DataError, SettingError
from focalseg.feeding.preparation import (
    Preparation,
    measure_intensities,
    on_common_scale,
    plan_preparation,
    plan_size,
    pool_intensities,
    resize_image,
)
from focalseg.imagesets.case import Case
from focalseg.imagesets.masks import VOID
from focalseg.imagesets.survey.summary import summarise

PLAIN = Preparation(size=(16, 16), mean=(0.0,), standard_deviation=(1.0,))


def describe(image, name="a"):
    return summarise(Case(name=name, group=name, image=image, mask=np.zeros(image.shape[1:], np.uint8)))


def test_training_images_come_out_with_mean_0_and_deviation_1_a_channel():
    random = np.random.default_rng(0)
    images = [random.integers(0, 255, (3, 20, 30)).astype(np.uint8) for _ in range(5)]
    cases = [describe(image) for image in images]
    preparation = plan_preparation(cases, size=plan_size(cases, longest_side=64))
    pixels = np.stack([preparation.prepare_image(image).numpy() for image in images])
    assert preparation.size == (20, 30)
    np.testing.assert_allclose(pixels.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(pixels.std(axis=(0, 2, 3)), 1, atol=1e-5)


def test_the_median_size_is_shrunk_to_the_longest_side_and_never_enlarged():
    cases = [describe(np.zeros((1, side, 2 * side), np.uint8)) for side in (100, 200, 300)]
    assert plan_size(cases, longest_side=128) == (64, 128)
    assert plan_size(cases, longest_side=1000) == (200, 400)


def test_a_channel_that_never_varies_becomes_0():
    preparation = plan_preparation([describe(np.full((1, 8, 8), 77, np.uint8))], size=(8, 8))
    assert not preparation.prepare_image(np.full((1, 8, 8), 77, np.uint8)).any()


def test_shrinking_averages_and_a_mask_keeps_pixels_that_are_at_least_half_full():
    image = np.zeros((1, 4, 4), np.float32)
    image[0, :, :2] = 8
    mask = image[0] > 0
    preparation = plan_preparation([describe(image)], size=(2, 2))
    assert preparation.prepare_mask(mask).tolist() == [[1, 0], [1, 0]]


def test_an_image_of_other_channels_than_the_training_images_is_refused():
    preparation = plan_preparation([describe(np.zeros((3, 8, 8), np.uint8))], size=(8, 8))
    with pytest.raises(DataError, match="trained on 3"):
        preparation.prepare_image(np.zeros((1, 8, 8)))


def outer(*factors):
    return np.einsum("i,j,k->ijk", *factors).astype(np.float32)


def resize_line(values, length):
    """Pillow's triangle filter along one line, as an oracle."""
    return np.asarray(Image.fromarray(values[None].astype(np.float32)).resize((length, 1), Image.Resampling.BILINEAR))[0]


@pytest.mark.parametrize("size", [(5, 3, 4), (20, 22, 24), (5, 22, 12), (10, 11, 3)])
def test_a_volume_is_resized_as_its_lines_are(size):
    random = np.random.default_rng(0)
    lines = [random.random(length) for length in (10, 11, 12)]
    expected = outer(*(resize_line(line, length) for line, length in zip(lines, size, strict=True)))
    np.testing.assert_allclose(resize_image(outer(*lines)[None], size)[0], expected, atol=1e-5)


def test_enlarging_a_volume_is_trilinear():
    volume = torch.rand(2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(volume[None], size=(9, 10, 13), mode="trilinear", align_corners=False)[0]
    torch.testing.assert_close(resize_image(volume.numpy(), (9, 10, 13)), expected)


@pytest.mark.parametrize("shape", [(9, 14), (7, 9, 8)])
def test_one_label_is_kept_where_at_least_half_of_the_pixel_is(shape):
    preparation = replace(PLAIN, size=tuple(side // 2 for side in shape))
    mask = np.random.default_rng(1).random(shape) < 0.5
    expected = resize_image(mask[None], preparation.size)[0] >= 0.5
    assert torch.equal(preparation.prepare_mask(mask).bool(), expected)
    assert torch.equal(preparation.prepare_mask(mask.astype(np.uint8)).bool(), expected)


@given(arrays(np.uint8, (6, 8), elements=st.integers(0, 3)), st.permutations([1, 2, 3]))
def test_labels_are_resized_apart_and_renaming_them_renames_the_result(mask, names):
    preparation = replace(PLAIN, size=(3, 4))
    resized = preparation.prepare_mask(mask)
    shares = np.stack([resize_image((mask == label)[None], (3, 4))[0] for label in range(4)])
    clear = np.sort(shares, axis=0)[-1] > np.sort(shares, axis=0)[-2] + 1e-5
    assert np.array_equal(resized.numpy()[clear], shares.argmax(axis=0)[clear])
    renamed = preparation.prepare_mask(np.array([0, *names], np.uint8)[mask])
    assert np.array_equal(renamed.numpy()[clear], np.array([0, *names])[resized.numpy()][clear])


def test_a_label_between_two_others_is_not_made_up():
    mask = np.repeat(np.array([[1, 1, 1, 3, 3, 3]], np.uint8), 6, axis=0)
    assert set(replace(PLAIN, size=(4, 4)).prepare_mask(mask).unique().tolist()) == {1, 3}


def test_a_mask_of_the_size_is_a_copy_of_its_own():
    mask = np.zeros((16, 16), np.uint8)
    prepared = PLAIN.prepare_mask(mask)
    prepared[0, 0] = 2
    assert not mask.any()


@pytest.mark.parametrize(("dtype", "scale", "expected"), [
    (np.float32, 9, "data_set"), (np.float32, 11, "case"), (np.uint16, 11, "case"), (np.uint8, 11, "data_set"),
])  # fmt: skip
def test_cases_on_scales_of_their_own_are_normalised_one_by_one_and_eight_bits_never(dtype, scale, expected):
    pattern = np.array([[0, 20], [20, 0]])
    cases = [describe(pattern[None].astype(dtype)), describe((pattern * scale)[None].astype(dtype)),
             describe(np.full((1, 2, 2), 3, dtype))]  # fmt: skip
    assert on_common_scale(cases) == (expected == "data_set")
    assert plan_preparation(cases, size=(2, 2), normalisation=expected).normalisation == expected


def test_one_case_far_above_the_others_has_another_scale_and_one_far_below_changes_nothing():
    pattern = np.array([[[0, 20], [20, 0]]])
    usual = [describe(pattern.astype(np.float32)) for _ in range(14)]
    assert on_common_scale([*usual, describe((pattern / 50).astype(np.float32))])
    assert not on_common_scale([*usual, describe((pattern * 50).astype(np.float32))])
    assert not on_common_scale([*usual[:9], *(describe((pattern / 50).astype(np.float32)) for _ in range(5))])


@pytest.mark.parametrize("shape", [(12, 10), (5, 6, 7)])
def test_by_case_the_scale_and_the_origin_of_intensities_do_not_matter(shape):
    image = np.random.default_rng(2).normal(3, 2, (2, *shape)).astype(np.float32)
    preparation = Preparation(size=shape, mean=(0, 0), standard_deviation=(1, 1), normalisation="case")
    prepared = preparation.prepare_image(image)
    axes = tuple(range(1, prepared.ndim))
    np.testing.assert_allclose(prepared.mean(dim=axes), 0, atol=1e-5)
    np.testing.assert_allclose(prepared.std(dim=axes, correction=0), 1, atol=1e-5)
    factors = np.array([40, 0.5], np.float32).reshape(2, *(1,) * len(shape))
    torch.testing.assert_close(preparation.prepare_image(image * factors + 7), prepared, atol=1e-4, rtol=1e-4)
    assert not preparation.prepare_image(np.full((2, *shape), 5, np.float32)).any()


def test_images_and_masks_of_other_axes_are_refused():
    message = "The image has 3 spatial axes; the network was trained on 2. Give an image of its kind."
    for prepare, values in ((PLAIN.prepare_image, np.zeros((1, 4, 4, 4))), (PLAIN.prepare_mask, np.zeros((4, 4, 4), np.uint8))):
        with pytest.raises(DataError) as caught:
            prepare(values)
        assert str(caught.value) == message


def test_a_size_of_no_or_of_four_axes_is_refused():
    for size in ((), (4, 4, 4, 4)):
        with pytest.raises(SettingError) as caught:
            replace(PLAIN, size=size)
        assert str(caught.value) == f"preparation.size was {size}; expected one to three numbers, one a spatial axis."


def test_several_cases_pooled_are_as_all_their_pixels_together():
    random = np.random.default_rng(4)
    images = [random.normal(1000 + 50 * number, 3, (2, 5 + number, 9)).astype(np.float32) for number in range(4)]
    pixels = np.concatenate([image.reshape(2, -1) for image in images], axis=1).astype(np.float64)
    mean, deviation = pool_intensities([describe(image) for image in images])
    np.testing.assert_allclose(mean, pixels.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(deviation, pixels.std(axis=1), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_a_resampled_image_keeps_its_number_type_and_is_rounded_to_it(dtype):
    image = np.random.default_rng(5).integers(0, 200, (1, 30, 20)).astype(dtype)
    resampled = replace(PLAIN, size=(11, 7)).resample_image(image)
    assert resampled.dtype == dtype
    np.testing.assert_allclose(resampled, resize_image(image, (11, 7)), atol=0.5 if dtype != np.float32 else 0)


def test_a_patch_lies_within_the_size():
    assert replace(PLAIN, patch=(8, 16)).window == (8, 16)
    assert PLAIN.window == (16, 16)
    for patch in ((8,), (8, 17)):
        with pytest.raises(SettingError) as caught:
            replace(PLAIN, patch=patch)
        assert str(caught.value) == f"preparation.patch was {patch}; expected a number an axis, none above size, (16, 16)."


@pytest.mark.parametrize("shape", [(24,), (24, 32), (12, 16, 20)])
def test_what_nobody_judged_stays_so_where_it_covers_half_of_a_pixel_and_tells_no_label_elsewhere(shape):
    random = np.random.default_rng(3)
    mask = random.choice(np.array([0, 1, 2, VOID], np.uint8), shape, p=[0.3, 0.3, 0.2, 0.2])
    size = tuple(side // 4 for side in shape)
    prepared = Preparation(size=size, mean=(0.0,), standard_deviation=(1.0,)).prepare_mask(mask).numpy()
    shares = {value: resize_image((mask == value)[None], size)[0].numpy() for value in (0, 1, 2, VOID)}
    expected = np.where(shares[1] >= shares[2], 1, 2)
    expected = np.where(np.maximum(shares[1], shares[2]) >= shares[0], expected, 0)
    expected = np.where(shares[VOID] >= 0.5, VOID, expected)
    sure = np.ones(size, bool)  # whatever rounding decides is left out of the comparison
    for one, other in ((1, 2), (1, 0), (2, 0)):
        sure &= np.abs(shares[one] - shares[other]) > 1e-4
    assert np.array_equal(prepared[sure], expected[sure])
    assert sure.mean() > 0.8


def test_some_of_a_mask_is_judged_however_much_it_shrinks():
    mask = np.full((64, 64), VOID, np.uint8)
    mask[5:7, 9:11] = 1
    prepared = Preparation(size=(8, 8), mean=(0.0,), standard_deviation=(1.0,)).prepare_mask(mask).numpy()
    assert set(np.unique(prepared)) == {1, VOID}
    assert prepared[0, 1] == 1


def test_a_void_pixel_is_no_number_of_labels():
    """As the largest label it would be resized once for each of 255."""
    mask = np.zeros((12, 12), np.uint8)
    mask[:6], mask[6:9] = 2, VOID
    prepared = Preparation(size=(4, 4), mean=(0.0,), standard_deviation=(1.0,)).prepare_mask(mask).numpy()
    assert prepared[0].tolist() == [2] * 4
    assert prepared[2].tolist() == [VOID] * 4
    assert prepared[3].tolist() == [0] * 4


def test_means_far_apart_and_one_channel_on_another_scale_are_no_common_scale():
    pattern = np.array([[[0, 20], [20, 0]], [[0, 2], [2, 0]]], np.float32)
    usual = [describe(pattern + offset) for offset in range(10)]
    assert on_common_scale(usual)
    assert not on_common_scale([*usual, describe(pattern + 1000)])
    other = pattern.copy()
    other[1] *= 250  # which the larger first channel would hide, were they taken together
    assert not on_common_scale([*usual, describe(other)])


def test_eight_bits_are_no_common_scale_where_one_case_uses_all_of_them_and_the_others_next_to_none():
    faint = [describe(np.random.default_rng(seed).integers(0, 2, (1, 16, 16)).astype(np.uint8)) for seed in range(9)]
    full = describe((255 * np.random.default_rng(9).integers(0, 2, (1, 16, 16))).astype(np.uint8))
    assert on_common_scale(faint)
    assert not on_common_scale([*faint, full])


def test_how_far_an_image_enters_from_the_training_images_is_measured_in_their_deviations():
    plan = Preparation(size=(8, 8), mean=(100.0, 50.0), standard_deviation=(20.0, 10.0))
    usual = plan.measure_entry((110.0, 45.0), (18.0, 9.0))
    assert not usual.is_extreme
    far = plan.measure_entry((110.0, 5740.0), (18.0, 9.0))
    assert (far.level, far.contrast, far.is_extreme) == (569.0, 0.9, True)
    assert str(far) == (
        "enters the network 569 standard deviations above the mean of the training images, with 0.9 times their contrast"
    )
    faint = plan.measure_entry((0.4, 0.2), (0.08, 0.04))
    assert faint.is_extreme
    assert str(faint) == (
        "enters the network 4.98 standard deviations below the mean of the training images, with 1/250 of their contrast"
    )
    assert not plan.measure_entry((0.0, 0.0), (0.0, 0.0)).is_extreme  # an image of one intensity has no scale
    assert not replace(plan, normalisation="case").measure_entry((5e6, 0.0), (1e6, 0.0)).is_extreme


def test_what_is_measured_of_an_image_is_what_its_normalised_pixels_show():
    image = np.random.default_rng(3).normal((4000, 60), (900, 12), (30, 40, 2)).transpose(2, 0, 1).astype(np.float32)
    plan = Preparation(size=(30, 40), mean=(100.0, 50.0), standard_deviation=(20.0, 10.0))
    pixels = plan.prepare_image(image)[0]
    entry = plan.measure_entry(*measure_intensities(image))
    np.testing.assert_allclose((entry.level, entry.contrast), (pixels.mean(), pixels.std(correction=0)), rtol=1e-4)
