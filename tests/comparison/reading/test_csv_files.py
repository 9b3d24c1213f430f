"""Tables of scores as systems: long, wide, and as MONAI writes them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from comparison.made_results import CASES, FOLDS, PATIENTS, by_fold, draw_dice, table_of, write_csv, write_summary
from comparison.reading.test_nnunet import assert_same, compare_paths, refuse

NAN = float("nan")


def write_long(path: Path, *tables, folds=None, groups=None) -> Path:
    """case,score,seed[,fold][,group], a table of Dice by case and label for every seed."""
    header = "case,score,seed" + (",fold" if folds else "") + (",group" if groups else "")
    lines = [
        f"{case},{scores['1']!r},{seed}" + (f",{folds[case]}" if folds else "") + (f",{groups[case]}" if groups else "")
        for seed, table in enumerate(tables)
        for case, scores in table.items()
    ]
    return write_csv(path, header, *lines)


def test_a_long_table_holds_seeds_folds_and_groups(tmp_path):
    tables = [draw_dice(seed=seed, shift=0.02 * (seed > 1)) for seed in range(4)]
    first = write_long(tmp_path / "plain.csv", *tables[:2], folds=FOLDS, groups=PATIENTS)
    second = write_long(tmp_path / "gated.csv", *tables[2:], folds=FOLDS)
    found = compare_paths(first, second, groups=None)
    cases = by_fold()
    stacked = [np.concatenate([table_of(table, cases) for table in pair]) for pair in (tables[:2], tables[2:])]
    assert_same(found, *stacked, cases, [FOLDS[case] for case in cases])
    assert list(found.systems) == ["plain", "gated"]


def test_labels_of_a_long_table_are_averaged_by_case(tmp_path):
    paths, tables = [], []
    for name, seed in (("a", 0), ("b", 1)):
        tables.append(draw_dice(seed=seed, labels=("liver", "tumour")))
        lines = [f"{case},{label},{dice!r}" for case, scores in tables[-1].items() for label, dice in scores.items()]
        paths.append(write_csv(tmp_path / f"{name}.csv", "case,label,score", *lines))
    found = compare_paths(*paths)
    assert_same(found, *(table_of(table, CASES) for table in tables), CASES, ())


def test_a_wide_table_has_a_column_per_system(tmp_path):
    tables = {name: draw_dice(seed=seed) for seed, name in enumerate(["plain", "SE", "CBAM"])}
    lines = [";".join([case, *(repr(table[case]["1"]) for table in tables.values())]) for case in CASES]
    found = compare_paths(write_csv(tmp_path / "all.csv", ";".join(["case", *tables]), *lines))
    assert list(found.systems) == list(tables)
    assert [(pair.one, pair.other) for pair in found.comparisons] == [("plain", "SE"), ("plain", "CBAM")]
    assert_same(found, table_of(tables["plain"], CASES), table_of(tables["SE"], CASES), CASES, ())


def test_a_column_system_tells_systems_apart(tmp_path):
    tables = {name: draw_dice(seed=seed) for seed, name in enumerate(["plain", "gated"])}
    lines = [f"{name},{case},{table[case]['1']!r}" for case in CASES for name, table in tables.items()]
    found = compare_paths(write_csv(tmp_path / "all.csv", "system,case,score", *lines))
    assert_same(found, table_of(tables["plain"], CASES), table_of(tables["gated"], CASES), CASES, ())


def test_of_a_table_of_metrics_dice_is_compared_or_the_one_that_is_named(tmp_path):
    paths = []
    for name, seed in (("a", 0), ("b", 1)):
        lines = [f"{case},{dice['1']!r},{20 - 20 * dice['1']!r}" for case, dice in draw_dice(seed=seed).items()]
        paths.append(write_csv(tmp_path / f"{name}.csv", "case,Dice,HD95", *lines))
    by_default = compare_paths(*paths)
    assert (by_default.metric, by_default.better) == ("Dice", "higher")
    distance = compare_paths(*paths, metric="hd95")
    assert (distance.metric, distance.better) == ("HD95", "lower")
    assert distance.comparisons[0].difference.mean == pytest.approx(-20 * by_default.comparisons[0].difference.mean)


def test_pixels_beside_a_score_tell_which_cases_were_empty(tmp_path):
    paths = []
    for name, seed in (("a", 0), ("b", 1)):
        table = draw_dice(seed=seed)
        lines = [f"{case},{dice['1']!r},9,9" for case, dice in table.items()]
        lines[0] = f"{CASES[0]},nan,0,0"
        paths.append(write_csv(tmp_path / f"{name}.csv", "case,dice,true_pixels,predicted_pixels", *lines))
    assert compare_paths(*paths, empty="one").systems["a"].cases == 50
    assert compare_paths(*paths, empty="leave-out").systems["a"].cases == 49


def test_an_empty_cell_is_no_score_and_the_case_is_named(tmp_path):
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    first, second = write_long(tmp_path / "a.csv", one), write_long(tmp_path / "b.csv", other)
    first.write_text(first.read_text().replace(repr(one[CASES[2]]["1"]), "", 1))
    found = compare_paths(first, second)
    assert [(left.case, left.why) for left in found.left_out] == [(CASES[2], "no score in a")]
    assert "nothing tells whether it was empty, so that --empty one cannot be applied" in refuse(first, second, empty="one")


def test_images_with_their_endings_are_the_cases_of_a_summary(tmp_path):
    one, other = draw_dice(seed=0), draw_dice(seed=1)
    table = {f"images/{case}.nii.gz": scores for case, scores in one.items()}
    found = compare_paths(write_long(tmp_path / "a.csv", table), write_summary(tmp_path / "b.json", other))
    assert_same(found, table_of(one, CASES), table_of(other, CASES), CASES, ())


def test_what_monai_writes_is_read_with_its_mean_made_anew(tmp_path):
    """By MONAI itself: nan of one class is left out of that case in both, which its own column `mean` does not do."""
    monai = pytest.importorskip("monai.handlers.utils")
    dice = {name: draw_dice(seed=seed, labels=("class0", "class1")) for seed, name in enumerate("ab")}
    dice["a"][CASES[4]]["class1"] = NAN
    for name, table in dice.items():
        values = np.array([list(scores.values()) for scores in table.values()])
        files = [f"/data/{case}.nii.gz" for case in CASES]
        monai.write_metrics_reports(tmp_path / name, files, None, {"mean_dice": values}, None)
        dice[name] = {case: {label: round(score, 4) for label, score in scores.items()} for case, scores in table.items()}
    found = compare_paths(*(f"{name}={tmp_path / name / 'mean_dice_raw.csv'}" for name in "ab"))
    assert compare_paths(*(tmp_path / name for name in "ab")).comparisons == found.comparisons
    for table in dice.values():
        del table[CASES[4]]["class1"]
    assert_same(found, table_of(dice["a"], CASES), table_of(dice["b"], CASES), CASES, ())
    assert (found.metric, found.better) == ("Dice", "higher")
    assert [(left.case, left.label) for left in found.left_out] == [(CASES[4], "class1")]


def test_scores_of_whole_cases_beside_labels_are_compared_with_their_mean(tmp_path):
    one, other = draw_dice(seed=0), draw_dice(seed=1, labels=("1", "2"))
    found = compare_paths(write_long(tmp_path / "a.csv", one), write_summary(tmp_path / "b.json", other))
    assert_same(found, table_of(one, CASES), table_of(other, CASES), CASES, ())
    assert (
        "a has scores of whole cases: of the others it is the mean over the labels of a case that is compared." in found.notes
    )


def test_an_only_label_of_another_name_is_the_same_and_is_told(tmp_path):
    one, other = draw_dice(seed=0, labels=("polyp",)), draw_dice(seed=1)
    lines = [f"{case},polyp,{scores['polyp']!r}" for case, scores in one.items()]
    found = compare_paths(write_csv(tmp_path / "a.csv", "case,label,score", *lines), write_summary(tmp_path / "b.json", other))
    assert_same(found, table_of(one, CASES), table_of(other, CASES), CASES, ())
    assert "The only label is polyp in a and 1 in b: it is taken to be the same." in found.notes


@pytest.mark.parametrize(("one", "other", "same"), [("Dice", "val_mean_dice", True), ("Dice", "IoU", False)])
def test_metrics_of_two_files_are_the_same_where_their_names_mean_the_same(tmp_path, one, other, same):
    (tmp_path / "b").mkdir()
    first = write_csv(tmp_path / "a.csv", f"case,{one}", "x,0.5", "y,0.6")
    second = write_csv(tmp_path / "b" / f"{other}_raw.csv", "filename,class0,mean", "x,0.6,0.6", "y,0.7,0.7")
    if same:
        assert compare_paths(first, second, groups=None).metric == one
    else:
        assert "has the metric 'IoU', and" in refuse(first, second, groups=None)


def test_a_score_without_a_name_is_taken_for_that_of_the_others_and_told(tmp_path):
    first = write_csv(tmp_path / "a.csv", "case,score", "x,9.5", "y,8.6")
    second = write_csv(tmp_path / "b.csv", "case,HD95", "x,9", "y,8")
    found = compare_paths(first, second, groups=None)
    assert (found.metric, found.better) == ("HD95", "lower")
    assert f"{first} does not name its score, which is taken to be HD95." in found.notes


GOOD = ["case,score", "x,0.5", "y,0.6", "z,0.7"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["case,score"], "no lines below its header"),
        ([""], "is empty"),
        (["name,score", "x,0.5"], "has no column case (it has name, score); expected case,score"),
        (["case,group", "x,p"], "has no column of scores; expected case,score"),
        (["case,score", "x,0.5", "y,high"], "line 3 has 'high' as score; expected a finite number."),
        (["case;score", "x;0,5"], "line 2 has '0,5' as score; expected a finite number. Write all of them with a point."),
        (
            ["case;score", "x;0,5", "y;0,6"],
            "line 2 has '0,5' as score; expected a finite number. Write all of them with a point.",
        ),
        (["case,score", "x,50 %", "y,60 %"], "line 2 has '50 %' as score; expected a finite number. Write all of them without"),
        (["case,unet,ours", "x,0.5,0.6", "Mean,0.5,0.6"], "line 3 has the case Mean; expected cases alone"),
        (["subject,Dice", "x,0.5"], "has no column case (it has subject, Dice); expected case,score"),
        (["case,score", "x,inf"], "line 2 has 'inf' as score"),
        (["case,score", "x,0.5", "x,0.6"], "line 3 has the case x again; expected each once per system, fold and seed."),
        (["case,score", "x,0.5,9"], "has 3 fields in line 2"),
        (["case,score,group", "x,0.5,p", "y,0.4,"], "line 3 has no group"),
        (
            ["case,score,seed,group", "x,0.5,0,p", "x,0.5,1,q"],
            "line 3 has the group 'q' for the case x, which was of 'p' before",
        ),
        (["case,HD95,ASD", "x,1,2"], "has several metrics; expected one of HD95, ASD. Give one of them as --metric."),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_with_its_line(tmp_path, lines, expected):
    bad = write_csv(tmp_path / "bad.csv", *lines)
    told = refuse(bad, write_csv(tmp_path / "good.csv", *GOOD))
    assert expected in told
    assert told.startswith(f"{bad}: ")
    assert len(told.splitlines()) == 1


def test_the_index_that_pandas_writes_is_no_system(tmp_path):
    for index in ("", "Unnamed: 0"):
        path = write_csv(tmp_path / "all.csv", f"{index},case,unet,ours", "0,x,0.5,0.6", "1,y,0.6,0.8")
        assert list(compare_paths(path, groups=None).systems) == ["unet", "ours"]


def test_values_that_a_metric_cannot_have_are_refused(tmp_path):
    good = write_csv(tmp_path / "good.csv", "case,dice", "x,0.5", "y,0.6")
    assert "case x has the Dice -0.5; expected 0 to 1" in refuse(
        good, write_csv(tmp_path / "a.csv", "case,dice", "x,-0.5", "y,0.6")
    )
    assert "percent beside shares" in refuse(good, write_csv(tmp_path / "b.csv", "case,dice", "x,51", "y,60"))
    change = [write_csv(tmp_path / f"{name}.csv", "case,change", "x,-3", "y,6") for name in "cd"]
    assert "case x has the change -3; expected 0, the best, or more" in refuse(*change, metric="change", better="lower")
    assert compare_paths(*change, metric="change", groups=None).better == "higher"


@pytest.mark.parametrize(
    ("metric", "one", "other", "refused"),
    [
        ("hd95", "1.0,mm", "1.0,pixels", "has HD95 in pixels, and"),
        ("nsd", "1.0,mm", "2.0,mm", "has NSD in 2 mm, and"),
        ("nsd", "1.000000,mm", "1,mm", ""),
        ("hd95", "1.0,mm", "2.0,mm", ""),
        ("dice", "1.0,mm", "2.0,pixels", ""),
        ("hd95", "1.0,mm", ",", ""),
    ],
)
def test_distances_in_two_units_and_nsd_at_two_tolerances_are_refused(tmp_path, metric, one, other, refused):
    paths = []
    for name, measure in (("one", one), ("other", other)):
        lines = [f"c{number},0.8,{2 + number},0.7,{measure}" for number in range(6)]
        paths.append(write_csv(tmp_path / f"{name}.csv", "case,dice,hd95,nsd,tolerance,unit", *lines))
    if refused:
        assert refused in refuse(*paths, metric=metric, groups=None)
    else:
        assert compare_paths(*paths, metric=metric, groups=None).comparisons


def test_two_tables_with_the_same_columns_are_not_mixed(tmp_path):
    paths = [write_csv(tmp_path / f"{name}.csv", "case,plain,gated", "x,0.5,0.6", "y,0.6,0.7") for name in "ab"]
    assert "Two systems are named 'plain'" in refuse(*paths)
    joined = compare_paths(",".join(map(str, paths)), groups=None)  # the mend that it names
    assert (list(joined.systems), joined.systems["plain"].trainings) == (["plain", "gated"], 2)


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b", ",", "", "=", "a=", "\ud800.csv"])
def test_a_path_that_is_none_is_named_and_nothing_breaks(tmp_path, path):
    assert "Give the path of one." in refuse(write_csv(tmp_path / "good.csv", *GOOD), path)


@pytest.mark.parametrize("name", ["pipe", "device"])
def test_no_path_hangs(tmp_path, name):
    path = tmp_path / "pipe.csv" if name == "pipe" else Path("/dev/zero")
    if name == "pipe":
        subprocess.run(["mkfifo", path], check=True)
    script = f"from comparison.reading.test_nnunet import refuse; print(refuse({f'a={path}'!r}, {f'b={path}'!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    assert ("is a pipe" if name == "pipe" else "has no scores that are known") in done.stdout
