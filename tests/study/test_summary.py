"""What is written of the arms and of how they compare, against NumPy and by hand."""

import json

import numpy as np
import pytest

from focalseg.evaluation.significance import compare_paired
from focalseg.evaluation.statistics import estimate_mean, measure_seed_noise
from focalseg.placement.decision import Placement, SiteDecision
from focalseg.placement.policies.search import SMALLEST_WORTH
from focalseg.study.summary import Findings, describe_findings, judge, summarise
from study.made_up import make_result, make_score

RANDOM = np.random.default_rng(0)
CASES = [["a", "b", "c", "d"], ["e", "f", "g"]]
"""Of two folds."""
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


def findings(**arms):
    return Findings(arms=arms, folds=(0, 3), placements=PLACEMENTS, agreed=PLACEMENTS[0], candidates=7)


def shifted(by, noise=0.0):
    return [table + by + RANDOM.normal(0, 1, table.shape) * noise for table in NONE]


@pytest.fixture
def four():
    return findings(
        none=arm(NONE),
        all=arm(shifted(0.2, 0.01), modules=(7, 7)),
        placed=arm(shifted(0.2, 0.01), modules=(2, 1)),
        wider=arm(shifted(0.05, 0.03)),
    )


def table_of(results):
    return np.hstack([[[score.dice for score in run.scores_of("test")] for run in fold] for fold in results])


def test_an_arm_is_the_mean_over_the_cases_of_all_folds_and_row_s_is_seed_s_of_each(four):
    summary = summarise(four.arms["placed"])
    table = table_of(four.arms["placed"])
    expected = estimate_mean(table, list("abcdefg"), span=(0, 1))
    assert (summary["dice"], summary["low"], summary["high"]) == (expected.mean, expected.low, expected.high)
    assert summary["dice_per_training"] == pytest.approx(table.mean(axis=1).tolist())
    assert {name: summary[name] for name in ("trainings", "folds", "cases", "groups")} == {
        "trainings": 3, "folds": 2, "cases": 7, "groups": 7,
    }  # fmt: skip
    # Three runs with 120 parameters and three with 110.
    assert summary["parameters"] == 115
    assert summary["modules"] == 2


def test_every_comparison_is_listed_with_its_adjusted_p_value(four):
    records = describe_findings(judge(four), four)["comparisons"]
    assert [(record["one"], record["other"]) for record in records] == [
        ("placed", "none"), ("placed", "all"), ("placed", "wider"), ("all", "none"),
    ]  # fmt: skip
    found = [compare_paired(*(table_of(four.arms[one]) for one in (record["one"], record["other"])), list("abcdefg"))
             for record in records]  # fmt: skip
    for record, comparison in zip(records, found, strict=True):
        assert (record["dice"], record["low"]) == (comparison.estimate.mean, comparison.estimate.low)
        assert record["smallest_difference"] == comparison.smallest_difference
        assert record["permutation_p"] == comparison.permutation_p
    # Holm by hand: the k-th smallest of four times 4 - k + 1, never less than the one before.
    ordered = sorted(records, key=lambda record: record["p_value"])
    products = [record["p_value"] * (4 - place) for place, record in enumerate(ordered)]
    assert [record["holm_p"] for record in ordered] == pytest.approx(np.minimum(np.maximum.accumulate(products), 1).tolist())


def test_the_margin_of_as_good_is_what_a_site_has_to_be_worth(four):
    content = describe_findings(judge(four), four)
    record = content["non_inferiority"]
    low = next(one["low"] for one in content["comparisons"] if one["other"] == "all")
    assert record == {"of": "placed", "to": "all", "margin": SMALLEST_WORTH, "bound": low, "shown": low > -SMALLEST_WORTH}


def test_the_noise_of_the_seed_is_that_of_the_plain_network(four):
    noise = describe_findings(judge(four), four)["seed_noise"]
    assert noise["deviation"] == pytest.approx(table_of(four.arms["none"]).mean(axis=1).std(ddof=1))
    assert noise["range_of_difference"] == measure_seed_noise(table_of(four.arms["none"])).range_of_difference


def test_each_fold_says_what_it_kept_and_what_that_gained_there(four):
    first, second = describe_findings(judge(four), four)["folds"]
    assert (first["fold"], second["fold"]) == (0, 3)
    assert first["kept"] == {"encoder.0": "se", "decoder.0": "se"}
    assert second["kept"] == {"encoder.0": "se"}
    gain = (table_of(four.arms["placed"]) - table_of(four.arms["none"]))[:, 4:].mean()
    assert second["difference"]["dice"] == pytest.approx(gain)


def test_the_verdict_speaks_of_folds_of_all_attention_and_of_the_wider_network(four):
    verdict = judge(four)
    assert verdict.outcome == "helps"
    assert verdict.by_fold == (2, 1)
    sentence = verdict.sentence()
    assert " Dice with 1 to 2 attention modules (" in sentence
    assert "A plain network with more channels does not do as well: placed minus wider is +0.1" in sentence


def test_trainings_that_predict_nothing_are_counted_over_folds():
    arms = {"none": arm(NONE, predicted=0), "all": arm(shifted(0.1)), "placed": arm(shifted(0.1))}
    verdict = judge(findings(**arms))
    assert verdict.outcome == "no_difference_shown"
    assert verdict.sentence().startswith("Not answered: 6 of 6 trainings of the arm none ended predicting nothing at all; ")
    assert summarise(arms["none"])["collapsed"] == 6


def test_the_content_is_json_without_infinity_for_one_training_and_one_group_as_well():
    one = [[make_result([make_score("a", 0.5), make_score("v", 0.5, part="validation")])]]
    alone = Findings(
        arms={"none": one, "all": one, "placed": one}, folds=(0,), placements=PLACEMENTS[:1], agreed=PLACEMENTS[0], candidates=2
    )
    content = json.loads(json.dumps(describe_findings(judge(alone), alone), allow_nan=False))
    assert content["seed_noise"] == {"deviation": None, "range_of_difference": None, "trainings": 1}
    assert content["folds"][0]["fold"] == 0
