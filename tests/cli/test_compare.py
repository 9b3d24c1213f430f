"""`focalseg compare` as from a shell: what it prints and writes, and what becomes of a fault."""

import json
import re
import subprocess
import sys

import pytest

from comparison.made_results import CASES, PATIENTS, draw_dice, write_csv, write_nnunet
from focalseg.comparison.comparing import compare

EXPECTED_COMPARISON = {
    "one", "other", "verdict", "difference", "p_value", "holm_p", "smallest_difference", "sentence", "as_good", "needed",
    "silent", "extremes",
}  # fmt: skip


@pytest.fixture
def results(tmp_path):
    """Result folders of three trainers."""
    return [write_nnunet(tmp_path / name, draw_dice(seed=seed, shift=0.03 * seed)) for seed, name in enumerate("abc")]


def test_json_has_the_fields_that_are_promised_and_nothing_stands_beside_it(focalseg, results):
    done = focalseg("compare", *results, "--group-pattern", "patient([0-9]+)", "--json")
    assert (done.status, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["schema"] == 1
    assert list(found["systems"]) == ["a", "b", "c"]
    assert all({"mean", "low", "high", "cases", "trainings"} <= set(system) for system in found["systems"].values())
    assert [(one["one"], one["other"]) for one in found["comparisons"]] == [("a", "b"), ("a", "c")]
    assert set(found["comparisons"][0]) == EXPECTED_COMPARISON
    assert set(found["comparisons"][0]["difference"]) == {"mean", "low", "high"}
    assert found["left_out"] == []
    assert found["systems"]["a"]["groups"] == 25


def test_text_ends_with_all_that_a_person_needs(focalseg, results):
    done = focalseg("compare", *results, "--margin", "0.01", "--claim", "data_set")
    assert (done.status, done.err) == (0, "")
    first = done.out.splitlines()[0]
    assert first.startswith("b is better than a: its Dice minus that of a is +0.0")
    assert "But b may lose some groups altogether: 0 of 50 here, so that up to 7.1 % of them may be." in first
    assert "is shown to be at most 0.1 worse" in focalseg("compare", *results, "--margin", "0.1", "--claim", "data_set").out
    number = r"0\.0\d\d"
    line = rf"^c - a: {number} \[{number}, {number}\], p .*, Holm p .*, smallest to be seen {number}$"
    assert re.search(line, done.out, re.MULTILINE)
    assert "note: One training of every fold per system" in done.out
    assert "note: No groups are known" in done.out
    assert "methods: Dice was compared on 50 test cases with 1 training per system and fold" in done.out
    assert "coverage: One training of each of five folds: in simulations with a known truth" in done.out


def test_groups_may_come_from_a_file(focalseg, results, tmp_path):
    table = write_csv(tmp_path / "groups.csv", "case,group", *(f"{case}.nii.gz,{group}" for case, group in PATIENTS.items()))
    by_file, by_pattern = (
        json.loads(focalseg("compare", *results, *option, "--json").out)["comparisons"][0]
        for option in (["--groups", table], ["--group-pattern", "patient[0-9]+"])
    )
    assert by_file["difference"] == by_pattern["difference"]
    assert by_file["p_value"] == by_pattern["p_value"]


def test_out_holds_the_page_the_record_and_tables_that_are_compared_alike(focalseg, results, tmp_path):
    out = tmp_path / "out"
    done = focalseg("compare", *results, "--group-pattern", "patient([0-9]+)", "--out", out, "--json")
    assert (done.status, done.err) == (0, "")
    assert {path.name for path in out.iterdir()} == {"index.html", "comparison.json", "systems.csv", "systems.tex", "cases.csv"}
    found = json.loads(done.out)
    assert json.loads((out / "comparison.json").read_text())["comparisons"] == found["comparisons"]
    again = json.loads(focalseg("compare", out / "cases.csv", "--json").out)
    assert again["comparisons"] == found["comparisons"]
    assert focalseg("compare", *results, "--out", out).status == 0  # its own folder is written anew


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["A", "nowhere"], 2, "No file or folder nowhere; expected a result folder or summary.json of nnU-Net"),
        (["A"], 2, "1 system to compare; expected two or more"),
        (["A", "B", "--metric", "HD95"], 2, "have no metric 'HD95'; expected one of Dice"),
        (["A", "B", "--margin", "-1"], 2, "margin was -1.0; expected a positive number"),
        (["A", "B", "--better", "lower"], 2, "--better was lower, and of Dice higher is better; expected higher."),
        (["A", "B", "--group-pattern", "subject"], 2, "finds nothing in 50 of 50 names"),
        (["A", "B", "--group-pattern", "x", "--groups", "GROUPS"], 2, "expected one of the two. Leave one out."),
        (["A", "B", "--groups", "GROUPS"], 3, "49 cases of 50 without a group"),
        (["A", "B", "--empty", "two"], 2, "'two' is not one of"),
        (["A", "B", "--out", "FULL"], 2, "is not empty and was not made by focalseg compare"),
        (["A", "TEXT"], 3, "line 2 has 'good' as score; expected a finite number."),
        (["A", "TWICE"], 3, "line 3 has the case x again"),
        (["A", "HOLLOW"], 3, "has no lines below its header"),
        (["A", "OTHERS"], 3, "The systems have no case in common"),
    ],
)
def test_a_fault_is_one_line_with_its_mend_and_nothing_is_written(focalseg, results, tmp_path, arguments, status, expected):
    files = {
        "GROUPS": write_csv(tmp_path / "groups.csv", "case,group", f"{CASES[0]},p"),
        "TEXT": write_csv(tmp_path / "text.csv", "case,score", "x,good"),
        "TWICE": write_csv(tmp_path / "twice.csv", "case,score", "x,0.5", "x,0.6"),
        "HOLLOW": write_csv(tmp_path / "hollow.csv", "case,score"),
        "OTHERS": write_csv(tmp_path / "others.csv", "case,score", "x,0.5", "y,0.6"),
        "A": results[0],
        "B": results[1],
        "FULL": tmp_path,
    }
    before = sorted(tmp_path.rglob("*"))
    out = [] if "--out" in arguments else ["--out", tmp_path / "new"]
    done = focalseg("compare", *(files.get(word, word) for word in arguments), *out)
    assert (done.status, done.out) == (status, "")
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("error: ")
    assert expected in done.err
    assert sorted(tmp_path.rglob("*")) == before


def test_python_and_the_command_line_say_the_same(focalseg, results):
    done = json.loads(focalseg("compare", *results[:2], "--json").out)
    tables = {
        name: {case: scores["1"] for case, scores in draw_dice(seed=seed, shift=0.03 * seed).items()}
        for seed, name in enumerate("ab")
    }
    number = {case: place % 5 for place, case in enumerate(CASES)}
    found = compare(tables, folds=number, metric="Dice")
    assert done["comparisons"][0]["difference"]["low"] == found.comparisons[0].difference.low
    assert done["sentence"] == found.sentence


def test_comparing_from_a_shell_loads_nothing_that_takes_long(results):
    """Half a second of processor time is promised, and numpy with typer takes most of it."""
    script = f"""
import sys
from focalseg.cli.main import main
sys.argv[1:] = ["compare", {str(results[0])!r}, {str(results[1])!r}, "--margin", "0.01", "--better", "higher"]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
late = {{"torch", "scipy", "matplotlib", "jinja2", "nibabel", "pydantic", "rich", "numpy.ma", "focalseg.records.placement"}}
loaded = late & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
