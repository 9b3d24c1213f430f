"""What the phantoms that look like a modality promise: shapes, repeatability, class imbalance, no threshold."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from focalseg.imagesets.phantoms.canvas import Array, coordinates, irregular_outline, lattice_noise, skewed_fraction
from focalseg.imagesets.phantoms.polyp import draw_polyp
from focalseg.imagesets.phantoms.ultrasound import draw_ultrasound
from focalseg.imagesets.phantoms.vessel import draw_vessel

pytestmark = pytest.mark.slow

Draw = Callable[[np.random.Generator, int], tuple[Array, Array]]
DRAWINGS = {"polyp": (draw_polyp, 3), "vessel": (draw_vessel, 3), "ultrasound": (draw_ultrasound, 1)}
modalities = pytest.mark.parametrize("modality", sorted(DRAWINGS))


def draw(modality: str, index: int, size: int = 96) -> tuple[Array, Array]:
    return DRAWINGS[modality][0](np.random.default_rng([2024, index]), size)


@cache
def draw_many(modality: str) -> tuple[tuple[Array, Array], ...]:
    return tuple(draw(modality, index, size=64) for index in range(200))


def fractions(modality: str) -> Array:
    return np.array([mask.mean() for _, mask in draw_many(modality)])


def best_threshold_dice(channel: Array, mask: Array) -> float:
    """Dice of the best mask of the form channel <= t or channel >= t, over all thresholds t."""
    foreground, pixels = (np.bincount(values, minlength=256) for values in (channel[mask], channel.ravel()))
    dices = [2 * np.cumsum(foreground[::way]) / (np.cumsum(pixels[::way]) + mask.sum()) for way in (1, -1)]
    return float(np.max(dices))


def mean_best_threshold_dice(cases: tuple[tuple[Array, Array], ...]) -> float:
    with_foreground = [(image, mask) for image, mask in cases if mask.any()]
    return float(np.mean([max(best_threshold_dice(c, mask) for c in image) for image, mask in with_foreground]))


@modalities
def test_the_same_seed_draws_the_same_case_and_another_seed_another(modality: str) -> None:
    (image, mask), (again, mask_again), (other, _) = (draw(modality, index) for index in (0, 0, 1))
    assert np.array_equal(image, again)
    assert np.array_equal(mask, mask_again)
    assert not np.array_equal(image, other)


@modalities
def test_a_case_depends_on_no_global_randomness_and_leaves_it_alone(modality: str) -> None:
    np.random.seed(0)
    image, _ = draw(modality, 3)
    after_drawing = np.random.random()
    np.random.seed(0)
    assert after_drawing == np.random.random()
    np.random.seed(1)
    assert np.array_equal(image, draw(modality, 3)[0])


@modalities
@pytest.mark.parametrize("size", [32, 33, 96, 128, 511, 512])
def test_every_size_from_32_to_512_gives_8_bit_channels_and_a_mask_of_that_size(modality: str, size: int) -> None:
    image, mask = draw(modality, 5, size)
    assert image.shape == (DRAWINGS[modality][1], size, size)
    assert image.dtype == np.uint8
    assert mask.shape == (size, size)
    assert mask.dtype == bool


@modalities
def test_the_appearance_uses_the_range_of_8_bits_without_saturating_most_of_the_frame(modality: str) -> None:
    image, _ = draw(modality, 0)
    assert np.ptp(image) > 150
    assert (image == 255).mean() < 0.15


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modality", "mean", "median"),
    [
        ("polyp", (0.075, 0.105), (0.055, 0.085)),  # CVC-ClinicDB: 0.092 and 0.068
        ("ultrasound", (0.060, 0.095), (0.035, 0.065)),  # BUSI with its normal images: 0.078 and 0.05
        ("vessel", (0.07, 0.12), (0.07, 0.12)),  # CHASE_DB1: 0.069 and 0.073, DRIVE more
    ],
)
def test_foreground_is_as_rare_as_in_the_modality(
    modality: str, mean: tuple[float, float], median: tuple[float, float]
) -> None:
    share = fractions(modality)
    assert mean[0] <= share.mean() <= mean[1]
    assert median[0] <= np.median(share) <= median[1]


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 128, 256])
def test_vessels_cover_a_like_share_of_small_and_large_frames(size: int) -> None:
    share = np.mean([draw("vessel", index, size)[1].mean() for index in range(10)])
    assert 0.07 <= share <= 0.12


def test_every_polyp_frame_and_fundus_has_foreground_and_none_is_mostly_foreground() -> None:
    assert fractions("polyp").min() > 0.005
    assert fractions("polyp").max() < 0.45
    assert fractions("vessel").min() > 0.05


def test_about_one_ultrasound_image_in_six_is_normal() -> None:
    normal = int((fractions("ultrasound") == 0).sum())
    assert abs(normal - 200 / 6) < 3 * np.sqrt(200 * (1 / 6) * (5 / 6))  # three standard deviations of the binomial


def test_no_polyp_is_marked_outside_the_view_of_the_endoscope() -> None:
    for image, mask in draw_many("polyp"):
        rows, columns = (np.abs(axis - 31.5) / 64 for axis in coordinates(64))
        surround = (rows > 0.51) | (columns > 0.50) | (rows + columns > 0.88)  # outside the widest view that is drawn
        assert image[:, surround].max() < 30
        assert not mask[surround].any()


def test_lesions_are_darker_than_the_tissue_round_them() -> None:
    darker = [image[0][mask].mean() < image[0][~mask].mean() for image, mask in draw_many("ultrasound") if mask.any()]
    assert np.mean(darker) > 0.6


def test_vessels_are_darker_in_green_than_the_retina_within_a_few_pixels() -> None:
    for image, mask in draw_many("vessel")[:20]:
        nearby = np.zeros_like(mask)
        for shift in (-3, 3):
            nearby |= np.roll(mask, shift, axis=0) | np.roll(mask, shift, axis=1)
        retina = nearby & ~mask & (image[0] > 30)
        assert image[1][mask].mean() < image[1][retina].mean()


@modalities
def test_the_best_threshold_on_the_best_channel_does_not_solve_it(modality: str) -> None:
    assert mean_best_threshold_dice(draw_many(modality)[:100]) < 0.8


def test_the_threshold_that_is_said_to_fail_would_solve_a_case_that_intensity_decides() -> None:
    mask = np.zeros((32, 32), bool)
    mask[8:16, 8:16] = True
    image = np.where(mask, 90, 120).astype(np.uint8)
    assert mean_best_threshold_dice(((image[None], mask),)) == 1.0


@pytest.mark.parametrize("scales", [(3.0, 3.0), (4.0, 20.0)])
def test_lattice_noise_has_unit_variance_and_the_correlation_of_its_bumps(scales: tuple[float, float]) -> None:
    random = np.random.default_rng(0)
    noise = np.stack([lattice_noise(random, 64, scales) for _ in range(200)])
    assert np.var(noise) == pytest.approx(1, rel=0.05)
    for axis, scale in ((1, scales[0]), (2, scales[1])):
        for lag in (1, int(scale), int(2 * scale)):
            ahead, behind = np.split(noise, [lag], axis)[1], np.split(noise, [64 - lag], axis)[0]
            expected = np.exp(-((lag / (2 * 0.7 * scale)) ** 2))  # a Gaussian of width 0.7 scale, convolved with itself
            assert np.mean(ahead * behind) == pytest.approx(expected, abs=0.06)


def test_an_outline_without_waves_is_the_circle_and_with_waves_keeps_to_their_amplitude() -> None:
    random = np.random.default_rng(0)
    offsets = (random.normal(size=(20, 20)), random.normal(size=(20, 20)))
    radius = np.hypot(*offsets)
    assert np.allclose(irregular_outline(random, offsets, np.zeros(3)), radius)
    ratio = radius / irregular_outline(random, offsets, np.array([0.1, 0.05]))
    assert ratio.min() >= 0.85
    assert ratio.max() <= 1.15
    assert ratio.std() > 0.05


def test_a_skewed_fraction_has_the_mean_and_the_median_it_was_given() -> None:
    random = np.random.default_rng(0)
    drawn = np.array([skewed_fraction(random, 0.06, 0.09, (0.0, 1.0)) for _ in range(20000)])
    assert np.median(drawn) == pytest.approx(0.06, rel=0.03)
    assert drawn.mean() == pytest.approx(0.09, rel=0.03)
