"""How many trainings or cases would show a difference: the smallest difference that is seen, turned round."""

import numpy as np
import pytest

from focalseg.evaluation.needed import count_needed_cases, count_needed_trainings
from focalseg.evaluation.significance import measure_difference, smallest_difference
from focalseg.evaluation.standard_error import estimate_standard_error, expect_standard_error

FOLDS = [number % 5 for number in range(60)]
GROUPS = [str(number // 2) for number in range(60)]
OWN_FOLDS = [number // 2 % 5 for number in range(60)]


def draw(trainings: int, cases: int, *, seed: int = 0, of_training: float = 0.02, of_case: float = 0.05) -> np.ndarray:
    """Differences that vary by training, by case, and by both."""
    random = np.random.default_rng(seed)
    shared = random.normal(0, of_training, (trainings, 1)) + random.normal(0, of_case, (1, cases))
    return shared + random.normal(0, 0.02, (trainings, cases))


@pytest.mark.parametrize("trainings", [1, 2, 5])
@pytest.mark.parametrize(("folds", "overlap"), [((), 0.0), (FOLDS, 0.0), (FOLDS, 0.5), (OWN_FOLDS, 0.5)])
def test_as_many_as_there_are_make_the_standard_error_that_there_is(trainings, folds, overlap):
    scores = draw(trainings, 60)
    now = estimate_standard_error(scores, GROUPS, folds, overlap=overlap)
    expected = expect_standard_error(scores, GROUPS, folds, overlap=overlap)
    assert (expected.error, expected.freedom) == pytest.approx((now.error, now.freedom), rel=1e-12)


def test_of_one_training_four_times_the_groups_halve_the_error():
    scores = draw(1, 60)
    more = expect_standard_error(scores, GROUPS, times_groups=4)
    assert more.error == pytest.approx(estimate_standard_error(scores, GROUPS).error / 2)
    assert more.freedom == pytest.approx(4 * 30 - 1)


def test_endless_trainings_leave_the_error_of_the_groups_and_endless_groups_that_of_trainings():
    errors = [
        (
            expect_standard_error(scores, GROUPS, times_trainings=1e9).error ** 2,
            expect_standard_error(scores, GROUPS, times_groups=1e9).error ** 2,
        )
        for scores in (draw(4, 60, seed=seed) for seed in range(200))
    ]
    of_cases, of_trainings = np.mean(errors, axis=0)
    assert of_cases == pytest.approx(0.05**2 / 60, rel=0.1)
    assert of_trainings == pytest.approx(0.02**2 / 4, rel=0.15)


def test_what_is_expected_of_more_is_what_more_give():
    """Mean variance over many draws: predicted from 3 trainings on 60 cases, and found with 12 on 240."""
    few = [draw(3, 60, seed=seed) for seed in range(300)]
    many = [draw(12, 240, seed=1000 + seed) for seed in range(100)]
    alone = [str(number) for number in range(240)]
    predicted = np.mean([expect_standard_error(one, alone[:60], times_trainings=4, times_groups=4).error ** 2 for one in few])
    found = np.mean([estimate_standard_error(one, alone).error ** 2 for one in many])
    assert predicted == pytest.approx(found, rel=0.1)


@pytest.mark.parametrize("in_folds", [False, True])
def test_the_number_is_the_least_with_which_the_difference_is_seen(in_folds):
    scores, folds = draw_folds(5, 3, of_training=0.1, of_set=0.0, seed=1) if in_folds else (draw(3, 60), [])
    now = measure_difference(scores, np.zeros_like(scores), GROUPS, folds).smallest_difference
    target = now * 0.9
    trainings = count_needed_trainings(scores, GROUPS, folds, target)

    def seen(count: int) -> float:
        return smallest_difference(expect_standard_error(scores, GROUPS, folds, times_trainings=count / 3))

    assert trainings > 3
    assert seen(trainings) <= target < seen(trainings - 1)


def test_what_is_seen_already_takes_no_more():
    scores = draw(3, 60)
    now = measure_difference(scores, np.zeros_like(scores), GROUPS).smallest_difference
    assert count_needed_trainings(scores, GROUPS, (), now * 1.001) == 3
    assert count_needed_cases(scores, GROUPS, (), now * 1.001) == 60


def test_cases_are_counted_in_groups_of_their_size():
    scores = draw(1, 60)
    now = measure_difference(scores, np.zeros_like(scores), GROUPS).smallest_difference
    needed = count_needed_cases(scores, GROUPS, (), now / 2)
    assert needed % 2 == 0
    assert needed == pytest.approx(4 * 60, rel=0.1)


def test_nothing_is_promised_where_no_number_would_do():
    scores = draw(3, 60, of_training=0.05)
    assert count_needed_cases(scores, GROUPS, (), 0.001) is None  # three trainings differ by more
    assert count_needed_trainings(scores, GROUPS, (), 1e-5) is None
    assert count_needed_trainings(draw(1, 60), GROUPS, (), 0.01) is None  # of one nobody knows
    assert count_needed_cases(scores, ["all"] * 60, (), 0.01) is None
    with pytest.raises(ValueError, match="one group"):
        expect_standard_error(scores, ["all"] * 60)


def draw_folds(folds: int, trainings: int, *, of_training: float, of_set: float, seed: int) -> tuple[np.ndarray, list[int]]:
    """Differences (S, 60) of trainings nested in folds, each of which has a training set, and the fold of each case."""
    random = np.random.default_rng(seed)
    fold = np.arange(60) % folds
    shared = random.normal(0, of_training, (trainings, folds)) + random.normal(0, of_set, folds)
    return shared[:, fold] + random.normal(0, 0.05, 60) + random.normal(0, 0.02, (trainings, 60)), fold.tolist()


@pytest.mark.parametrize(
    # What folds differ by beyond their noise is expected to stay with more trainings, chance included: somewhat too much.
    ("of_training", "of_set", "better", "within"),
    [(0.06, 0.0, "trainings", 0.35), (0.0, 0.08, "folds", 0.15)],
)
def test_twice_the_folds_or_trainings_buy_what_twice_as_many_give(of_training, of_set, better, within):
    alone = [str(number) for number in range(60)]
    drawn = [draw_folds(5, 2, of_training=of_training, of_set=of_set, seed=seed) for seed in range(150)]
    doubled = {"folds": (10, 2), "trainings": (5, 4)}
    bought = {}
    for what, design in doubled.items():
        expected = [expect_standard_error(scores, alone, folds, **{f"times_{what}": 2}).error ** 2 for scores, folds in drawn]
        more = [draw_folds(*design, of_training=of_training, of_set=of_set, seed=500 + seed) for seed in range(150)]
        found = [estimate_standard_error(scores, alone, folds).error ** 2 for scores, folds in more]
        assert np.mean(expected) == pytest.approx(np.mean(found), rel=within)
        bought[what] = np.mean(expected)
    assert (bought["folds"] < 0.8 * bought["trainings"]) == (better == "folds")


def test_fewer_trainings_can_be_asked_for_down_to_one_which_leaves_its_noise_to_the_folds():
    alone = [str(number) for number in range(60)]
    scores, folds = draw_folds(5, 3, of_training=0.06, of_set=0.0, seed=0)
    one, ten = (expect_standard_error(scores, alone, folds, times_trainings=1 / 3, times_folds=times) for times in (1, 2))
    now = expect_standard_error(scores, alone, folds)
    assert one.error > 1.3 * now.error
    assert ten.error < one.error
    assert one.freedom == pytest.approx(4)
    single = expect_standard_error(scores, alone, folds, times_folds=1 / 5)
    assert np.isfinite([single.error, single.freedom]).all()


def test_more_folds_that_share_more_do_not_help_where_training_sets_rule():
    alone = [str(number) for number in range(60)]
    scores, folds = draw_folds(5, 2, of_training=0.0, of_set=0.1, seed=3)
    now = expect_standard_error(scores, alone, folds, overlap=0.5)
    more = expect_standard_error(scores, alone, folds, overlap=0.5, overlap_then=7 / 9, times_folds=2)
    assert 0.9 * now.error < more.error < 1.3 * now.error
