"""What each look may err: together no more than one look would, whoever extends and why."""

import numpy as np
import pytest
from scipy.stats import norm

from focalseg.study.looks.tails import ERROR, has_error_left, plan_tails, share_error

REPETITIONS = 400_000


@pytest.mark.parametrize(("trainings", "most"), [((3, 5, 8), 0), ((3, 5, 8), 8), ((3, 6, 12, 24), 0), ((4, 8), 16)])
def test_a_false_claim_over_all_looks_is_as_rare_as_at_one_look(trainings, most):
    random, total, claimed = np.random.default_rng(0), np.zeros(REPETITIONS), np.zeros(REPETITIONS, bool)
    for count, before, tail in zip(trainings, (0, *trainings), plan_tails(trainings, most), strict=False):
        total += random.normal(size=REPETITIONS) * (count - before) ** 0.5
        claimed |= total / count**0.5 > norm.isf(tail)
    noise = 4 * (ERROR * (1 - ERROR) / REPETITIONS) ** 0.5
    assert claimed.mean() == pytest.approx(share_error(trainings, most)[-1], abs=noise)
    assert claimed.mean() < ERROR + noise


def test_a_look_that_nobody_planned_spends_four_fifths_of_what_is_left():
    assert share_error((3, 5, 8), 0) == pytest.approx((0.02, 0.024, 0.0248))
    assert plan_tails((3,), 0)[0] == pytest.approx(0.02)
    assert sum(plan_tails((3, 5, 8), 0)) > ERROR  # looks share trainings, so that each may err more than it adds


def test_a_look_that_was_planned_spends_as_obrien_and_fleming_do():
    # Published boundaries of five looks at fifths, two-sided 5 %: 4.88, 3.36, 2.68, 2.29, 2.03 (Lan and DeMets' function).
    tails = plan_tails((1, 2, 3, 4, 5), 5)
    assert norm.isf(tails) == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=0.003)
    assert share_error((5,), 5)[0] == pytest.approx(ERROR)


def test_what_a_look_may_claim_does_not_depend_on_later_ones():
    assert plan_tails((3, 5), 0) == pytest.approx(plan_tails((3, 5, 8), 0)[:2], rel=1e-6)
    assert plan_tails((3, 5), 8) == pytest.approx(plan_tails((3, 5, 8), 8)[:2], rel=1e-6)


@pytest.mark.parametrize(
    ("trainings", "most", "left"), [((3,), 0, True), ((3, 5), 5, False), ((3, 9), 5, False), ((3,), 5, True)]
)
def test_a_plan_ends_with_its_last_training_and_no_plan_never(trainings, most, left):
    assert has_error_left(trainings, most) == left
