"""Sentences on a verdict elsewhere: for every pair of outcomes, what a reader hears."""

from dataclasses import replace

import pytest

from focalseg.evaluation.verdict import Against, Collapses, Verdict
from focalseg.records.estimate import DiceInterval, Estimate
from focalseg.records.placement import Collapsed
from focalseg.study.external.wording import SAME_NETWORKS, describe_agreement, describe_there
from records.test_record import RECORDS

OWN = replace(RECORDS[1], difference=DiceInterval(dice=0.1, low=0.05, high=0.15))
FIGURE = "+0.100 Dice (97.5 % interval +0.050 to +0.150)"
THERE = Verdict(
    outcome="helps",
    difference=Estimate(mean=0.08, low=0.02, high=0.14),
    smallest_difference=0.05,
    modules=1,
    trainings=3,
)
UNTESTED = "Whether the two differences differ from one another is not tested."


@pytest.mark.parametrize(
    ("own", "there", "sentence"),
    [
        ("helps", "helps", f"On the job's own test cases attention helps as well: {FIGURE}."),
        ("harms", "harms", f"On the job's own test cases attention harms as well: {FIGURE}."),
        (
            "no_difference_shown",
            "no_difference_shown",
            f"On the job's own test cases no difference is shown either: {FIGURE}.",
        ),
        (
            "helps",
            "no_difference_shown",
            f"On the job's own test cases attention helps: {FIGURE}; on far no difference is shown. {UNTESTED}",
        ),
        ("helps", "harms", f"On the job's own test cases attention helps: {FIGURE}; on far attention harms. {UNTESTED}"),
        (
            "no_difference_shown",
            "helps",
            f"On the job's own test cases no difference is shown: {FIGURE}; on far attention helps. {UNTESTED}",
        ),
    ],
)
def test_agreement_is_said_in_one_sentence_and_no_difference_of_differences_is_claimed(own, there, sentence) -> None:
    assert describe_agreement(replace(OWN, verdict=own), replace(THERE, outcome=there), data="far", same=False) == sentence


def test_where_nothing_was_placed_all_minus_none_is_told_of_both() -> None:
    plain = replace(
        THERE,
        outcome="no_difference_shown",
        difference=Estimate(mean=0.0, low=0.0, high=0.0),
        modules=0,
        against=Against(placed_minus={"all": Estimate(mean=-0.02, low=-0.06, high=0.01)}, candidates=7, margin=0.01),
        collapses=Collapses(search=Collapsed(0, 4)),
    )
    assert describe_agreement(OWN, plain, data="far", same=True) == (
        "On the job's own test cases all minus none was +0.100 Dice (97.5 % interval -0.200 to +0.300), and here +0.020 Dice "
        "(95 % interval -0.010 to +0.060)."
    )
    assert describe_there(plain, same=True).startswith(f"{SAME_NETWORKS} ")
    assert "It stays open whether attention at all 7 sites gains more than 0.01 Dice: +0.020" in describe_there(
        plain, same=True
    )


def test_networks_that_predict_nothing_are_no_finding_there_either() -> None:
    lost = replace(THERE, collapses=Collapses(arms={"none": Collapsed(3, 3)}))
    assert describe_agreement(OWN, lost, data="far", same=False) == (
        "Nothing is compared with the job's own test cases, of which the same is true."
    )
    assert describe_there(lost, same=False).startswith("Not answered: 3 of 3 trainings of the arm none")


def test_too_few_groups_are_mended_by_another_set_and_no_setting_of_the_job() -> None:
    few = replace(THERE, outcome="no_difference_shown", footing=replace(THERE.footing, groups=3))
    assert "evaluate on a set with more of them" in describe_there(few, same=False)
    assert "test_folds" not in describe_there(few, same=False)


def test_too_few_trainings_are_mended_by_another_job_and_no_setting_of_this_one() -> None:
    wide = Estimate(mean=0.0, low=-0.4, high=0.4)
    few = replace(THERE, outcome="no_difference_shown", difference=wide, trainings=2, footing=replace(THERE.footing, groups=40))
    assert "place again in a new folder, with seeds=3 or more" in describe_there(few, same=False)
    assert "place again" in describe_there(replace(few, trainings=1), same=False)
