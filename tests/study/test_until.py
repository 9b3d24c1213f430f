"""Going on until decided: what buys the decision at the least price, and what is said where nothing does."""

from dataclasses import replace

import pytest

from focalseg.study.looks.history import Extension
from focalseg.study.until import Needed, Standing, choose_next

HOUR = 3600.0
OPEN = Standing(
    seeds=2,
    folds=5,
    all_folds=10,
    arms=3,
    training_seconds=60.0,
    seconds_left=10 * HOUR,
    needed=Needed(trainings=4, folds=9, cases=300),
)


def test_a_training_on_every_fold_costs_as_many_as_there_are_arms_and_a_fold_its_search_as_well():
    assert OPEN.price(Extension(more_trainings=2)) == 2 * 5 * 3 * 60
    assert OPEN.price(Extension(more_folds=2)) == 2 * (2 * 3 + 2) * 60
    assert OPEN.price(Extension(more_trainings=1, more_folds=1)) == (5 * 3 + 3 * 3 + 2) * 60


@pytest.mark.parametrize(
    ("needed", "chosen"),
    [
        (Needed(trainings=4, folds=9, cases=300), Extension(more_trainings=2)),  # 30 trainings against 32
        (Needed(trainings=4, folds=8, cases=300), Extension(more_folds=3)),  # 30 against 24
        (Needed(trainings=None, folds=8, cases=300), Extension(more_folds=3)),
        (Needed(trainings=9, folds=None, cases=300), Extension(more_trainings=2)),  # as many as there are, then it looks
        (Needed(trainings=4, folds=20, cases=300), Extension(more_trainings=2)),  # the split has ten
    ],
)
def test_what_decides_for_less_is_done_first(needed, chosen):
    assert choose_next(replace(OPEN, needed=needed)) == chosen


def test_one_fold_is_extended_to_five_at_least():
    one = replace(OPEN, folds=1, needed=Needed(trainings=None, folds=5, cases=300))
    assert choose_next(one) == Extension(more_folds=4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"seconds_left": 60.0},
            "Stopped: to decide, it would take about --more-trainings 2 and 30 min, and 60 s of --most are left.",
        ),
        (
            {"needed": Needed(trainings=None, folds=20, cases=300)},
            "Stopped: more trainings cannot decide it, however many; --more-folds 5 and more subjects would: about 300 test "
            "cases like these.",
        ),
        (
            {"needed": Needed(trainings=None, folds=None, cases=None), "folds": 10},
            "Stopped: more trainings cannot decide it, however many; more subjects would.",
        ),
        (
            {"needed": Needed(trainings=40, folds=None, cases=300), "room": 6, "folds": 10},
            "Stopped: it would take 40 trainings per arm and fold, of which 8 may be had; more subjects would do: about 300 "
            "test cases like these.",
        ),
    ],
)  # fmt: skip
def test_what_would_decide_is_said_where_nothing_that_may_be_had_does(changes, reason):
    assert choose_next(replace(OPEN, **changes)) == reason
