"""`focalseg evaluate` of two folders of masks as from a shell: what it prints and writes, and what becomes of a fault."""

import csv
import json
import math
import re
import signal
import subprocess
import sys

import pytest

from evaluation.masks.made_masks import draw_cases, write_both, write_pictures
from focalseg.evaluation.masks.evaluating import evaluate

PROGRESS = ("reading masks: ", "scoring: ")
"""What a slow machine says on the way."""
FILES = {"index.html", "evaluation.json", "cases.csv", "summary.csv", "summary.tex"}


def drop_progress(said):
    """What was said besides of how far it is."""
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith(PROGRESS))


@pytest.fixture
def folders(tmp_path):
    """Predictions and true masks of eight cases."""
    return write_both(tmp_path)


def test_json_has_the_fields_that_are_promised_and_nothing_stands_beside_it(focalseg, folders):
    done = focalseg("evaluate", *folders, "--group-pattern", "patient([0-9]+)", "--json")
    assert (done.status, drop_progress(done.err)) == (0, "")
    found = json.loads(done.out)
    assert {"case", "label", "group", "dice", "iou", "hd95", "nsd", "true_pixels", "predicted_pixels"} <= set(found["cases"][0])
    assert len(found["cases"]) == 8
    dice = found["summary"]["dice"]
    assert {"mean", "low", "high", "counted", "left_out", "both_empty", "one_empty", "empty", "labels"} == set(dice)
    assert dice["empty"] == "one"
    assert (found["groups"], found["unit"]) == (4, "pixels")


def test_text_begins_with_the_answer_and_names_the_worst_cases(focalseg, folders):
    done = focalseg("evaluate", *folders, "--empty", "leave-out")
    assert (done.status, drop_progress(done.err)) == (0, "")
    lines = done.out.splitlines()
    number = r"\d\.\d{3}"
    assert re.match(
        rf"Mean Dice {number} \(95 % interval {number} to {number}\) on 8 cases, 1 of them left out; both masks empty in 1, "
        r"one of them in 2 \(--empty leave-out\)\. ",
        lines[0],
    )
    assert "of the objects" in lines[0]
    assert re.search(rf"^  foreground  Dice +{number} \[{number}, {number}\] +7 +1 +1 +2$", done.out, re.MULTILINE)
    assert re.search(r"^ +HD95 \(pixels\) .* +5 +3 +1 +2$", done.out, re.MULTILINE)
    worst = lines.index("worst first")
    assert lines[worst + 1].startswith("  0.000  patient1_2: nothing predicted of ")
    assert sum(line.startswith("  ") for line in lines[worst:]) == 5
    assert any(line.startswith("note: Intervals speak of new cases for these predictions") for line in lines)
    assert any(line.startswith("empty masks (--empty leave-out): what empty masks leave undefined stays out") for line in lines)


def test_out_holds_the_page_the_record_and_the_tables(focalseg, folders, tmp_path):
    out = tmp_path / "out"
    done = focalseg("evaluate", *folders, "--out", out)
    assert done.status == 0
    assert done.out.splitlines()[-1] == f"page: {out}/index.html"
    assert {path.name for path in out.iterdir()} == FILES
    with (out / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = evaluate(*folders)
    assert [float(row["dice"]) for row in rows] == [case.dice for case in found.cases]
    with (out / "summary.csv").open() as file:
        means = {row["score"]: row for row in csv.DictReader(file)}
    assert float(means["dice"]["mean"]) == found.summary["dice"].mean
    assert means["dice"]["both_empty"] == "1"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert focalseg("evaluate", *folders, "--out", out).status == 0  # its own folder is written anew, to the same bytes
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("empty", ["one", "zero", "leave-out"])
def test_compare_reads_what_evaluate_wrote_with_every_policy(focalseg, tmp_path, empty):
    outs = []
    for name, seed in (("plain", 0), ("gated", 1)):
        folders = write_both(tmp_path / name, draw_cases(seed=0))
        write_pictures(folders[0], {case: one for case, (one, _) in draw_cases(seed=seed).items()})
        outs.append(tmp_path / name / "out")
        assert focalseg("evaluate", *folders, "--empty", empty, "--out", outs[-1]).status == 0
    means = [json.loads((out / "evaluation.json").read_text())["summary"]["dice"]["mean"] for out in outs]
    for given in (outs, [out / "cases.csv" for out in outs]):
        done = focalseg("compare", *(f"{name}={path}" for name, path in zip(("plain", "gated"), given, strict=True)),
                        "--empty", empty, "--json")  # fmt: skip
        assert (done.status, drop_progress(done.err)) == (0, "")
        systems = json.loads(done.out)["systems"]
        assert systems["plain"]["mean"] == pytest.approx(means[0], abs=1e-12)
        assert systems["gated"]["mean"] == pytest.approx(means[1], abs=1e-12)
    for metric in ("hd95", "nsd", "iou", "assd", "masd", "volume_difference"):
        done = focalseg("compare", *outs, "--metric", metric, "--json")
        assert done.status == 0, done.err
        assert json.loads(done.out)["better"] == ("higher" if metric in ("nsd", "iou") else "lower")


def test_the_mean_over_labels_is_the_one_that_compare_makes(focalseg, tmp_path):
    import numpy as np

    random = np.random.default_rng(0)
    masks = {f"c{number}": random.integers(0, 3, (16, 16)) for number in range(6)}
    true = write_pictures(tmp_path / "true", masks)
    for name, step in (("a", 1), ("b", 2)):
        predicted = write_pictures(tmp_path / name, {case: np.roll(mask, step, axis=0) for case, mask in masks.items()})
        assert focalseg("evaluate", predicted, true, "--out", tmp_path / f"{name}_out").status == 0
    done = json.loads(focalseg("compare", f"a={tmp_path / 'a_out'}", f"b={tmp_path / 'b_out'}", "--json").out)
    own = json.loads((tmp_path / "a_out" / "evaluation.json").read_text())["summary"]["dice"]
    assert done["systems"]["a"]["mean"] == pytest.approx(own["mean"], abs=1e-12)
    assert done["systems"]["a"]["low"] == pytest.approx(own["low"], abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["nowhere", "TRUE"], 2, "No folder nowhere; expected a folder of masks"),
        (["TRUE", "TRUE"], 2, "is both the predictions and the reference"),
        (["PREDICTED", "phantom:local"], 2, "is made when it is needed and has no files"),
        (["PREDICTED", "TRUE", "--spacing", "thin"], 2, "--spacing was 'thin'; expected the size of a pixel in mm"),
        (["PREDICTED", "TRUE", "--empty", "two"], 2, "'two' is not one of"),
        (["PREDICTED", "TRUE", "--device", "cpu"], 2, "--device: "),
        (["PREDICTED", "TRUE", "--groups", "GROUPS"], 3, "7 cases of 8 without a group"),
        (["PREDICTED", "TRUE", "--groups", "GROUPS", "--group-pattern", "x"], 2, "expected one of the two. Leave one out."),
        (["PREDICTED", "TRUE", "--label", "=1"], 2, "The label was '=1'"),
        (["PREDICTED", "TRUE", "--out", "FULL"], 2, "is not empty and was not made by focalseg evaluate"),
        (["PREDICTED", "TRUE", "--out", "TRUE"], 2, "is not empty and was not made by focalseg evaluate"),
        (["PREDICTED", "TRUE", "--out", "BELOW"], 2, "groups.csv is a file; expected a folder that may be written to."),
        (["PREDICTED", "TRUE", "--out", "WITHIN"], 2, "which is never written to"),
        (["HOLLOW", "TRUE"], 3, "holds no masks"),
        (["MODEL", "TRUE", "--empty", "one"], 2, "--empty: "),
    ],
)
def test_a_fault_is_one_line_with_its_mend_and_nothing_is_written(focalseg, folders, tmp_path, arguments, status, expected):
    full, hollow, model = (tmp_path / name for name in ("full", "hollow", "model"))
    for folder in (full, hollow, model):
        folder.mkdir()
    (full / "mine.txt").write_text("mine")
    (model / "placement.json").write_text("{}")
    (tmp_path / "groups.csv").write_text("case,group\npatient0_0,p\n")
    files = {
        "PREDICTED": folders[0], "TRUE": folders[1], "FULL": full, "HOLLOW": hollow, "MODEL": model,
        "GROUPS": tmp_path / "groups.csv", "WITHIN": folders[0] / "scores", "BELOW": tmp_path / "groups.csv" / "scores",
    }  # fmt: skip
    before = sorted(tmp_path.rglob("*"))
    out = [] if "--out" in arguments else ["--out", tmp_path / "new"]
    done = focalseg("evaluate", *(files.get(word, word) for word in arguments), *out)
    assert (done.status, done.out) == (status, "")
    (line,) = drop_progress(done.err).splitlines()
    assert line.startswith("error: ")
    assert expected in line
    assert sorted(tmp_path.rglob("*")) == before


def test_python_and_the_command_line_say_the_same(focalseg, folders):
    done = json.loads(focalseg("evaluate", *folders, "--json").out)
    assert done == json.loads(json.dumps(evaluate(*folders).to_json()))
    assert all(value is None or math.isfinite(value) for value in done["cases"][0].values() if not isinstance(value, str))


def test_evaluating_from_a_shell_loads_no_torch(folders):
    script = f"""
import sys
from focalseg.cli.main import main
sys.argv[1:] = ["evaluate", {str(folders[0])!r}, {str(folders[1])!r}]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
loaded = {{"torch", "scipy.stats", "scipy.ndimage", "matplotlib", "jinja2"}} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, drop_progress(done.stderr)) == (0, "")


def test_a_signal_ends_it_and_promises_nothing(focalseg, monkeypatch, tmp_path):
    folders = write_both(tmp_path, draw_cases(seed=0))

    def stop(*_, **__):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("focalseg.evaluation.masks.evaluating.evaluate_masks", stop)
    done = focalseg("evaluate", *folders, "--out", tmp_path / "out")
    assert (done.status, done.err) == (143, "error: Stopped by a signal. Run the same command again; it begins anew.\n")
    assert not (tmp_path / "out").exists()
