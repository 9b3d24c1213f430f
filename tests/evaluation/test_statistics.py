"""Intervals against closed forms, and what they promise under a null."""

import numpy as np
import pytest
from scipy import stats

from focalseg.evaluation.statistics import estimate_mean
from focalseg.evaluation.verdict import decide_verdict


def alone(count):
    return [str(number) for number in range(count)]


def test_one_training_of_independent_cases_gives_the_interval_of_student():
    scores = np.random.default_rng(0).normal(0.7, 0.1, 60)
    estimate = estimate_mean(scores, alone(60))
    low, high = stats.t.interval(0.95, 59, scores.mean(), stats.sem(scores))
    assert estimate.mean == pytest.approx(scores.mean())
    assert estimate.low == pytest.approx(low, abs=0.1 * (high - low))
    assert estimate.high == pytest.approx(high, abs=0.1 * (high - low))


def test_cases_that_repeat_each_other_within_a_group_count_once():
    values = np.random.default_rng(1).normal(0, 1, 12)
    few = estimate_mean(values, alone(12))
    many = estimate_mean(np.repeat(values, 20), np.repeat(np.arange(12), 20).astype(str).tolist())
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=1e-6)


def test_a_fluke_on_all_of_three_trainings_is_no_proof():
    scores = np.array([0.001, 0.012, 0.004])[:, None] + np.zeros((3, 100))
    assert estimate_mean(scores, alone(100)).low < 0


def test_a_large_effect_on_three_trainings_is_seen():
    random = np.random.default_rng(2)
    scores = 0.3 + np.array([0.01, -0.01, 0.0])[:, None] + random.normal(0, 0.1, (3, 80))
    estimate = estimate_mean(scores, alone(80))
    assert 0.2 < estimate.low < 0.3 < estimate.high < 0.4


def test_no_variation_gives_an_interval_of_no_width():
    estimate = estimate_mean(np.zeros((3, 5)), alone(5))
    assert (estimate.mean, estimate.low, estimate.high) == (0, 0, 0)


def test_one_group_tells_nothing_about_how_groups_differ():
    estimate = estimate_mean(np.array([[0.011, 0.012], [0.013, 0.012]]), ["a", "a"], span=(-1.0, 1.0))
    assert (estimate.low, estimate.high) == (-1, 1)
    assert decide_verdict(estimate, modules=1, trainings=3).outcome == "no_difference_shown"


def test_an_interval_stays_in_the_span_of_its_score():
    estimate = estimate_mean(np.array([[1.0, 1.0, 1.0, 0.7]]), alone(4), span=(0.0, 1.0))
    assert estimate.high == 1
    assert 0.5 < estimate.low < estimate.mean


def test_rounding_is_no_variation():
    estimate = estimate_mean(np.full((1, 6), 0.7), alone(6))
    assert (estimate.low, estimate.high) == (estimate.mean, estimate.mean)


def test_the_same_scores_give_the_same_interval_and_it_holds_the_mean():
    scores = np.random.default_rng(3).exponential(1, (3, 20))
    assert estimate_mean(scores, alone(20)) == estimate_mean(scores, alone(20))
    assert estimate_mean(scores, alone(20)).low < scores.mean() < estimate_mean(scores, alone(20)).high


def test_scores_and_groups_of_different_number_are_refused():
    with pytest.raises(ValueError, match="3 scores a training and 2 groups"):
        estimate_mean(np.zeros((2, 3)), ["a", "b"])


@pytest.mark.parametrize(("training_noise", "case_noise"), [(0.02, 0.05), (0.0, 0.1), (0.03, 0.0)])
def test_a_null_is_called_helps_in_at_most_5_per_cent(training_noise, case_noise):
    random = np.random.default_rng(4)
    groups = np.repeat(np.arange(10), 6).astype(str).tolist()
    repetitions, claims = 300, 0
    for _ in range(repetitions):
        group_effects = np.repeat(random.normal(0, case_noise, 10), 6)
        scores = random.normal(0, training_noise, (3, 1)) + group_effects + random.normal(0, case_noise, (3, 60))
        claims += decide_verdict(estimate_mean(scores, groups), modules=1, trainings=3).outcome == "helps"
    assert claims <= stats.binom.isf(0.01, repetitions, 0.05)
