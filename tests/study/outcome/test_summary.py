"""What is written of the arms and of how they compare, against NumPy and by hand."""

import json

import numpy as np
import pytest

from focalseg.configuration import to_mapping
from focalseg.evaluation.significance import compare_paired, correct_holm
from focalseg.evaluation.statistics import estimate_mean, measure_seed_noise
from focalseg.placement.policies.questions import SMALLEST_WORTH
from focalseg.records.placement import Collapsed, Placement
from focalseg.records.site_decision import SiteDecision
from focalseg.study.outcome.job_result import JobResult
from focalseg.study.outcome.summary import judge, record_results, summarise
from focalseg.study.outcome.wording import describe_verdict
from study.made_up import make_result, make_score

RANDOM = np.random.default_rng(0)
CASES = [["a", "b", "c", "d"], ["e", "f", "g"]]
"""Of two folds."""
FOLD_OF_CASE = [0, 0, 0, 0, 1, 1, 1]
NONE = [RANDOM.uniform(0.4, 0.6, (3, len(cases))) for cases in CASES]


def site(name, *, kept):
    return SiteDecision(
        site=name, gate="se", gamma=1.0, removal_cost=0.0, spread=0.1, kept=kept, why="so", removal_low=0.0,
        removal_high=0.0, joint_cost=0.0, shut=False,
    )  # fmt: skip


PLACEMENTS = tuple(
    Placement(policy="removal", sites=(site("encoder.0", kept=True), site("decoder.0", kept=kept))) for kept in (True, False)
)


def arm(tables, *, modules=(0, 0), predicted=10):
    """Results by fold and seed from Dice (seeds, cases) of each fold."""
    return [
        [
            make_result(
                [
                    *(make_score(case, dice, predicted=predicted) for case, dice in zip(cases, row, strict=True)),
                    make_score("v", 0.5, part="validation", predicted=predicted),
                ],
                modules=count,
            )
            for row in table
        ]
        for table, cases, count in zip(tables, CASES, modules, strict=True)
    ]


SEARCHED = Collapsed(0, 6)


def findings(placements=PLACEMENTS, search=SEARCHED, **arms):
    return JobResult(arms=arms, folds=(0, 3), placements=placements, agreed=placements[0], candidates=7, search=search)


def describe(verdict, results):
    """What placement.json is to hold."""
    return to_mapping(record_results(verdict, results))


def shifted(by, noise=0.0):
    return [table + by + RANDOM.normal(0, 1, table.shape) * noise for table in NONE]


@pytest.fixture
def four():
    return findings(
        none=arm(NONE),
        all=arm(shifted(0.2, 0.01), modules=(7, 7)),
        placed=arm(shifted(0.2, 0.01), modules=(2, 1)),
        wider=arm(shifted(0.05, 0.01)),
    )


def table_of(results):
    return np.hstack([[[score.dice for score in run.scores_of("test")] for run in fold] for fold in results])


def test_an_arm_is_the_mean_over_the_cases_of_all_folds_and_row_s_is_seed_s_of_each(four):
    summary = to_mapping(summarise(four.arms["placed"]))
    table = table_of(four.arms["placed"])
    expected = estimate_mean(table, list("abcdefg"), folds=FOLD_OF_CASE, span=(0, 1))
    assert (summary["dice"], summary["low"], summary["high"]) == (expected.mean, expected.low, expected.high)
    assert summary["dice_per_training"] == pytest.approx(table.mean(axis=1).tolist())
    assert {name: summary[name] for name in ("trainings", "folds", "cases", "groups")} == {
        "trainings": 3, "folds": 2, "cases": 7, "groups": 7,
    }  # fmt: skip
    # Three runs with 120 parameters and three with 110.
    assert summary["parameters"] == 115
    assert summary["modules"] == 2


def test_every_comparison_is_listed_with_its_adjusted_p_value(four):
    records = describe(judge(four), four)["comparisons"]
    assert [(record["one"], record["other"]) for record in records] == [
        ("placed", "none"), ("placed", "all"), ("placed", "wider"), ("all", "none"), ("wider", "none"),
    ]  # fmt: skip
    found = [
        compare_paired(table_of(four.arms[one["one"]]), table_of(four.arms[one["other"]]), list("abcdefg"), FOLD_OF_CASE)
        for one in records
    ]
    for record, comparison in zip(records, found, strict=True):
        assert (record["dice"], record["low"]) == (comparison.estimate.mean, comparison.estimate.low)
        assert record["smallest_difference"] == comparison.smallest_difference
        assert record["permutation_p"] == comparison.permutation_p
    # No case lacks the object and none is missed, so that the sentence can claim from all but the last of these.
    claimed = [record for record in records if (record["one"], record["other"]) != ("wider", "none")]
    assert [record["holm_p"] for record in claimed] == pytest.approx(holm_by_hand([one["p_value"] for one in claimed]))
    assert records[-1]["holm_p"] == pytest.approx(holm_by_hand([one["p_value"] for one in records])[-1])


def holm_by_hand(p_values):
    """The k-th smallest of m times m - k + 1, never less than the one before."""
    order = np.argsort(p_values)
    products = np.take(p_values, order) * (len(p_values) - np.arange(len(p_values)))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(products), 1)
    return adjusted.tolist()


def test_the_margin_of_as_good_is_what_a_site_has_to_be_worth(four):
    content = describe(judge(four), four)
    record = content["non_inferiority"]
    bound = bound_by_hand(next(one for one in content["comparisons"] if one["other"] == "all"), groups=7)
    assert record == {
        "of": "placed", "to": "all", "margin": SMALLEST_WORTH, "bound": pytest.approx(bound), "shown": bound > -SMALLEST_WORTH,
        "failing": 0, "groups": 7, "failing_at_most": pytest.approx(1 - 0.025 ** (1 / 7)),
    }  # fmt: skip


def bound_by_hand(comparison, *, groups):
    """The lower end where no group failed: with what so few groups cannot exclude, of a Dice of 1 each, in quadrature."""
    return comparison["dice"] - np.hypot(comparison["dice"] - comparison["low"], 1 - 0.025 ** (1 / groups))


def test_the_noise_of_the_seed_is_that_of_the_plain_network(four):
    noise = describe(judge(four), four)["seed_noise"]
    within = [table.mean(axis=1).var(ddof=1) for table in NONE]
    assert noise["deviation"] == pytest.approx(np.sqrt(np.mean(within)))
    expected = measure_seed_noise(table_of(four.arms["none"]), FOLD_OF_CASE)
    assert noise["range_of_difference"] == expected.range_of_difference


def test_each_fold_says_what_it_kept_and_what_that_gained_there(four):
    first, second = describe(judge(four), four)["folds"]
    assert (first["fold"], second["fold"]) == (0, 3)
    assert first["kept"] == {"encoder.0": "se", "decoder.0": "se"}
    assert second["kept"] == {"encoder.0": "se"}
    gain = (table_of(four.arms["placed"]) - table_of(four.arms["none"]))[:, 4:].mean()
    assert second["difference"]["dice"] == pytest.approx(gain)


def test_the_verdict_speaks_of_folds_of_all_attention_and_of_the_wider_network(four):
    verdict = judge(four)
    assert verdict.outcome == "helps"
    assert verdict.by_fold == (2, 1)
    sentence = describe_verdict(verdict)
    assert " Dice with 1 to 2 attention modules, mostly se at encoder.0 and se at decoder.0 (" in sentence
    assert "A plain network with more channels does not do as well: placed minus wider is +0.1" in sentence


def test_trainings_that_predict_nothing_are_counted_over_folds():
    arms = {"none": arm(NONE, predicted=0), "all": arm(shifted(0.1)), "placed": arm(shifted(0.1))}
    verdict = judge(findings(**arms))
    assert verdict.outcome == "no_difference_shown"
    assert describe_verdict(verdict).startswith(
        "Not answered: 6 of 6 trainings of the arm none ended predicting nothing at all; "
    )
    assert summarise(arms["none"]).collapsed == 6


def test_a_search_that_collapsed_answers_nothing_and_the_file_says_so(four):
    found = findings(search=Collapsed(4, 6), **four.arms)
    verdict = judge(found)
    assert verdict.outcome == "no_difference_shown"
    assert describe_verdict(verdict).startswith(
        "Not answered: 4 of 6 trainings of the search for sites ended predicting nothing at all"
    )
    assert describe(verdict, found)["search"] == {"collapsed": 4, "trainings": 6}


def test_an_arm_that_collapsed_takes_part_in_no_comparison():
    arms = {
        "none": arm(NONE),
        "all": arm([0 * table for table in NONE], modules=(7, 7), predicted=0),
        "placed": arm(shifted(0.2, 0.01), modules=(2, 1)),
        "wider": arm([0 * table for table in NONE], predicted=0),
    }
    found = findings(**arms)
    verdict = judge(found)
    content = describe(verdict, found)
    assert {(one["one"], one["other"]): one["collapsed"] for one in content["comparisons"]} == {
        ("placed", "none"): False, ("placed", "all"): True, ("placed", "wider"): True, ("all", "none"): True,
        ("wider", "none"): True,
    }  # fmt: skip
    found = content["non_inferiority"]
    bound = bound_by_hand(next(one for one in content["comparisons"] if one["other"] == "all"), groups=7)
    assert (found["margin"], found["bound"], found["shown"]) == (0.01, pytest.approx(bound), False)
    assert not verdict.against.placed_minus.keys() & {"all", "wider"}
    assert "as good" not in describe_verdict(verdict)
    assert "Not compared with the arm all: 6 of 6 trainings of it ended predicting nothing at all." in describe_verdict(verdict)


DROPPED = Placement(policy="removal", sites=(site("encoder.0", kept=False),))


def test_a_training_of_both_arms_that_collapsed_is_one():
    plain = arm(NONE)
    plain[0][1] = make_result([*(make_score(case, 0.0, predicted=0) for case in "abcd"),
                               make_score("v", 0.0, part="validation", predicted=0)])  # fmt: skip
    nothing = findings(placements=(DROPPED, DROPPED), none=plain, all=arm(shifted(0.0)), placed=plain)
    assert "But 1 training ended predicting nothing at all: " in describe_verdict(judge(nothing))
    other = arm(shifted(0.2), modules=(0, 1))[1]
    half = findings(placements=(DROPPED, PLACEMENTS[1]), none=plain, all=arm(shifted(0.0)), placed=[plain[0], other])
    assert "But 1 training ended predicting nothing at all: " in describe_verdict(judge(half))


def test_an_arm_beside_itself_shows_no_precision():
    plain = arm(NONE)
    nothing = findings(placements=(DROPPED, DROPPED), none=plain, all=arm(shifted(0.0)), placed=plain)
    record = describe(judge(nothing), nothing)["comparisons"][0]
    assert (record["one"], record["other"], record["dice"]) == ("placed", "none", 0)
    assert record["smallest_difference"] is None
    assert (record["p_value"], record["holm_p"], record["permutation_p"]) == (1, 1, 1)


@pytest.mark.parametrize("twin", ["none", "all"])
def test_a_comparison_that_is_another_one_counts_once_in_holms_adjustment(twin):
    noise = [np.random.default_rng(seed).normal(0.05, 0.02, table.shape) for seed, table in enumerate(NONE)]
    arms = {"none": arm(NONE), "all": arm([table + by for table, by in zip(NONE, noise, strict=True)])}
    rival = arm([table + by[::-1] for table, by in zip(NONE, noise, strict=True)])
    found = findings(**arms, placed=arms[twin], wider=rival)
    records = {(one["one"], one["other"]): one for one in describe(judge(found), found)["comparisons"]}
    p_values = {"all - none": records["all", "none"]["p_value"], "none - wider": records["wider", "none"]["p_value"]}
    if twin == "all":
        p_values["all - wider"] = records["placed", "wider"]["p_value"]
    expected = correct_holm(p_values)
    if twin == "all":  # wider against none is claimed by no sentence: the two others are adjusted for one another alone
        expected |= correct_holm({name: p for name, p in p_values.items() if name != "none - wider"})
        assert records["placed", "wider"]["holm_p"] == expected["all - wider"]
    assert records["all", "none"]["holm_p"] == expected["all - none"]
    assert records["wider", "none"]["holm_p"] == expected["none - wider"]
    assert records["placed", twin]["holm_p"] == 1
    other = "all" if twin == "none" else "none"
    assert records["placed", other]["holm_p"] == expected["all - none"]


def test_the_sentence_and_the_file_name_one_smallest_difference():
    random = np.random.default_rng(3)
    noisy = findings(none=arm(NONE), all=arm(NONE), placed=arm([table + random.normal(0, 0.1, table.shape) for table in NONE]))
    verdict = judge(noisy)
    assert verdict.outcome == "no_difference_shown"
    smallest = describe(verdict, noisy)["comparisons"][0]["smallest_difference"]
    assert f"such data shows a true difference of {smallest:.3f} in 80 % of studies" in describe_verdict(verdict)


def test_an_interval_over_folds_knows_that_folds_differ():
    gains = [0.25, -0.1]
    arms = {"none": arm(NONE), "all": arm(NONE), "placed": arm([table + by for table, by in zip(NONE, gains, strict=True)])}
    difference = judge(findings(**arms)).difference
    assert difference.low < 0 < difference.high


def test_the_content_is_json_without_infinity_for_one_training_and_one_group_as_well():
    one = [[make_result([make_score("a", 0.5), make_score("v", 0.5, part="validation")])]]
    alone = JobResult(
        arms={"none": one, "all": one, "placed": one},
        folds=(0,),
        placements=PLACEMENTS[:1],
        agreed=PLACEMENTS[0],
        candidates=2,
        search=Collapsed(0, 1),
    )
    content = json.loads(json.dumps(describe(judge(alone), alone), allow_nan=False))
    assert content["seed_noise"] == {"deviation": None, "range_of_difference": None, "trainings": 1}
    assert content["folds"][0]["fold"] == 0
