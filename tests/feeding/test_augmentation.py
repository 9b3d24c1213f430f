"""Moves are exact, what is read between pixels follows closed forms, and a step is a function of its seed and number."""

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch

from focalseg.errors import SettingError, ShapeError
from focalseg.feeding import warping
from focalseg.feeding.augmentation import augment
from focalseg.feeding.augmentation_config import AUGMENTATIONS, AugmentationConfig
from focalseg.feeding.warping import bend, map_linearly, read_at

NONE = {"flip": False, "turn": False, "brightness": 0.0, "contrast": 0.0}
SHAPES = [(12,), (12, 12), (9, 14), (8, 10, 10), (7, 9, 11)]


def make_batch(shape, *, count=6, channels=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, channels, *shape, generator=generator)
    return images, torch.randint(0, 4, (count, *shape), generator=generator, dtype=torch.uint8)


def make_blobs(shape, *, count=4, seed=0):
    """Smooth images (count, 1, *shape) with values from 0 to 1, about half of them above 0.5."""
    noise = np.random.default_rng(seed).normal(size=(count, 1, *shape))
    smooth = np.stack([scipy.ndimage.gaussian_filter(image, (0, *(4,) * len(shape))) for image in noise])
    return torch.from_numpy(scipy.stats.rankdata(smooth).reshape(smooth.shape) / smooth.size).float()


@pytest.mark.parametrize("shape", SHAPES)
def test_none_changes_nothing_and_no_preset_edits_its_arguments(shape):
    images, masks = make_batch(shape)
    kept = images.clone(), masks.clone()
    unchanged = augment(images, masks, config=AUGMENTATIONS["none"], seed=0, step=0)
    assert torch.equal(unchanged[0], images)
    assert torch.equal(unchanged[1], masks)
    assert unchanged[0].data_ptr() != images.data_ptr()
    for config in (*(AUGMENTATIONS[name] for name in AUGMENTATIONS), AugmentationConfig(scale=0.4, noise=1.0, blur_pixels=2.0)):
        augment(images, masks, config=config, seed=0, step=0)
        assert torch.equal(images, kept[0])
        assert torch.equal(masks, kept[1])


@pytest.mark.parametrize("switched_on", [{"scale": 0.4}, {"rotation_degrees": 90.0}, {"power_law": 0.5, "noise": 0.1}])
def test_an_operation_that_is_switched_on_leaves_the_draws_of_the_others(switched_on):
    """At a share of 0 nothing shows of it; the flips, turns, contrast and brightness, and the blur, are those without it."""
    images, masks = make_batch((12, 12))
    without = augment(images, masks, config=AugmentationConfig(), seed=3, step=4)
    with_it = augment(images, masks, config=AugmentationConfig(**switched_on, share=0.0), seed=3, step=4)
    assert torch.equal(without[0], with_it[0])
    assert torch.equal(without[1], with_it[1])
    blurred = augment(images, config=AugmentationConfig(**NONE, blur_pixels=1.0, share=0.5), seed=3, step=4)[0]
    both = augment(images, config=AugmentationConfig(**NONE, blur_pixels=1.0, elastic_pixels=1e-6, share=0.5), seed=3, step=4)
    torch.testing.assert_close(both[0], blurred, atol=1e-4, rtol=0)


def test_a_step_is_a_function_of_its_seed_and_number():
    images, masks = make_batch((16, 16))
    everything = AugmentationConfig(
        rotation_degrees=45.0, scale=0.3, elastic_pixels=1.5, power_law=0.5, noise=0.2, blur_pixels=1.0, share=0.6
    )
    first, again = (augment(images, masks, config=everything, seed=1, step=2) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    for other in ({"seed": 1, "step": 3}, {"seed": 2, "step": 2}):
        assert not torch.equal(augment(images, masks, config=everything, **other)[0], first[0])


def test_what_happens_to_a_case_depends_on_its_place_and_not_on_the_other_cases():
    config = AugmentationConfig(
        rotation_degrees=45.0, scale=0.3, elastic_pixels=1.5, power_law=0.5, noise=0.2, blur_pixels=1.0, share=0.6
    )
    images, masks = make_batch((16, 16))
    others, other_masks = make_batch((16, 16), seed=1)
    others[2], other_masks[2] = images[2], masks[2]
    one, other = (augment(*batch, config=config, seed=5, step=1) for batch in ((images, masks), (others, other_masks)))
    assert torch.equal(one[0][2], other[0][2])
    assert torch.equal(one[1][2], other[1][2])


@pytest.mark.parametrize("shape", [(9, 9), (6, 11), (5, 8, 8), (4, 5, 6)])
def test_flips_and_turns_are_the_same_through_the_map_as_by_moving_pixels(shape):
    """A scale so near to 1 that every pixel is still read at its own place, so that only the way there differs."""
    images, masks = make_batch(shape, count=24)
    moved = augment(images, masks, config=AugmentationConfig(), seed=2, step=0)
    read = augment(images, masks, config=AugmentationConfig(scale=1e-9), seed=2, step=0)
    torch.testing.assert_close(read[0], moved[0], atol=1e-4, rtol=0)
    assert torch.equal(read[1], moved[1])


@pytest.mark.parametrize(
    ("shape", "plane"), [((10, 10), (0, 1)), ((4, 9, 9), (1, 2)), ((8, 5, 8), (0, 2)), ((7, 7, 5), (0, 1))]
)
def test_a_rotation_by_a_right_angle_is_rot90(shape, plane):
    images, masks = make_batch(shape, count=3)
    matrix = np.eye(len(shape))
    matrix[np.ix_(plane, plane)] = [[0, 1], [-1, 0]]
    read, (read_masks,) = read_at(map_linearly(shape, np.stack([matrix] * 3)), images, [masks[:, None]])
    torch.testing.assert_close(read, images.rot90(1, [axis + 2 for axis in plane]), atol=1e-4, rtol=0)
    assert torch.equal(read_masks[:, 0], masks.rot90(1, [axis + 1 for axis in plane]))


@pytest.mark.parametrize("shape", [(14,), (11, 14), (6, 8, 9), (44, 43, 45)])  # the last is read in two parts
def test_any_linear_map_is_read_as_scipy_reads_it(shape):
    axes = len(shape)
    images, masks = make_batch(shape, count=3)
    matrices = np.eye(axes) + np.random.default_rng(0).uniform(-0.4, 0.4, (3, axes, axes))
    read, (read_masks,) = read_at(map_linearly(shape, matrices), images, [masks[:, None]])
    centre = (np.array(shape) - 1) / 2
    for case, matrix in enumerate(matrices):
        how = {"offset": centre - matrix @ centre, "mode": "nearest"}
        for channel in range(2):
            expected = scipy.ndimage.affine_transform(images[case, channel].double().numpy(), matrix, order=1, **how)
            np.testing.assert_allclose(read[case, channel], expected, atol=1e-4)
        expected = scipy.ndimage.affine_transform(masks[case].numpy(), matrix, order=0, **how)
        assert (read_masks[case, 0].numpy() == expected).mean() > 0.999  # rounding where two pixels are equally near


@pytest.mark.parametrize("shape", [(11, 14), (6, 8, 9)])
def test_both_ways_of_reading_agree(shape):
    """Volumes are read by one way on the CPU and by the other on an accelerator."""
    images, masks = make_batch(shape, count=3)
    matrices = np.eye(len(shape)) + np.random.default_rng(1).uniform(-0.4, 0.4, (3, len(shape), len(shape)))
    places = map_linearly(shape, matrices) + bend(shape, 1.0, torch.Generator().manual_seed(0))
    by_corners, by_grid = (read(places, images, [masks[:, None]]) for read in (warping._read_corners, warping._read_grid))
    torch.testing.assert_close(by_corners[0], by_grid[0], atol=1e-4, rtol=0)
    assert torch.equal(by_corners[1][0], by_grid[1][0])


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int16, torch.int64, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(9, 9), (5, 6, 7)])
def test_a_map_of_any_dtype_holds_only_the_values_it_had(dtype, shape):
    largest = {torch.bool: 2, torch.uint8: 256, torch.int16: 2**15}.get(dtype, 2**40)
    maps = torch.randint(0, largest, (4, 2, *shape), generator=torch.Generator().manual_seed(0)).to(dtype)
    images, _ = make_batch(shape, count=4)
    config = AugmentationConfig(rotation_degrees=180.0, volume_rotation_degrees=180.0, scale=0.5, elastic_pixels=1.0)
    moved = augment(images, maps, config=config, seed=0, step=0)[1]
    assert moved.dtype == dtype
    for channel in range(2):
        assert set(moved[:, channel].flatten().tolist()) <= set(maps[:, channel].flatten().tolist())


@pytest.mark.parametrize("shape", [(40,), (40, 40), (24, 24, 24)])
@pytest.mark.parametrize("step", range(3))
def test_scale_takes_a_ramp_to_a_ramp_of_another_slope_within_its_range(shape, step):
    """Along the first axis, offset from the centre times the factor, up to the border whose value is repeated."""
    ramp = (torch.arange(shape[0]) - (shape[0] - 1) / 2).reshape(-1, *(1,) * (len(shape) - 1)).expand(shape)
    images = ramp.expand(8, 1, *shape).contiguous()
    scaled = augment(images, config=AugmentationConfig(**NONE, scale=0.25), seed=0, step=step)[0]
    middle = shape[0] // 2
    slopes = [(case[0][middle] - case[0][middle - 1]).mean().item() for case in scaled]
    assert all(1 / 1.25 - 1e-4 <= slope <= 1.25 + 1e-4 for slope in slopes)
    assert max(slopes) > 1.05
    assert min(slopes) < 0.95
    edge = (shape[0] - 1) / 2
    for slope, case in zip(slopes, scaled, strict=True):
        torch.testing.assert_close(case[0], (slope * ramp).clamp(-edge, edge), atol=1e-3, rtol=0)


@pytest.mark.parametrize("spacing_mm", [None, (3.0, 1.0, 1.0), (0.5, 0.8, 2.0)])
def test_a_rotation_keeps_distances_in_mm_where_voxels_are_not_cubes(spacing_mm):
    """Images that hold their own coordinates say where each voxel came from: neighbours stay as far apart as they were."""
    shape, spacing = (17, 17, 17), np.array(spacing_mm or (1.0, 1.0, 1.0))
    coordinates = torch.stack(torch.meshgrid(*(torch.arange(length).float() for length in shape), indexing="ij"))
    config = AugmentationConfig(**NONE, volume_rotation_degrees=15.0)
    came_from = augment(coordinates.expand(5, 3, *shape), config=config, seed=0, step=0, spacing_mm=spacing_mm)[0]
    here = came_from[:, :, 8, 8, 8]
    steps = [came_from[:, :, 9, 8, 8], came_from[:, :, 8, 9, 8], came_from[:, :, 8, 8, 9]]
    in_mm = np.stack([(there - here).numpy() * spacing / spacing[axis] for axis, there in enumerate(steps)], axis=-1)
    np.testing.assert_allclose(in_mm.transpose(0, 2, 1) @ in_mm, np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-3)
    angles = np.degrees(np.arccos(np.clip((np.trace(in_mm, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert (angles > 1).all()


def test_a_plane_is_not_turned_by_quarters_where_its_pixels_are_not_square():
    corner = torch.zeros(200, 5, 5)
    corner[:, 0, 1] = 1
    config = AugmentationConfig(flip=False)
    moved = augment(torch.zeros(200, 1, 5, 5), corner, config=config, seed=0, step=0, spacing_mm=(1.0, 2.0))[1]
    assert torch.equal(moved, corner)
    turned = augment(torch.zeros(200, 1, 5, 5), corner, config=config, seed=0, step=0, spacing_mm=(2.0, 2.0))[1]
    assert {tuple(place[1:]) for place in turned.nonzero().tolist()} == {(0, 1), (1, 4), (4, 3), (3, 0)}


@pytest.mark.parametrize(("size", "amplitude"), [((64,), 2.0), ((40, 50), 3.0), ((40, 40), 0.5), ((20, 24, 28), 2.0)])
def test_a_displacement_stays_within_its_amplitude_and_folds_nothing(size, amplitude):
    for seed in range(5):
        field = bend(size, amplitude, torch.Generator().manual_seed(seed))
        assert field.shape == (len(size), *size)
        assert field.abs().max() <= amplitude * (1 + 1e-5)
        assert field.abs().max() > amplitude / 10
        slopes = torch.stack([field.diff(dim=axis + 1).abs().amax() for axis in range(len(size))])
        assert slopes.max() <= 2 / 8 + 1e-5  # of B-splines with control points 8 amplitudes apart, at most 2 amplitudes apart


def test_elastic_displacement_moves_a_ramp_by_its_amplitude_at_most():
    ramp = torch.arange(48.0)[:, None].expand(48, 48)
    config = AugmentationConfig(**NONE, elastic_pixels=3.0)
    moved = augment(ramp.expand(6, 1, 48, 48), config=config, seed=0, step=0)[0]
    assert (moved - ramp).abs().max() <= 3 + 1e-3
    assert all((case - ramp).abs().max() > 0.3 for case in moved)


@pytest.mark.parametrize("shape", [(64, 64), (48, 64), (24, 24, 24)])
def test_image_and_mask_stay_aligned(shape):
    """An image that is smooth and its mask, thresholded before: the same as the threshold after, but for the edge."""
    images = make_blobs(shape)
    config = AugmentationConfig(
        brightness=0.0, contrast=0.0, rotation_degrees=180.0, volume_rotation_degrees=90.0, scale=0.4, elastic_pixels=2.0
    )
    moved, masks = augment(images, images[:, 0] > 0.5, config=config, seed=4, step=0)
    assert not torch.equal(masks, images[:, 0] > 0.5)
    far_from_edge = (moved[:, 0] - 0.5).abs() > 0.15
    assert torch.equal(masks[far_from_edge], (moved[:, 0] > 0.5)[far_from_edge])
    assert ((moved[:, 0] > 0.5) == masks).float().mean() > 0.93


def test_about_the_share_of_the_cases_is_touched_and_the_rest_not_resampled():
    images = torch.randn(500, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    config = AugmentationConfig(**NONE, rotation_degrees=180.0, scale=0.4, share=0.2)
    same = (augment(images, config=config, seed=0, step=0)[0] == images).flatten(1).all(dim=1)
    expected = 500 * 0.8**2
    assert abs(int(same.sum()) - expected) < 4 * math.sqrt(500 * 0.64 * 0.36)


@pytest.mark.parametrize("shape", [(30,), (14, 15), (8, 9, 10)])
def test_a_power_law_keeps_range_and_order_and_is_the_power_of_the_share_of_the_range(shape):
    images, _ = make_batch(shape, count=12)
    raised = augment(images, config=AugmentationConfig(**NONE, power_law=0.5), seed=0, step=0)[0]
    exponents = []
    for before, after in zip(images.flatten(2).double(), raised.flatten(2).double(), strict=True):
        order = before.argsort(dim=1)
        assert (after.gather(1, order).diff(dim=1) >= 0).all()
        low, high = before.amin(dim=1, keepdim=True), before.amax(dim=1, keepdim=True)
        assert torch.equal(after.amin(dim=1, keepdim=True), low)
        torch.testing.assert_close(after.amax(dim=1, keepdim=True), high)
        inside = (before > low + 0.2) & (before < high - 0.2)
        ratios = ((after - low) / (high - low)).log()[inside] / ((before - low) / (high - low)).log()[inside]
        assert ratios.max() - ratios.min() < 1e-3
        exponents.append(float(ratios.mean()))
    assert min(exponents) >= 1 / 1.5 - 1e-3
    assert max(exponents) <= 1.5 + 1e-3
    assert min(exponents) < 0.9
    assert max(exponents) > 1.1


def test_noise_has_standard_deviations_evenly_from_zero_to_its_largest():
    images = torch.zeros(60, 1, 40, 40)
    noisy = augment(images, config=AugmentationConfig(**NONE, noise=0.5), seed=0, step=0)[0]
    deviations = noisy.flatten(1).std(dim=1)
    assert abs(float(noisy.mean())) < 0.01
    assert deviations.max() < 0.5 * 1.1
    assert abs(float(deviations.mean()) - 0.25) < 4 * 0.5 / math.sqrt(12 * 60)
    normalised = noisy.flatten(1) / deviations[:, None]
    assert abs(float((normalised.abs() < 1).float().mean()) - math.erf(1 / math.sqrt(2))) < 0.01


@pytest.mark.parametrize("shape", [(40,), (21, 33), (9, 12, 14), (1, 20)])
def test_blur_keeps_the_mean_and_a_constant_and_flattens(shape):
    images, _ = make_batch(shape)
    blurred = augment(images, config=AugmentationConfig(**NONE, blur_pixels=3.0), seed=0, step=0)[0]
    spatial = tuple(range(2, images.ndim))
    torch.testing.assert_close(blurred.mean(dim=spatial), images.mean(dim=spatial), atol=1e-5, rtol=0)
    assert (blurred.var(dim=spatial) < images.var(dim=spatial)).all()


def test_blur_is_a_gaussian_no_wider_than_asked_for():
    point = torch.zeros(40, 1, 41, 41)
    point[:, :, 20, 20] = 1
    spread = augment(point, config=AugmentationConfig(**NONE, blur_pixels=2.0), seed=0, step=0)[0][:, 0]
    offsets = torch.arange(41) - 20.0
    sigmas = (spread.sum(dim=1) @ offsets**2).sqrt()
    assert sigmas.max() <= 2
    assert sigmas.max() > 1.5
    for case, sigma in zip(spread, sigmas, strict=True):
        if sigma > 0.8:  # where a sampled Gaussian has the variance of the continuous one
            expected = scipy.ndimage.gaussian_filter(point[0, 0].double().numpy(), float(sigma), truncate=6)
            np.testing.assert_allclose(case, expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(1,), (16,), (1, 1), (16, 16), (1, 16), (8, 8, 8), (1, 8, 8)])
@pytest.mark.parametrize("value", [0.0, -3.5])
def test_a_constant_image_stays_finite_and_but_for_contrast_and_noise_as_it_is(shape, value):
    images, masks = torch.full((5, 2, *shape), value), torch.ones((5, *shape), dtype=torch.uint8)
    config = AugmentationConfig(
        contrast=0.0,
        brightness=0.0,
        rotation_degrees=180.0,
        volume_rotation_degrees=180.0,
        scale=0.4,
        elastic_pixels=2.0,
        power_law=1.0,
        blur_pixels=2.0,
    )
    moved, moved_masks = augment(images, masks, config=config, seed=0, step=0)
    torch.testing.assert_close(moved, images)
    assert torch.equal(moved_masks, masks)
    assert augment(images, config=AUGMENTATIONS["standard"], seed=0, step=0)[0].isfinite().all()


def test_a_rotation_is_of_planes_or_of_volumes_as_the_image_is():
    planes, volumes = torch.randn(4, 1, 9, 9), torch.randn(4, 1, 5, 9, 9)
    config = AugmentationConfig(**NONE, rotation_degrees=90.0)
    assert config.resamples(2)
    assert not config.resamples(3)
    assert not config.resamples(1)
    assert not torch.equal(augment(planes, config=config, seed=0, step=0)[0], planes)
    assert torch.equal(augment(volumes, config=config, seed=0, step=0)[0], volumes)
    assert not AUGMENTATIONS["light"].resamples(2)
    assert all(AUGMENTATIONS["standard"].resamples(axes) for axes in (1, 2, 3))


def test_settings_out_of_range_are_refused_all_at_once():
    with pytest.raises(SettingError) as raised:
        AugmentationConfig(share=1.5, contrast=1.0, scale=-0.1)
    assert str(raised.value) == (
        "scale was -0.1; expected a finite number at least 0 and at most 10.\n"
        "contrast was 1.0; expected a finite number at least 0 and below 1.\n"
        "share was 1.5; expected a finite number at least 0 and at most 1."
    )


def test_shapes_and_spacings_that_do_not_fit_are_refused():
    light = AUGMENTATIONS["light"]
    with pytest.raises(ShapeError) as raised:
        augment(torch.zeros(2, 3), config=light, seed=0, step=0)
    assert str(raised.value) == "The images are (2, 3); expected (B, C, *spatial) with one to three spatial axes."
    with pytest.raises(ShapeError) as raised:
        augment(torch.zeros(2, 1, 8, 8), torch.zeros(2, 8, 9), config=light, seed=0, step=0)
    assert str(raised.value) == (
        "A map is (2, 8, 9) and the images are (2, 1, 8, 8); expected maps (B, *spatial) or (B, K, *spatial)."
    )
    with pytest.raises(SettingError) as raised:
        augment(torch.zeros(2, 1, 8, 8), config=light, seed=0, step=0, spacing_mm=(1.0,))
    assert str(raised.value) == "spacing_mm was (1.0,); expected 2 positive number(s), one a spatial axis."


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(SettingError, match="No augmentation named 'heavy'; known are none, light, standard"):
        AUGMENTATIONS["heavy"]
