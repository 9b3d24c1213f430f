"""The tuned threshold: counts at all thresholds are those of each mask, and the best of them is chosen."""

import math

import numpy as np
import pytest
import torch

from focalseg.evaluation import thresholds
from focalseg.evaluation.metrics import measure_labels
from focalseg.evaluation.thresholds import GradedMask, ThresholdCounts, count_at_thresholds, tune_threshold
from focalseg.labels import THRESHOLDS, choose_labels, grade_labels


def grade(logits):
    """logits (K, *spatial) -> the graded mask."""
    return GradedMask(*(each[0].numpy() for each in grade_labels(torch.from_numpy(logits)[None])))


def make_case(labels, shape, *, seed=0):
    """Logits (K, *spatial) of a network that knows something of the true labels."""
    random = np.random.default_rng(seed)
    true = random.integers(0, labels + 1, shape).astype(np.uint8)
    channels = 1 if labels == 1 else labels + 1
    hot = true[None] == (1 if labels == 1 else np.arange(channels).reshape(-1, *(1,) * len(shape)))
    return random.normal(hot, 1.5).astype(np.float32), true


@pytest.mark.parametrize("labels", [1, 2, 5])
@pytest.mark.parametrize("shape", [(150,), (31, 40), (9, 12, 14)])
@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("at_a_time", [2**20, 100])
def test_the_counts_at_every_threshold_are_those_of_the_mask_there(labels, shape, inner, at_a_time, monkeypatch):
    monkeypatch.setattr(thresholds, "_ELEMENTS_AT_A_TIME", at_a_time)
    logits, true = make_case(labels, shape)
    inside = np.random.default_rng(1).random(shape) < 0.7 if inner else None
    graded = grade(logits)
    counts = count_at_thresholds(graded, true, labels, inside=inside)
    for rank, threshold in enumerate(THRESHOLDS):
        mask = choose_labels(torch.from_numpy(logits)[None], threshold)[0].numpy()
        assert np.array_equal(graded.at(threshold), mask)
        expected = measure_labels(mask, true, labels, inside=inside)
        assert counts.score(threshold) == expected
        assert counts.dice[:, rank].tolist() == [overlap.dice for overlap in expected]


def test_nothing_outside_of_what_counts_is_counted_and_a_case_without_a_pixel_is_empty():
    logits, true = make_case(2, (20, 20))
    nowhere = count_at_thresholds(grade(logits), true, 2, inside=np.zeros((20, 20), bool))
    assert (nowhere.pixels, nowhere.true.tolist(), nowhere.predicted.any()) == (0, [0, 0], False)
    assert (nowhere.dice == 1).all()
    void = true.copy()
    void[:, :7] = 255
    counts = count_at_thresholds(grade(logits), void, 2, inside=void != 255)
    cut = count_at_thresholds(grade(logits[:, :, 7:].copy()), true[:, 7:], 2)
    assert counts.score(0.35) == cut.score(0.35)


@pytest.mark.parametrize("labels", [1, 3])
def test_the_more_is_asked_the_fewer_pixels_are_predicted(labels):
    counts = count_at_thresholds(grade(make_case(labels, (40, 40))[0]), make_case(labels, (40, 40))[1], labels)
    assert (np.diff(counts.predicted, axis=1) <= 0).all()
    assert (np.diff(counts.shared, axis=1) <= 0).all()


def tune_by_hand(cases):
    """Every threshold for itself, from masks: the mean over the cases with an object of the mean over the labels they have."""
    means = []
    for threshold in THRESHOLDS:
        scores = []
        for logits, true, labels in cases:
            mask = choose_labels(torch.from_numpy(logits)[None], threshold)[0].numpy()
            there = [overlap.dice for overlap in measure_labels(mask, true, labels) if overlap.true_pixels]
            scores += [math.fsum(there) / len(there)] if there else []
        means.append(math.fsum(scores) / len(scores))
    return THRESHOLDS[int(np.argmax(means))]


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("bias", [-1.2, 0.0, 1.2])
def test_the_tuned_threshold_is_the_one_of_the_highest_dice_over_cases_with_the_object(labels, bias):
    cases = [(*make_case(labels, (30, 30), seed=seed), labels) for seed in range(4)]
    cases = [
        (logits + np.float32(bias) * (np.arange(len(logits)) >= len(logits) - labels)[:, None, None], *rest)
        for logits, *rest in cases
    ]
    empty = (cases[0][0], np.zeros((30, 30), np.uint8), labels)  # it would ask for the highest threshold there is
    lacking = (cases[1][0], np.minimum(cases[1][1], 1), labels)  # of several labels it has the first alone
    cases += [empty, lacking]
    counts = [count_at_thresholds(grade(logits), true, labels) for logits, true, labels in cases]
    assert tune_threshold(counts) == tune_by_hand(cases)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("shift", [-1.5, 0.9, 1.8])
def test_what_a_constant_does_to_the_logits_and_so_to_the_scores_the_tuned_threshold_undoes(channels, shift):
    """Calibration: two networks that rank pixels alike score alike where each is tuned, and not at 0.5."""
    right, wrong = [], []
    for seed in range(3):
        kinds = np.random.default_rng(seed).choice(5, (40, 40), p=(0.1, 0.05, 0.15, 0.1, 0.6))
        true = (kinds < 2).astype(np.uint8)
        margin = np.array([0.9, -3.0, -0.7, -0.9, -3.2], np.float32)[
            kinds
        ]  # the object, a part of it that is missed, beside it
        for added, into in ((0, right), (shift, wrong)):
            moved = margin + np.float32(added)
            into.append(count_at_thresholds(grade(np.stack([0 * moved, moved][2 - channels :])), true, 1))
    best, tuned = tune_threshold(right), tune_threshold(wrong)
    assert best == 0.5
    assert tuned > 0.5 if shift > 0.7 else tuned < 0.5
    assert [case.score(tuned) for case in wrong] == [case.score(best) for case in right]
    assert all(case.score(0.5)[0].dice < other.score(0.5)[0].dice for case, other in zip(wrong, right, strict=True))


def make_counts(dice, true=100):
    """One label of one case with that Dice (thresholds,), both masks of one size."""
    shared = np.round(np.asarray(dice) * 100).astype(int)[None]
    return ThresholdCounts(pixels=1000, true=np.array([true]), predicted=np.full((1, 19), 100), shared=shared)


def test_of_equal_thresholds_the_nearest_to_one_half_is_taken_and_of_equally_near_ones_the_lower():
    flat = make_counts(np.full(19, 0.7))
    assert tune_threshold([flat]) == 0.5
    ends = np.full(19, 0.7)
    ends[[2, 5, 15]] = 0.8
    assert tune_threshold([make_counts(ends)]) == THRESHOLDS[5]
    ends[[8, 10]] = 0.8
    assert tune_threshold([make_counts(ends), make_counts(ends)]) == THRESHOLDS[8]


def test_where_no_case_holds_an_object_the_threshold_stays_one_half():
    rising = make_counts(np.linspace(0.1, 0.9, 19), true=0)
    assert tune_threshold([]) == tune_threshold([rising]) == 0.5
