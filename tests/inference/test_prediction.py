"""Whole images through a network and back at their own size."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import focalseg
from focalseg.errors import DataError, SettingError
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.attachment import attention_sites
from focalseg.inference import prediction
from focalseg.inference.prediction import (
    Member,
    ScaleWarning,
    predict_graded,
    predict_logits,
    predict_mask,
    predict_probabilities,
)
from focalseg.labels import THRESHOLDS, choose_labels, choose_most_probable
from focalseg.layers import LINEAR_INTERPOLATIONS
from imagesets.corpus.looking import measure


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


def build_unet(dims, *, channels=1, classes=1, gates=(), widths=(4, 6)):
    """A U-Net with statistics of norms, as after a training, and logits of mean 0 and deviation 1: masks hold every label."""
    torch.manual_seed(dims)
    network = focalseg.UNet(spatial_dims=dims, in_channels=channels, classes=classes, widths=widths)
    for module in network.modules():
        if hasattr(module, "running_var"):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.1, 0.5)
            nn.init.uniform_(module.bias, 0, 0.5)
    if gates:
        focalseg.instrument(network, gates=gates)
    axes = (0, *range(2, dims + 2))
    with torch.no_grad():
        logits = network.eval()(torch.randn(1, channels, *(32,) * dims))
        mean, deviation = logits.mean(dim=axes), logits.std(dim=axes)
        network.head.weight /= deviation.reshape(-1, *(1,) * (dims + 1))
        network.head.bias.copy_((network.head.bias - mean) / deviation)
    return network


def prepare(size, **settings):
    return Preparation(**{"size": size, "mean": (0.0,), "standard_deviation": (1.0,), **settings})


def make_image(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("size", "patch", "overlap"),
    [
        ((200,), (64,), 0.5),
        ((98, 130), (48, 64), 0.5),
        ((64, 202), (64, 64), 0.3),
        ((150, 90), (64, 40), 0.7),
        ((40, 24, 60), (40, 24, 40), 0.5),
    ],
)
@pytest.mark.slow
@pytest.mark.parametrize("flips", [False, True])
def test_windows_give_what_the_whole_image_gives_where_the_network_looks_no_farther_than_half_their_overlap(
    size, patch, overlap, flips
):
    network, image = build_unet(len(size), classes=3, gates=("ag",)), make_image(1, *size)
    whole = predict_logits(Member(network, prepare(size)), image, flips=flips)
    tiled = Member(network, prepare(size, patch=patch))
    logits = predict_logits(tiled, image, overlap=overlap, flips=flips, windows_at_a_time=3)
    assert np.abs(logits - whole).max() < 1e-4
    assert whole.std() > 0.2
    one_at_a_time = predict_mask([tiled], image, overlap=overlap, flips=flips, windows_at_a_time=1)
    assert np.array_equal(one_at_a_time, logits.argmax(axis=0))


def test_a_network_that_looks_over_all_of_its_windows_is_predicted_without_a_margin():
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.InstanceNorm2d(1))
    tiling = Member(network, prepare((64, 40), patch=(32, 32))).plan_tiling(overlap=0.5, windows_at_a_time=None)
    assert (tiling.stride, tiling.margin) == ((1, 1), (0, 0))


@pytest.mark.parametrize(("patch", "holds"), [(96, True), (48, False)])
def test_networks_that_differ_in_attention_alone_are_cut_alike(patch, holds):
    widths = (4, 5, 6)  # looks 22 elements far without gates, and 25 with attention gates; a quarter of 96 is 24
    networks = [build_unet(2, gates=gates, widths=widths) for gates in ((), ("ag",), ("se",), ("se", "ag"))]
    first, *others = (Member(each, prepare((2 * patch,) * 2, patch=(patch,) * 2)).plan_tiling() for each in networks)
    assert (first.stride, first.margin) == (((4, 4), (22, 22)) if holds else ((1, 1), (0, 0)))
    assert all(other == first for other in others)
    assert all(site.enabled for site in attention_sites(networks[-1]).values())


def test_how_far_a_network_looks_is_measured_once_and_only_where_images_are_larger_than_windows():
    network = build_unet(2)
    passes = []
    network.register_forward_pre_hook(lambda _network, arguments: passes.append(tuple(arguments[0].shape[2:])))
    for size, measured in (((32, 32), False), ((96, 32), True)):
        member = Member(network, prepare(size, patch=(32, 32)))
        passes.clear()
        predict_mask([member], make_image(1, *size))
        first = len(passes)
        passes.clear()
        predict_mask([member], make_image(1, *size, seed=1))
        assert len(passes) == {(32, 32): 1, (96, 32): 5}[size]
        assert (first > len(passes)) == measured


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize("shape", [(50,), (40, 33), (21, 30, 17)])
def test_a_mask_is_that_of_the_networks_logits_interpolated_to_the_images_size(classes, shape, monkeypatch):
    size = (32, 32, 16)[: len(shape)]
    network, image, preparation = build_unet(len(shape), classes=classes), make_image(1, *shape), prepare(size)
    logits = network(preparation.prepare_image(image)[None]).detach()
    logits = F.interpolate(logits, size=shape, mode=LINEAR_INTERPOLATIONS[len(shape)], align_corners=False)
    expected = choose_labels(logits)[0].numpy()
    member = Member(network, preparation)
    assert np.array_equal(predict_mask([member], image), expected)
    assert np.array_equal(predict_logits(member, image), logits[0].numpy())
    monkeypatch.setattr(prediction, "_ELEMENTS_AT_A_TIME", 3 * shape[-1])  # a few rows at a time
    assert np.array_equal(predict_mask([member], image), expected)
    np.testing.assert_allclose(predict_logits(member, image), logits[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("rows", [2, 10**6])
def test_several_members_give_the_mean_of_their_probabilities_each_in_its_own_preparation(classes, rows, monkeypatch):
    monkeypatch.setattr(prediction, "_ELEMENTS_AT_A_TIME", rows * 45)
    image = 50 * make_image(2, 40, 45) + 100
    scale = {"mean": (100.0, 90.0), "standard_deviation": (50.0, 60.0)}
    members = [
        Member(build_unet(2, channels=2, classes=classes), prepare((32, 32), **scale)),
        Member(build_unet(2, channels=2, classes=classes, gates=("se",)), prepare((48, 40), patch=(16, 16), **scale)),
        Member(build_unet(2, channels=2, classes=classes, widths=(3, 5, 7)), prepare((40, 45), **scale, normalisation="case")),
    ]
    alone = [predict_probabilities([member], image) for member in members]
    mean = np.mean(alone, axis=0)
    np.testing.assert_allclose(predict_probabilities(members, image), mean, atol=1e-6)
    expected = mean[0] > 0.5 if classes == 1 else mean.argmax(axis=0)
    assert np.array_equal(predict_mask(members, image), expected)
    assert not np.array_equal(predict_mask(members, image), predict_mask(members[:1], image))
    graded, shares = predict_graded(members, image), torch.from_numpy(predict_probabilities(members, image))[None]
    assert np.array_equal(graded.at(0.5), expected)
    for threshold in THRESHOLDS:
        assert np.array_equal(graded.at(threshold), choose_most_probable(shares, threshold)[0].numpy())


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize(
    ("shape", "patch", "flips"),
    [((50,), None, True), ((40, 33), None, True), ((90, 40), (32, 32), False), ((21, 30, 17), (16, 16, 16), False)],
)
@pytest.mark.parametrize("rows", [3, 10**6])
def test_a_graded_mask_has_the_mask_of_every_threshold_whatever_windows_it_comes_from(
    classes, shape, patch, flips, rows, monkeypatch
):
    monkeypatch.setattr(prediction, "_ELEMENTS_AT_A_TIME", rows * shape[-1])
    size = shape if patch else (32, 32, 16)[: len(shape)]
    member, image = Member(build_unet(len(shape), classes=classes), prepare(size, patch=patch)), make_image(1, *shape)
    logits = torch.from_numpy(predict_logits(member, image, flips=flips))[None]
    graded = predict_graded([member], image, flips=flips)
    assert (graded.labels.dtype, graded.grades.dtype, graded.labels.shape) == (np.uint8, np.uint8, shape)
    assert np.array_equal(graded.at(0.5), predict_mask([member], image, flips=flips))
    for threshold in THRESHOLDS:
        assert np.array_equal(graded.at(threshold), choose_labels(logits, threshold)[0].numpy())


@pytest.mark.parametrize("shape", [(24,), (24, 17), (12, 9, 10)])
def test_flips_average_the_logits_of_all_mirrored_images(shape):
    network, image = build_unet(len(shape)), make_image(1, *shape)
    member = Member(network, prepare(shape))
    expected = np.zeros(shape)
    for number in range(2 ** len(shape)):
        axes = [axis for axis in range(len(shape)) if number >> axis & 1]
        mirrored = np.flip(image[0], axes)[None, None].copy()
        expected += np.flip(network(torch.from_numpy(mirrored)).detach().numpy()[0, 0], axes) / 2 ** len(shape)
    np.testing.assert_allclose(predict_logits(member, image, flips=True)[0], expected, atol=1e-5)
    backwards = predict_logits(member, image[:, ::-1], flips=True)
    np.testing.assert_allclose(backwards[:, ::-1], predict_logits(member, image, flips=True), atol=1e-5)


@pytest.mark.parametrize(("size", "patch"), [((1, 40), (1, 16)), ((40, 1), (16, 1)), ((9, 9), (8, 8)), ((5, 6, 7), (4, 6, 1))])
def test_sides_of_one_and_windows_that_fit_no_grid_lose_nothing(size, patch):
    image = make_image(1, *size)
    mask = predict_mask([Member(Repeat(1), prepare(size, patch=patch))], image)
    assert np.array_equal(mask, image[0] > 0)


def test_images_of_any_number_type_and_order_of_bytes_are_predicted_alike():
    image = np.random.default_rng(5).integers(0, 200, (1, 30, 20))
    member = Member(Repeat(1), prepare((30, 20), patch=(8, 8), mean=(90.0,), standard_deviation=(40.0,)))
    expected = predict_logits(member, image.astype(np.float32))
    for kind in (np.uint8, np.uint16, np.int32, np.float64):
        np.testing.assert_allclose(predict_logits(member, image.astype(kind)), expected, atol=1e-6)
    np.testing.assert_allclose(predict_logits(member, image.astype(np.uint8)[:, ::-1])[:, ::-1], expected, atol=1e-6)


def test_what_cannot_be_predicted_is_refused_before_any_pass():
    image, member = make_image(1, 8, 8), Member(Repeat(1), prepare((8, 8)))
    with pytest.raises(SettingError, match="^No network was given to predict with; expected at least one member"):
        predict_mask([], image)
    with pytest.raises(SettingError, match="^The networks have 1 and 3 output channels; expected as many in each"):
        predict_mask([member, Member(Repeat(3), prepare((8, 8)))], image)
    with pytest.raises(SettingError, match=r"^overlap was 1\.0; expected a finite number"):
        predict_mask([member], image, overlap=1.0)
    with pytest.raises(SettingError, match="^at_a_time was 0; expected a finite number"):
        predict_mask([member], image, windows_at_a_time=0)
    with pytest.raises(DataError, match="^The image has 2 channels; the network was trained on 1"):
        predict_mask([member], make_image(2, 8, 8))
    with pytest.raises(DataError, match="^The image has 3 spatial axes; the network was trained on 2"):
        predict_mask([member], make_image(1, 8, 8, 8))


@pytest.mark.slow
def test_memory_holds_some_rows_of_the_class_maps_and_never_all_of_them():
    image = np.ones((1, 2000, 1500), np.uint8)
    member = Member(Repeat(16), prepare((2000, 1500), patch=(128, 128)))
    predict_mask([member], image[:, :200, :200])
    mask, cost = measure(lambda: predict_mask([member], image))
    assert mask.shape == (2000, 1500)
    whole = 16 * mask.size * 4 / 2**20  # 183 MiB of logits
    assert cost.memory is None or cost.memory < 0.6 * whole
