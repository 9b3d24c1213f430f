"""The small planted tasks: what decides can be read from the image, and lies where it is said to lie."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from focalseg.imagesets.case import Case
from focalseg.imagesets.phantoms.dataset import PHANTOMS, PhantomDataset
from focalseg.imagesets.phantoms.planted import BLUE, CONTRAST, CUE_LEVEL, GREEN, RED
from focalseg.imagesets.phantoms.planted_small import (
    COLOUR_ROWS,
    HALVES_BAND,
    HINT_CONTRAST,
    REACH_OF_TWO_LEVELS,
    SCANNERS,
    TWO_CUES_BAND,
)
from focalseg.networks.unet import UNet

SMALL = ("small-local", "faint", "small-global-cue", "halves", "two-cues", "shortcut")


def read(name: str, count: int) -> list[Case]:
    dataset = PhantomDataset(name, count=count)
    return [dataset.read_case(number) for number in range(count)]


def intensities(case: Case) -> np.ndarray:
    """The image in the units it was drawn in: 40 counts a unit about grey 128."""
    return (case.image.astype(float) - 128) / 40


def dice(predicted: np.ndarray, mask: np.ndarray) -> float:
    return 2 * (predicted & (mask == 1)).sum() / (predicted.sum() + (mask == 1).sum())


def find_dots(channel: np.ndarray, band: int) -> np.ndarray:
    """Dots of one colour below a band: bright pixels that are not alone."""
    dots = (channel > 0.6) & (ndimage.uniform_filter(channel, 3) > 0.4)
    dots[: band + 2] = False
    return dots


def brighter_half(band: np.ndarray) -> slice:
    left, right = np.split(band, 2, axis=-1)
    return slice(0, left.shape[-1]) if left.mean() > right.mean() else slice(left.shape[-1], None)


@pytest.mark.parametrize("name", SMALL)
def test_a_small_task_is_small_and_nearly_never_empty(name):
    cases = read(name, 60)
    assert {case.image.shape for case in cases} == {(3, 32, 32)}
    assert PHANTOMS[name].count >= 240
    shares = np.array([case.mask.mean() for case in cases])
    assert (shares > 0).mean() > 0.95
    assert 0.01 < shares.mean() < 0.12


@pytest.mark.parametrize("offset", [0, 1])
def test_a_network_of_two_levels_sees_nothing_at_the_distance_of_the_cue(offset):
    torch.manual_seed(0)
    network = UNet(widths=(4, 8)).double().eval()
    image = torch.randn(1, 3, 64, 64, dtype=torch.double)
    changed = image.clone()
    border = 32 + offset
    changed[:, :, :border] += 1
    with torch.no_grad():
        difference = (network(image) - network(changed))[0, 0].abs().amax(dim=1)
    nearest_blob = border + REACH_OF_TWO_LEVELS - 3  # a blob's radius is at most 3
    assert difference[nearest_blob:].max() == 0
    assert difference[border + 6] > 0


def test_every_blob_of_the_small_cue_task_stands_out_of_reach_of_the_cue_that_decides():
    counted = []
    for case in read("small-global-cue", 60):
        values = intensities(case)
        bright = values[BLUE].mean() > 0
        assert (values[RED][case.mask == 1].mean() > values[GREEN][case.mask == 1].mean()) == bright
        rows, columns = np.nonzero(np.abs(values[BLUE]) > 2)
        blob_rows, blob_columns = np.nonzero(case.mask)
        gaps = np.maximum(np.abs(rows[:, None] - blob_rows), np.abs(columns[:, None] - blob_columns))
        assert gaps.min() >= REACH_OF_TWO_LEVELS - 2  # of the nearest rows: a blob's radius is at most 3
        counted.append(bright)
    assert 15 < sum(counted) < 45


def test_the_band_says_in_which_half_dots_count():
    overlaps, shares = [], []
    for case in read("halves", 60):
        values = intensities(case)
        half = brighter_half(values[BLUE, :HALVES_BAND])
        dots = find_dots(values[RED], HALVES_BAND)
        counted = np.zeros_like(dots)
        counted[:, half] = dots[:, half]
        overlaps.append(dice(counted, case.mask))
        shares.append(counted.sum() / dots.sum())
        assert not case.mask[:, ~np.isin(np.arange(32), np.arange(32)[half])].any()
    assert np.mean(overlaps) > 0.85
    assert 0.4 < np.mean(shares) < 0.6


@pytest.mark.parametrize(("name", "rows"), [("halves", slice(0, HALVES_BAND)), ("two-cues", slice(COLOUR_ROWS, TWO_CUES_BAND))])
def test_the_mean_of_an_image_does_not_tell_the_half(name, rows):
    channel = BLUE if name == "halves" else RED
    means = np.array([intensities(case)[channel, rows].mean() for case in read(name, 60)])
    assert np.abs(means).max() < 0.1 * CUE_LEVEL


def test_two_cues_say_which_colour_and_which_half_count():
    overlaps, without_colour, without_half = [], [], []
    for case in read("two-cues", 60):
        values = intensities(case)
        colours = [find_dots(values[colour], TWO_CUES_BAND) for colour in (RED, GREEN)]
        if values[BLUE, :COLOUR_ROWS].mean() < 0:
            colours.reverse()
        half = np.zeros((32, 32), bool)
        half[:, brighter_half(values[RED, COLOUR_ROWS:TWO_CUES_BAND])] = True
        overlaps.append(dice(colours[0] & half, case.mask))
        without_colour.append(dice((colours[0] | colours[1]) & half, case.mask))
        without_half.append(dice(colours[0], case.mask))
    assert np.mean(overlaps) > 0.85
    assert np.mean(without_colour) < 0.7
    assert np.mean(without_half) < 0.7


def test_every_scanner_has_a_level_and_a_colour_of_its_own():
    levels = np.linspace(-CUE_LEVEL, CUE_LEVEL, SCANNERS)
    cases = read("shortcut", 60)
    assert len({case.group for case in cases}) == SCANNERS
    for number, case in enumerate(cases):
        values, scanner = intensities(case), number % SCANNERS
        assert case.group == f"shortcut_group_{scanner}"
        assert values[BLUE].mean() == pytest.approx(levels[scanner] * 10 / 32, abs=0.05)  # the band is 10 of 32 rows
        red, green = (values[colour][case.mask == 1].mean() for colour in (RED, GREEN))
        assert (red > green) == (scanner % 2 == 1)


def test_the_blobs_that_count_are_the_brighter_ones_on_every_scanner():
    right = []
    for number, case in enumerate(read("shortcut", 100)):
        counted, other = (RED, GREEN) if number % SCANNERS % 2 else (GREEN, RED)
        values = intensities(case)
        apart = case.mask == 0
        peaks = [ndimage.uniform_filter(values[colour], 3).max() for colour in (counted, other)]
        right.append(peaks[0] > peaks[1])
        assert values[counted][~apart].mean() == pytest.approx(CONTRAST, abs=0.2)
    assert HINT_CONTRAST < CONTRAST
    assert np.mean(right) > 0.9
