"""The verdict and its sentences."""

import pytest

from focalseg.evaluation.statistics import Estimate
from focalseg.evaluation.verdict import Against, decide_verdict

MEND = "more training.steps or a lower training.learning_rate may mend that"
HELPS = Estimate(mean=0.3, low=0.1, high=0.5)
NOTHING = Estimate(mean=0.0, low=0.0, high=0.0)


def around(mean, half_width):
    return Estimate(mean=mean, low=mean - half_width, high=mean + half_width)


def against(**placed_minus):
    return Against(placed_minus=placed_minus, candidates=7, margin=0.01)


@pytest.mark.parametrize(
    ("low", "high", "outcome", "sentence"),
    [
        (0.01, 0.05, "helps", "Attention helps: +0.030 Dice with 2 attention modules (95 % interval +0.010 to +0.050)."),
        (
            -0.01,
            0.07,
            "no_difference_shown",
            "No difference shown: +0.030 Dice with 2 attention modules (95 % interval -0.010 to +0.070); ",
        ),
        (0.0, 0.06, "no_difference_shown", "No difference shown: "),
        (-0.08, -0.02, "harms", "Attention harms: -0.050 Dice with 2 attention modules (95 % interval -0.080 to -0.020)."),
    ],
)
def test_the_outcome_follows_from_where_the_interval_lies(low, high, outcome, sentence):
    verdict = decide_verdict(Estimate(mean=(low + high) / 2, low=low, high=high), modules=2, trainings=3)
    assert verdict.outcome == outcome
    assert verdict.sentence().startswith(sentence)


def test_a_difference_not_shown_says_how_small_it_could_have_been():
    verdict = decide_verdict(around(0.0, 0.02), modules=1, trainings=3)
    assert verdict.sentence() == (
        "No difference shown: +0.000 Dice with 1 attention module (95 % interval -0.020 to +0.020); "
        "it would have to exceed about 0.020 to be shown on this data."
    )


def test_nothing_kept_means_that_no_attention_is_justified():
    verdict = decide_verdict(NOTHING, modules=0, trainings=3, against=against(all=around(0.0, 0.005)))
    assert verdict.outcome == "no_difference_shown"
    assert verdict.sentence() == (
        "No attention is justified on this data: no site was found worth keeping, so the lean network is the plain one. "
        "The plain network is as good as with attention at all 7 sites (at most 0.01 Dice worse)."
    )


def test_that_no_attention_is_justified_is_not_said_where_all_of_it_helps():
    verdict = decide_verdict(NOTHING, modules=0, trainings=3, against=against(all=around(-0.1, 0.05)))
    assert verdict.outcome == "no_difference_shown"
    assert verdict.sentence() == (
        "No difference: no site was found worth keeping, so the lean network is the plain one. But attention at all 7 sites is "
        "better still: placed minus all is -0.100 (95 % interval -0.150 to -0.050)."
    )


def test_a_few_trainings_that_collapsed_are_named_with_the_mend():
    verdict = decide_verdict(HELPS, modules=1, trainings=3, collapsed={"none": (1, 3), "placed": (1, 3)})
    assert verdict.outcome == "helps"
    assert verdict.sentence() == (
        "Attention helps: +0.300 Dice with 1 attention module (95 % interval +0.100 to +0.500). "
        f"But 2 trainings ended predicting nothing at all: {MEND}."
    )


@pytest.mark.parametrize("difference", [HELPS, around(-0.3, 0.1), around(0.0, 0.1)])
def test_trainings_that_mostly_predict_nothing_answer_nothing(difference):
    verdict = decide_verdict(difference, modules=1, trainings=3, collapsed={"none": (2, 3), "placed": (0, 3)})
    assert verdict.outcome == "no_difference_shown"
    assert verdict.sentence() == f"Not answered: 2 of 3 trainings of the arm none ended predicting nothing at all; {MEND}."


def test_half_of_the_trainings_are_not_most_of_them():
    assert decide_verdict(HELPS, modules=1, trainings=2, collapsed={"none": (1, 2)}).outcome == "helps"


def test_one_training_an_arm_is_said_before_anything_else():
    sentence = decide_verdict(HELPS, modules=1, trainings=1).sentence()
    assert sentence.startswith(
        "One training an arm: nobody knows how much the seed changes; give seeds=3 or more. Attention helps: "
    )


@pytest.mark.parametrize(("low", "said"), [(-0.0099, True), (-0.01, False)])
def test_as_good_with_fewer_modules_is_said_where_the_whole_interval_is_above_the_margin(low, said):
    verdict = decide_verdict(HELPS, modules=2, trainings=3, against=against(all=Estimate(mean=0.0, low=low, high=0.01)))
    added = "With fewer modules it is as good as with attention at all 7 sites (at most 0.01 Dice worse)."
    assert verdict.sentence().endswith(added) == said


def test_fewer_modules_are_not_spoken_of_where_all_were_kept_or_attention_harms():
    everything = against(all=around(0.0, 0.001))
    assert "fewer" not in decide_verdict(HELPS, modules=7, trainings=3, against=everything).sentence()
    assert "fewer" not in decide_verdict(around(-0.3, 0.1), modules=2, trainings=3, against=everything).sentence()


@pytest.mark.parametrize(
    ("wider", "added"),
    [
        (
            around(0.2, 0.1),
            "A plain network with more channels does not do as well: placed minus wider is +0.200 "
            "(95 % interval +0.100 to +0.300).",
        ),
        (
            around(0.0, 0.005),
            "But it is capacity, not attention: a plain network with more channels does as well, placed minus wider is +0.000 "
            "(95 % interval -0.005 to +0.005).",
        ),
        (
            around(0.02, 0.05),
            "But it may be capacity, not attention: a plain network with more channels may do as well, placed minus wider is "
            "+0.020 (95 % interval -0.030 to +0.070).",
        ),
    ],
)
def test_a_gain_is_held_against_a_wider_plain_network(wider, added):
    verdict = decide_verdict(HELPS, modules=2, trainings=3, against=against(wider=wider))
    assert verdict.sentence().endswith(f" {added}")


def test_capacity_is_not_spoken_of_where_nothing_was_gained():
    verdict = decide_verdict(around(0.0, 0.1), modules=2, trainings=3, against=against(wider=around(0.0, 0.005)))
    assert "channels" not in verdict.sentence()


def test_folds_that_keep_different_numbers_of_sites_are_told_so():
    verdict = decide_verdict(HELPS, modules=2, by_fold=(1, 3, 2), trainings=3)
    assert "+0.300 Dice with 1 to 3 attention modules (" in verdict.sentence()
    alike = decide_verdict(HELPS, modules=2, by_fold=(2, 2), trainings=3)
    assert "+0.300 Dice with 2 attention modules (" in alike.sentence()


def test_folds_that_agree_on_no_site_are_told_so():
    verdict = decide_verdict(HELPS, modules=0, by_fold=(1, 1, 0), trainings=3)
    assert verdict.outcome == "helps"
    assert verdict.sentence().endswith(" But the folds kept different sites, none of them in half of the folds.")


def test_a_skip_that_is_shut_is_no_module_and_no_plain_network():
    verdict = decide_verdict(HELPS, modules=0, shut=1, trainings=3)
    assert verdict.outcome == "helps"
    assert verdict.sentence().startswith("Shutting a skip helps: +0.300 Dice with 0 attention modules and 1 skip shut (")
