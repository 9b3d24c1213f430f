"""Folders that are none of ours, and files of ours that were damaged: an error that names them, and no page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.errors import SettingError
from focalseg.records.placement import SeedNoise
from focalseg.report.placement.page import write_report
from focalseg.report.placement.reading import read_placement_contents

Make = Callable[..., Path]

EXPECTED = "expected a folder that `focalseg place`, `focalseg demo` or `focalseg train` filled"
SITE = {"site": "encoder.0", "gate": "se", "gamma": 1.0, "removal_cost": 0.0, "spread": 0.0, "kept": True, "why": ""}
COUNTS = {"parameters": 1, "flops": 1, "seconds": 1}


def only(site: str, gate: str = "se") -> dict[str, Any]:
    """What placement.json says of one site and no other."""
    return {
        "sites": [SITE | {"site": site, "gate": gate}],
        "costs": {"sites": [{"site": site, "gate": "se", **COUNTS}], **COUNTS},
    }


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
        f"{folder / 'placement.json'}: schema was 2; this version reads 1. "
        "Restore the file, or run the command that made the folder again."
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verdict": "maybe"}, "verdict was 'maybe'; expected one of helps, no_difference_shown, harms"),
        ({"sentence": 3}, "sentence was 3; expected text"),
        ({"difference": {"dice": "high", "low": 0, "high": 1}}, "difference.dice was 'high'; expected a number"),
        (
            {"difference": {"dice": 2, "low": 0, "high": 1}},
            "difference.dice was 2.0, from low 0.0 to high 1.0; expected a mean within its interval",
        ),
        ({"difference": {"dice": float("nan"), "low": 0, "high": 1}}, "cannot be read (NaN is no number)"),
        ({"arms": {}}, "arms.none is missing; expected fields as `name: value`"),
        ({"sites": {}}, "sites was {}; expected a list"),
        ({"sites": [3]}, "sites[0] was 3; expected fields as `name: value`"),
        (only(""), "sites[0].site was a text ''; expected a name of 1 to 120 characters"),
        (
            only("x" * 121),
            "sites[0].site was a text of 121 characters; expected a name of 1 to 120 characters",
        ),
        ({"sites": [{"site": 7}]}, "sites[0].site was 7; expected text"),
        (
            only("encoder.0", "x"),
            "sites[0].gate was 'x'; expected se, eca, spatial, scse, cbam, ag, focus, own",
        ),
        ({"costs": None}, "placement.json: costs was None; expected fields as `name: value`"),
        ({"costs": {}}, "The field costs.sites is missing; give it a value"),
        (
            {"costs": {"sites": [{"site": "a", "gate": "se"}]}},
            "The field costs.sites[0].parameters is missing; give it a value",
        ),
        (
            {"costs": {"sites": [], "parameters": 1, "flops": 1, "seconds": -1}},
            "costs.seconds was -1.0; expected a finite number at least 0",
        ),
        ({"costs": {"sites": [], "parameters": 1, "flops": 1, "seconds": 1}}, "costs.sites has no cost of 'encoder.0'"),
        ({"dead_sites": []}, "dead_sites was (); expected `name: value` lines"),
        ({"dead_sites": {"a": 3}}, "dead_sites was {'a': 3}; expected `name: value` lines, each value text"),
        ({"dead_sites": {"": "dead"}}, "a name in dead_sites was a text ''; expected a name of 1 to 120 characters"),
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
    folder = make_placement(**only("skip.7", "ag"))
    assert "has the site 'skip.7'; the runs' U-Net has levels 0 to 1." in refusal(folder)


def test_a_site_that_our_network_does_not_have(make_placement: Make, own: dict[str, Any]) -> None:
    folder = make_placement(found=own["found"])
    assert "has the site 'layer1.0'; the runs' U-Net has levels 0 to 1." in refusal(folder)


def test_a_site_named_twice(make_placement: Make) -> None:
    folder = make_placement(sites=[SITE, SITE])
    assert "sites[1].site was 'encoder.0' once more; expected each site once." in refusal(folder)


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
    assert [*contents.arms] == ["none", "all", "placed", "wider"]
    assert contents.arms["wider"].parameters == 30123
    assert ">wider plain network, no attention</th>" in write_report(folder).read_text(encoding="utf-8")


COMPARISON = {"one": "placed", "other": "none", "dice": 0.1, "low": 0.0, "high": 0.2, "holm_p": 0.5}
CLAIM = {"of": "placed", "to": "all", "margin": 0.01, "bound": 0.0, "shown": True}
FOLD = {"fold": 0, "kept": {}, "shut": [], "difference": {"dice": 0.1, "low": 0.0, "high": 0.2}}
NOISE = {"deviation": 0.01, "range_of_difference": 0.1, "trainings": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comparisons": None}, "placement.json: comparisons was None; expected a list"),
        ({"comparisons": [COMPARISON | {"other": "nobody"}]}, "comparisons[0].other was 'nobody'; expected none, all, placed"),
        ({"comparisons": [COMPARISON | {"one": 3}]}, "comparisons[0].one was 3; expected text"),
        (
            {"comparisons": [COMPARISON | {"high": 0.05}]},
            "comparisons[0].dice was 0.1, from low 0.0 to high 0.05; expected a mean within its interval",
        ),
        (
            {"comparisons": [COMPARISON | {"holm_p": 1.5}]},
            "comparisons[0].holm_p was 1.5; expected a finite number at least 0 and at most 1",
        ),
        (
            {"comparisons": [COMPARISON | {"smallest_difference": -1}]},
            "comparisons[0].smallest_difference was -1.0; expected a finite number at least 0",
        ),
        ({"comparisons": [COMPARISON | {"collapsed": 1}]}, "comparisons[0].collapsed was 1; expected true or false"),
        ({"search": {"collapsed": 1}}, "The field search.trainings is missing; give it a value"),
        ({"non_inferiority": CLAIM | {"of": "none"}}, "non_inferiority.of was 'none'; expected one of placed"),
        ({"non_inferiority": CLAIM | {"bound": None}}, "non_inferiority.bound was None; expected a number"),
        ({"non_inferiority": CLAIM | {"shown": "yes"}}, "non_inferiority.shown was 'yes'; expected true or false"),
        ({"seed_noise": NOISE | {"deviation": None}}, "seed_noise.deviation was None of 2 trainings; expected a finite number"),
        ({"seed_noise": {}}, "The field seed_noise.trainings is missing; give it a value"),
        ({"folds": {}}, "folds was {}; expected a list"),
        ({"folds": [FOLD | {"kept": []}]}, "folds[0].kept was (); expected `name: value` lines"),
        ({"folds": [FOLD | {"kept": {"nowhere": "se"}}]}, "folds[0] has the site 'nowhere'; expected one of those under sites"),
        ({"folds": [FOLD | {"shut": [3]}]}, "folds[0].shut was (3,); expected a list, each item text"),
        ({"folds": [FOLD | {"shut": ["3"]}]}, "folds[0] has the site '3'; expected one of those under sites"),
        ({"folds": [FOLD | {"difference": 3}]}, "folds[0].difference was 3; expected fields as `name: value`"),
        ({"folds": [FOLD | {"fold": -1}]}, "folds[0].fold was -1; expected a finite number at least 0"),
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
            "sites[0].removal_cost was 0.251, from removal_low 0.5 to removal_high 0.6",
        ),
        ({"removal_low": 0.2}, "sites[0].removal_cost was 0.251, from removal_low 0.2 to removal_high None; expected"),
        ({"joint_cost": "dear"}, "sites[0].joint_cost was 'dear'; expected a number"),
        ({"shut": None}, "sites[0].shut was None; expected true or false"),
        ({"shut": True}, "sites[0].shut was True, and kept too; expected one of the two"),
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
    assert "arms.all.dice_per_label has the labels vein; expected those of none, foreground" in refusal(folder)


def test_numbers_that_were_not_measured_are_none(make_placement: Make, made_job: dict[str, Any]) -> None:
    absent = dict.fromkeys(("removal_low", "removal_high", "joint_cost"))
    made_job["sites"] = [site | absent for site in made_job["sites"]]
    made_job["comparisons"][0]["smallest_difference"] = None
    made_job["seed_noise"] = {"deviation": None, "range_of_difference": None, "trainings": 1}
    contents = read_placement_contents(make_placement(**made_job))
    assert {(site.removal, site.joint_cost) for site in contents.record.sites} == {(None, None)}
    assert contents.record.comparisons[0].smallest_difference is None
    assert contents.record.seed_noise == SeedNoise(deviation=None, range_of_difference=None, trainings=1)
