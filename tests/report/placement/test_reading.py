"""Folders that are none of ours, and files of ours that were damaged: an error that names them, and no page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.errors import SettingError
from focalseg.report.placement.page import write_report
from focalseg.report.placement.reading import read_placement_contents

Make = Callable[..., Path]

EXPECTED = "expected a folder that `focalseg place`, `focalseg demo` or `focalseg train` filled"


def refusal(folder: Path) -> str:
    with pytest.raises(SettingError) as caught:
        write_report(folder)
    assert not (folder / "report").exists()
    return str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "absent"
    assert refusal(path) == f"There is no folder {path}; {EXPECTED}. Check the path."


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    assert refusal(path) == f"{path} is a file; {EXPECTED}. Give the folder."


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} has neither placement.json nor result.json; {EXPECTED}. Give such a folder."


def test_a_job_that_has_not_ended(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seeds: 3\n")
    assert "its job has not ended" in refusal(tmp_path)
    assert "Run the same command again" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "\x00\x01", '{"schema": 1}', "[" * 100_000])
def test_a_damaged_placement_file(make_placement: Make, text: str) -> None:
    folder = make_placement()
    (folder / "placement.json").write_text(text)
    assert str(folder / "placement.json") in refusal(folder)


def test_a_placement_of_another_schema(make_placement: Make) -> None:
    folder = make_placement(schema=2)
    assert refusal(folder) == (
        f"{folder / 'placement.json'} has schema 2; this version reads 1. Make the placement anew with `focalseg place`."
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verdict": "maybe"}, "verdict is 'maybe'; expected helps, no_difference_shown, harms"),
        ({"sentence": 3}, "sentence is 3; expected a text"),
        ({"difference": {"dice": "high", "low": 0, "high": 1}}, "difference: dice is 'high'; expected a finite number"),
        ({"difference": {"dice": 2, "low": 0, "high": 1}}, "expected a mean within its interval"),
        ({"difference": {"dice": float("nan"), "low": 0, "high": 1}}, "dice is nan; expected a finite number"),
        ({"arms": {}}, "arms: none is missing; expected named values"),
        ({"sites": {}}, "sites is {}; expected a list"),
        ({"sites": [3]}, "sites[0] holds 3; expected named values"),
        ({"sites": [{"site": ""}]}, "sites[0]: site is a text ''; expected a name of 1 to 120 characters"),
        (
            {"sites": [{"site": "x" * 121}]},
            "sites[0]: site is a text of 121 characters; expected a name of 1 to 120 characters",
        ),
        ({"sites": [{"site": 7}]}, "sites[0]: site is 7; expected a text"),
        (
            {"sites": [{"site": "a", "gate": "x"}]},
            "sites[0]: gate is 'x'; expected se, eca, spatial, scse, cbam, ag, focus, own",
        ),
        ({"costs": None}, "placement.json: costs holds None; expected named values"),
        ({"costs": {}}, "costs: sites is missing; expected a list"),
        (
            {"costs": {"sites": [{"site": "a", "gate": "se"}]}},
            "costs: sites[0]: parameters is missing; expected a whole number",
        ),
        (
            {"costs": {"sites": [], "parameters": 1, "flops": 1, "seconds": -1}},
            "costs: seconds is -1; expected a number, 0 or more",
        ),
        ({"costs": {"sites": [], "parameters": 1, "flops": 1, "seconds": 1}}, "costs: sites has no cost of 'encoder.0'"),
        ({"dead_sites": []}, "dead_sites holds []; expected named values"),
        ({"dead_sites": {"a": 3}}, "dead_sites: a is 3; expected a text"),
        ({"dead_sites": {"": "dead"}}, "dead_sites: site is a text ''; expected a name of 1 to 120 characters"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(make_placement: Make, changes: dict[str, Any], message: str) -> None:
    assert message in refusal(make_placement(**changes))


@pytest.mark.parametrize(
    "name", ["examples.npz", "splits.json", "runs/all/fold_0/seed_0/metrics.csv", "runs/none/fold_0/seed_2/config.yaml"]
)
def test_a_damaged_file_beside_the_placement(make_placement: Make, name: str) -> None:
    folder = make_placement()
    (folder / name).write_bytes(b"step,loss\nx,\xff\x00y\n: :")
    assert str(folder / name) in refusal(folder)


def test_a_site_deeper_than_the_network(make_placement: Make) -> None:
    site = {"site": "skip.7", "gate": "ag", "gamma": 1.0, "removal_cost": 0.0, "spread": 0.0, "kept": True, "why": ""}
    folder = make_placement(sites=[site])
    assert "has the site 'skip.7'; the runs' U-Net has levels 0 to 1." in refusal(folder)


def test_a_site_that_our_network_does_not_have(make_placement: Make, own: dict[str, Any]) -> None:
    folder = make_placement(found=own["found"])
    assert "has the site 'layer1.0'; the runs' U-Net has levels 0 to 1." in refusal(folder)


def test_a_site_named_twice(make_placement: Make) -> None:
    site = {"site": "encoder.0", "gate": "se", "gamma": 1.0, "removal_cost": 0.0, "spread": 0.0, "kept": True, "why": ""}
    folder = make_placement(sites=[site, site])
    assert "sites[1] has the site 'encoder.0' once more; expected each site once." in refusal(folder)


@pytest.mark.parametrize("widths", ["5", "[8]", "[8, x]", "[8, 0]", "abc"])
def test_widths_that_are_none(make_run: Make, widths: str) -> None:
    folder = make_run()
    path = folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"widths:(\s+- \d+)+|widths: \[.*\]", f"widths: {widths}", text), encoding="utf-8")
    assert f"{path}: network.arguments.widths is" in refusal(folder)


def test_examples_cut_short(make_placement: Make) -> None:
    folder = make_placement()
    path = folder / "examples.npz"
    path.write_bytes(path.read_bytes()[:-200])
    assert str(path) in refusal(folder)


@pytest.mark.parametrize("name", ["result.json", "cases.csv", "config.yaml", "metrics.csv", "evidence.json", "costs.json"])
def test_a_damaged_file_of_a_run(make_run: Make, name: str) -> None:
    folder = make_run()
    (folder / name).write_text("step,loss\nx,y\n", encoding="utf-8")
    assert str(folder) in refusal(folder)


def test_a_missing_count_in_a_run_is_no_traceback(make_run: Make) -> None:
    folder = make_run()
    (folder / "result.json").write_text(json.dumps({"modules": 3}), encoding="utf-8")
    assert str(folder / "result.json") in refusal(folder)


def test_arms_besides_the_three_are_read_after_them_and_shown_in_the_table(make_placement: Make) -> None:
    folder = make_placement()
    content = json.loads((folder / "placement.json").read_text())
    arms = {"wider": content["arms"]["none"] | {"parameters": 30123}, **content["arms"]}
    (folder / "placement.json").write_text(json.dumps(content | {"arms": arms}))
    contents = read_placement_contents(folder)
    assert [arm.name for arm in contents.arms] == ["none", "all", "placed", "wider"]
    assert contents.arm("wider").parameters == 30123
    assert ">wider plain network, no attention</th>" in write_report(folder).read_text(encoding="utf-8")


COMPARISON = {"one": "placed", "other": "none", "dice": 0.1, "low": 0.0, "high": 0.2, "holm_p": 0.5}
CLAIM = {"of": "placed", "to": "all", "margin": 0.01, "bound": 0.0, "shown": True}
FOLD = {"fold": 0, "kept": {}, "shut": [], "difference": {"dice": 0.1, "low": 0.0, "high": 0.2}}
NOISE = {"deviation": 0.01, "range_of_difference": 0.1, "trainings": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comparisons": None}, "placement.json: comparisons is None; expected a list"),
        ({"comparisons": [COMPARISON | {"other": "nobody"}]}, "comparisons[0]: other is 'nobody'; expected none, all, placed"),
        ({"comparisons": [COMPARISON | {"one": 3}]}, "comparisons[0]: one is 3; expected a text"),
        ({"comparisons": [COMPARISON | {"high": 0.05}]}, "expected a mean within its interval"),
        ({"comparisons": [COMPARISON | {"holm_p": 1.5}]}, "comparisons[0]: holm_p is 1.5; expected a number from 0 to 1"),
        (
            {"comparisons": [COMPARISON | {"smallest_difference": -1}]},
            "comparisons[0]: smallest_difference is -1; expected a number, 0 or more",
        ),
        ({"comparisons": [COMPARISON | {"collapsed": 1}]}, "comparisons[0]: collapsed is 1; expected true or false"),
        ({"search": {"collapsed": 1}}, "search: trainings is missing; expected a whole number, 0 or more"),
        ({"non_inferiority": CLAIM | {"of": "none"}}, "non_inferiority: of is 'none'; expected placed"),
        ({"non_inferiority": CLAIM | {"bound": None}}, "non_inferiority: bound is None; expected a finite number"),
        ({"non_inferiority": CLAIM | {"shown": "yes"}}, "non_inferiority: shown is 'yes'; expected true or false"),
        ({"seed_noise": NOISE | {"deviation": None}}, "seed_noise: deviation is None; expected a finite number"),
        ({"seed_noise": {}}, "seed_noise: trainings is missing; expected a whole number, 0 or more"),
        ({"folds": {}}, "folds is {}; expected a list"),
        ({"folds": [FOLD | {"kept": []}]}, "folds[0]: kept holds []; expected named values"),
        ({"folds": [FOLD | {"kept": {"nowhere": "se"}}]}, "folds[0] has the site 'nowhere'; expected one of those under sites"),
        ({"folds": [FOLD | {"shut": [3]}]}, "folds[0] has the site '3'; expected one of those under sites"),
        ({"folds": [FOLD | {"difference": 3}]}, "folds[0]: difference holds 3; expected named values"),
        ({"folds": [FOLD | {"fold": -1}]}, "folds[0]: fold is -1; expected a whole number, 0 or more"),
    ],
)
def test_a_field_of_the_comparisons_and_folds_that_is_wrong_is_named(
    make_placement: Make, changes: dict[str, Any], message: str
) -> None:
    assert message in refusal(make_placement(**changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"removal_low": 0.5, "removal_high": 0.6},
            "sites[0]: removal_cost is 0.251, from removal_low 0.5 to removal_high 0.6",
        ),
        ({"removal_low": 0.2}, "sites[0]: removal_high is missing; expected a finite number"),
        ({"joint_cost": "dear"}, "sites[0]: joint_cost is 'dear'; expected a finite number"),
        ({"shut": None}, "sites[0]: shut is None; expected true or false"),
        ({"shut": True}, "sites[0] is both kept and shut; expected one of the two"),
    ],
)
def test_evidence_on_a_site_that_is_wrong_is_named(make_placement: Make, change: dict[str, Any], message: str) -> None:
    folder = make_placement()
    path = folder / "placement.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["sites"][0] |= change
    path.write_text(json.dumps(content), encoding="utf-8")
    assert message in refusal(folder)


def test_arms_with_other_labels_than_the_first(make_placement: Make) -> None:
    folder = make_placement()
    path = folder / "placement.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["arms"]["all"]["dice_per_label"] = {"vein": 0.5}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert "arms: all: dice_per_label has the labels vein; expected those of none, foreground" in refusal(folder)


def test_numbers_that_were_not_measured_are_none(make_placement: Make, contest: dict[str, Any]) -> None:
    absent = dict.fromkeys(("removal_low", "removal_high", "joint_cost"))
    contest["sites"] = [site | absent for site in contest["sites"]]
    contest["comparisons"][0]["smallest_difference"] = None
    contest["seed_noise"] = {"deviation": None, "range_of_difference": None, "trainings": 1}
    contents = read_placement_contents(make_placement(**contest))
    assert {(site.removal, site.joint_cost) for site in contents.sites} == {(None, None)}
    assert contents.comparisons[0].smallest_difference is None
    assert contents.seed_noise is not None
    assert contents.seed_noise.deviation != contents.seed_noise.deviation  # nan
