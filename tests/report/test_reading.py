"""Folders that are none of ours, and files of ours that were damaged: an error that names them, and no page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.errors import SettingError
from focalseg.report.page import write_report

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
        ({"sites": [{"site": "encoder.99"}]}, "has the site 'encoder.99'; expected one of a U-Net"),
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
    assert "has the site 'skip.7'; the runs' U-Net has levels 0 to 1." in refusal(make_placement(sites=[site]))


def test_examples_cut_short(make_placement: Make) -> None:
    folder = make_placement()
    path = folder / "examples.npz"
    path.write_bytes(path.read_bytes()[:-200])
    assert str(path) in refusal(folder)


@pytest.mark.parametrize("name", ["result.json", "cases.csv", "config.yaml", "metrics.csv", "evidence.json"])
def test_a_damaged_file_of_a_run(make_run: Make, name: str) -> None:
    folder = make_run()
    (folder / name).write_text("step,loss\nx,y\n", encoding="utf-8")
    assert str(folder) in refusal(folder)


def test_a_missing_count_in_a_run_is_no_traceback(make_run: Make) -> None:
    folder = make_run()
    (folder / "result.json").write_text(json.dumps({"modules": 3}), encoding="utf-8")
    assert str(folder / "result.json") in refusal(folder)
