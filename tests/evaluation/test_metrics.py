"""Overlap scores against their set definitions, empty masks included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from focalseg.evaluation.metrics import average_labels, measure_labels, measure_overlap

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
