"""Whole images through a network and back at their own size."""

import numpy as np
import pytest
import torch
from torch import nn

from focalseg.feeding.preparation import Preparation
from focalseg.inference.prediction import Member, ScaleWarning, predict_mask, predict_probabilities


class Repeat(nn.Module):
    """Logits that are the image itself, its channel k shifted by k."""

    def __init__(self, channels):
        super().__init__()
        self.shifts = nn.Parameter(torch.arange(channels, dtype=torch.float32))

    def forward(self, image):
        return image * (1 - self.shifts.reshape(-1, *(1,) * (image.ndim - 2)))


@pytest.mark.parametrize("shape", [(9,), (8, 11), (6, 7, 5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_of_the_networks_size_comes_back_pixel_by_pixel(shape, channels):
    image = np.random.default_rng(0).normal(0, 1, (1, *shape)).astype(np.float32)
    preparation = Preparation(size=shape, mean=(0.0,), standard_deviation=(1.0,))
    probabilities = predict_probabilities([Member(Repeat(channels), preparation)], image)
    mask = predict_mask([Member(Repeat(channels), preparation)], image)
    assert (probabilities.shape, probabilities.dtype) == ((channels, *shape), np.float32)
    assert (mask.shape, mask.dtype) == (shape, np.uint8)
    if channels == 1:
        np.testing.assert_allclose(probabilities[0], 1 / (1 + np.exp(-image[0])), rtol=1e-5)
        assert np.array_equal(mask, image[0] > 0)
    else:
        exponentials = np.exp(np.stack([image[0], 0 * image[0], -image[0]]))
        np.testing.assert_allclose(probabilities, exponentials / exponentials.sum(axis=0), rtol=1e-5)
        assert np.array_equal(mask, np.where(image[0] > 0, 0, 2))


@pytest.mark.parametrize("shape", [(12, 30), (9, 14, 20)])
def test_an_image_of_any_size_comes_back_at_its_own(shape):
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32).reshape(-1, *(1,) * (len(shape) - 1))
    image = np.broadcast_to(rows, shape)[None]
    preparation = Preparation(size=(6,) * len(shape), mean=(0.0,), standard_deviation=(1.0,))
    assert np.array_equal(
        predict_mask([Member(Repeat(1), preparation)], image)[[1, -2]], np.stack([np.zeros(shape[1:]), np.ones(shape[1:])])
    )
    probabilities = predict_probabilities([Member(Repeat(4), preparation)], image)
    assert probabilities.shape == (4, *shape)
    assert np.array_equal(predict_mask([Member(Repeat(4), preparation)], image), probabilities.argmax(axis=0))


def test_the_network_is_put_into_evaluation_mode_and_nothing_is_recorded():
    network = nn.Sequential(nn.Dropout(0.9), nn.Conv2d(1, 1, 1))
    preparation = Preparation(size=(4, 4), mean=(0.0,), standard_deviation=(1.0,))
    image = np.ones((1, 4, 4), np.float32)
    first = predict_probabilities([Member(network, preparation)], image)
    assert not network.training
    assert np.array_equal(first, predict_probabilities([Member(network, preparation)], image))


@pytest.mark.parametrize("predict", [predict_mask, predict_probabilities])
def test_an_image_far_from_those_of_the_training_is_warned_of_and_others_are_not(predict):
    preparation = Preparation(size=(8, 8), mean=(100.0,), standard_deviation=(20.0,))
    image = np.random.default_rng(0).normal(100, 20, (1, 8, 8)).astype(np.float32)
    predict([Member(Repeat(1), preparation)], image)  # a warning would fail
    said = r"^The image enters the network 1,2\d\d standard deviations above .* not to be trusted\."
    with pytest.warns(ScaleWarning, match=said):  # 250 * 100 lies 24,900 above 100, in units of 20
        predict([Member(Repeat(1), preparation)], 250 * image)
    heard = []
    predict([Member(Repeat(1), preparation)], image / 255, tell=heard.append)
    assert len(heard) == 1
    by_case = Preparation(size=(8, 8), mean=(100.0,), standard_deviation=(20.0,), normalisation="case")
    predict([Member(Repeat(1), by_case)], 250 * image)
