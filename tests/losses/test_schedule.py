"""How a weight grows over a training."""

import math

import pytest

from focalseg.losses.schedule import share_at


def test_constant_is_all_of_it_from_the_first_step():
    assert [share_at("constant", step, 5) for step in range(5)] == [1.0] * 5


def test_linear_grows_by_the_same_amount_from_nothing_to_all():
    assert [share_at("linear", step, 5) for step in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_cosine_is_half_a_wave():
    assert [share_at("cosine", step, 5) for step in range(5)] == pytest.approx(
        [(1 - math.cos(math.pi * done)) / 2 for done in (0, 0.25, 0.5, 0.75, 1)]
    )


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_it_stays_at_all_of_it_after_the_last_step_and_in_a_training_of_one(schedule):
    assert share_at(schedule, 9, 5) == pytest.approx(1.0)
    assert share_at(schedule, 0, 1) == 1.0
