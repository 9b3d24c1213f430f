"""Images on another scale, negatives and swapped channels are noted where a set tells them from others, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from focalseg.imagesets.case import Case
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.intensities import find_odd_intensities
from focalseg.imagesets.survey.summary import summarise


def draw(seed, *, dtype=np.uint8, gains=(1.0, 0.7, 0.4), brightness=1.0):
    """A dim picture with a bright disc, the same in all channels but for their gain: its looks are those of its set."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:40, :48]
    disc = (rows - 20 + random.normal(0, 2)) ** 2 + (columns - 24 + random.normal(0, 2)) ** 2 < random.uniform(60, 90)
    grey = (30 + 120 * disc + random.normal(0, 8, disc.shape)) * random.uniform(0.85, 1.15) * brightness
    return np.stack([np.clip(gain * grey, 0, None) for gain in gains]).astype(dtype)


def describe(images, part=""):
    cases = [
        Case(name=f"case_{number}", group="", image=image, mask=np.zeros(image.shape[1:], np.uint8))
        for number, image in enumerate(images)
    ]
    return [summarise(case, number=number, part=part) for number, case in enumerate(cases)]


def notes(images):
    return [(finding.kind, finding.file) for finding in find_odd_intensities(describe(images))]


def test_one_volume_of_250_times_the_intensities_of_the_others_is_noted_with_its_figures_and_a_mend():
    images = [draw(seed, dtype=np.float32, gains=(1.0,)) for seed in range(40)]
    images[37] = 250 * images[37]
    (finding,) = find_odd_intensities(describe(images))
    means = [float(image.mean()) for number, image in enumerate(images) if number != 37]
    usual = np.median([image.std() for number, image in enumerate(images) if number != 37])
    assert (finding.kind, finding.level, finding.file) == ("off_scale", "note", "case_37")
    assert (
        finding.found == f"has a mean of {images[37].mean():,.0f} and {images[37].std() / usual:.3g} times the usual contrast"
    )
    assert finding.expected == f"a mean from {min(means):.3g} to {max(means):.3g}, as in the other cases"
    assert finding.mend.endswith("data.normalisation=case scales each by itself.")


@pytest.mark.parametrize("count", [4, 5, 12, 40])
@pytest.mark.parametrize("factor", [16, 257, 1 / 16, 1 / 255])
def test_a_case_of_other_bits_or_of_shares_is_noted_in_sets_of_any_size(count, factor):
    """12 bits among 16 are apart by 16, 8 bits among 16 by 257, shares from 0 to 1 among 8 bits by 255."""
    images = [draw(seed, dtype=np.float32) for seed in range(count)]
    images[1] = (factor * images[1]).astype(np.float32)
    assert notes(images) == [("off_scale", "case_1")]


def test_several_cases_on_another_scale_are_all_noted_and_one_channel_is_enough():
    images = [draw(seed, dtype=np.uint16) for seed in range(20)]
    for number in (3, 4, 5, 17):
        images[number][2] *= 30
    found = find_odd_intensities(describe(images))
    assert [(finding.kind, finding.file) for finding in found] == [("off_scale", f"case_{number}") for number in (3, 4, 5, 17)]
    assert all(finding.found.endswith("times the usual contrast in channel 3") for finding in found)


def test_an_offset_that_was_forgotten_is_noted():
    """As of CT whose intercept of -1024 was left out in one file."""
    images = [10 * draw(seed, dtype=np.int16, gains=(1.0,)) - 1024 for seed in range(12)]
    images[2] = images[2] + 1024
    assert notes(images) == [("off_scale", "case_2")]


def test_a_channel_that_is_dead_in_one_case_alone_is_noted():
    images = [draw(seed) for seed in range(12)]
    images[5][1] = 0
    (finding,) = [one for one in find_odd_intensities(describe(images)) if one.kind == "constant"]
    assert (finding.file, finding.found) == ("case_5", "has the intensity 0 in every pixel of channel 2")


def test_an_image_of_one_intensity_moves_nothing_and_is_noted_elsewhere():
    images = [draw(seed) for seed in range(12)]
    images[5][:] = 7
    assert notes(images) == []
    assert notes([0 * image for image in images]) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_negative_is_noted_whatever_its_numbers(dtype):
    images = [draw(seed, dtype=dtype) for seed in range(16)]
    images[6] = images[6].max() - images[6]
    assert notes(images) == [("negative", "case_6")]


def test_swapped_channels_are_noted_with_the_order_that_would_fit():
    images = [draw(seed) for seed in range(16)]
    images[6] = images[6][::-1]
    (finding,) = find_odd_intensities(describe(images))
    assert (finding.kind, finding.file) == ("channels_swapped", "case_6")
    assert finding.found == "fits the other cases with its channels in the order 3, 2, 1"


def test_channels_of_four_modalities_in_another_order_are_noted():
    images = [draw(seed, gains=(1.0, 0.7, 0.4, 0.2), dtype=np.float32) for seed in range(16)]
    images[3] = images[3][[1, 3, 0, 2]]
    (finding,) = find_odd_intensities(describe(images))
    assert finding.kind == "channels_swapped"
    order = [int(channel) - 1 for channel in finding.found.rpartition("order ")[2].split(", ")]
    assert [[1, 3, 0, 2][channel] for channel in order] == [0, 1, 2, 3]


def test_grey_pictures_saved_as_colour_have_no_order_and_exposures_are_no_scales():
    grey = [draw(seed, gains=(1.0, 1.0, 1.0)) for seed in range(16)]
    grey[2] = grey[2][::-1]
    assert notes(grey) == []
    exposures = np.geomspace(0.5, 2, 16)
    assert notes([draw(seed, brightness=exposure) for seed, exposure in enumerate(exposures)]) == []


def test_cases_of_other_channels_and_axes_are_not_measured_against_one_another():
    grey = [draw(seed, gains=(1.0,)) for seed in range(6)]
    assert notes([*grey, *(100.0 * draw(seed) for seed in range(6))]) == []
    assert find_odd_intensities([]) == []


REAL = {"cvc_clinicdb": 3, "busi": 1, "chase_db1": 3, "nuclei": 0, "hippocampus": 0}
"""Real sets and the channels in which they tell a negative; nuclei come bright on dark as well as dark on bright."""


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_sets_give_no_note_but_where_scales_differ_and_what_is_planted_is_found(real_data, name):
    dataset = open_dataset(str(real_data(name)))
    chosen = range(0, len(dataset), max(1, len(dataset) // 40))
    cases = [dataset.read_case(number) for number in chosen]
    given = [summarise(case, number=number) for number, case in enumerate(cases)]
    far = [case.file for case in given if not 1 / 8 < case.standard_deviation[0] / spread(given) < 8]
    bright = [case.file for case in given if name == "nuclei" and case.mean[0] > 128]  # where most show light on dark
    found = find_odd_intensities(given)
    assert [finding.file for finding in found if finding.kind == "off_scale"] == far
    assert bool(far) == (name == "hippocampus")
    assert {finding.file for finding in found} - {*far} <= {*bright}

    def noted(number, image):
        planted = [*given]
        planted[number] = summarise(replace(cases[number], image=image), number=number)
        found = [one.kind for one in find_odd_intensities(planted) if one.file == planted[number].file]
        return found[0] if found else ""

    usual = [number for number, case in enumerate(given) if case.file not in far][1:12:2]
    assert {noted(number, cases[number].image.astype(np.float32) * 250) for number in usual} == {"off_scale"}
    if REAL[name]:
        negatives = [noted(number, 255 - cases[number].image) for number in usual]
        assert negatives.count("negative") >= 2 / 3 * len(usual)
    if REAL[name] == 3:
        swapped = [noted(number, cases[number].image[::-1]) for number in usual]
        assert {*swapped} == {"channels_swapped"}


def spread(cases):
    """The usual standard deviation in the first channel."""
    return np.median([case.standard_deviation[0] for case in cases])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["polyp", "vessel", "ultrasound", "local", "two-cues", "shortcut"])
def test_built_in_images_give_no_note(name):
    """Drawn with another seed than those that the limits were set on."""
    dataset = open_dataset(f"phantom:{name}@11")
    assert find_odd_intensities([summarise(dataset.read_case(number)) for number in range(0, len(dataset), 4)]) == []
