"""Folders that are none of ours, and files of ours that were damaged: an error that names them, and no page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.errors import SettingError
from focalseg.report.page import write_report
from focalseg.report.reading import read_placement_contents

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


def test_arms_besides_the_three_are_read_after_them_and_shown_in_the_table(make_placement):
    folder = make_placement()
    content = json.loads((folder / "placement.json").read_text())
    arms = {"wider": content["arms"]["none"] | {"parameters": 30123}, **content["arms"]}
    (folder / "placement.json").write_text(json.dumps(content | {"arms": arms}))
    contents = read_placement_contents(folder)
    assert [arm.name for arm in contents.arms] == ["none", "all", "placed", "wider"]
    assert contents.arm("wider").parameters == 30123
    assert 'class="arm-wider">wider</th>' in write_report(folder).read_text(encoding="utf-8")
