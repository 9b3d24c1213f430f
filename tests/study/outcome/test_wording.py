"""The verdict and its sentences."""

import math
from dataclasses import replace

import pytest

from focalseg.evaluation.breakdown import Breakdown
from focalseg.evaluation.significance import Comparison, decide_non_inferiority
from focalseg.evaluation.undertraining import Rise, Silence
from focalseg.evaluation.verdict import Adjusted, Against, Collapses, Footing, decide_verdict
from focalseg.records.estimate import Estimate
from focalseg.records.placement import Collapsed
from focalseg.study.outcome.wording import describe_failures, describe_verdict

MEND = "more training.steps or a lower training.learning_rate may mend that"
HELPS = Estimate(mean=0.3, low=0.1, high=0.5)
NOTHING = Estimate(mean=0.0, low=0.0, high=0.0)


SEARCHED = Collapses(search=Collapsed(0, 6))


def decide(difference, *, trainings=3, smallest=0.03, **what):
    comparison = Comparison(
        estimate=difference, p_value=0.5, permutation_p=0.5, wilcoxon_p=0.5, smallest_difference=smallest, trainings=trainings,
        cases=30, groups=10,
    )  # fmt: skip
    return decide_verdict(comparison, **what)


def around(mean, half_width):
    return Estimate(mean=mean, low=mean - half_width, high=mean + half_width)


def against(lost=None, **placed_minus):
    return Against(placed_minus=placed_minus, candidates=7, margin=0.01, lost=lost or {})


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
    verdict = decide(Estimate(mean=(low + high) / 2, low=low, high=high), modules=2)
    assert verdict.outcome == outcome
    assert describe_verdict(verdict).startswith(sentence)


def test_a_difference_not_shown_says_how_small_it_could_have_been():
    verdict = decide(around(0.0, 0.02), modules=1, smallest=0.0291)
    assert describe_verdict(verdict) == (
        "No difference shown: +0.000 Dice with 1 attention module (95 % interval -0.020 to +0.020); "
        "such data shows a true difference of 0.029 in 80 % of studies."
    )


def test_no_difference_is_promised_that_dice_cannot_have():
    sentence = describe_verdict(decide(around(0.0, 1.0), modules=1, smallest=3.889))
    assert "not even the largest difference there can be is shown in 80 % of studies" in sentence
    assert "3.889" not in sentence


def test_one_group_shows_no_difference_and_the_sentence_says_so():
    sentence = describe_verdict(decide(around(0.0, 1.0), modules=1, smallest=math.inf))
    assert sentence.endswith("; the test cases are all of one group, which shows no difference however large.")


def test_the_same_scores_in_both_arms_promise_no_precision():
    assert describe_verdict(decide(NOTHING, modules=1, smallest=math.nan)) == (
        "No difference shown: +0.000 Dice with 1 attention module (95 % interval +0.000 to +0.000)."
    )


def test_nothing_kept_means_that_no_attention_is_justified_where_all_of_it_is_no_better():
    verdict = decide(NOTHING, modules=0, collapses=SEARCHED, against=against(all=around(0.0, 0.005)))
    assert verdict.outcome == "no_difference_shown"
    assert describe_verdict(verdict) == (
        "No attention is justified on this data: no site was found worth keeping, so the lean network is the plain one. "
        "The plain network is as good as with attention at all 7 sites (at most 0.01 Dice worse)."
    )


def test_that_no_attention_is_justified_is_not_said_where_all_of_it_may_help():
    verdict = decide(NOTHING, modules=0, collapses=SEARCHED, against=against(all=Estimate(mean=-0.03, low=-0.07, high=0.01)))
    assert describe_verdict(verdict) == (
        "No site was found worth keeping, so the lean network is the plain one. "
        "It stays open whether attention at all 7 sites gains more than 0.01 Dice: "
        "+0.030 (95 % interval -0.010 to +0.070)."
    )


def test_that_all_attention_helps_is_said_first_where_the_search_found_no_site():
    verdict = decide(NOTHING, modules=0, collapses=SEARCHED, against=against(all=Estimate(mean=-0.1, low=-0.16, high=-0.05)))
    assert verdict.outcome == "no_difference_shown"
    assert describe_verdict(verdict) == (
        "Attention at all 7 sites helps (+0.100 Dice, 95 % interval +0.050 to +0.160), but the search found no part of it that "
        "does: no site was found worth keeping, so the lean network is the plain one."
    )


@pytest.mark.parametrize(
    ("everywhere", "added"),
    [
        (around(-0.1, 0.05), "Attention at all 7 sites helps: +0.100 Dice (95 % interval +0.050 to +0.150)."),
        (around(0.0, 0.005), "The plain network is as good as with attention at all 7 sites (at most 0.01 Dice worse)."),
        (
            around(0.0, 0.05),
            "It stays open whether attention at all 7 sites gains more than 0.01 Dice: "
            "+0.000 (95 % interval -0.050 to +0.050).",
        ),
    ],
)
def test_a_policy_that_looks_at_nothing_found_nothing_out(everywhere, added):
    verdict = decide(NOTHING, modules=0, against=against(all=everywhere))
    assert describe_verdict(verdict) == (
        f"No site was looked at, since the policy places none: the lean network is the plain one. {added}"
    )


def test_a_few_trainings_that_collapsed_are_named_with_the_mend():
    verdict = decide(HELPS, modules=1, collapses=Collapses(arms={"none": Collapsed(1, 3), "placed": Collapsed(1, 3)}))
    assert verdict.outcome == "helps"
    assert describe_verdict(verdict) == (
        "Attention helps: +0.300 Dice with 1 attention module (95 % interval +0.100 to +0.500). "
        f"But 2 trainings ended predicting nothing at all: {MEND}."
    )


def test_a_training_that_both_arms_share_collapsed_once_and_those_of_the_search_count_too():
    verdict = decide(
        HELPS,
        modules=1,
        by_fold=(1, 0),
        collapses=Collapses(arms={"none": Collapsed(1, 6), "placed": Collapsed(2, 6)}, shared=1, search=Collapsed(1, 6)),
    )
    assert describe_verdict(verdict).endswith(f" But 3 trainings ended predicting nothing at all: {MEND}.")


@pytest.mark.parametrize("difference", [HELPS, around(-0.3, 0.1), around(0.0, 0.1)])
def test_trainings_that_mostly_predict_nothing_answer_nothing(difference):
    verdict = decide(difference, modules=1, collapses=Collapses(arms={"none": Collapsed(2, 3), "placed": Collapsed(0, 3)}))
    assert verdict.outcome == "no_difference_shown"
    assert (
        describe_verdict(verdict) == f"Not answered: 2 of 3 trainings of the arm none ended predicting nothing at all; {MEND}."
    )


def test_half_of_the_trainings_of_an_arm_are_not_most_of_them():
    assert decide(HELPS, modules=1, collapses=Collapses(arms={"none": Collapsed(1, 2)})).outcome == "helps"


@pytest.mark.parametrize("modules", [0, 2])
@pytest.mark.parametrize("number", [3, 6])
def test_a_search_half_of_which_collapsed_answers_nothing(modules, number):
    verdict = decide(HELPS, modules=modules, collapses=Collapses(arms={"none": Collapsed(0, 3)}, search=Collapsed(number, 6)))
    assert verdict.outcome == "no_difference_shown"
    assert describe_verdict(verdict) == (
        f"Not answered: {number} of 6 trainings of the search for sites ended predicting nothing at all; {MEND}."
    )


def test_a_search_less_than_half_of_which_collapsed_answers():
    assert decide(HELPS, modules=2, collapses=Collapses(search=Collapsed(2, 6))).outcome == "helps"


def test_every_failure_is_named():
    assert describe_failures(Collapses(arms={"none": Collapsed(3, 3), "placed": Collapsed(1, 3)}, search=Collapsed(3, 3))) == (
        "Not answered: 3 of 3 trainings of the arm none and 3 of 3 trainings of the search for sites ended predicting nothing "
        f"at all; {MEND}."
    )


def test_an_arm_that_collapsed_is_not_compared_with():
    verdict = decide(HELPS, modules=2, against=against(lost={"all": Collapsed(3, 3), "wider": Collapsed(2, 3)}))
    assert describe_verdict(verdict) == (
        "Attention helps: +0.300 Dice with 2 attention modules (95 % interval +0.100 to +0.500). "
        "Not compared with the arm all: 3 of 3 trainings of it ended predicting nothing at all. "
        "Not compared with the arm wider: 2 of 3 trainings of it ended predicting nothing at all."
    )


def test_a_tie_with_a_wider_network_is_never_called_its_cause():
    for wider in (around(0.0, 0.005), around(0.02, 0.05), around(-0.1, 0.05)):
        assert "capacity" not in describe_verdict(decide(HELPS, modules=2, against=against(wider=wider)))


def test_one_training_in_each_of_several_folds_is_no_single_training():
    sentence = describe_verdict(decide(HELPS, modules=1, trainings=1, by_fold=(1,) * 10))
    assert sentence.startswith("Attention helps: ")
    wide = decide(around(0.0, 0.3), modules=1, trainings=1, by_fold=(1,) * 10, footing=Footing(groups=40))
    assert describe_verdict(wide).startswith("Too few groups to tell: ")


def test_one_training_an_arm_is_said_before_anything_else():
    sentence = describe_verdict(decide(HELPS, modules=1, trainings=1))
    assert sentence.startswith(
        "One training an arm: nobody knows how much the seed changes; give seeds=3 or more. Attention helps: "
    )


@pytest.mark.parametrize(("low", "said"), [(-0.0099, True), (-0.01, False)])
def test_as_good_with_fewer_modules_is_said_where_the_whole_interval_is_above_the_margin(low, said):
    verdict = decide(HELPS, modules=2, against=against(all=Estimate(mean=0.0, low=low, high=0.01)))
    added = "With fewer modules it is as good as with attention at all 7 sites (at most 0.01 Dice worse)."
    assert describe_verdict(verdict).endswith(added) == said


@pytest.mark.parametrize(
    ("groups", "added"),
    [
        (
            400,
            "With fewer modules it is as good as with attention at all 7 sites (at most 0.010 Dice worse; it fails on 0 of 400 "
            "groups, so on at most 0.92 %).",
        ),
        (28, ""),
    ],
)
def test_as_good_is_said_with_the_bound_on_groups_that_are_lost(groups, added):
    everywhere = Estimate(mean=0.0, low=-0.003, high=0.003)
    found = decide_non_inferiority(everywhere, margin=0.01, failing=0, groups=groups)
    compared = Against(placed_minus={"all": everywhere}, candidates=7, margin=0.01, compared=found)
    sentence = describe_verdict(decide(HELPS, modules=2, against=compared))
    assert sentence.removeprefix("Attention helps: +0.300 Dice with 2 attention modules (95 % interval +0.100 to +0.500).") == (
        f" {added}" if added else ""
    )


def test_where_few_groups_alone_keep_it_from_being_as_good_that_is_said():
    everywhere = Estimate(mean=0.0, low=-0.003, high=0.003)
    found = decide_non_inferiority(everywhere, margin=0.01, failing=0, groups=28)
    compared = Against(placed_minus={"all": everywhere}, candidates=7, margin=0.01, compared=found)
    sentence = describe_verdict(decide(NOTHING, modules=0, collapses=SEARCHED, against=compared))
    assert "No attention is justified" not in sentence
    assert sentence.endswith(
        "So few as 28 test groups cannot exclude that the lean network fails altogether on 12 % of all groups."
    )


def test_what_holm_does_not_allow_is_claimed_of_no_arm():
    better = Against(placed_minus={"all": around(-0.1, 0.05), "wider": around(0.2, 0.1)}, candidates=7, margin=0.01)
    assert "is better still" in describe_verdict(decide(HELPS, modules=2, against=better))
    adjusted = replace(better, holm={"all": 0.06, "wider": 0.06})
    sentence = describe_verdict(decide(HELPS, modules=2, against=adjusted))
    assert "better" not in sentence
    assert "It stays open whether a plain network with more channels does as well" in sentence
    assert decide(HELPS, modules=2, adjusted=Adjusted(holm_p=0.051, claims=4)).outcome == "no_difference_shown"
    assert decide(HELPS, modules=2, adjusted=Adjusted(holm_p=0.049, claims=4)).outcome == "helps"
    assert decide(HELPS, modules=2, adjusted=Adjusted(holm_p=0.049, claims=4, level=0.01)).outcome == "no_difference_shown"


def test_sites_are_named_where_they_are_few_and_counted_where_they_are_many():
    def told(sites, *, alike=True):
        breakdown = Breakdown(sites=sites, alike=alike)
        sentence = describe_verdict(replace(decide(HELPS, modules=len(sites)), breakdown=breakdown))
        return sentence.removeprefix("Attention helps: +0.300 Dice with ").removesuffix(" (95 % interval +0.100 to +0.500).")

    assert told({"encoder.0": "se"}) == "1 attention module: se at encoder.0"
    assert (
        told({"encoder.0": "se", "skip.1": "ag"}, alike=False) == "2 attention modules, mostly se at encoder.0 and ag at skip.1"
    )
    many = {f"encoder.{number}": "se" for number in range(4)} | {"skip.0": "ag"}
    assert told(many) == "5 attention modules: se at 4 sites and ag at 1 site"


def test_what_is_only_less_sure_at_tuned_thresholds_may_be_calibration():
    def told(difference, tuned):
        return describe_verdict(replace(decide(difference, modules=2), breakdown=Breakdown(tuned=tuned)))

    with_thresholds = "with thresholds tuned on validation cases the difference is"
    assert told(HELPS, around(0.1, 0.05)).endswith(
        f"But it is calibration: {with_thresholds} +0.100 (95 % interval +0.050 to +0.150)."
    )
    assert told(HELPS, around(0.2, 0.3)).endswith(
        f"But it may be calibration: {with_thresholds} +0.200 (95 % interval -0.100 to +0.500), which is not apart from 0."
    )
    assert told(around(-0.3, 0.1), around(0.1, 0.05)).endswith(
        f"But it is calibration: {with_thresholds} +0.100 (95 % interval +0.050 to +0.150)."
    )
    assert "calibration" not in told(around(0.0, 0.1), around(0.0, 0.1))


def test_fewer_modules_are_not_spoken_of_where_all_were_kept_or_attention_harms():
    everything = against(all=around(0.0, 0.001))
    assert "fewer" not in describe_verdict(decide(HELPS, modules=7, against=everything))
    assert "fewer" not in describe_verdict(decide(around(-0.3, 0.1), modules=2, against=everything))


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
            "But a plain network with more channels does as well, and needs no attention for it: placed minus wider is +0.000 "
            "(95 % interval -0.005 to +0.005).",
        ),
        (
            around(0.02, 0.05),
            "It stays open whether a plain network with more channels does as well: placed minus wider is "
            "+0.020 (95 % interval -0.030 to +0.070).",
        ),
        (
            around(-0.1, 0.05),
            "But a plain network with more channels does better still: placed minus wider is -0.100 "
            "(95 % interval -0.150 to -0.050).",
        ),
    ],
)
def test_a_gain_is_held_against_a_wider_plain_network(wider, added):
    verdict = decide(HELPS, modules=2, against=against(wider=wider))
    assert describe_verdict(verdict).endswith(f" {added}")


def test_capacity_is_not_spoken_of_where_nothing_was_gained():
    verdict = decide(around(0.0, 0.1), modules=2, against=against(wider=around(0.0, 0.005)))
    assert "channels" not in describe_verdict(verdict)


def test_folds_that_keep_different_numbers_of_sites_are_told_so():
    verdict = decide(HELPS, modules=2, by_fold=(1, 3, 2))
    assert "+0.300 Dice with 1 to 3 attention modules (" in describe_verdict(verdict)
    alike = decide(HELPS, modules=2, by_fold=(2, 2))
    assert "+0.300 Dice with 2 attention modules (" in describe_verdict(alike)


def test_folds_that_agree_on_no_site_are_told_so():
    verdict = decide(HELPS, modules=0, by_fold=(1, 1, 0))
    assert verdict.outcome == "helps"
    assert describe_verdict(verdict).endswith(" But the folds kept different sites, none of them in half of the folds.")


def test_a_skip_that_is_shut_is_no_module_and_no_plain_network():
    verdict = decide(HELPS, modules=0, shut=1)
    assert verdict.outcome == "helps"
    assert describe_verdict(verdict).startswith("Shutting a skip helps: +0.300 Dice with 0 attention modules and 1 skip shut (")


LATE = Rise(arm="none", part="last fifth", gain=0.051)


def test_the_headline_says_that_networks_were_undertrained_and_the_outcome_stays():
    verdict = decide(HELPS, modules=1, footing=Footing(groups=10, steps=60, rises=(LATE,)))
    assert verdict.outcome == "helps"
    assert describe_verdict(verdict) == (
        "Undertrained: the validation Dice of the arm none still rose by 0.051 in the last fifth of 60 steps, so that what "
        "follows may be a matter of speed; give more training.steps. "
        "Attention helps: +0.300 Dice with 1 attention module (95 % interval +0.100 to +0.500)."
    )
    both = Footing(groups=10, steps=60, rises=(LATE, Rise(arm="placed", part="second half", gain=0.2)))
    assert describe_verdict(decide(HELPS, modules=1, footing=both)).startswith(
        "Undertrained: the validation Dice of the arms none and placed still rose by up to 0.200 in the second half of 60 "
    )


def test_a_plain_network_that_mostly_finds_nothing_is_undertrained_too():
    fine = Silence(whose="the networks that sites were searched with", empty=0, cases=24, dice=0.8)
    footing = Footing(groups=10, steps=60, silences=(fine, Silence(whose="the plain network", empty=9, cases=24, dice=0.33)))
    assert describe_verdict(decide(around(0.0, 0.1), modules=1, footing=footing)).startswith(
        "Undertrained: the plain network predicted nothing at all on 9 of the 24 validation cases that hold something, with a "
        "mean Dice of 0.33; give more training.steps, unless no network does better on such data. No difference shown: "
    )


def test_too_few_groups_are_said_before_an_answer_that_shows_nothing():
    verdict = decide(around(0.1, 1.0), modules=1, footing=Footing(groups=2))
    assert verdict.outcome == "no_difference_shown"
    assert describe_verdict(verdict).startswith(
        "Too few groups to tell: the test cases are of 2 groups, and the interval of the difference is 2.00 Dice wide; test "
        "more of them, with split.test_folds or more data. No difference shown: +0.100 Dice with 1 attention module ("
    )
    assert describe_verdict(decide(around(0.0, 0.1), modules=1, footing=Footing(groups=5))).startswith(
        "Too few groups to tell: the test cases are of 5 groups; test more"
    )
    assert describe_verdict(decide(around(0.0, 0.1), modules=1, footing=Footing(groups=6))).startswith("No difference shown")
    assert describe_verdict(decide(around(0.0, 0.3), modules=1, footing=Footing(groups=40))).startswith(
        "Too few groups to tell: the test cases are of 40 groups, and the interval of the difference is 0.60 Dice wide; "
    )
    assert describe_verdict(decide(around(0.0, 0.3), modules=1, trainings=2, footing=Footing(groups=40))).startswith(
        "Too few trainings to tell: each arm has 2 trainings, and the interval of the difference is 0.60 Dice wide; "
    )
    folds = decide(around(0.0, 0.3), modules=1, trainings=2, by_fold=(1, 1), footing=Footing(groups=40))
    assert "each arm has 2 trainings of each fold, and" in describe_verdict(folds)


def test_too_few_groups_keep_nobody_from_knowing_whether_all_of_it_would_help():
    few = Footing(groups=2)
    unsure = decide(NOTHING, modules=0, collapses=SEARCHED, against=against(all=around(0.0, 1.0)), footing=few)
    assert describe_verdict(unsure).startswith(
        "Too few groups to tell: the test cases are of 2 groups, and the interval of the difference is 2.00 Dice wide; "
    )
    sure = decide(NOTHING, modules=0, collapses=SEARCHED, against=against(all=around(0.0, 0.005)), footing=few)
    assert describe_verdict(sure).startswith("No attention is justified on this data: ")
    assert describe_verdict(sure).endswith(" But the test cases are of 2 groups: others may differ more than these do.")


def test_an_answer_that_is_shown_on_few_groups_says_so_afterwards():
    assert describe_verdict(decide(HELPS, modules=1, footing=Footing(groups=4))) == (
        "Attention helps: +0.300 Dice with 1 attention module (95 % interval +0.100 to +0.500). "
        "But the test cases are of 4 groups: others may differ more than these do."
    )
