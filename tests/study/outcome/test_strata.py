"""Strata, rescue and calibration against a plain oracle, case by case, on sets whose answer was planted."""

from dataclasses import replace
from itertools import product
from statistics import fmean

import numpy as np
import pytest

from focalseg.configuration import to_mapping
from focalseg.evaluation.significance import correct_holm
from focalseg.records.outcome.claims import Looks, TotalEffect
from focalseg.study.external.wording import describe_there
from focalseg.study.outcome.summary import judge, record_results
from focalseg.study.outcome.wording import describe_verdict
from study.outcome.planted import Planted, make_arm, make_job, make_placement

KEPT = make_placement("bottleneck")
NOTHING = make_placement()


def chance(*names):
    """A number in [0, 1) that these names always give."""
    return float(np.random.default_rng([ord(letter) for letter in " ".join(map(str, names))]).random())


def ultrasound(label="lesion", normals=51, lesions=130, folds=1):
    """Some images with a lesion of every size and some without, each a group of its own."""
    every = [(f"lesion_{number}", 100 + 10 * number) for number in range(lesions)]
    every += [(f"normal_{number}", 0) for number in range(normals)]
    return [Planted(name, {label: true}, fold=place % folds) for place, (name, true) in enumerate(every)]


def answer(name, *, dice, missed, empty):
    """An arm with that Dice where it finds a lesion, which misses such a share and leaves such a share of the rest empty."""

    def predict(case, label, seed):
        if not case.true[label]:
            return (0, 1.0) if chance(case.name, seed, "empty") < empty else (50, 0.0)
        if chance(case.name, "missed") < missed:
            return (0, 0.0)
        return (90, round(dice + 0.05 * (chance(case.name, seed, name) - 0.5), 6))

    return predict


PLAIN = {"dice": 0.60, "missed": 0.20, "empty": 0.50}
EAGER = {"dice": 0.62, "missed": 0.02, "empty": 0.20}


def steady(level, name, spread=0.1):
    """An arm that finds every object, with a Dice from that level on."""
    return lambda *what: (9, level + spread * chance(what[0].name, what[2], name))


def opposite(**planted):
    """Attention finds more lesions and raises more false alarms, as squeeze-and-excitation does on breast ultrasound."""
    cases = ultrasound(**planted)
    placements = [KEPT] * len({case.fold for case in cases})
    arms = {
        "none": make_arm(cases, answer("none", **PLAIN)),
        "all": make_arm(cases, answer("all", **EAGER), modules=3),
        "placed": make_arm(cases, answer("placed", **EAGER), modules=1),
    }
    return cases, make_job(placements, **arms)


def oracle(arm, stratum, label=None):
    """A stratum of an arm, case by case: the mean over trainings and cases."""
    values = []
    for fold in arm:
        for run in fold:
            for score in (one for one in run.scores if one.part == "test"):
                overlaps = [score.overlaps[label]] if label else [*score.overlaps.values()]
                held = [one for one in overlaps if one.true_pixels]
                if stratum == "left_empty" and not held:
                    values.append(float(not any(one.predicted_pixels for one in overlaps)))
                if stratum == "missed" and held:
                    values.append(fmean(float(one.dice == 0) for one in held))
                if stratum == "with_object" and held:
                    values.append(fmean(one.dice for one in held))
    return fmean(values) if values else None


def describe(job):
    return to_mapping(record_results(judge(job), job))


@pytest.fixture(scope="module")
def planted():
    cases, job = opposite()
    return cases, job, judge(job), describe(job)


@pytest.mark.parametrize("stratum", ["with_object", "missed", "left_empty"])
def test_a_stratum_is_the_mean_over_its_own_cases(planted, stratum):
    cases, job, _, content = planted
    found = content["strata"][stratum]
    counted = sum((case.true["lesion"] == 0) == (stratum == "left_empty") for case in cases)
    for name, arm in job.arms.items():
        assert found["arms"][name]["value"] == pytest.approx(oracle(arm, stratum))
        assert found["arms"][name]["cases"] == counted
        assert found["arms"][name]["low"] <= found["arms"][name]["value"] <= found["arms"][name]["high"]
    difference = found["differences"]["placed - none"]
    assert difference["value"] == pytest.approx(oracle(job.arms["placed"], stratum) - oracle(job.arms["none"], stratum))
    assert set(found["differences"]) == {"placed - none", "placed - all", "all - none"}
    assert found["groups"] == counted


def test_the_endpoint_is_dice_of_the_cases_that_have_the_object_and_the_mean_over_all_stays_beside_it(planted):
    _, job, verdict, content = planted
    assert content["endpoint"] == "dice_with_object"
    stratum = content["strata"]["with_object"]["differences"]["placed - none"]
    assert content["difference"] == {"dice": stratum["value"], "low": stratum["low"], "high": stratum["high"]}
    assert content["comparisons"][0]["holm_p"] == stratum["holm_p"]
    every = {
        name: fmean(s.dice for f in arm for r in f for s in r.scores if s.part == "test") for name, arm in job.arms.items()
    }
    assert content["arms"]["placed"]["dice"] == pytest.approx(every["placed"])
    assert content["difference_all_cases"]["dice"] == pytest.approx(every["placed"] - every["none"])
    assert verdict.footing.groups == 130


def test_effects_of_opposite_sign_are_both_said_with_what_they_come_to(planted):
    _, job, verdict, content = planted
    assert content["verdict"] == "helps"
    sentence = describe_verdict(verdict)
    assert sentence == content["sentence"]
    share = {
        (stratum, arm): f"{100 * oracle(job.arms[arm], stratum):.0f} %"
        for stratum, arm in product(("missed", "left_empty"), ("placed", "none"))
    }
    assert (
        f"But it finds more lesions ({share['missed', 'placed']} instead of {share['missed', 'none']} are missed altogether) "
        f"and raises more false alarms ({share['left_empty', 'placed']} instead of {share['left_empty', 'none']} of the images "
        "without any are left empty)."
    ) in sentence
    assert f"{content['difference']['dice']:+.3f} Dice on images with lesions, with 1 attention module: se at bottleneck (" in (
        sentence
    )
    assert f"; {content['difference_all_cases']['dice']:+.3f} over all images)" in sentence
    assert "It costs 2.5 % more parameters and 10 % more time per training step." in sentence


def test_a_label_that_says_nothing_is_called_an_object():
    _, job = opposite(label="foreground", lesions=60)
    assert "finds more objects (" in describe_verdict(judge(job))


def test_rescue_and_the_rest_are_the_difference_exactly(planted):
    _, job, _, content = planted
    found = next(one for one in content["rescue"] if one["one"] == "placed")
    pairs = [
        (one.overlaps["lesion"], other.overlaps["lesion"])
        for first, second in zip(job.arms["placed"], job.arms["none"], strict=True)
        for run, plain in zip(first, second, strict=True)
        for one, other in zip(run.scores, plain.scores, strict=True)
        if one.part == "test" and one.overlaps["lesion"].true_pixels
    ]
    rescued = [one.dice - other.dice for one, other in pairs if other.dice == 0 < one.dice]
    lost = [one.dice - other.dice for one, other in pairs if one.dice == 0 < other.dice]
    assert (found["rescued_objects"], found["lost_objects"], found["objects"]) == (len(rescued), len(lost), len(pairs))
    assert found["rescued"] == pytest.approx(sum(rescued) / len(pairs))
    assert found["lost"] == pytest.approx(sum(lost) / len(pairs))
    assert found["rescued"] + found["lost"] + found["rest"] == pytest.approx(content["difference"]["dice"])
    share = (sum(rescued) + sum(lost)) / len(pairs) / content["difference"]["dice"]
    assert (
        f"Of the difference {100 * share:.0f} % comes from lesions that one of the two misses altogether ("
        in (content["sentence"])
    )


def test_sizes_are_thirds_of_the_cases_with_the_object_and_their_bounds_are_pixels(planted):
    cases, job, _, content = planted
    sizes = sorted(case.true["lesion"] for case in cases if case.true["lesion"])
    parts = [sizes[:44], sizes[44:87], sizes[87:]]  # a third of 130 is 43 and a bit
    assert [one["size"] for one in content["by_size"]] == ["small", "medium", "large"]
    for found, part in zip(content["by_size"], parts, strict=True):
        assert (found["least_pixels"], found["most_pixels"]) == (part[0], part[-1])
        assert found["arms"]["none"]["cases"] == len(part)
        dice = [
            score.dice
            for fold in job.arms["none"]
            for run in fold
            for score in run.scores
            if score.part == "test" and part[0] <= score.true_pixels <= part[-1]
        ]
        assert found["arms"]["none"]["value"] == pytest.approx(fmean(dice))


def test_cases_of_one_size_stay_together():
    cases = [Planted(str(number), {"foreground": 10}) for number in range(8)] + [Planted("big", {"foreground": 99})]
    arm = make_arm(cases, steady(0.5, "any"))
    content = describe(make_job([NOTHING], none=arm, all=arm, placed=arm))
    assert [(one["size"], one["least_pixels"], one["most_pixels"]) for one in content["by_size"]] == [
        ("small", 10, 10), ("large", 99, 99),
    ]  # fmt: skip


def test_where_no_case_lacks_the_object_the_endpoint_is_the_mean_over_all_to_the_last_digit():
    cases = [Planted(str(number), {"polyp": 10 + number}, fold=number % 2) for number in range(20)]
    arms = {name: make_arm(cases, steady(0.5, name)) for name in ("none", "all", "placed")}
    content = describe(make_job([KEPT, KEPT], **arms))
    assert content["difference"] == content["difference_all_cases"]
    assert "left_empty" not in content["strata"]
    for name in arms:
        both = content["strata"]["with_object"]["arms"][name], content["arms"][name]
        assert [both[0][end] for end in ("value", "low", "high")] == [both[1][end] for end in ("dice", "low", "high")]
    assert "over all images" not in content["sentence"]
    assert " Dice with " in content["sentence"]


def test_that_nothing_was_missed_bounds_what_may_be_missed_by_the_number_of_groups():
    cases = [Planted(str(number), {"polyp": 10}) for number in range(28)]
    arms = {name: make_arm(cases, steady(0.5, name)) for name in ("none", "all", "placed")}
    missed = describe(make_job([KEPT], **arms))["strata"]["missed"]
    none_seen = 1 - 0.025 ** (1 / 28)  # with one in eight, 28 groups without any are seen in 2.5 % of studies
    assert missed["arms"]["none"] == {"value": 0, "low": 0, "high": pytest.approx(none_seen), "cases": 28}
    assert missed["differences"]["placed - none"]["low"] == pytest.approx(-none_seen)
    assert missed["differences"]["placed - none"]["holm_p"] is None
    same = describe(make_job([NOTHING], none=arms["none"], all=arms["all"], placed=arms["none"]))["strata"]["missed"]
    assert same["differences"]["placed - none"]["high"] == 0


def test_a_set_without_any_object_falls_back_on_all_cases_and_says_so():
    cases = ultrasound(lesions=0)
    arms = {
        name: make_arm(cases, answer(name, dice=0.5, missed=0.0, empty=empty), modules=modules)
        for name, empty, modules in (("none", 0.5, 0), ("all", 0.6, 3), ("placed", 0.6, 1))
    }
    content = describe(make_job([KEPT], **arms))
    assert content["endpoint"] == "dice"
    assert content["difference"]["dice"] == pytest.approx(
        oracle(arms["placed"], "left_empty") - oracle(arms["none"], "left_empty")
    )
    assert set(content["strata"]) == {"left_empty"}
    assert content["by_size"] == []
    assert content["sentence"].startswith("No test image has the object: Dice only says how often they are left empty.")


def test_every_label_of_several_has_strata_of_its_own_and_a_case_counts_those_that_it_has():
    cases = [
        Planted(str(number), {"liver": 100 if number % 3 else 0, "tumour": 10 if number % 2 else 0}) for number in range(30)
    ]

    def predict(case, label, seed):
        if chance(case.name, label, seed, "nothing") < 0.3:
            return (0, 0.0 if case.true[label] else 1.0)
        return (7, round(0.5 + 0.3 * chance(case.name, label, seed), 6) if case.true[label] else 0.0)

    arm = make_arm(cases, predict)
    content = describe(make_job([NOTHING], none=arm, all=make_arm(cases, predict, modules=3), placed=arm))
    assert [one["label"] for one in content["by_label"]] == ["liver", "tumour"]
    for stratum in ("with_object", "missed", "left_empty"):
        assert content["strata"][stratum]["arms"]["none"]["value"] == pytest.approx(oracle(arm, stratum))
        for one in content["by_label"]:
            found = one["strata"][stratum]["arms"]["none"]
            assert found["value"] == pytest.approx(oracle(arm, stratum, one["label"]))
    assert content["strata"]["left_empty"]["arms"]["none"]["cases"] == 5  # 0, 6, 12, 18 and 24 have neither
    assert content["by_label"][0]["strata"]["left_empty"]["arms"]["none"]["cases"] == 10


def test_a_disagreement_is_claimed_only_beside_all_else_that_could_be(planted):
    content = planted[3]
    strata = content["strata"]
    comparisons = {(one["one"], one["other"]): one for one in content["comparisons"]}
    expected = correct_holm(
        {pair: one["p_value"] for pair, one in comparisons.items()}
        | {name: strata[name]["differences"]["placed - none"]["p_value"] for name in ("missed", "left_empty")}
    )
    for pair, one in comparisons.items():
        assert one["holm_p"] == pytest.approx(expected[pair])
    for name in ("missed", "left_empty"):
        assert strata[name]["differences"]["placed - none"]["holm_p"] == pytest.approx(expected[name])
        assert strata[name]["differences"]["all - none"]["holm_p"] is None


def test_an_interval_apart_from_0_is_no_claim_where_holm_does_not_allow_it():
    cases = [Planted(str(number), {"polyp": 10}) for number in range(12)]
    gain = {case.name: 0.03 * (chance(case.name) - 0.37) for case in cases}
    arms = {
        name: make_arm(cases, lambda *what, share=share: (9, 0.5 + share * gain[what[0].name]), seeds=1, modules=modules)
        for name, share, modules in (("none", 0, 0), ("all", 2, 3), ("placed", 1, 1))
    }
    job = make_job([KEPT], **arms)
    first = describe(job)["comparisons"][0]
    assert first["low"] > 0
    assert first["p_value"] < 0.05 <= first["holm_p"]
    assert judge(job).outcome == "no_difference_shown"
    assert (
        f"; that is apart from 0, but p = {first['holm_p']:.3f}, adjusted for the 3 claims that could be made here (Holm), is "
        "not below 0.05." in describe_verdict(judge(job))
    )


def test_a_later_look_has_wider_intervals_and_says_their_confidence():
    job = opposite(lesions=60)[1]
    first, second = describe(job), describe(replace(job, looks=Looks(taken=2, tail=0.0005)))
    assert second["difference"]["low"] < first["difference"]["low"] < first["difference"]["high"] < second["difference"]["high"]
    assert "99.9 % interval" in second["sentence"]
    assert second["looks"] == {"taken": 2, "tail": 0.0005}


def test_folds_that_share_what_they_train_on_widen_the_claim_for_new_data_alone():
    job = opposite(lesions=80, folds=5)[1]
    shared, own = (replace(job, overlap=0.7, claim=claim) for claim in ("new_data", "data_set"))
    plain, wide, narrow = (describe(one) for one in (job, shared, own))
    assert narrow["difference"] == plain["difference"]
    assert wide["difference"]["low"] < plain["difference"]["low"]
    assert (
        wide["strata"]["missed"]["differences"]["placed - none"]["high"]
        > (plain["strata"]["missed"]["differences"]["placed - none"]["high"])
    )
    assert (wide["overlap"], wide["claim"], narrow["claim"]) == (0.7, "new_data", "data_set")


def test_what_new_data_leave_open_is_answered_for_this_data_set_in_the_words_of_its_own_claim():
    job = opposite(lesions=200, folds=5)[1]
    shared, own = (describe(replace(job, overlap=0.9, claim=claim)) for claim in ("new_data", "data_set"))
    assert (shared["verdict"], own["verdict"], own["this_set"]) == ("no_difference_shown", "helps", None)
    told = shared["this_set"]
    assert (told["verdict"], told["difference"]) == (own["verdict"], own["difference"])
    assert told["holm_p"] == own["comparisons"][0]["holm_p"]
    low, high = (f"{own['difference'][end]:+.3f}" for end in ("low", "high"))
    beginning = "For this data set alone, whose training images are taken as they are: attention helps, "
    assert f"{beginning}{own['difference']['dice']:+.3f} (95 % interval {low} to {high})." in shared["sentence"]
    assert own["sentence"].startswith("Attention helps: ")
    elsewhere = describe_there(judge(replace(job, overlap=0.9)), same=False)
    assert "this data set alone" not in elsewhere
    assert "With the training images of the job taken as they are: attention helps, " in elsewhere


def test_wide_intervals_for_new_data_are_not_put_down_to_few_groups():
    job = opposite(lesions=80, folds=5)[1]
    verdict = judge(replace(job, overlap=0.98))
    assert verdict.width > 0.5 > verdict.this_set.width
    assert "Too few" not in describe_verdict(verdict)


def test_a_gain_that_a_threshold_gives_as_well_is_called_calibration():
    cases = ultrasound(lesions=80, normals=0)
    plain, eager = {**PLAIN, "missed": 0.3}, {**EAGER, "missed": 0.0}
    level = answer("level", dice=0.62, missed=0.0, empty=0.5)

    def arms(tuned):
        return {
            "none": make_arm(cases, answer("none", **plain), tuned=tuned),
            "all": make_arm(cases, answer("all", **eager), modules=3, tuned=level),
            "placed": make_arm(cases, answer("placed", **eager), modules=1, tuned=level),
        }

    content = describe(make_job([KEPT], **arms(answer("other", dice=0.62, missed=0.0, empty=0.5))))
    assert content["tuned"]["calibration"] == ["placed - none", "all - none"]
    assert content["tuned"]["thresholds"]["none"] == [0.3, 0.3]
    tuned = content["tuned"]["differences"]["placed - none"]
    assert (
        "But it is calibration: with thresholds tuned on validation cases the difference is "
        f"{tuned['value']:+.3f} (95 % interval {tuned['low']:+.3f} to {tuned['high']:+.3f})."
    ) in content["sentence"]
    kept = describe(make_job([KEPT], **arms(answer("none", **plain))))
    assert kept["tuned"]["calibration"] == []
    assert "calibration" not in kept["sentence"]


def test_scores_of_earlier_versions_have_no_tuned_threshold(planted):
    assert planted[3]["tuned"] is None


def test_folds_that_placed_nothing_have_their_share_of_the_mean_told():
    cases = [Planted(str(number), {"polyp": 10}, fold=number % 4) for number in range(40)]
    plain = make_arm(cases, steady(0.5, "none"))
    placed = make_arm(cases, steady(0.6, "placed"), modules=1)
    placed[1], placed[3] = plain[1], plain[3]
    job = make_job([KEPT, NOTHING, KEPT, NOTHING], none=plain, all=make_arm(cases, steady(0.5, "all")), placed=placed)
    content = describe(job)
    gains = [content["folds"][number]["difference"]["dice"] for number in (0, 2)]
    assert content["difference_where_placed"]["dice"] == pytest.approx(fmean(gains))
    assert content["difference"]["dice"] == pytest.approx(fmean(gains) / 2)
    assert f"Nothing was placed in 2 of 4 folds; in the others the difference is {fmean(gains):+.3f} (" in content["sentence"]


def test_help_that_no_site_accounts_for_is_told_with_its_figure_on_validation_cases():
    cases = [Planted(str(number), {"polyp": 10}) for number in range(30)]
    plain = make_arm(cases, steady(0.5, "none", 0.2))
    everything = make_arm(cases, steady(0.52, "all", 0.2), modules=3)
    job = make_job([NOTHING], none=plain, all=everything, placed=plain)
    for total, said in (
        (TotalEffect(mean=0.1, low=0.04, high=0.2, explained=False), True),
        (TotalEffect(mean=0.1, low=0.04, high=0.2, explained=True), False),
        (TotalEffect(mean=0.1, low=-0.04, high=0.2, explained=False), False),
    ):
        content = describe(replace(job, agreed=replace(NOTHING, total_effect=total)))
        assert content["total_effect"]["mean"] == 0.1
        told = (
            "Attention helps the training; no single site is needed: on validation cases all minus none is +0.100 (95 % "
            "interval +0.040 to +0.200); the test cases alone do not show it."
        )
        assert (told in content["sentence"]) == said
        assert content["verdict"] == "no_difference_shown"


def test_where_nothing_was_placed_misses_are_those_of_attention_everywhere():
    job = opposite(lesions=80)[1]
    nothing = make_job([NOTHING], none=job.arms["none"], all=job.arms["all"], placed=job.arms["none"])
    content = describe(nothing)
    assert content["strata"]["missed"]["differences"]["all - none"]["holm_p"] is not None
    assert "But attention at all 3 sites finds more lesions (" in content["sentence"]


def test_a_fold_without_any_object_is_not_told_as_no_difference():
    cases = [Planted(str(number), {"polyp": 10 * (number % 2)}, fold=number % 2) for number in range(20)]
    plain, placed = (
        make_arm(cases, answer(name, dice=dice, missed=0.0, empty=0.5), modules=modules)
        for name, dice, modules in (("none", 0.5, 0), ("placed", 0.6, 1))
    )
    folds = describe(make_job([KEPT, KEPT], none=plain, all=placed, placed=placed))["folds"]
    assert folds[0]["difference"] == {"dice": 0, "low": -1, "high": 1}
    assert folds[1]["difference"]["dice"] == pytest.approx(0.1, abs=0.02)
