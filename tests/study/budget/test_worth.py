"""What a design tells for its price."""

from itertools import pairwise, product

import pytest
from scipy.stats import t

from focalseg.study.budget.worth import FEWEST_FOLDS, TRAINING_SHARE, count_trainings, expect_width, list_designs


def test_the_width_is_students_on_the_folds_and_trainings_narrow_their_own_part_alone():
    for folds, seeds in product((4, 5, 10), (1, 2, 5)):
        variance = (1 - TRAINING_SHARE) + TRAINING_SHARE / seeds
        assert expect_width(folds, seeds) == pytest.approx(t.ppf(0.975, folds - 1) * (variance / folds) ** 0.5, rel=1e-9)
    assert expect_width(10, 1) < expect_width(5, 3)  # for fewer trainings
    assert count_trainings(10, 1) < count_trainings(5, 3)


@pytest.mark.parametrize(("folds", "seeds"), [(1, 5), (5, 5), (10, 2), (12, 3), (3, 4), (10, 1)])
def test_whatever_is_given_up_tells_least_for_its_price(folds, seeds):
    designs = list_designs(folds, seeds, 3)
    assert (folds, seeds) not in designs
    assert all(1 <= count <= folds and 1 <= each <= seeds for count, each in designs)
    several = [design for design in designs if design[0] > 1]
    assert designs[: len(designs) - len(several)] == [
        (1, each) for each in range(min(3, seeds), seeds + 1) if (1, each) != (folds, seeds)
    ]
    for one, more in pairwise(several):
        assert count_trainings(*one) < count_trainings(*more)
        assert expect_width(*one) > expect_width(*more)
    for other in product(range(FEWEST_FOLDS, folds + 1), range(1, seeds + 1)):
        best = min((expect_width(*one) for one in several if count_trainings(*one) <= count_trainings(*other)), default=None)
        assert other == (folds, seeds) or best <= expect_width(*other) * (1 + 1e-12)


def test_of_ten_folds_with_two_trainings_the_second_training_goes_sooner_than_a_second_fold():
    assert list_designs(10, 2, 3)[-2:] == [(10, 1), (9, 2)]
    assert list_designs(10, 2, 3)[0] == (1, 2)
