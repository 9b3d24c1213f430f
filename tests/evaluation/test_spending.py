"""Looks and the error that they spend, against published boundaries and against paths drawn at random."""

import numpy as np
import pytest
from scipy import stats

from focalseg.evaluation.spending import LEAST_TAIL, find_tails, spend_error

# Boundaries of O'Brien and Fleming's type for a two-sided 5 %, as printed in textbooks and by the program of Reboussin et al.
PUBLISHED = {
    2: (2.963, 1.969),
    3: (3.710, 2.511, 1.993),
    4: (4.333, 2.963, 2.359, 2.014),
    5: (4.877, 3.357, 2.680, 2.290, 2.031),
}


@pytest.mark.parametrize("looks", PUBLISHED)
def test_boundaries_are_those_that_are_published(looks):
    tails = find_tails([look / looks for look in range(1, looks + 1)])
    assert stats.norm.isf(tails) == pytest.approx(PUBLISHED[looks], abs=6e-4)


def test_one_look_at_the_end_spends_everything():
    assert find_tails([1.0]) == pytest.approx([0.025])
    assert spend_error(1.0) == pytest.approx(0.025)


def test_a_look_hangs_on_those_before_it_alone():
    assert find_tails([0.3, 0.5])[:2] == pytest.approx(find_tails([0.3, 0.5, 0.9])[:2])
    assert find_tails([0.3])[0] == pytest.approx(spend_error(0.3))


@pytest.mark.parametrize("error", [0.025, 0.0125])
def test_all_looks_together_keep_to_the_error(error):
    fractions = np.array([3 / 8, 5 / 8, 0.7, 1.0])
    random = np.random.default_rng(0)
    steps = random.standard_normal((400_000, 4)) * np.sqrt(np.diff(fractions, prepend=0))
    reached = steps.cumsum(axis=1) / np.sqrt(fractions) >= stats.norm.isf(find_tails(fractions.tolist(), error=error))
    assert reached.any(axis=1).mean() == pytest.approx(error, abs=4 * np.sqrt(error / 400_000))


def test_very_early_looks_leave_everything_to_later_ones():
    tails = find_tails([0.001, 1.0])
    assert tails[0] == LEAST_TAIL
    assert tails[1] == pytest.approx(0.025, rel=1e-3)


@pytest.mark.parametrize("fractions", [[], [0.0], [0.5, 0.5], [0.8, 0.5], [0.5, 1.1]])
def test_fractions_that_do_not_rise_to_1_are_refused(fractions):
    with pytest.raises(ValueError, match="expected rising ones above 0 and up to 1"):
        find_tails(fractions)


@pytest.mark.parametrize("fraction", [0.0, 1.2])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match="expected one above 0 and at most 1"):
        spend_error(fraction)
