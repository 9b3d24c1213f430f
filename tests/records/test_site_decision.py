"""What is said of a site: the words on its trainings, and how a page that shows these beside it leaves them out."""

import pytest

from focalseg.records.site_decision import describe_trainings, omit_trainings


@pytest.mark.parametrize("costs", [(0.2,), (0.2, -0.1), (0.1, 0.2, 0.3, 0.4, 0.5)])
@pytest.mark.parametrize("cases", [1, 40])
def test_a_reason_is_left_without_what_it_said_of_trainings(costs, cases):
    told = describe_trainings(costs, cases=cases)
    assert told
    assert omit_trainings(f"kept: taking it away costs 0.2 Dice{told}, at least 0.01") == (
        "kept: taking it away costs 0.2 Dice, at least 0.01"
    )


def test_a_reason_that_says_nothing_of_trainings_stays_as_it_is():
    assert omit_trainings("kept: gamma 1.2 (above 1), attention was given") == "kept: gamma 1.2 (above 1), attention was given"
