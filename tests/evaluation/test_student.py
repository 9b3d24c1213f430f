"""Student's t beside SciPy's, and beside closed forms where there are some."""

import math

import numpy as np
import pytest
from scipy import special

from focalseg.evaluation.student import normal_quantile, student_quantile, student_tail

FREEDOMS = [*np.geomspace(0.3, 1e8, 120), *range(1, 60), 39.9, 40.0, 40.1, 999.9, 1000.0, 1000.1]


@pytest.mark.parametrize("tail", [0.45, 0.2, 0.025, 0.001])
def test_quantiles_are_those_of_scipy_for_all_degrees_of_freedom(tail):
    ours = [student_quantile(float(freedom), tail) for freedom in FREEDOMS]
    assert ours == pytest.approx(-special.stdtrit(FREEDOMS, tail), rel=1e-12)
    assert normal_quantile(tail) == pytest.approx(-special.ndtri(tail), rel=1e-14)


@pytest.mark.parametrize("value", [0.0, 1e-3, 0.01, 0.7, 1.0, 1.96, 5.0, 40.0, 1000.0])
def test_tails_are_those_of_scipy_for_all_degrees_of_freedom(value):
    ours = np.array([student_tail(float(freedom), value) for freedom in FREEDOMS])
    theirs = special.stdtr(FREEDOMS, -value)
    known = theirs > 1e-280
    assert ours[known] == pytest.approx(theirs[known], rel=1e-12)
    assert (ours[~known] < 1e-279).all()


def test_with_one_and_two_degrees_of_freedom_there_are_closed_forms():
    """Cauchy's distribution, and t / sqrt(2 + t^2)."""
    for value in (1e-9, 0.1, 1.0, 12.7, 500.0):
        assert student_tail(1.0, value) == pytest.approx(math.atan(1 / value) / math.pi, rel=1e-13)
        root = math.sqrt(2 + value**2)
        assert student_tail(2.0, value) == pytest.approx(1 / (root * (root + value)), rel=1e-13)


def test_a_quantile_is_where_the_tail_is():
    for freedom in (0.5, 3.0, 4.2, 77.0, 999.0):
        for tail in (0.3, 0.025, 1e-9):
            assert student_tail(freedom, student_quantile(freedom, tail)) == pytest.approx(tail, rel=1e-12)


def test_nothing_is_less_likely_than_half_below_the_middle():
    assert student_tail(5.0, 0.0) == student_tail(5.0, -1.0) == 0.5
