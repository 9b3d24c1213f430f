"""Overlap scores against their set definitions and distances against brute force, empty masks included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from focalseg import metrics
from focalseg.evaluation.metrics import average_labels, measure_distances, measure_labels, measure_overlap
from oracles.surfaces import list_contour, measure_pairs

MASKS = st.tuples(*[arrays(bool, (5, 7))] * 2)


@given(MASKS)
def test_scores_agree_with_sets_of_pixels(masks):
    predicted, true = ({tuple(pixel) for pixel in np.argwhere(mask)} for mask in masks)
    overlap = measure_overlap(*masks)
    both, either = predicted & true, predicted | true
    assert overlap.iou == pytest.approx(len(both) / len(either) if either else 1)
    assert overlap.dice == pytest.approx(2 * overlap.iou / (1 + overlap.iou))
    assert overlap.precision == pytest.approx(len(both) / len(predicted) if predicted else float(not true))
    assert overlap.recall == pytest.approx(len(both) / len(true) if true else float(not predicted))
    assert (overlap.predicted_pixels, overlap.true_pixels) == (len(predicted), len(true))


def test_empty_masks_score_as_stated():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    both = measure_overlap(empty, empty)
    assert (both.dice, both.iou, both.precision, both.recall) == (1, 1, 1, 1)
    missed = measure_overlap(empty, full)
    assert (missed.dice, missed.iou, missed.precision, missed.recall) == (0, 0, 0, 0)
    invented = measure_overlap(full, empty)
    assert (invented.dice, invented.iou, invented.precision, invented.recall) == (0, 0, 0, 0)
    assert (both.both_empty, both.one_empty) == (True, False)
    assert (missed.both_empty, missed.one_empty) == (False, True)


@given(st.tuples(*[arrays(np.uint8, (5, 7), elements=st.integers(0, 3))] * 2))
def test_labels_are_measured_one_by_one(masks):
    predicted, true = masks
    overlaps = measure_labels(predicted, true, 3)
    assert overlaps == tuple(measure_overlap(predicted == label, true == label) for label in (1, 2, 3))
    for score in ("dice", "iou", "precision", "recall"):
        assert average_labels(overlaps, score) == pytest.approx(np.mean([getattr(one, score) for one in overlaps]))


def test_labels_are_no_masks():
    with pytest.raises(ValueError, match="The masks are uint8 and bool; expected bool. Use measure_labels for labels."):
        measure_overlap(np.zeros((2, 2), np.uint8), np.zeros((2, 2), bool))


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 2\) and the mask \(3, 2\)"):
        measure_overlap(np.zeros((2, 2), bool), np.zeros((3, 2), bool))


def find_distances(predicted, true, spacing, tolerance):
    """NSD, HD95 and ASSD of two masks that hold something, from every pair of places on their contours."""
    (places, weights), (others, other_weights) = (list_contour(mask, spacing) for mask in (predicted, true))
    sides = [(measure_pairs(places, others, spacing), weights), (measure_pairs(others, places, spacing), other_weights)]
    length = weights.sum() + other_weights.sum()
    most = []
    for far, weight in sides:
        order = np.argsort(far)
        share = np.cumsum(weight[order]) / weight.sum()
        most.append(far[order][share >= 0.95 - 1e-9][0])
    within = sum(weight[far <= tolerance + 1e-9].sum() for far, weight in sides)
    return within / length, max(most), sum(far @ weight for far, weight in sides) / length


@given(
    st.tuples(*[arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 0, 1, 2]))] * 2),
    arrays(bool, (6, 7), elements=st.sampled_from([True, True, False])),
    st.sampled_from([None, (1.0, 1.0), (0.5, 2.0)]),
)
@settings(deadline=None, max_examples=60)
def test_distances_are_those_of_all_pairs_within_what_counts(masks, inside, spacing):
    predicted, true = masks
    found = measure_distances(predicted, true, 2, inside=inside, spacing_mm=spacing, tolerance=1.5)
    for label, one in enumerate(found, start=1):
        cut = [(mask == label) & inside for mask in masks]
        empty = [not mask.any() for mask in cut]
        diagonal = np.hypot(*(np.array(true.shape) * (spacing or 1)))
        if any(empty):
            expected = (1, 0, 0) if all(empty) else (0, diagonal, diagonal)
        else:
            expected = find_distances(*cut, spacing or (1, 1), 1.5)
        assert (one.nsd, one.hd95, one.assd) == pytest.approx(expected)
        assert (one.tolerance, one.unit) == (1.5, "mm" if spacing else "pixels")


def test_a_case_of_which_nothing_counts_has_two_empty_masks():
    mask = np.ones((3, 4), np.uint8)
    (found,) = measure_distances(mask, mask * 0, 1, inside=mask == 0)
    assert (found.nsd, found.hd95, found.assd) == (1, 0, 0)


def test_distances_of_volumes_are_those_of_the_metrics_room_and_grow_with_the_spacing():
    random = np.random.default_rng(0)
    true = random.random((7, 8, 9)) < 0.2
    predicted = np.roll(true, 1, axis=2)
    near, far = (
        measure_distances(predicted.astype(np.uint8), true.astype(np.uint8), 1, spacing_mm=spacing, tolerance=tolerance)[0]
        for spacing, tolerance in (((0.5, 1.0, 2.0), 0.7), ((1.0, 2.0, 4.0), 1.4))
    )
    expected = metrics.measure(predicted, true, spacing_mm=(0.5, 1.0, 2.0), tolerance_mm=0.7)[1]
    assert (near.nsd, near.hd95, near.assd) == (expected.nsd, expected.hd95, expected.assd)
    assert near.hd95 > 0
    assert (far.nsd, far.hd95, far.assd) == pytest.approx((near.nsd, 2 * near.hd95, 2 * near.assd))
