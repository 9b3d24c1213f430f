"""Measures of probability maps against all pairs, all thresholds, MONAI and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from focalseg.errors import DataError, SettingError, ShapeError
from focalseg.metrics import auc, average_precision, calibration_error, measure_probabilities

MAPS = st.tuples(arrays(np.float64, (4, 6), elements=st.integers(0, 10).map(lambda tenth: tenth / 10)), arrays(bool, (4, 6)))


@given(MAPS)
@settings(deadline=None)
def test_auc_is_the_share_of_pairs_in_the_right_order(maps):
    chances, truth = maps
    high, low = chances[truth], chances[~truth]
    if not (high.size and low.size):
        assert np.isnan(auc(chances, truth))
        return
    pairs = high[:, None] - low[None]
    assert auc(chances, truth) == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


@given(MAPS)
@settings(deadline=None)
def test_average_precision_sums_over_all_thresholds(maps):
    chances, truth = maps
    expected, before = 0.0, 0.0
    for threshold in np.unique(chances)[::-1]:
        chosen = chances >= threshold
        recall = (chosen & truth).sum() / truth.sum() if truth.any() else 0
        expected += (recall - before) * (chosen & truth).sum() / chosen.sum()
        before = recall
    assert average_precision(chances, truth) == pytest.approx(expected if truth.any() else np.nan, nan_ok=True)


@given(MAPS, st.sampled_from([1, 4, 7, 15]))
@settings(deadline=None)
def test_calibration_error_is_that_of_the_bins(maps, bins):
    chances, truth = maps
    expected = 0.0
    for number in range(bins):
        held = (np.floor(chances * bins) == number) | ((chances == 1) & (number == bins - 1))
        if held.any():
            expected += held.mean() * abs(chances[held].mean() - truth[held].mean())
    found = measure_probabilities(chances, truth, bins=bins)
    assert found.calibration_error == pytest.approx(expected)
    assert found.brier == pytest.approx(np.mean((chances - truth) ** 2))
    assert (found.pixels, found.true_pixels, found.bins) == (24, truth.sum(), bins)


def test_probabilities_that_say_what_happens_are_calibrated_and_certain_ones_that_are_wrong_are_not():
    random = np.random.default_rng(0)
    chances = random.random(200_000)
    truth = random.random(200_000) < chances
    assert calibration_error(chances, truth) < 0.01
    assert calibration_error(truth.astype(float), truth) == 0
    assert calibration_error(1.0 - truth, truth) == 1
    overconfident = np.where(chances > 0.5, 1.0, 0.0)
    assert calibration_error(overconfident, truth) == pytest.approx(0.25, abs=0.01)  # mean of 1 - p over p above one half


def test_a_perfect_ranking_is_exactly_one():
    chances = np.random.default_rng(0).random(100_000)
    found = measure_probabilities(chances, chances > 0.7)
    assert found.auc == found.average_precision == 1


@pytest.mark.slow
def test_auc_and_average_precision_are_monai_s():
    theirs = pytest.importorskip("monai.metrics")
    random = np.random.default_rng(0)
    chances, truth = random.random(500).round(2), random.random(500) < 0.3
    tensors = torch.from_numpy(chances), torch.from_numpy(truth).float()
    assert auc(chances, truth) == pytest.approx(theirs.compute_roc_auc(*tensors), abs=1e-6)
    continuous = random.random(500)  # of equal probabilities MONAI takes one after the other
    tensors = torch.from_numpy(continuous), torch.from_numpy(truth).float()
    assert average_precision(continuous, truth) == pytest.approx(theirs.compute_average_precision(*tensors), abs=1e-6)


def test_pixels_outside_and_ignored_ones_do_not_count():
    chances, truth = np.array([0.9, 0.1, 0.8, 0.2, 0.5, 0.7]), np.array([1, 0, 0, 1, 255, 255], np.uint8)
    inside = np.array([1, 1, 1, 0, 1, 0], bool)
    found = measure_probabilities(chances, truth, ignore=255, inside=inside)
    assert (found.pixels, found.auc, found.average_precision) == (3, 1.0, 1.0)
    assert measure_probabilities(chances, truth, ignore=255).auc == 0.5 * (1 + 0.5)


@pytest.mark.parametrize(
    ("chances", "truth", "error", "message"),
    [
        ([0.5, 1.5], [0, 1], DataError, "probabilities holds 1.5, and 1 pixels in all are outside of [0, 1]"),
        ([0.5, float("nan")], [0, 1], DataError, "probabilities holds nan, and 1 pixels in all are outside of [0, 1]"),
        ([-3.0, 4.0], [0, 1], DataError, "Put logits through sigmoid or softmax first."),
        ([0.5, 0.5], [0, 2], DataError, "reference holds 2; expected one label, bool or 0 and 1"),
        ([0.5, 0.5], [0.0, float("nan")], DataError, "reference holds nan or inf; expected one label"),
        ([0.5, 0.5, 0.5], [0, 1], ShapeError, "predicted has shape (3,) and reference (2,)"),
    ],
)
def test_what_is_no_probability_is_refused(chances, truth, error, message):
    with pytest.raises(error) as raised:
        measure_probabilities(np.array(chances), np.array(truth))
    assert message in str(raised.value)


@pytest.mark.parametrize("bins", [0, 2.5, "many"])
def test_bins_are_counted(bins):
    with pytest.raises(SettingError, match=r"^bins is .*; expected a whole number above 0, such as bins=15\.$"):
        calibration_error(np.array([0.5]), np.array([1]), bins=bins)
