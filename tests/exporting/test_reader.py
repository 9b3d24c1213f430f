"""The program beside an ONNX graph, step by step against what focalseg does."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from focalseg.feeding.preparation import Preparation, resize_image
from focalseg.imagesets.pictures.reading import read_image
from focalseg.layers import LINEAR_INTERPOLATIONS
from focalseg.windows import Tiling, predict_in_windows

reader = pytest.importorskip("focalseg.exporting.reader")  # it imports onnxruntime

SIZES = [((30, 100), (40, 48)), ((61, 47), (40, 48)), ((288, 384), (72, 96)), ((30, 40, 50), (12, 48, 25))]


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "I;16"])
def test_pictures_are_read_as_we_read_them(mode, tmp_path):
    values = np.random.default_rng(3).integers(0, 256, (12, 15, 3)).astype(np.uint8)
    wide = Image.fromarray(values[..., 0].astype(np.uint16) * 200)
    picture = wide if mode == "I;16" else Image.fromarray(values).convert(mode)
    assert picture.mode == mode
    picture.save(tmp_path / "picture.png")
    np.testing.assert_array_equal(reader.read(tmp_path / "picture.png"), read_image(tmp_path / "picture.png")[0])


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


@pytest.mark.parametrize(("stride", "margin"), [(1, 0), (4, 5), (4, 9)])  # the last is more than the overlap allows
@pytest.mark.parametrize(("size", "window"), [((56, 48), (24, 32)), ((97, 33), (32, 32)), ((24, 32), (24, 32))])
def test_windows_are_placed_and_weighted_as_ours(size, window, stride, margin):
    network = torch.nn.Conv2d(3, 2, 5, padding=2).requires_grad_(False)
    image = np.random.default_rng(2).normal(size=(3, *size)).astype(np.float32)
    tiling = Tiling(window=window, stride=(stride,) * 2, margin=(margin,) * 2).settle(size)
    plan = {"window": window, "overlap": 0.5, "window_sigma": 0.125}
    plan |= {"window_stride": tiling.stride, "window_margin": tiling.margin}
    given = reader.run_in_windows(lambda part: network(torch.from_numpy(part)[None])[0].numpy(), image, plan)
    expected = predict_in_windows(network, torch.from_numpy(image)[None], tiling)[0].numpy()
    np.testing.assert_allclose(given, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 20, 20), (4, 20, 20), (3, 20)])
def test_an_image_of_another_kind_is_refused_and_not_spread_over_the_channels(shape, tmp_path):
    (tmp_path / "preprocessing.json").write_text('{"channels": 3, "size": [16, 16]}')
    with pytest.raises(ValueError, match=r"^The image has the shape .*; expected 3 channels and 2 axes\. Convert it\.$"):
        reader.predict(np.zeros(shape, np.uint8), tmp_path)


@pytest.mark.parametrize("given", [(216, 192), (144, 192), (360, 480), (90, 120)])
def test_averages_halfway_between_two_whole_numbers_are_rounded_as_for_the_network(given):
    """Of sides that are small multiples of the network's many are, and either sum has errors of its own."""
    preparation = Preparation(size=(72, 96), mean=(0.0,) * 3, standard_deviation=(1.0,) * 3)
    plan = {"size": [72, 96], "mean": [0.0] * 3, "standard_deviation": [1.0] * 3, "normalisation": "data_set"}
    image = np.random.default_rng(0).integers(0, 256, (3, *given)).astype(np.uint8)
    prepared = reader.prepare(image, plan)
    assert len(np.unique(prepared)) > 50
    np.testing.assert_array_equal(prepared, preparation.prepare_image(image).numpy())
