"""The benchmark on real images: its pages follow from the scores per case, and from what was kept of earlier trainings."""

import csv
import importlib
import json
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace

import pytest

from focalseg.imagesets.splits import split_by_group
from focalseg.study.presets import build_settings
from focalseg.yaml_files import parse_assignments

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RESULTS = BENCHMARKS / "results"
FOLDS = 4
DICE = {"none": 0.5, "se": 0.7, "all": 0.6, "wider": 0.5, "placed": 0.7}
EMPTY = {"none": 3, "se": 1, "all": 2, "wider": 3, "placed": 1}
"""Of the four cases without the object, how many an arm leaves empty."""


@pytest.fixture(scope="module")
def bench():
    """The script and its rooms, which are no part of the package."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        rooms = {
            name: importlib.import_module(f"real_images.{name}") for name in ("cases", "strata", "intervals", "earlier", "page")
        }
        yield SimpleNamespace(script=importlib.import_module("real_data"), **rooms)
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("real_data", "real_images", "machine"):
            del sys.modules[name]


def write_run(run, cases):
    """cases: name, Dice, true pixels, predicted pixels, Dice at the tuned threshold."""
    run.mkdir(parents=True)
    lines = ["case,group,part,label,dice,true_pixels,predicted_pixels,tuned_dice,tuned_predicted_pixels"]
    for name, dice, true, predicted, tuned in cases:
        lines.append(f"{name},g{name},test,foreground,{dice:.6f},{true},{predicted},{tuned:.6f},{predicted}")
        lines.append(f"v{name},gv{name},validation,foreground,0.1,9,9,0.1,9")
    (run / "cases.csv").write_text("\n".join(lines) + "\n")
    (run / "result.json").write_text(json.dumps({"threshold": 0.4}))
    (run / "config.yaml").write_text("preparation: {size: [81, 96], patch: null}\n")
    (run / "metrics.csv").write_text("step,loss,learning_rate,validation_dice\n600,1,1,0.5\n800,1,1,0.51\n")


@pytest.fixture
def job(tmp_path):
    """Four folds, each with a case that has the object and one that lacks it. Without attention the first is missed in fold 0,
    and found there at the tuned threshold."""
    folder = tmp_path / "runs" / "busi"
    for arm, dice in DICE.items():
        for fold in range(FOLDS):
            found = 0.0 if fold == 0 and arm == "none" else dice + fold / 100
            empty = fold < EMPTY[arm]
            cases = [
                (f"a{fold}", found, 10, 10 if found else 0, dice + fold / 100),
                (f"n{fold}", empty, 0, 0 if empty else 5, empty),
            ]
            write_run(folder / f"runs/{arm}/fold_{fold}/seed_{fold + 7}", cases)
    (folder / "placement.json").write_text(json.dumps(make_record()))
    return folder


def make_record():
    """What the script reads of placement.json, with means worked out by hand; intervals that nobody looks at."""
    with_object = {arm: dice + 0.015 - (0.5 / 4 if arm == "none" else 0) for arm, dice in DICE.items()}
    dice = {arm: (4 * with_object[arm] + EMPTY[arm]) / 8 for arm in DICE}

    def differ(one, other, means=with_object):
        return {"dice": means[one] - means[other], "low": -1, "high": 1}

    pairs = [("placed", arm) for arm in ("none", "se", "all", "wider")] + [(arm, "none") for arm in ("se", "all", "wider")]
    arms = {
        arm: {"dice": dice[arm], "modules": 1, "parameters": 1234, "folds": 4, "trainings": 1, "cases": 8, "groups": 8}
        for arm in DICE
    }
    chances = {"p_value": 0.02, "permutation_p": 0.01, "holm_p": 0.5}
    comparisons = [
        {"one": one, "other": other, **differ(one, other), **chances, "smallest_difference": 0.1} for one, other in pairs
    ]
    return {
        "verdict": "helps",
        "sentence": "Attention helps.",
        "endpoint": "dice_with_object",
        "difference": differ("placed", "none"),
        "difference_all_cases": differ("placed", "none", dice),
        "all_minus_none": differ("all", "none"),
        "arms": arms,
        "folds": [
            {"fold": fold, "kept": {"encoder.0": "se"}, "shut": [], "difference": differ("placed", "none")} for fold in range(4)
        ],
        "comparisons": comparisons,
        "rescue": [{"one": "se", "other": "none", "rescued": 0.175, "lost": 0.0}],
        "strata": {},
        "by_size": [
            {
                "size": "small",
                "least_pixels": 10,
                "most_pixels": 1000,
                "arms": {arm: {"value": value, "low": 0, "high": 1, "cases": 4} for arm, value in with_object.items()},
                "differences": {"placed - none": {"value": 0.325, "low": -1, "high": 1}},
            }
        ],
        "tuned": None,
        "overlap": 0.25,
        "claim": "new_data",
        "looks": {"taken": 1, "tail": 0.025},
        "runs": {arm: [f"runs/{arm}/fold_{fold}/seed_{fold + 7}" for fold in range(4)] for arm in DICE},
    }


@pytest.fixture
def results(bench, tmp_path, monkeypatch):
    """A folder of results in place of that of the repository, with the earlier trainings in it."""
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(RESULTS / "real_data-small-earlier.json", folder)
    monkeypatch.setattr(bench.script, "RESULTS", folder)
    return folder


def test_a_finished_job_is_kept_as_a_page_its_figures_and_the_scores_of_every_case(bench, job, results):
    bench.script.keep("busi", job, "small", "focalseg place busi")
    found = json.loads((results / "real_data-small.json").read_text())["busi"]
    strata = found["strata"]
    none, everywhere = ({name: strata[name]["arms"][arm]["value"] for name in strata} for arm in ("none", "se"))
    assert none == pytest.approx({"with_object": 0.39, "missed": 0.25, "left_empty": 0.75, "all_cases": 0.57})
    assert everywhere == pytest.approx({"with_object": 0.715, "missed": 0.0, "left_empty": 0.25, "all_cases": 0.4825})
    gain = strata["with_object"]["differences"]["se - none"]
    assert gain["value"] == pytest.approx(0.325)
    assert gain["low"] < gain["value"] < gain["high"]
    assert found["rescues"]["se - none"] == pytest.approx({"rescued": 0.175, "others": 0.15})
    assert found["tuned"]["with_object"]["arms"]["none"]["value"] == pytest.approx(0.515)
    assert found["thresholds"]["se"] == {"least": 0.4, "median": 0.4, "greatest": 0.4}
    page = (results / "real_data-small.md").read_text()
    assert "| SE everywhere | 0.715 (" in page
    assert "SE everywhere minus no attention | +0.325 [" in page
    assert "| +0.175 | +0.150 | +0.200 [" in page
    narrow = found["these_images"]["with_object"]["differences"]["se - none"]
    assert gain["low"] < narrow["low"] < narrow["high"] < gain["high"]  # folds have a quarter of their training in common
    assert (
        f"SE everywhere minus no attention | +0.325 [{gain['low']:+.3f}, {gain['high']:+.3f}] | [{narrow['low']:+.3f}, " in page
    )
    assert "25.0 % | -50.0 [" in page
    assert "| small | 10 to 1,000 | 0.390 | 0.715 | 0.615 | 0.715 | 0.515 |  | +0.325 [-1.000, +1.000] |" in page
    assert "Tuned were, from the least to the greatest: no attention 0.4 to 0.4, SE everywhere 0.4 to 0.4" in page
    assert "| placed minus wider | +0.200 [-1.000, +1.000] | 0.02 | 0.01 | 0.5 | 0.100 |" in page
    assert "## Not trained anew yet" in page
    assert "### cvc_clinicdb" in page
    assert "### busi" not in page
    rows = list(csv.DictReader((results / "real_data-small-busi-cases.csv").read_text().splitlines()))
    assert len(rows) == 5 * 4 * 2
    assert list(rows[0].values()) == ["a0", "ga0", "0", "7", "none", "foreground", "0.00000", "10", "0", "0.50000", "0"]
    assert list(rows[0]) == list(bench.cases.Row.__dataclass_fields__)


def test_a_set_that_is_added_leaves_the_others_as_they_were(bench, job, results):
    bench.script.keep("busi", job, "small", "focalseg place busi")
    before = json.loads((results / "real_data-small.json").read_text())["busi"]
    bench.script.keep("cvc_clinicdb", job, "small", "focalseg place cvc_clinicdb")
    after = json.loads((results / "real_data-small.json").read_text())
    assert list(after) == ["cvc_clinicdb", "busi"]
    assert after["busi"] == before
    assert "### chase_db1" in (results / "real_data-small.md").read_text()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("arms", "se", "dice"), "arms.se.dice is 0.5"),
        (("difference", "dice"), "difference is 0.3"),
        (("difference_all_cases", "dice"), "difference_all_cases is -0.0"),
        (("all_minus_none", "dice"), "all_minus_none is 0.2"),
        (("comparisons", 0, "dice"), "comparisons, placed - none is 0.3"),
        (("rescue", 0, "rescued"), "rescue, se - none is 0.2"),
    ],
)
def test_a_figure_that_the_scores_do_not_say_is_refused_and_nothing_is_written(bench, job, results, path, name):
    content = json.loads((job / "placement.json").read_text())
    part = content
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] += 0.03
    (job / "placement.json").write_text(json.dumps(content))
    with pytest.raises(SystemExit) as refused:
        bench.script.keep("busi", job, "small", "focalseg place busi")
    first, line = str(refused.value).splitlines()
    assert first == "busi: what the job says is not what its scores say:"
    assert line.startswith(name)
    assert [path.name for path in results.iterdir()] == ["real_data-small-earlier.json"]


def test_strata_that_the_scores_do_not_say_are_refused(bench, job, results):
    content = json.loads((job / "placement.json").read_text())
    arms = {"none": {"value": 0.25, "low": 0, "high": 1, "cases": 4}, "se": {"value": 0.25, "low": 0, "high": 1, "cases": 5}}
    differences = {"se - none": {"value": 0.25, "low": 0, "high": 1}}
    content["strata"] = {"missed": {"arms": arms, "differences": differences}}
    (job / "placement.json").write_text(json.dumps(content))
    with pytest.raises(SystemExit) as refused:
        bench.script.keep("busi", job, "small", "focalseg place busi")
    assert str(refused.value).splitlines()[1:] == [
        "strata.missed.arms.se is 0.25; the scores say 0.0.",
        "strata.missed.arms.se: 5 cases; the scores have 4.",
        "strata.missed.differences.se - none is 0.25; the scores say -0.25.",
    ]


@pytest.mark.parametrize("size", ["small", "full"])
def test_every_set_is_asked_for_ten_folds_of_one_training_in_settings_that_there_are(bench, size):
    for name in bench.script.SETS:
        options = bench.script.PROTOCOL | bench.script.SIZES[size] | bench.script.OF_SET[size].get(name, {})
        settings = build_settings("quick", parse_assignments([f"{name}={value}" for name, value in options.items()]))
        assert (settings.split.folds, settings.split.test_folds, settings.seeds) == (10, 10, 1)
        assert settings.looks.once
        assert list(settings.rivals) == ["se", "wider"]


def test_arms_without_a_decision_have_a_page_where_all_of_them_are_trained(bench, job, results):
    (job / "runs/se/fold_3/seed_10/result.json").unlink()
    title = "real_data-small-busi-fixed-arms"
    page = bench.script.keep_look("busi", job, ["none", "se"], title)
    assert (results / f"{title}.md").read_text() == page
    lines = page.splitlines()
    assert lines[0] == "# busi: none and se, 3 of 10 folds"
    assert sum(line.startswith("| SE everywhere | 0.710 (") for line in lines) == 3  # for either claim, and tuned
    told = "Of se - none in Dice with the object: +0.233 from cases that one of the two missed, +0.133 from the others."
    assert told in lines
    rows = bench.cases.read_cases(results / f"{title}-cases.csv")
    assert {(row.arm, row.fold) for row in rows} == {(arm, fold) for arm in ("none", "se") for fold in (0, 1, 2)}
    shutil.rmtree(job / "runs/se")
    assert bench.script.keep_look("busi", job, ["none", "se"], title) == "busi: nothing yet of se"


def test_without_finished_jobs_nothing_is_trained_and_the_page_tells_what_was_known_before(
    bench, job, results, monkeypatch, capsys
):
    (job / "placement.json").unlink()
    call = ["real_data.py", "--out", str(job.parent), "--data", "DATA", "--sets", "busi", "chase_db1", "--finished-only"]
    monkeypatch.setattr(sys, "argv", call)
    bench.script.main()
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["busi", "chase_db1"]
    assert all(line.endswith("is not there yet; left out") for line in said)
    assert {path.name for path in results.iterdir()} == {"real_data-small-earlier.json", "real_data-small.md"}
    page = (results / "real_data-small.md").read_text()
    assert "| SE everywhere | 0.686 | +0.091 | +0.020 | 6 of 777 (0.8 %) | 33 of 153 (21.6 %) | 0.609 |" in page


def make_row(bench, label, dice, true, predicted, *, case="a", arm="none"):
    return bench.cases.Row(
        case=case, group="g", fold=0, seed=0, arm=arm, label=label, dice=dice, true_pixels=true, predicted_pixels=predicted
    )


def test_a_case_is_taken_apart_by_the_labels_that_it_has(bench):
    rows = [
        make_row(bench, "core", 0.6, 9, 8),
        make_row(bench, "rim", 0.0, 9, 0),
        make_row(bench, "cyst", 1.0, 0, 0),
        make_row(bench, "core", 1.0, 0, 0, case="b"),
        make_row(bench, "rim", 1.0, 0, 0, case="b"),
        make_row(bench, "cyst", 0.0, 0, 3, case="b"),
    ]
    part = bench.strata.take_apart(rows)["none"]
    found, lacking = part[0, 0, "a"], part[0, 0, "b"]
    assert (found.with_object, found.missed, found.left_empty) == (pytest.approx(0.3), 0.5, None)
    assert found.all_cases == pytest.approx(1.6 / 3)
    assert (lacking.with_object, lacking.missed, lacking.left_empty) == (None, None, 0.0)
    assert bench.strata.take_apart(rows, tuned=True) == {}  # these scores know 0.5 alone
    assert bench.strata.count_cases(part, "with_object") == bench.strata.count_cases(part, "left_empty") == 1


def test_arms_that_scored_other_cases_are_not_subtracted(bench):
    parts = bench.strata.take_apart([make_row(bench, "x", 0.5, 9, 9), make_row(bench, "x", 0.5, 9, 9, case="b", arm="se")])
    with pytest.raises(ValueError, match=r"The arms differ in their cases or trainings, such as \(0, 0, 'a'\)\."):
        bench.strata.subtract(parts["se"], parts["none"], "with_object")


def test_a_dice_that_is_hardly_above_0_is_no_miss_in_the_file(bench, tmp_path):
    rows = [make_row(bench, "x", dice, 9, 9, case=str(dice)) for dice in (0.0, 4e-6, 0.123456)]
    bench.cases.write_cases(tmp_path / "cases.csv", rows)
    assert [row.dice for row in bench.cases.read_cases(tmp_path / "cases.csv")] == [0.0, 1e-5, 0.12346]


@pytest.mark.parametrize("folds", [3, 4, 5, 10, 29])
def test_the_share_of_training_groups_that_folds_have_in_common_is_that_of_the_splits(bench, folds):
    names = [f"case_{number}" for number in range(2 * folds)]
    splits = split_by_group(names, names, folds=folds)
    training = [set(split.train) for split in splits]
    shares = [len(one & other) / len(one) for place, one in enumerate(training) for other in training[:place]]
    assert bench.intervals.share_training(folds) == pytest.approx(fmean(shares))


SCIENCE = {
    "none": (0.596, 30, 75),
    "wider": (0.599, 27, 72),
    "ag": (0.598, 36, 78),
    "random": (0.624, 41, 65),
    "placed": (0.649, 25, 56),
    "se": (0.686, 6, 33),
    "all": (0.688, 8, 23),
}
"""Earlier trainings on BUSI, worked out independently: Dice with a lesion, misses of 777, normals left empty of 153."""


def test_the_strata_of_earlier_trainings_are_those_that_were_worked_out_by_hand(bench):
    arms = json.loads((RESULTS / "real_data-small-earlier.json").read_text())["busi"]["arms"]
    for arm, (dice, missed, left) in SCIENCE.items():
        found = bench.earlier.derive_strata(arms[arm], bench.earlier.WITHOUT_OBJECT["busi"])
        assert found.with_object == pytest.approx(dice, abs=6e-4)
        assert (found.missed_count, found.with_count, found.left_count, found.without_count) == (missed, 777, left, 153)


def test_more_than_half_of_the_earlier_gain_on_colonoscopy_frames_is_rescue_from_misses(bench):
    arms = json.loads((RESULTS / "real_data-small-earlier.json").read_text())["cvc_clinicdb"]["arms"]
    one, other = (bench.earlier.derive_strata(arms[arm], 0) for arm in ("se", "none"))
    assert (one.missed_count, other.missed_count, one.with_count) == (43, 165, 1836)
    assert (one.found_dice, other.found_dice) == pytest.approx((0.592, 0.558), abs=6e-4)
    fewer, better = bench.earlier.split_gain(one, other)
    assert fewer + better == pytest.approx(arms["se"]["dice"] - arms["none"]["dice"])
    assert fewer / (fewer + better) == pytest.approx(0.54, abs=0.005)


def test_the_images_without_the_object_are_those_of_the_set(bench, real_data):
    with (real_data("busi") / "cases.csv").open(newline="") as file:
        empty = [row for row in csv.DictReader(file) if float(row["lesion_fraction"]) == 0]
    assert len(empty) == bench.earlier.WITHOUT_OBJECT["busi"]


def list_committed():
    path = RESULTS / "real_data-small.json"
    return json.loads(path.read_text()) if path.exists() else {}


def test_the_pages_in_the_repository_follow_from_the_figures_beside_them(bench):
    assert (RESULTS / "real_data-small.md").read_text() == bench.script.format_page(list_committed(), "small")
    earlier = (RESULTS / "real_data-small-earlier.md").read_text()
    for name, one in json.loads((RESULTS / "real_data-small-earlier.json").read_text()).items():
        for table in (bench.page.format_earlier(name, one), bench.page.format_earlier_tests(one)):
            assert "\n".join(table) in earlier


def test_the_page_of_fixed_arms_in_the_repository_follows_from_the_scores_of_every_case():
    """With csv and plain Python, as below."""
    names = {"none": "no attention", "se": "SE everywhere", "all": "SE and AG everywhere"}
    tables = list(RESULTS.glob("real_data-small-*-fixed-arms-cases.csv"))
    assert tables
    for table in tables:
        page = table.with_name(table.name.replace("-cases.csv", ".md")).read_text()
        dice = defaultdict(list)
        with table.open(newline="") as file:
            for row in csv.DictReader(file):
                if int(row["true_pixels"]):
                    dice[row["arm"]].append(float(row["dice"]))
        for arm, values in dice.items():
            assert f"| {names[arm]} | {fmean(values):.3f} (" in page


def test_the_figures_in_the_repository_follow_from_the_scores_of_every_case():
    """With csv and plain Python, and nothing of the benchmark: Dice with the object, misses, images left empty."""
    committed = list_committed()
    there = {path.name for path in RESULTS.glob("real_data-small-*-cases.csv") if "fixed-arms" not in path.name}
    assert there == {one["cases_file"] for one in committed.values()}
    for one in committed.values():
        dice, left = defaultdict(list), defaultdict(list)
        with (RESULTS / one["cases_file"]).open(newline="") as file:
            for row in csv.DictReader(file):  # these sets have one label
                if int(row["true_pixels"]):
                    dice[row["arm"]].append(float(row["dice"]))
                else:
                    left[row["arm"]].append(row["predicted_pixels"] == "0")
        follows = {
            "with_object": {arm: fmean(values) for arm, values in dice.items()},
            "missed": {arm: fmean(value == 0 for value in values) for arm, values in dice.items()},
            "left_empty": {arm: fmean(values) for arm, values in left.items()},
        }
        for stratum in {"with_object", "missed", "left_empty"} & set(one["strata"]):
            arms = one["strata"][stratum]["arms"]
            assert {arm: row["value"] for arm, row in arms.items()} == pytest.approx(follows[stratum], abs=2e-5)
            for pair, change in one["strata"][stratum]["differences"].items():
                first, second = pair.split(" - ")
                assert change["value"] == pytest.approx(follows[stratum][first] - follows[stratum][second], abs=2e-5)
