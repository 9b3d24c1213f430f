"""Groups lost altogether: SciPy's beta distribution is the second source of the bound."""

import numpy as np
import pytest
from scipy import stats

from focalseg.evaluation.failures import bound_failures, count_failing
from focalseg.evaluation.significance import decide_non_inferiority, measure_difference
from focalseg.records.estimate import Estimate


@pytest.mark.parametrize(("failing", "groups"), [(0, 1), (0, 28), (1, 28), (3, 28), (27, 28), (0, 5000), (40, 5000)])
@pytest.mark.parametrize("tail", [0.025, 0.001])
def test_the_bound_is_that_of_clopper_and_pearson(failing, groups, tail):
    expected = stats.beta.isf(tail, failing + 1, groups - failing)
    assert bound_failures(failing, groups, tail=tail) == pytest.approx(expected, rel=1e-9)


def test_of_28_groups_none_of_which_fails_12_in_a_hundred_may():
    assert bound_failures(0, 28) == pytest.approx(1 - 0.025 ** (1 / 28))
    assert round(100 * bound_failures(0, 28)) == 12
    assert bound_failures(0, 367) > 0.01 > bound_failures(0, 368)


def test_where_all_fail_all_may():
    assert bound_failures(4, 4) == 1.0


@pytest.mark.parametrize(("failing", "groups"), [(-1, 3), (4, 3), (0, 0)])
def test_failures_that_cannot_be_are_refused(failing, groups):
    with pytest.raises(ValueError, match=f"{failing} of {groups} groups fail"):
        bound_failures(failing, groups)


def test_a_group_fails_that_loses_half_of_the_scale_over_its_cases_and_trainings():
    lost_once = [[-0.9, 0.0, 0.0, -0.6], [-0.9, 0.0, -0.9, -0.4], [-0.9, 0.1, 0.0, -0.5]]
    assert count_failing(np.array(lost_once), ["a", "b", "c", "d"]) == 2  # a and d; c was lost by one training of three
    assert count_failing(np.array(lost_once), ["a", "a", "c", "c"]) == 0
    assert count_failing(np.zeros((2, 3)), ["a", "b", "c"]) == 0


def test_a_comparison_counts_the_groups_that_fail():
    one, other = np.full((2, 6), 0.8), np.full((2, 6), 0.8)
    one[:, 4] = 0.0
    assert measure_difference(one, other, list("abcdef")).failing == 1
    assert measure_difference(other, one, list("abcdef")).failing == 0


def test_as_good_takes_the_groups_that_exclude_failures():
    difference = Estimate(mean=0.0, low=-0.001, high=0.001)
    few, many = (decide_non_inferiority(difference, margin=0.01, failing=0, groups=groups) for groups in (28, 600))
    assert not few.shown
    assert many.shown
    assert few.bound == pytest.approx(-np.hypot(0.001, bound_failures(0, 28)))
    assert (few.failing, few.groups) == (0, 28)
    assert few.failing_at_most == pytest.approx(bound_failures(0, 28))
    assert decide_non_inferiority(difference, margin=0.01).shown  # nobody counted: the interval alone


def test_a_failure_that_was_seen_costs_its_mean_and_what_more_may_come():
    difference = Estimate(mean=-0.002, low=-0.005, high=0.001)
    found = decide_non_inferiority(difference, margin=0.02, failing=1, groups=400)
    assert found.bound == pytest.approx(-0.002 - np.hypot(0.003, bound_failures(1, 400) - 1 / 400))


def test_no_bound_is_worse_than_all_that_can_be_lost():
    difference = Estimate(mean=0.0, low=-1.0, high=1.0)  # of one group
    assert decide_non_inferiority(difference, margin=0.01, failing=0, groups=1).bound == -1.0


@pytest.mark.parametrize("groups", [28, 80, 310])
def test_as_good_is_not_said_of_an_arm_that_loses_two_cases_in_a_hundred(groups):
    """True loss 0.016, margin 0.01. By Student's interval, which is what the bootstrap's is without its shape."""
    random, said = np.random.default_rng(groups), []
    for _ in range(1000):
        scores = random.normal(0, 0.01, (1, groups)) - 0.8 * (random.random((1, groups)) < 0.02)
        mean, half = scores.mean(), stats.t.isf(0.025, groups - 1) * scores.std(ddof=1) / groups**0.5
        difference = Estimate(mean=mean, low=mean - half, high=mean + half)
        names = [str(number) for number in range(groups)]
        found = decide_non_inferiority(difference, margin=0.01, failing=count_failing(scores, names), groups=groups)
        said.append(found.shown)
    assert np.mean(said) <= 0.03
