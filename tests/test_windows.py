"""Large images in overlapping windows: nothing is lost, shifted or seen twice over."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from focalseg.errors import SettingError
from focalseg.windows import OVERLAP, Tiling, place_windows, predict_in_windows, stream_windows, weigh_windows

AXES = st.lists(st.tuples(st.integers(1, 23), st.integers(1, 9)), min_size=1, max_size=3)
OVERLAPS = st.sampled_from([0.0, 0.25, 0.5, 0.7, 0.9])


def mark(part):
    """Logits that depend on where in its window an element lies, so that windows disagree."""
    ramp = torch.arange(part[0, 0].numel(), dtype=torch.float32).reshape(part.shape[2:])
    return torch.cat([part[:, :1] * ramp.cos(), part[:, :1] + ramp], dim=1)


def blend_by_definition(predict, images, window, starts, margins):
    """The weighted mean over all windows, element by element, in float64."""
    padded = [max(each) + length for each, length in zip(starts, window, strict=True)]
    image = np.zeros((1, images.shape[1], *padded))
    image[:, :, *map(slice, images.shape[2:])] = images.numpy()
    total, weights = 0, np.zeros(padded)
    for corner in itertools.product(*starts):
        weight = np.ones(window)
        for axis, (start, length, margin) in enumerate(zip(corner, window, margins, strict=True)):
            place = np.arange(length)
            along = np.exp(-0.5 * ((place - (length - 1) / 2) / (length / 8)) ** 2)
            along[(place < margin) & (start > 0)] = 0
            along[(place >= length - margin) & (start < max(starts[axis]))] = 0
            weight = weight * along.reshape(-1, *(1,) * (len(window) - axis - 1))
        place = tuple(slice(start, start + length) for start, length in zip(corner, window, strict=True))
        logits = predict(torch.from_numpy(image[:, :, *place]).float()).double().numpy()
        if isinstance(total, int):
            total = np.zeros((*logits.shape[:2], *padded))
        total[:, :, *place] += logits * weight
        weights[place] += weight
    return (total / weights)[:, :, *map(slice, images.shape[2:])]


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(AXES)
def test_a_network_that_copies_its_input_copies_the_whole_image(axes):
    size, window = zip(*axes, strict=True)
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    # A weighted mean of up to 27 equal numbers, each step rounded to 6e-8.
    torch.testing.assert_close(predict_in_windows(lambda part: part, images, window), images, rtol=3e-6, atol=0)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(AXES, OVERLAPS, st.integers(1, 5), st.integers(0, 2), st.integers(1, 7))
def test_windows_are_blended_as_the_definition_says_however_many_go_at_a_time(axes, overlap, stride, margin, at_a_time):
    size, window = zip(*axes, strict=True)
    images = torch.randn(1, 2, *size, generator=torch.Generator().manual_seed(0))
    tiling = Tiling(
        window=window, overlap=overlap, stride=(stride,) * len(size), margin=(margin,) * len(size), at_a_time=at_a_time
    )
    starts, margins = [], []
    for side, length in axes:
        kept = place_windows(side, length, overlap=overlap, stride=stride)
        fits = all(one + length - other >= 2 * margin for one, other in itertools.pairwise(kept))
        starts.append(kept if fits else place_windows(side, length, overlap=overlap))
        margins.append(margin if fits else 0)
    slabs = [slab.clone() for slab in stream_windows(mark, lambda place: images[:, :, *place], size, tiling)]
    assert all(slab.shape[2] <= window[0] for slab in slabs)
    expected = blend_by_definition(mark, images, window, starts, margins)
    np.testing.assert_allclose(torch.cat(slabs, dim=2).numpy(), expected, rtol=1e-5, atol=1e-4)


@given(st.integers(1, 400), st.integers(1, 64))
def test_windows_cover_every_pixel_from_border_to_border_and_overlap(side, length):
    side = max(side, length)
    starts = place_windows(side, length)
    assert starts[0] == 0
    assert starts[-1] == side - length
    steps = np.diff(starts)
    assert ((steps > 0) & (steps <= max(round(length * (1 - OVERLAP)), 1))).all()


@given(st.integers(1, 400), st.integers(1, 64), OVERLAPS, st.integers(1, 16))
def test_windows_start_at_multiples_of_the_stride_and_reach_beyond_the_end_by_less_than_one(side, length, overlap, stride):
    stride = min(stride, length)
    starts = place_windows(side, length, overlap=overlap, stride=stride)
    assert starts[0] == 0
    assert not any(start % stride for start in starts)
    assert side <= starts[-1] + length < max(side + stride, length + 1)
    assert all(0 < step <= max(length * (1 - overlap), stride) for step in np.diff(starts))


@given(st.integers(1, 300), st.integers(1, 64), OVERLAPS, st.integers(0, 20))
def test_the_weights_of_an_element_sum_to_1_and_are_0_within_the_margin_of_a_border_inside(side, length, overlap, margin):
    starts = place_windows(side, length, overlap=overlap)
    shared = min((one + length - other for one, other in itertools.pairwise(starts)), default=2 * margin)
    margin = min(margin, shared // 2)
    weights = weigh_windows(starts, length, margin=margin).numpy()
    total = np.zeros(starts[-1] + length)
    for number, (start, weight) in enumerate(zip(starts, weights, strict=True)):
        total[start : start + length] += weight
        assert not weight[:margin].any() or number == 0
        assert not weight[length - margin :].any() or number == len(starts) - 1
    np.testing.assert_allclose(total, 1, rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(AXES, OVERLAPS, st.integers(1, 9), st.integers(0, 5))
def test_a_settled_tiling_is_what_windows_are_placed_by_and_stays_as_it_is(axes, overlap, stride, margin):
    size, window = zip(*axes, strict=True)
    tiling = Tiling(window=window, overlap=overlap, stride=(stride,) * len(size), margin=(margin,) * len(size))
    settled = tiling.settle(size)
    assert settled.settle(size) == settled
    for side, length, kept, least in zip(size, window, settled.stride, settled.margin, strict=True):
        starts = place_windows(side, length, overlap=overlap, stride=kept)
        assert all(one + length - other >= 2 * least for one, other in itertools.pairwise(starts))
        if all(one + length - other >= 2 * margin for one, other in itertools.pairwise(starts)):
            assert least == margin or kept != stride
    images = torch.randn(1, 2, *size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(predict_in_windows(mark, images, settled), predict_in_windows(mark, images, tiling))


@pytest.mark.parametrize("window", [(16, 12), None])
def test_an_image_of_the_windows_size_is_predicted_as_it_is(window):
    network = nn.Conv2d(1, 2, 3, padding=1)
    images = torch.randn(1, 1, 16, 12, generator=torch.Generator().manual_seed(1))
    assert torch.equal(predict_in_windows(network, images, window), network(images))


def test_far_from_its_borders_a_window_gives_what_the_whole_image_gives():
    torch.manual_seed(2)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)).eval()
    images = torch.randn(1, 1, 64, 64)
    whole, tiled = network(images).detach(), predict_in_windows(network, images, (32, 32))
    # Borders of windows see zeros instead of their neighbours; the Gaussian leaves next to nothing of that.
    assert (whole - tiled).abs().max() < 0.05 * whole.std()


def test_logits_of_half_precision_are_blended_in_float32():
    images = torch.randn(1, 1, 20, 20, generator=torch.Generator().manual_seed(3))
    blended = predict_in_windows(lambda part: part.bfloat16(), images, (8, 8))
    assert blended.dtype == torch.float32
    torch.testing.assert_close(blended, images.bfloat16().float(), rtol=3e-6, atol=0)


@pytest.mark.parametrize("window", [None, (8, 8)])
@pytest.mark.parametrize(
    ("answer", "found"),
    [(lambda part: part[:, :, ::2], r"\(4, 8\)"), (lambda part: [part], "list"), (lambda part: {"out": part}, "dict")],
)
def test_an_answer_of_another_size_or_kind_is_refused_by_name(window, answer, found):
    images = torch.zeros(1, 1, 8, 8) if window is None else torch.zeros(1, 1, 12, 12)
    with pytest.raises(SettingError, match=rf"^The network answered an image of \(8, 8\) with {found}; expected one tensor"):
        predict_in_windows(answer, images, window)


@pytest.mark.parametrize("fault", [{"overlap": 1.0}, {"overlap": -0.1}, {"at_a_time": 0}, {"window": (0, 4)}, {"stride": (0,)}])
def test_a_tiling_that_covers_nothing_is_refused_by_the_name_of_its_setting(fault):
    with pytest.raises(SettingError, match=f"^{next(iter(fault))} was .*; expected a finite number"):
        Tiling(**{"window": (4, 4), **fault})
