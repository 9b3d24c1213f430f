"""The planted tasks: their truth, checked against what was drawn."""

import numpy as np
import pytest
import torch

from focalseg.imagesets.phantoms.dataset import PHANTOMS, PhantomDataset
from focalseg.imagesets.phantoms.planted import BLUE, CUE_SHARE, GREEN, REACH_OF_THREE_LEVELS, RED
from focalseg.networks.unet import UNet


@pytest.mark.parametrize("name", PHANTOMS)
def test_cases_are_drawn_from_seed_and_number_alone(name):
    dataset = PhantomDataset(name, count=4)
    case = dataset.read_case(2)
    again = PhantomDataset(name, count=9).read_case(2)
    assert np.array_equal(case.image, again.image)
    assert np.array_equal(case.mask, again.mask)
    assert case.image.dtype == np.uint8
    assert case.image.shape[1:] == case.mask.shape
    assert not np.array_equal(case.image, dataset.read_case(3).image)
    assert not np.array_equal(case.image, PhantomDataset(name, count=4, seed=1).read_case(2).image)


def test_the_cue_decides_which_colour_counts():
    dataset = PhantomDataset("global-cue", count=100)
    counted = []
    for number in range(100):
        case = dataset.read_case(number)
        bright = (case.image[BLUE] > 220).mean() > 0.2
        red, green = case.image[RED][case.mask == 1].mean(), case.image[GREEN][case.mask == 1].mean()
        assert (red > green) == bright
        counted.append(bright)
    assert 30 < sum(counted) < 70


def test_the_cue_lies_farther_from_every_blob_than_a_network_of_three_levels_sees():
    dataset = PhantomDataset("global-cue", count=50)
    size = dataset.phantom.size
    for number in range(50):
        case = dataset.read_case(number)
        cue = (case.image[BLUE] > 220) | (case.image[BLUE] < 40)
        rows, columns = np.nonzero(cue)
        blob_rows, blob_columns = np.nonzero(case.mask)
        gaps = np.maximum(np.abs(rows[:, None] - blob_rows), np.abs(columns[:, None] - blob_columns))
        assert gaps.min() >= REACH_OF_THREE_LEVELS - 5  # a blob's radius is at most 4.5
        assert cue.sum() >= 0.9 * CUE_SHARE * size * size


@pytest.mark.parametrize(("widths", "reaches"), [((4, 8, 16), False), ((4, 8, 16, 32), True)])
def test_a_network_of_three_levels_sees_nothing_at_the_distance_of_the_cue(widths, reaches):
    torch.manual_seed(0)
    network = UNet(widths=widths).double().eval()
    image = torch.randn(1, 3, 128, 128, dtype=torch.double)
    changed = image.clone()
    changed[:, :, : 64 - REACH_OF_THREE_LEVELS] += 1
    with torch.no_grad():
        difference = (network(image) - network(changed))[0, 0, 64:].abs().max()
    assert bool(difference > 0) == reaches


def test_local_blobs_are_the_red_ones_and_context_blobs_lie_inside():
    for name in ("local", "context"):
        dataset = PhantomDataset(name, count=40)
        fractions = [dataset.read_case(number).mask.mean() for number in range(40)]
        assert 0.005 < np.mean(fractions) < 0.1
    case = PhantomDataset("local", count=1).read_case(0)
    assert case.image[RED][case.mask == 1].mean() > case.image[GREEN][case.mask == 1].mean() + 10


def test_alike_blobs_outside_the_organ_do_not_count():
    dataset = PhantomDataset("context", count=40)
    cases = [dataset.read_case(number) for number in range(40)]
    assert np.mean([(case.image[RED][case.mask == 0] > 165).mean() for case in cases]) > 0.005
