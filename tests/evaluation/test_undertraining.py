"""When trainings have ended too early, by curves whose gains can be worked out by hand and by some that were measured."""

import json
from pathlib import Path

import pytest

from focalseg.evaluation.undertraining import Rise, Silence, find_rises, measure_gains, plan_looks

REAL_DATA = Path(__file__).parents[2] / "benchmarks" / "results" / "real_data-small-earlier.json"
DEMO = {
    "none": [
        {100: 0.63222, 200: 0.66435, 300: 0.67337, 360: 0.67303},
        {100: 0.64635, 200: 0.67164, 300: 0.67403, 360: 0.67490},
        {100: 0.62790, 200: 0.66586, 300: 0.67178, 360: 0.67133},
    ],
    "placed": [
        {100: 0.72428, 200: 0.94965, 300: 0.97304, 360: 0.97326},
        {100: 0.82401, 200: 0.94360, 300: 0.97911, 360: 0.97976},
        {100: 0.41441, 200: 0.95099, 300: 0.97467, 360: 0.97407},
    ],
}
"""The trainings of `focalseg demo`, which has learned what it can."""


def test_gains_are_put_in_proportion_to_the_part_of_the_training():
    gains = measure_gains({25: 0.1, 50: 0.5, 80: 0.6, 100: 0.63})
    assert gains == pytest.approx({0.5: 0.13, 0.8: 0.03})
    # From 0.75 to 1 it gains 0.05, of which a fifth of the training has four fifths; 0.4 to 1: 0.24 times 0.5 over 0.6.
    assert measure_gains({40: 0.5, 75: 0.69, 100: 0.74}) == pytest.approx({0.5: 0.2, 0.8: 0.04})
    assert measure_gains({100: 0.9}) == measure_gains({}) == {}


@pytest.mark.parametrize(
    ("steps", "every", "looks"),
    [(60, 100, {30, 48}), (12, 6, {10}), (360, 100, set()), (800, 100, set()), (6000, 500, set()), (20, 7, set()),
     (100, 20, set()), (1, 1, set()), (2, 100, {1})],
)  # fmt: skip
def test_a_training_is_looked_at_near_its_middle_and_near_four_fifths(steps, every, looks):
    assert plan_looks(steps, every) == looks
    if steps > 4:
        curve = dict.fromkeys({*range(every, steps + 1, every), *looks, steps}, 0.5)
        assert measure_gains(curve) == {0.5: 0, 0.8: 0}


def test_a_dice_that_rises_by_more_than_chance_is_found():
    steady = {50: 0.80, 80: 0.80, 100: 0.80}
    assert find_rises({"none": [steady] * 3}) == ()
    late = [{50: 0.7, 80: 0.75, 100: 0.75 + gain} for gain in (0.02, 0.03, 0.04)]
    assert find_rises({"none": late, "placed": [steady] * 3}) == (
        Rise(arm="none", part="last fifth", gain=pytest.approx(0.03)),
    )
    # As much in the mean, but 0.09 and -0.03: two standard errors are 0.12.
    assert find_rises({"none": [{50: 0.75, 80: 0.75, 100: 0.75 + gain} for gain in (0.09, -0.03)]}) == ()
    early = [{50: 0.1, 80: 0.32, 100: 0.33}] * 3  # the learning rate falls to 0 at the end of any training
    assert find_rises({"none": early}) == (Rise(arm="none", part="second half", gain=pytest.approx(0.23)),)


def test_one_training_has_to_rise_by_more_in_its_last_fifth():
    assert find_rises({"run": [{80: 0.70, 100: 0.739}]}) == ()
    assert find_rises({"run": [{80: 0.70, 100: 0.741}]}) == (Rise(arm="run", part="last fifth", gain=pytest.approx(0.041)),)
    # A network after 60 steps of the one-cycle rate, measured: Dice 0.483.
    found = find_rises({"run": [{30: 0.41524, 48: 0.48615, 60: 0.48301}]})
    assert found == (Rise(arm="run", part="second half", gain=pytest.approx(0.06777)),)


def test_trainings_that_learned_what_they_could_raise_no_alarm():
    assert find_rises(DEMO) == ()


def test_of_the_real_sets_at_small_size_two_were_undertrained():
    curves = {name: {int(step): dice for step, dice in found["plain_curve"].items()}
              for name, found in json.loads(REAL_DATA.read_text()).items()}  # fmt: skip
    # Means over 15 trainings, whose noise is small: cvc_clinicdb went from 0.490 to 0.519 after three quarters, busi from 0.495
    # at the middle to 0.581; others reach about 0.8 on both. chase_db1 went from 0.754 to 0.795.
    rises = find_rises({name: [curve] * 2 for name, curve in curves.items()})
    assert [(rise.arm, rise.part) for rise in rises] == [("cvc_clinicdb", "last fifth"), ("busi", "second half")]


@pytest.mark.parametrize(
    ("empty", "cases", "dice", "telling"),
    [(9, 24, 0.33, True), (5, 24, 0.33, False), (6, 24, 0.33, True), (9, 24, 0.6, False), (0, 0, 0.0, False)],
)
def test_a_low_dice_with_many_cases_where_nothing_is_predicted_tells(empty, cases, dice, telling):
    assert Silence(whose="the plain network", empty=empty, cases=cases, dice=dice).telling == telling
