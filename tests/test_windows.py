"""Large images in overlapping windows: nothing is lost, shifted or seen twice over."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from focalseg.feeding.preparation import Preparation
from focalseg.inference.prediction import Member, predict_mask
from focalseg.windows import OVERLAP, place_windows, predict_in_windows

AXES = st.lists(st.tuples(st.integers(1, 23), st.integers(1, 9)), min_size=1, max_size=3)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(AXES)
def test_a_network_that_copies_its_input_copies_the_whole_image(axes):
    size, window = zip(*axes, strict=True)
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    # A weighted mean of up to 27 equal numbers, each step rounded to 6e-8.
    torch.testing.assert_close(predict_in_windows(lambda part: part, images, window), images, rtol=3e-6, atol=0)


@given(st.integers(1, 400), st.integers(1, 64))
def test_windows_cover_every_pixel_from_border_to_border_and_overlap(side, length):
    side = max(side, length)
    starts = place_windows(side, length)
    assert starts[0] == 0
    assert starts[-1] == side - length
    steps = np.diff(starts)
    assert ((steps > 0) & (steps <= max(round(length * (1 - OVERLAP)), 1))).all()


def test_an_image_of_the_windows_size_is_predicted_as_it_is():
    network = nn.Conv2d(1, 2, 3, padding=1)
    images = torch.randn(1, 1, 16, 12, generator=torch.Generator().manual_seed(1))
    assert torch.equal(predict_in_windows(network, images, (16, 12)), network(images))


def test_far_from_its_borders_a_window_gives_what_the_whole_image_gives():
    torch.manual_seed(2)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)).eval()
    images = torch.randn(1, 1, 64, 64)
    whole, tiled = network(images).detach(), predict_in_windows(network, images, (32, 32))
    # Borders of windows see zeros instead of their neighbours; the Gaussian leaves next to nothing of that.
    assert (whole - tiled).abs().max() < 0.05 * whole.std()


@pytest.mark.parametrize("size", [(24, 20), (40, 48)])
def test_masks_come_back_at_the_images_size_when_the_network_sees_patches(size):
    class Threshold(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, images):
            assert images.shape[2:] == (16, 16)
            return images

    image = np.random.default_rng(3).normal(0, 1, (1, *size)).astype(np.float32)
    preparation = Preparation(size=size, mean=(0.0,), standard_deviation=(1.0,), patch=(16, 16))
    assert np.array_equal(predict_mask([Member(Threshold(), preparation)], image), image[0] > 0)
