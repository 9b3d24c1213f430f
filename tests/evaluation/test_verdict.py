"""The verdict and its sentence."""

import pytest

from focalseg.evaluation.statistics import Estimate
from focalseg.evaluation.verdict import decide_verdict


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
    verdict = decide_verdict(Estimate(mean=0.0, low=-0.02, high=0.02), modules=1, trainings=3)
    assert verdict.sentence() == (
        "No difference shown: +0.000 Dice with 1 attention module (95 % interval -0.020 to +0.020); "
        "it would have to exceed about 0.020 to be shown on this data."
    )


def test_nothing_kept_means_that_no_attention_is_justified():
    verdict = decide_verdict(Estimate(mean=0, low=0, high=0), modules=0, trainings=3)
    assert verdict.outcome == "no_difference_shown"
    assert verdict.sentence().startswith("No attention is justified on this data: ")


def test_trainings_that_collapsed_are_named_with_the_mend():
    verdict = decide_verdict(Estimate(mean=0.3, low=0.1, high=0.5), modules=1, trainings=3, collapsed=2)
    assert verdict.sentence() == (
        "Attention helps: +0.300 Dice with 1 attention module (95 % interval +0.100 to +0.500). "
        "But 2 trainings ended predicting nothing at all: more training.steps or a lower training.learning_rate may mend that."
    )


def test_one_training_an_arm_is_a_reason_to_doubt():
    verdict = decide_verdict(Estimate(mean=0.3, low=0.1, high=0.5), modules=1, trainings=1)
    assert verdict.sentence().endswith(
        "But with one training an arm nobody knows how much the seed changes: give seeds=3 or more."
    )
