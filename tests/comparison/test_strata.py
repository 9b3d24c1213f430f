"""Systems on each kind of case: cases with the object, objects that were missed, cases that were left empty."""

import json
import math

import numpy as np
import pytest

from comparison.made_results import CASES, FOLDS, PATIENTS, draw_dice, write_csv, write_nnunet, write_summary
from comparison.reading.test_nnunet import compare_paths, refuse
from focalseg.evaluation.failures import bound_failures
from focalseg.evaluation.significance import compare_paired, correct_holm
from focalseg.evaluation.statistics import estimate_mean

NAN = float("nan")
EMPTY, HELD = CASES[:15], CASES[15:]


def write_table(path, dice, *, alarms=(), misses=()):
    """A CSV with pixels: the first cases lack the object, and are left empty but for alarms."""
    lines = []
    for case in CASES:
        true = 0 if case in EMPTY else 100
        predicted = (50 if case in alarms else 0) if case in EMPTY else (0 if case in misses else 90)
        score = (0.0 if predicted else 1.0) if case in EMPTY else 0.0 if case in misses else dice[case]["1"]
        lines.append(f"{case},{score!r},{true},{predicted},{PATIENTS[case]}")
    return write_csv(path, "case,dice,true_pixels,predicted_pixels,group", *lines)


@pytest.fixture
def two_systems(tmp_path):
    """The second finds more of what is there, and what is not: two effects that cancel in the mean over all cases."""
    first = write_table(tmp_path / "plain.csv", draw_dice(seed=0), misses=HELD[:12])
    second = write_table(tmp_path / "gated.csv", draw_dice(seed=1, shift=0.05), alarms=EMPTY[:13])
    return first, second


def test_each_kind_of_case_gives_what_the_statistics_give_for_it(two_systems):
    found = compare_paths(*two_systems, groups=None)
    held = {case: dice["1"] for case, dice in draw_dice(seed=0).items()} | dict.fromkeys(HELD[:12], 0.0)
    shifted = {case: dice["1"] for case, dice in draw_dice(seed=1, shift=0.05).items()}
    expected = {
        "with_object": (HELD, [held[case] for case in HELD], [shifted[case] for case in HELD]),
        "missed": (HELD, [float(case in HELD[:12]) for case in HELD], [0.0] * len(HELD)),
        "left_empty": (EMPTY, [1.0] * len(EMPTY), [float(case not in EMPTY[:13]) for case in EMPTY]),
    }
    assert list(found.strata) == list(expected)
    for name, (cases, one, other) in expected.items():
        groups = [PATIENTS[case] for case in cases]
        stratum = found.strata[name]
        difference = compare_paired(np.array([other]), np.array([one]), groups)
        pair = stratum.differences["gated - plain"]
        assert (pair.value, pair.low, pair.high) == tuple(vars(difference.estimate).values())
        assert pair.p_value == difference.p_value
        assert (stratum.cases, stratum.groups) == (len(cases), len(set(groups)))
        mean = estimate_mean(np.array([one]), groups, span=(0, 1))
        assert stratum.arms["plain"].value == mean.mean
        if mean.low != mean.high:
            assert (stratum.arms["plain"].low, stratum.arms["plain"].high) == (mean.low, mean.high)


def test_a_share_that_is_none_in_a_few_groups_may_be_some_in_others(two_systems):
    found = compare_paths(*two_systems, groups=None)
    misses = found.strata["missed"].arms["gated"]
    assert (misses.value, misses.low) == (0.0, 0.0)
    assert misses.high == bound_failures(0, found.strata["missed"].groups)


def test_where_kinds_of_cases_disagree_the_sentence_says_so(two_systems):
    found = compare_paths(*two_systems, groups=None)
    assert found.comparisons[0].verdict == "no_difference_shown"
    assert "But kinds of cases disagree: gated segments objects better (" in found.sentence
    assert ", and raises more false alarms (left empty -0.867 [" in found.sentence


def test_the_mean_over_the_cases_with_the_object_may_be_asked_for(two_systems):
    found = compare_paths(*two_systems, groups=None, metric="dice_with_object")
    pair, stratum = found.comparisons[0], found.strata["with_object"].differences["gated - plain"]
    assert (pair.difference.mean, pair.difference.low, pair.difference.high) == (stratum.value, stratum.low, stratum.high)
    assert (found.metric, found.endpoint, pair.verdict) == ("Dice with object", "dice_with_object", "better")
    assert found.systems["plain"].cases == len(HELD)
    assert not found.left_out
    assert any(note.startswith("15 of the 50 cases lack the object: a kind of case of their own") for note in found.notes)
    assert "raises more false alarms" in found.sentence
    all_cases = compare_paths(*two_systems, groups=None)
    whole = found.all_cases.differences["gated - plain"]
    same = all_cases.comparisons[0].difference
    assert (whole.value, whole.low, whole.high) == (same.mean, same.low, same.high)
    assert (all_cases.endpoint, all_cases.all_cases) == ("dice", None)


def test_everything_that_can_be_claimed_is_one_family(two_systems):
    found = compare_paths(*two_systems, groups=None)
    p_values = {"main": found.comparisons[0].p_value} | {
        name: stratum.differences["gated - plain"].p_value for name, stratum in found.strata.items()
    }
    adjusted = correct_holm(p_values)
    assert found.comparisons[0].holm_p == adjusted.pop("main")
    assert {name: stratum.differences["gated - plain"].holm_p for name, stratum in found.strata.items()} == adjusted
    assert found.family == 4
    assert "adjusted for 4 claims against plain (Holm)" in found.methods


def test_where_every_case_has_the_object_nothing_is_another(tmp_path):
    one, other = (write_nnunet(tmp_path / name, draw_dice(seed=seed)) for seed, name in enumerate("ab"))
    asked, usual = (compare_paths(one, other, metric=metric) for metric in ("dice_with_object", None))
    assert (asked.metric, asked.comparisons[0].difference) == ("Dice", usual.comparisons[0].difference)
    assert set(asked.strata) == {"with_object", "missed"}
    assert asked.all_cases is None
    assert usual.comparisons[0].holm_p == usual.comparisons[0].p_value  # nobody missed anything: no second claim


def test_nnunet_counts_what_is_empty_whatever_empty_labels_score(tmp_path):
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    for case in EMPTY:
        one[case]["1"], other[case]["1"] = NAN, NAN if case in EMPTY[:5] else 0.0
    paths = [write_nnunet(tmp_path / name, dice) for name, dice in (("a", one), ("b", other))]
    for path in (tmp_path / "b").glob("fold_*/validation/summary.json"):
        content = json.loads(path.read_text())
        for entry in content["metric_per_case"]:
            if entry["metrics"]["1"]["Dice"] == 0:  # something was found where nothing is
                entry["metrics"]["1"] |= {"TP": 0, "FN": 0, "FP": 60, "n_ref": 0, "n_pred": 60}
        path.write_text(json.dumps(content))
    found = [compare_paths(*paths, empty=empty) for empty in ("one", "leave-out")]
    for one_found in found:
        left_empty = one_found.strata["left_empty"]
        assert (left_empty.arms["a"].value, left_empty.cases) == (1.0, len(EMPTY))
        assert left_empty.arms["b"].value == pytest.approx(5 / len(EMPTY))
        assert one_found.strata["with_object"].cases == len(HELD)
    values = [{name: one.arms["b"].value for name, one in record.strata.items()} for record in found]
    assert values[0] == values[1]


def test_a_table_that_does_not_count_pixels_says_that_it_cannot_tell(tmp_path):
    paths = [
        write_csv(
            tmp_path / f"{name}.csv", "case,dice", *(f"{case},{dice['1']}" for case, dice in draw_dice(seed=seed).items())
        )
        for seed, name in enumerate("ab")
    ]
    found = compare_paths(*paths)
    assert not found.strata
    assert any("Which cases lack the object is not known" in note for note in found.notes)
    told = refuse(*paths, metric="dice_with_object")
    assert "nothing tells which cases have the object; expected the columns dice, true_pixels and predicted_pixels" in told


def test_without_any_object_dice_of_all_cases_is_left_and_said(tmp_path):
    paths = []
    for name, alarms in (("a", EMPTY[:3]), ("b", EMPTY[:9])):
        lines = [f"{case},{float(case not in alarms)},0,{7 * (case in alarms)}" for case in EMPTY]
        paths.append(write_csv(tmp_path / f"{name}.csv", "case,dice,true_pixels,predicted_pixels", *lines))
    found = compare_paths(*paths, metric="dice_with_object", groups=None)
    assert (found.metric, found.endpoint, list(found.strata)) == ("Dice", "dice", ["left_empty"])
    assert any(note.startswith("No case has the object") for note in found.notes)


def test_of_several_labels_a_case_counts_with_those_that_it_has(tmp_path):
    header = "case,label,dice,true_pixels,predicted_pixels"
    rows = {
        "p": [("x", 0.8, 10, 10), ("y", 0.0, 10, 0)],
        "q": [("x", 0.6, 10, 10), ("y", 0.0, 0, 5)],
        "r": [("x", 1.0, 0, 0), ("y", 1.0, 0, 0)],
        "s": [("x", 0.9, 10, 10), ("y", 0.7, 10, 10)],
    }
    paths = [
        write_csv(
            tmp_path / f"{name}.csv",
            header,
            *(
                f"{case},{label},{dice - shift * (true > 0 and dice > 0)},{true},{predicted}"
                for case, labels in rows.items()
                for label, dice, true, predicted in labels
            ),
        )
        for name, shift in (("a", 0.0), ("b", 0.125))
    ]
    found = compare_paths(*paths, groups=None)
    assert found.strata["with_object"].arms["a"].value == pytest.approx(np.mean([0.4, 0.6, 0.8]))
    assert found.strata["missed"].arms["a"].value == pytest.approx(np.mean([0.5, 0.0, 0.0]))
    assert (found.strata["left_empty"].arms["a"].value, found.strata["left_empty"].cases) == (1.0, 1)


def test_the_claim_for_this_data_set_is_narrower_where_folds_share_what_they_were_trained_on(tmp_path):
    paths = [write_nnunet(tmp_path / name, draw_dice(seed=seed, shift=0.1 * seed)) for seed, name in enumerate("ab")]
    usual, asked = (compare_paths(*paths, claim=claim) for claim in (None, "data_set"))
    assert (usual.claim, usual.overlap, asked.claim, asked.overlap) == ("new_data", 0.75, "data_set", 0.0)
    assert "two folds have 75 % of what they were trained on in common" in usual.methods
    assert "The claim is for this data set" in asked.methods
    assert ", 95 % interval for new data " in usual.sentence
    assert ", 95 % interval for this data set " in asked.sentence
    widths = [one.comparisons[0].difference.high - one.comparisons[0].difference.low for one in (usual, asked)]
    assert widths[0] >= widths[1]


def test_a_single_summary_has_no_folds_to_share_anything(tmp_path):
    paths = [write_summary(tmp_path / f"{name}.json", draw_dice(seed=seed)) for seed, name in enumerate("ab")]
    found = compare_paths(*paths)
    assert (found.overlap, "The claim is for" in found.methods) == (0.0, False)
    assert ", 95 % interval " in found.sentence
    assert "interval for" not in found.sentence
    assert not math.isnan(found.strata["with_object"].arms["a"].value)
    assert set(FOLDS.values()) == {0, 1, 2, 3, 4}


def test_at_tuned_thresholds_what_was_predicted_is_what_was_predicted_there(tmp_path):
    header = "case,dice,true_pixels,predicted_pixels,tuned_dice,tuned_predicted_pixels"
    paths = []
    for name, found in (("a", 0), ("b", 9)):
        lines = [f"x{number},0.0,10,0,{0.5 * (number < found)},{8 * (number < found)}" for number in range(10)]
        lines += [f"y{number},1.0,0,0,{float(number >= found)},{5 * (number < found)}" for number in range(10)]
        paths.append(write_csv(tmp_path / f"{name}.csv", header, *lines))
    tuned, usual = (compare_paths(*paths, groups=None, metric=metric) for metric in ("tuned_dice", "dice"))
    assert tuned.metric == "Dice at tuned threshold"
    values = {name: [stratum.arms[arm].value for arm in "ab"] for name, stratum in tuned.strata.items()}
    assert values == {"with_object": [0.0, pytest.approx(0.45)], "missed": [1.0, pytest.approx(0.1)],
                      "left_empty": [1.0, pytest.approx(0.1)]}  # fmt: skip
    assert [usual.strata["missed"].arms[arm].value for arm in "ab"] == [1.0, 1.0]
