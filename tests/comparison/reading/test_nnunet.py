"""nnU-Net's results as systems: what is compared is what a direct call of the statistics compares."""

import json
from pathlib import Path

import numpy as np
import pytest

from comparison.made_results import CASES, FOLDS, PATIENTS, by_fold, draw_dice, table_of, write_nnunet, write_summary
from focalseg.comparison.comparing import compare_systems
from focalseg.comparison.reading.opening import open_paths, split_arguments
from focalseg.errors import DataError, FocalsegError, SettingError
from focalseg.evaluation.significance import compare_paired
from focalseg.records.scores.comparison import ComparisonRecord

NAN = float("nan")


def compare_paths(*paths: Path | str, groups=PATIENTS, **options) -> ComparisonRecord:
    opened = open_paths(split_arguments([str(path) for path in paths]), **options)
    return compare_systems(opened.systems, opened.settings, groups=groups, notes=opened.notes).record


def assert_same(found: ComparisonRecord, one: np.ndarray, other: np.ndarray, cases, folds) -> None:
    """Two of nnU-Net's five folds have three of the four parts in common that each is trained on."""
    expected = compare_paired(other, one, [PATIENTS[case] for case in cases], folds, overlap=0.75 if len(folds) else 0.0)
    assert found.overlap == (0.75 if len(folds) else 0.0)
    pair = found.comparisons[0]
    assert (pair.difference.mean, pair.difference.low, pair.difference.high) == tuple(vars(expected.estimate).values())
    assert (pair.p_value, pair.smallest_difference) == (expected.p_value, expected.smallest_difference)


@pytest.fixture
def two_trainers(tmp_path):
    """Two result folders of five folds, with labels and regions."""
    one, other = (draw_dice(seed=seed, shift=seed * 0.02, labels=("1", "(1, 2)")) for seed in (0, 1))
    folders = [tmp_path / f"nnUNetTrainer{name}__nnUNetPlans__3d_fullres" for name in ("", "Focal")]
    return write_nnunet(folders[0], one), write_nnunet(folders[1], other), one, other


def test_two_trainers_of_five_folds_give_what_the_statistics_give(two_trainers):
    first, second, one, other = two_trainers
    found = compare_paths(first, second)
    cases = by_fold()
    assert_same(found, table_of(one, cases), table_of(other, cases), cases, [FOLDS[case] for case in cases])
    assert list(found.systems) == ["nnUNetTrainer", "nnUNetTrainerFocal"]
    assert (found.metric, found.better, found.systems["nnUNetTrainer"].folds) == ("Dice", "higher", 5)
    assert any("One training of every fold" in note for note in found.notes)


def test_a_label_or_region_may_be_compared_alone(two_trainers):
    first, second, one, other = two_trainers
    found = compare_paths(first, second, labels=["(1, 2)"])
    cases = by_fold()
    alone = [np.array([[dice[case]["(1, 2)"] for case in cases]]) for dice in (one, other)]
    assert_same(found, *alone, cases, [FOLDS[case] for case in cases])


def test_another_metric_is_found_whatever_its_case(two_trainers):
    first, second, one, other = two_trainers
    cases = by_fold()
    found = compare_paths(first, second, metric="iou", labels=["1"])
    tables = [np.array([[dice[case]["1"] / (2 - dice[case]["1"]) for case in cases]]) for dice in (one, other)]
    assert_same(found, *tables, cases, [FOLDS[case] for case in cases])
    assert found.metric == "IoU"


@pytest.mark.parametrize(("empty", "value"), [(None, 1.0), ("one", 1.0), ("zero", 0.0)])
def test_an_empty_label_left_empty_counts_as_is_asked(tmp_path, empty, value):
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    one[CASES[3]]["1"] = NAN
    found = compare_paths(write_nnunet(tmp_path / "a", one), write_nnunet(tmp_path / "b", other), empty=empty)
    one[CASES[3]]["1"] = value
    cases = by_fold()
    assert_same(found, table_of(one, cases), table_of(other, cases), cases, [FOLDS[case] for case in cases])
    assert found.empty == (empty or "one")
    assert any("1 times nothing was to be found" in note for note in found.notes)


def test_leaving_empty_labels_out_leaves_them_out_of_both(tmp_path):
    """Else the one that predicted something there would lose by a case that the other need not answer."""
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    one[CASES[3]]["1"], other[CASES[3]]["1"] = NAN, 0.0
    found = compare_paths(write_nnunet(tmp_path / "a", one), write_nnunet(tmp_path / "b", other), empty="leave-out")
    cases = [case for case in by_fold() if case != CASES[3]]
    assert_same(found, table_of(one, cases), table_of(other, cases), cases, [FOLDS[case] for case in cases])
    assert [(left.case, left.why, left.fold) for left in found.left_out] == [(CASES[3], "no score in a", "3")]


def test_of_several_labels_the_one_without_a_score_is_left_out_of_both(tmp_path):
    one, other = (draw_dice(seed=seed, labels=("1", "2")) for seed in (0, 1))
    one[CASES[3]]["2"] = NAN
    found = compare_paths(write_nnunet(tmp_path / "a", one), write_nnunet(tmp_path / "b", other), empty="leave-out")
    del one[CASES[3]]["2"], other[CASES[3]]["2"]
    cases = by_fold()
    assert_same(found, table_of(one, cases), table_of(other, cases), cases, [FOLDS[case] for case in cases])
    assert [(left.case, left.label) for left in found.left_out] == [(CASES[3], "2")]


def test_a_missing_case_and_a_missing_fold_are_left_out_and_named(tmp_path):
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    lacking = {case: scores for case, scores in other.items() if FOLDS[case] != 4 and case != CASES[1]}
    second = write_nnunet(tmp_path / "b", lacking)
    (second / "fold_4").mkdir()
    found = compare_paths(write_nnunet(tmp_path / "a", one), second)
    cases = [case for case in by_fold() if case in lacking]
    assert_same(found, table_of(one, cases), table_of(other, cases), cases, [FOLDS[case] for case in cases])
    assert {left.case for left in found.left_out} == {case for case in CASES if case not in lacking}
    assert any("fold_4 has no validation/summary.json" in note for note in found.notes)
    assert any(note.startswith("Left out: 10 cases of fold 4, not in b") for note in found.notes)


def test_a_lone_summary_may_be_a_file_or_a_folder(tmp_path):
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    (tmp_path / "a").mkdir()
    write_summary(tmp_path / "a" / "summary.json", one)
    found = compare_paths(tmp_path / "a", write_summary(tmp_path / "b.json", other))
    assert_same(found, table_of(one, CASES), table_of(other, CASES), CASES, ())
    assert list(found.systems) == ["a", "b"]


def test_the_folds_together_are_read_where_they_were_not_evaluated_one_by_one(tmp_path):
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    together = tmp_path / "a" / "crossval_results_folds_0_1_2_3_4"
    together.mkdir(parents=True)
    write_summary(together / "summary.json", one)
    found = compare_paths(tmp_path / "a", write_nnunet(tmp_path / "b", other))
    cases = by_fold()
    assert_same(found, table_of(one, cases), table_of(other, cases), cases, [FOLDS[case] for case in cases])
    assert "a names no folds: those of the others are taken to be its own." in found.notes


def test_trainings_joined_by_a_comma_are_seeds_of_each_fold(tmp_path):
    tables = [draw_dice(seed=seed) for seed in range(4)]
    paths = [str(write_nnunet(tmp_path / f"run{number}", dice)) for number, dice in enumerate(tables)]
    found = compare_paths(f"plain={paths[0]},{paths[1]}", f"gated={paths[2]},{paths[3]}")
    cases = by_fold()
    stacked = [np.concatenate([table_of(dice, cases) for dice in pair]) for pair in (tables[:2], tables[2:])]
    assert_same(found, *stacked, cases, [FOLDS[case] for case in cases])
    assert found.systems["plain"].trainings == 2
    assert found.systems["plain"].seed_noise.deviation > 0


def test_most_trainings_predicting_nothing_answer_nothing(tmp_path):
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    first, second = write_nnunet(tmp_path / "a", one), write_nnunet(tmp_path / "b", other)
    for path in sorted(second.glob("fold_*/validation/summary.json"))[:3]:
        content = json.loads(path.read_text())
        for entry in content["metric_per_case"]:
            entry["metrics"]["1"] |= {"Dice": 0.0, "IoU": 0.0, "TP": 0, "FP": 0, "FN": 140, "n_pred": 0}
        path.write_text(json.dumps(content))
    pair = compare_paths(first, second).comparisons[0]
    assert (pair.verdict, pair.silent) == ("no_difference_shown", True)
    assert pair.sentence.startswith("Not answered: most trainings of a or of b predict nothing at all")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda text: text[: len(text) // 2], "is no JSON from line"),
        (lambda _: "[]", "has no list metric_per_case; expected a summary.json of nnU-Net 2"),
        (lambda _: '{"metric_per_case": []}', "has no case"),
        (lambda _: '{"results": {"all": []}}', "was written by nnU-Net 1"),
        (lambda text: text.replace("patient00_01.nii.gz", "patient00_00.nii.gz"), "has the case patient00_00 twice"),
        (lambda text: text.replace('"Dice": 0.', '"Dice": "0.', 1).replace(",\n", '",\n', 1), "is no JSON"),
        (lambda text: text.replace("NaN", "Infinity"), "Infinity is no number"),
        (lambda text: text.replace('"FN": 40', '"FN": "many"'), "has the FN 'many'; expected a number"),
    ],
)
def test_a_damaged_summary_is_named_with_what_is_wrong(tmp_path, damage, expected):
    path = write_summary(tmp_path / "a.json", draw_dice())
    damaged = damage(path.read_text())
    if "FN" in expected:
        damaged = damaged.replace('"n_ref": 140', '"n_ref": NaN')
    path.write_text(damaged)
    with pytest.raises(DataError) as caught:
        compare_paths(path, write_summary(tmp_path / "b.json", draw_dice(seed=1)))
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(caught.value.faults) == 1


def refuse(*paths: Path | str, **options) -> str:
    with pytest.raises(FocalsegError) as caught:
        compare_paths(*paths, **options)
    return str(caught.value)


def test_what_does_not_go_together_is_refused_with_the_mend(tmp_path):
    first = write_summary(tmp_path / "a.json", draw_dice())
    second = write_summary(tmp_path / "b.json", draw_dice(labels=("1", "2"), seed=1))
    assert "b has scores of the labels '1, 2'; expected those of a, '1'" in refuse(first, second)
    assert compare_paths(first, second, labels=["1"]).comparisons  # the mend that it names
    assert "have no metric 'HD95'; expected one of Dice" in refuse(first, second, metric="HD95")
    assert "has no label '3'; expected one of its labels (1)" in refuse(first, second, labels=["3"])
    assert "--better was lower, and of Dice higher is better" in refuse(first, second, better="lower")
    assert "No file or folder" in refuse(first, tmp_path / "nowhere")
    (tmp_path / "hollow").mkdir()
    assert "hollow has no scores that are known" in refuse(first, tmp_path / "hollow")
    assert "1 system to compare" in refuse(first)
    assert "Two systems are named 'a'; expected a name of its own for each. Give them as NAME=PATH." in refuse(first, first)
    assert compare_paths(f"one={first}", f"other={first}").comparisons  # the mend that it names


def test_faults_of_all_arguments_are_told_at_once(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text("{")
    with pytest.raises((DataError, SettingError)) as caught:
        compare_paths(tmp_path / "a.json", tmp_path / "b.json")
    assert len(str(caught.value).splitlines()) == 2
