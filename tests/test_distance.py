"""Distance maps: exact in every back end, in pixels or mm, with the empty and the full map stated."""

import inspect
import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from focalseg import distance
from focalseg.distance import closeness_to_border, distance_to_border, euclidean_distance
from focalseg.errors import SettingError, ShapeError

INF = float("inf")
BACK_ENDS = ["edt", "scipy", "torch"]


@pytest.fixture(params=BACK_ENDS)
def every_back_end(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the public functions go through one back end after the other."""
    chosen = find_back_end(request.param)
    monkeypatch.setattr(distance, "transform", lambda *inputs, **_: chosen(*inputs))


def find_back_end(name: str) -> Any:
    if name == "edt":
        pytest.importorskip("edt")
    return getattr(distance, f"transform_by_{name}")


@st.composite
def cases(draw: st.DrawFn, *, most_pixels: int = 9) -> tuple[torch.Tensor, tuple[float, ...]]:
    """Random maps, from nearly empty to nearly full, with the size of their pixels."""
    axes = draw(st.integers(1, 3))
    side = st.integers(1, most_pixels)
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *(draw(side) for _ in range(axes)))
    share, seed = draw(st.sampled_from([0.0, 0.03, 0.3, 0.7, 0.97, 1.0])), draw(st.integers(0, 2**16))
    masks = torch.from_numpy(np.random.default_rng(seed).random(shape) < share)
    return masks, tuple(draw(st.floats(0.05, 20)) for _ in range(axes))


def random_masks(shape: tuple[int, ...], seed: int = 0, share: float = 0.6) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape) < share)


def by_brute_force(targets: np.ndarray, steps: tuple[float, ...]) -> np.ndarray:
    """Distance of every pixel to the nearest target."""
    places = np.argwhere(np.ones_like(targets)) * steps
    gaps = places[:, None] - places[targets.ravel()]
    return np.sqrt((gaps**2).sum(-1)).min(1, initial=INF).reshape(targets.shape)


def ring_by_brute_force(mask: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The valid pixels with a valid face neighbour on the other side."""
    ring = np.zeros(mask.shape, bool)
    for pixel in np.argwhere(valid):
        for axis, move in itertools.product(range(mask.ndim), (-1, 1)):
            other = tuple(pixel + move * np.eye(mask.ndim, dtype=int)[axis])
            if all(0 <= place < size for place, size in zip(other, mask.shape, strict=True)) and valid[other]:
                ring[*pixel] |= mask[other] != mask[*pixel]
    return ring


def assert_close(ours: torch.Tensor, expected: np.ndarray) -> None:
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", BACK_ENDS)
@given(case=cases(most_pixels=20))
@settings(deadline=None)
def test_every_back_end_agrees_with_scipy_map_by_map_and_is_infinite_where_scipy_has_no_answer(name, case):
    masks, steps = case
    for ours, mask in zip(find_back_end(name)(masks, steps).flatten(0, 1), masks.flatten(0, 1).numpy(), strict=True):
        assert_close(ours, np.full(mask.shape, INF) if mask.all() else distance_transform_edt(mask, sampling=steps))


@pytest.mark.parametrize("name", BACK_ENDS)
def test_distances_stay_exact_along_thousands_of_pixels(name):
    masks = torch.ones(1, 1, 3, 4096, dtype=torch.bool)
    masks[..., 0, 0] = False
    expected = np.hypot(np.arange(3)[:, None] * 0.3, np.arange(4096) * 0.7)
    np.testing.assert_allclose(find_back_end(name)(masks, (0.3, 0.7))[0, 0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("within", [None, 2.5])
def test_the_size_of_the_chunks_changes_nothing(monkeypatch, within):
    masks = random_masks((2, 2, 11, 13), share=0.9)
    expected = distance.transform_by_torch(masks, (1.0, 0.5), within=within)
    monkeypatch.setattr(distance, "MOST_CANDIDATES", 500)
    assert torch.equal(distance.transform_by_torch(masks, (1.0, 0.5), within=within), expected)


@given(case=cases(most_pixels=20), within=st.floats(0.01, 200))
@settings(deadline=None)
def test_a_window_keeps_every_distance_up_to_its_reach_and_lowers_none(case, within):
    masks, steps = case
    exact = distance.transform_by_torch(masks, steps)
    windowed = distance.transform_by_torch(masks, steps, within=within)
    assert torch.equal(windowed[exact <= within], exact[exact <= within])
    assert (windowed >= exact).all()


@pytest.mark.slow
@pytest.mark.usefixtures("every_back_end")
@pytest.mark.parametrize("shape", [(1, 2, 23), (2, 2, 9, 14), (2, 1, 5, 7, 6), (1, 1, 1, 6), (1, 1, 6, 1), (1, 1, 4, 1, 5)])
def test_a_full_map_is_infinitely_far_and_an_empty_one_is_zero(shape):
    full = torch.ones(shape, dtype=torch.bool)
    spacing_mm = (0.5, 3.0, 1.0)[: len(shape) - 2]
    for spacing in (None, spacing_mm):
        assert (euclidean_distance(full, spacing_mm=spacing) == INF).all()
        assert (euclidean_distance(~full, spacing_mm=spacing) == 0).all()
        for masks in (full, ~full):
            assert (distance_to_border(masks, spacing_mm=spacing) == INF).all()
            assert (closeness_to_border(masks, spacing_mm=spacing) == 0).all()
            assert (closeness_to_border(masks, radius=1e9, spacing_mm=spacing) == 0).all()


@pytest.mark.usefixtures("every_back_end")
def test_one_pixel_and_its_neighbours_are_the_border():
    masks = torch.zeros(1, 1, 5, 7, dtype=torch.bool)
    masks[0, 0, 2, 3] = True
    ours = distance_to_border(masks)[0, 0]
    ring = {(2, 3), (1, 3), (3, 3), (2, 2), (2, 4)}
    assert {tuple(pixel) for pixel in (ours == 0).nonzero().tolist()} == ring
    assert ours[0, 0] == pytest.approx(np.sqrt(8))


def test_a_line_of_pixels_reads_as_counted_by_hand():
    masks = torch.tensor([[[0, 0, 0, 0, 1, 1, 1, 0, 0]]])
    assert distance_to_border(masks).tolist() == [[[3, 2, 1, 0, 0, 1, 0, 0, 1]]]
    assert distance_to_border(masks, spacing_mm=[0.5]).tolist() == [[[1.5, 1, 0.5, 0, 0, 0.5, 0, 0, 0.5]]]
    expected = torch.tensor([[[0, 1 / 3, 2 / 3, 1, 1, 0, 1, 1, 2 / 3]]])
    assert torch.allclose(closeness_to_border(masks), expected, rtol=1e-6, atol=0)
    assert closeness_to_border(masks, radius=2).tolist() == [[[0, 0, 0.5, 1, 1, 0.5, 1, 1, 0.5]]]


@pytest.mark.slow
@given(case=cases(most_pixels=5), share=st.sampled_from([0.3, 0.8, 1.0]))
@settings(deadline=None)
def test_the_distance_to_the_border_agrees_with_brute_force(case, share):
    masks, steps = case
    valid = random_masks((len(masks), *masks.shape[2:]), seed=1, share=share)
    ours = distance_to_border(masks, valid=valid, spacing_mm=steps)
    for image, category in np.ndindex(masks.shape[:2]):
        ring = ring_by_brute_force(masks[image, category].numpy(), valid[image].numpy())
        assert_close(ours[image, category], by_brute_force(ring, steps))


@pytest.mark.slow
@given(case=cases())
@settings(deadline=None)
def test_doubling_the_spacing_doubles_the_distance(case):
    masks, steps = case
    doubled = [2 * step for step in steps]
    for measure in (euclidean_distance, distance_to_border):
        assert torch.equal(measure(masks, spacing_mm=doubled), 2 * measure(masks, spacing_mm=steps))


@pytest.mark.slow
@given(case=cases())
@settings(deadline=None)
def test_the_complement_has_the_same_border(case):
    masks, steps = case
    for measure in (distance_to_border, closeness_to_border):
        assert torch.equal(measure(masks, spacing_mm=steps), measure(~masks, spacing_mm=steps))


@pytest.mark.usefixtures("every_back_end")
@pytest.mark.parametrize("measure", [euclidean_distance, distance_to_border, closeness_to_border])
def test_flips_and_quarter_turns_commute(measure):
    masks = random_masks((2, 2, 6, 9, 7), share=0.9)
    spacing_mm = (0.7, 2.0, 1.3)
    ours = measure(masks, spacing_mm=spacing_mm)
    for axis in (2, 3, 4):
        assert torch.allclose(measure(masks.flip(axis), spacing_mm=spacing_mm), ours.flip(axis), rtol=1e-6)
    turned = measure(masks.rot90(1, (2, 4)), spacing_mm=(1.3, 2.0, 0.7))
    assert torch.allclose(turned, ours.rot90(1, (2, 4)), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@given(case=cases(), radius=st.one_of(st.none(), st.floats(0.01, 50)))
@settings(deadline=None)
def test_closeness_is_one_on_the_ring_alone_and_zero_at_the_farthest_pixel_of_each_side(case, radius):
    masks, steps = case
    away, phi = distance_to_border(masks, spacing_mm=steps), closeness_to_border(masks, radius=radius, spacing_mm=steps)
    assert ((phi >= 0) & (phi <= 1)).all()
    assert torch.equal(phi == 1, away == 0)
    for mask, far, near in zip(masks.flatten(0, 1), away.flatten(0, 1), phi.flatten(0, 1), strict=True):
        for side in (mask, ~mask):
            if radius is None and side.any() and far[side].max() > 0:
                assert (near[side][far[side] == far[side].max()] == 0).all()


@pytest.mark.slow
@given(case=cases(), radius=st.floats(0.01, 50))
@settings(deadline=None)
def test_a_radius_gives_one_minus_the_distance_over_it(case, radius):
    masks, steps = case
    expected = np.maximum(0, 1 - distance_to_border(masks, spacing_mm=steps).numpy() / np.float64(radius))
    ours = closeness_to_border(masks, radius=radius, spacing_mm=steps)
    np.testing.assert_allclose(ours.numpy(), expected, atol=2e-6)


def test_a_side_that_is_nothing_but_ring_is_one_all_over():
    masks = torch.tensor([[[[0, 0, 0, 1, 1, 0, 0, 0]] * 2]])
    row = [0, 0.5, 1, 1, 1, 1, 0.5, 0]
    assert closeness_to_border(masks).tolist() == [[[row, row]]]


def test_ignored_pixels_make_no_border():
    masks = torch.zeros(1, 1, 6, 9, dtype=torch.bool)
    masks[..., 4:] = True
    valid = torch.ones(1, 6, 9, dtype=torch.bool)
    valid[..., 3] = False
    assert (distance_to_border(masks, valid=valid) == INF).all()
    assert (closeness_to_border(masks, valid=valid) == 0).all()
    valid[:, 0, 3] = True
    assert (distance_to_border(masks, valid=valid) == 0).nonzero().tolist() == [[0, 0, 0, 3], [0, 0, 0, 4]]


def test_what_an_ignored_pixel_holds_changes_nothing():
    masks, valid = random_masks((2, 3, 12, 10)), random_masks((2, 1, 12, 10), seed=1, share=0.8)
    for measure in (distance_to_border, closeness_to_border):
        expected = measure(masks, valid=valid)
        assert torch.equal(measure(masks ^ ~valid, valid=valid), expected)
        assert torch.equal(measure(masks, valid=valid[:, 0]), expected)
        assert not torch.equal(measure(masks), expected)


def test_ignored_pixels_have_closeness_zero_and_no_say_in_the_farthest_pixel():
    masks = torch.tensor([[[1, 1, 0, 0, 0, 0, 0, 0]]])
    valid = torch.tensor([[1, 1, 1, 1, 1, 0, 0, 0]])
    assert closeness_to_border(masks, valid=valid).tolist() == [[[0, 1, 1, 0.5, 0, 0, 0, 0]]]
    assert closeness_to_border(masks, valid=valid, radius=8).tolist() == [[[0.875, 1, 1, 0.875, 0.75, 0, 0, 0]]]


def test_maps_in_any_layout_and_dtype_are_read_as_they_look():
    masks = random_masks((2, 7, 8, 3)).movedim(-1, 1)
    for measure in (euclidean_distance, distance_to_border, closeness_to_border):
        ours = measure(masks)
        assert ours.is_contiguous()
        assert torch.equal(ours, measure(masks.contiguous()))
        for dtype in (torch.uint8, torch.int64, torch.float16):
            assert torch.equal(ours, measure(3 * masks.to(dtype)))
        assert measure(masks[:0]).shape == (0, 3, 7, 8)


def test_no_result_has_a_gradient_and_no_argument_is_edited():
    masks = random_masks((1, 2, 7, 8)).float().requires_grad_()
    valid = random_masks((1, 7, 8), seed=1)
    before = masks.detach().clone(), valid.clone()
    results = [euclidean_distance(masks), distance_to_border(masks, valid=valid), closeness_to_border(masks, valid=valid)]
    assert not any(result.requires_grad for result in results)
    assert torch.equal(masks, before[0])
    assert torch.equal(valid, before[1])


def test_on_another_device_nothing_waits_for_a_value_or_passes_through_the_host():
    masks = random_masks((2, 1, 6, 7)).to("meta")  # holds no values: reading one raises
    for measure in (euclidean_distance, distance_to_border, closeness_to_border):
        assert measure(masks, spacing_mm=(1, 2)).device.type == "meta"
    assert closeness_to_border(masks, radius=2, valid=masks[:, 0]).shape == masks.shape


def test_without_edt_scipy_gives_the_same(monkeypatch):
    masks = random_masks((2, 2, 9, 11))
    expected = euclidean_distance(masks).numpy()
    monkeypatch.setattr(distance, "find_edt", distance.find_edt.__wrapped__)
    monkeypatch.setitem(sys.modules, "edt", None)
    assert distance.find_edt() is None
    assert_close(euclidean_distance(masks), expected)


@pytest.mark.slow
def test_importing_the_module_loads_neither_scipy_nor_edt():
    code = "import sys, focalseg.distance; sys.exit(any(name in sys.modules for name in ('scipy', 'edt')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


MASKS, VALID = "masks have shape {}; expected ", "valid has shape {}; for masks of shape (2, 3, 4, 5) expected "
SPACING = "spacing_mm is {}; expected positive, finite numbers, one for each of the 2 spatial axes."
RADIUS = "radius is {}; expected a positive, finite number, or None for the farthest pixel of each side."
REFUSED = [
    *(("masks", shape, MASKS + "(B, K, *spatial) with 1 to 3 spatial axes.") for shape in [(4, 5), (1,) * 6]),
    ("masks", (1, 1, 0, 4), MASKS + "at least one pixel along every spatial axis."),
    *(("valid", shape, VALID + "(2, 4, 5) or (2, 1, 4, 5).") for shape in [(4, 5), (2, 3, 4, 5), (2, 5, 4), (1, 4, 5)]),
    *(("spacing_mm", value, SPACING) for value in [(1.0,), (1, 1, 1), (1.0, 0.0), (-1, 2), (1, INF), (np.nan, 1), 2]),
    *(("radius", value, RADIUS) for value in [0, -1.5, INF, np.nan]),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_what_was_given_and_what_was_expected(name, value, message):
    error, value_given = (ShapeError, torch.zeros(value)) if name in {"masks", "valid"} else (SettingError, value)
    arguments = {"masks": torch.zeros(2, 3, 4, 5)} | {name: value_given}
    measures = (euclidean_distance, distance_to_border, closeness_to_border)
    for measure in (one for one in measures if name in inspect.signature(one).parameters):
        with pytest.raises(error) as caught:
            measure(**arguments)
        assert str(caught.value) == message.format(value)
