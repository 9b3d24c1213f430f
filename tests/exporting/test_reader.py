"""The program beside an ONNX graph, step by step against what focalseg does."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from focalseg.feeding.preparation import Preparation, resize_image
from focalseg.layers import LINEAR_INTERPOLATIONS
from focalseg.windows import predict_in_windows

reader = pytest.importorskip("focalseg.exporting.reader")  # it imports onnxruntime

SIZES = [((30, 100), (40, 48)), ((61, 47), (40, 48)), ((288, 384), (72, 96)), ((30, 40, 50), (12, 48, 25))]


@pytest.mark.parametrize(("given", "size"), SIZES)
def test_images_are_resized_as_before_a_network_and_logits_as_after_it(given, size):
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (3, *given)).astype(np.uint8)
    resized = reader.resize(image, size, average=True)
    np.testing.assert_allclose(resized, resize_image(image, size).numpy(), atol=1e-3)
    logits = generator.normal(size=(2, *size)).astype(np.float32)
    mode = LINEAR_INTERPOLATIONS[len(size)]
    expected = F.interpolate(torch.from_numpy(logits)[None], size=given, mode=mode, align_corners=False)[0].numpy()
    np.testing.assert_allclose(reader.resize(logits, given, average=False), expected, atol=1e-4)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("normalisation", ["data_set", "case"])
def test_an_image_is_prepared_as_for_the_network(kind, normalisation):
    preparation = Preparation(size=(40, 48), mean=(100.0, 90.0), standard_deviation=(50.0, 40.0), normalisation=normalisation)
    plan = {"size": [40, 48], "mean": [100.0, 90.0], "standard_deviation": [50.0, 40.0]}
    plan["normalisation"] = "image" if normalisation == "case" else "data_set"
    image = np.random.default_rng(1).integers(0, 256, (2, 61, 47)).astype(kind)
    image[1] = 7  # a channel that never varies
    np.testing.assert_allclose(reader.prepare(image, plan), preparation.prepare_image(image).numpy(), atol=1e-5)


@pytest.mark.parametrize(("size", "window"), [((56, 48), (24, 32)), ((97, 33), (32, 32)), ((24, 32), (24, 32))])
def test_windows_are_placed_and_weighted_as_ours(size, window):
    network = torch.nn.Conv2d(3, 2, 5, padding=2).requires_grad_(False)
    image = np.random.default_rng(2).normal(size=(3, *size)).astype(np.float32)
    plan = {"window": window, "overlap": 0.5, "window_sigma": 0.125, "window_stride": (1, 1), "window_margin": (0, 0)}
    given = reader.run_in_windows(lambda part: network(torch.from_numpy(part)[None])[0].numpy(), image, plan)
    expected = predict_in_windows(network, torch.from_numpy(image)[None], window)[0].numpy()
    np.testing.assert_allclose(given, expected, atol=1e-5)


@pytest.mark.parametrize("given", [(216, 192), (144, 192), (360, 480), (90, 120)])
def test_averages_halfway_between_two_whole_numbers_are_rounded_as_for_the_network(given):
    """Of sides that are small multiples of the network's many are, and either sum has errors of its own."""
    preparation = Preparation(size=(72, 96), mean=(0.0,) * 3, standard_deviation=(1.0,) * 3)
    plan = {"size": [72, 96], "mean": [0.0] * 3, "standard_deviation": [1.0] * 3, "normalisation": "data_set"}
    image = np.random.default_rng(0).integers(0, 256, (3, *given)).astype(np.uint8)
    prepared = reader.prepare(image, plan)
    assert len(np.unique(prepared)) > 50
    np.testing.assert_array_equal(prepared, preparation.prepare_image(image).numpy())
