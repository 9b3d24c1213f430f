"""Scores from counts, against sets of pixels and MONAI, with every policy for empty masks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from focalseg import metrics
from focalseg.metrics import Counts

MASKS = st.tuples(*[arrays(bool, (4, 6))] * 3)
NAMES = ["dice", "iou", "precision", "recall", "specificity"]
NAN = float("nan")


@given(MASKS)
@settings(deadline=None)
def test_every_score_is_that_of_sets_of_pixels_that_count(masks):
    predicted, true, inside = masks
    inside.flat[0] = True
    places = {tuple(place) for place in np.argwhere(inside)}
    p, t = ({tuple(place) for place in np.argwhere(mask)} & places for mask in (predicted, true))
    parts = {
        "dice": (2 * len(p & t), len(p) + len(t)),
        "iou": (len(p & t), len(p | t)),
        "precision": (len(p & t), len(p)),
        "recall": (len(p & t), len(t)),
        "specificity": (len(places - p - t), len(places - t)),
    }
    for name, (part, whole) in parts.items():
        ours = getattr(metrics, name)(predicted, true, inside=inside, empty="leave-out")
        assert ours == pytest.approx(part / whole if whole else NAN, nan_ok=True)
    volume = metrics.volume_difference(predicted, true, inside=inside, spacing_mm=(0.5, 3.0))
    assert volume == pytest.approx(abs(len(p) - len(t)) * 1.5)
    relative = metrics.relative_volume_difference(predicted, true, inside=inside, empty="leave-out")
    assert relative == pytest.approx(abs(len(p) - len(t)) / len(t) if t else NAN, nan_ok=True)


EMPTY = np.zeros((3, 3), bool)
SOME = np.eye(3, dtype=bool)
FULL = np.ones((3, 3), bool)
POLICIES = ["one", "zero", "leave-out"]
CASES = {  # predicted, true: dice and iou, precision, recall, by policy
    "nothing to find, nothing found": (EMPTY, EMPTY, (1, 0, NAN), (1, 0, NAN), (1, 0, NAN)),
    "missed": (EMPTY, SOME, (0, 0, 0), (0, 0, NAN), (0, 0, 0)),
    "invented": (SOME, EMPTY, (0, 0, 0), (0, 0, 0), (0, 0, NAN)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("place", range(3), ids=POLICIES)
def test_empty_masks_score_as_the_policy_says(case, place):
    predicted, true, overlap, precision, recall = CASES[case]
    expected = {"dice": overlap, "iou": overlap, "precision": precision, "recall": recall}
    for name, values in expected.items():
        ours = getattr(metrics, name)(predicted, true, empty=POLICIES[place])
        assert ours == pytest.approx(values[place], nan_ok=True), name


@pytest.mark.parametrize(("policy", "full", "part"), [("one", 1, 0), ("zero", 0, 0), ("leave-out", NAN, NAN)])
def test_specificity_is_the_recall_of_everything_else(policy, full, part):
    assert metrics.specificity(FULL, FULL, empty=policy) == pytest.approx(full, nan_ok=True)
    assert metrics.specificity(SOME, FULL, empty=policy) == pytest.approx(part, nan_ok=True)


def test_a_volume_of_nothing_has_no_relative_difference():
    assert metrics.relative_volume_difference(EMPTY, EMPTY) == 0
    for empty in POLICIES:
        assert np.isnan(metrics.relative_volume_difference(SOME, EMPTY, empty=empty))
    assert np.isnan(metrics.relative_volume_difference(EMPTY, EMPTY, empty="leave-out"))


@given(MASKS)
@settings(deadline=None)
def test_laws_that_bind_the_scores(masks):
    predicted, true, _ = masks
    counts = metrics.count_masks(predicted, true)
    assert counts.dice() == pytest.approx(2 * counts.iou() / (1 + counts.iou()))
    assert metrics.count_masks(true, predicted).dice() == counts.dice()
    assert metrics.count_masks(true, predicted).recall() == counts.precision()
    assert metrics.count_masks(~predicted, ~true).recall() == counts.specificity()
    assert isinstance(counts, Counts)


@pytest.mark.slow
def test_dice_and_iou_are_monai_s():
    theirs = pytest.importorskip("monai.metrics")
    predicted, true = np.random.default_rng(0).random((2, 9, 8, 7)) < 0.4
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in (predicted, true)]
    assert metrics.dice(predicted, true) == pytest.approx(float(theirs.compute_dice(*tensors)), abs=1e-6)
    assert metrics.iou(predicted, true) == pytest.approx(float(theirs.compute_iou(*tensors)), abs=1e-6)


def test_masks_are_anything_that_numpy_takes():
    predicted, true = np.random.default_rng(0).random((2, 6, 5)) < 0.4
    expected = metrics.dice(predicted, true)
    for kind in (np.uint8, np.int64, np.float32, np.float64):
        assert metrics.dice(predicted.astype(kind), true) == expected
    assert metrics.dice(torch.from_numpy(predicted), torch.from_numpy(true).float()) == expected
    assert metrics.dice(predicted.tolist(), true) == expected
