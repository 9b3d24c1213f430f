"""Labels drawn on images: which slice, which way up, and what is left as it was."""

import numpy as np
import pytest

from focalseg.inference.cases.overlays import draw_overlay

RANDOM = np.random.default_rng(0)


def test_a_picture_keeps_its_pixels_outside_of_labels_and_borders_are_full():
    image = RANDOM.integers(0, 255, (3, 20, 30)).astype(np.uint8)
    labels = np.zeros((20, 30), np.uint8)
    labels[5:12, 6:16] = 1
    drawn = draw_overlay(image, labels)
    assert np.array_equal(drawn[labels == 0], np.moveaxis(image, 0, -1)[labels == 0])
    border = np.zeros_like(labels, bool)
    border[5:12, 6:16] = True
    border[6:11, 7:15] = False
    assert len(np.unique(drawn[border], axis=0)) == 1
    inner = (labels > 0) & ~border
    expected = 0.65 * np.moveaxis(image, 0, -1)[inner] + 0.35 * drawn[5, 6]
    assert np.abs(drawn[inner] - expected).max() <= 0.5 + 1e-4


def test_two_labels_have_two_colours():
    labels = np.zeros((20, 30), np.uint8)
    labels[2:5, 2:5], labels[10:15, 10:15] = 1, 2
    drawn = draw_overlay(np.zeros((1, 20, 30), np.uint8), labels)
    assert len({tuple(drawn[2, 2]), tuple(drawn[10, 10]), (0, 0, 0)}) == 3


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint16])
def test_of_a_volume_the_slice_with_most_foreground_is_drawn_front_up(dtype):
    volume = RANDOM.normal(0, 1, (1, 5, 20, 30)).astype(np.float32)
    image = (1000 + 100 * volume).astype(dtype)
    labels = np.zeros((5, 20, 30), np.uint8)
    labels[1, 3, 3] = 1
    labels[3, 16:19, 4:8] = 1  # in front, since the second axis runs there
    drawn = draw_overlay(image, labels)
    assert drawn.shape == (20, 30, 3)
    coloured = (np.ptp(drawn.astype(int), axis=2) > 0).nonzero()
    assert (coloured[0].min(), coloured[0].max(), coloured[1].min(), coloured[1].max()) == (1, 3, 4, 7)


def test_large_pictures_are_drawn_smaller():
    drawn = draw_overlay(np.zeros((1, 100, 9000), np.uint8), np.zeros((100, 9000), np.uint8))
    assert drawn.shape == (20, 1800, 3)
