"""The tables of a job's report: what is in the record is in them, and `compare` finds the same from the scores."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from comparison.reading.test_nnunet import compare_paths
from comparison.reading.test_runs import write_job
from focalseg.comparison.tables import escape_latex
from focalseg.errors import SettingError
from focalseg.records.placement import JobRecord
from focalseg.records.record import read_record
from focalseg.records.seals import open_seal
from focalseg.report.placement.page import write_report
from focalseg.report.placement.reading import read_placement_contents
from focalseg.report.placement.tables import format_arms, format_latex_arms, format_test_scores
from study.running.test_scores import FORMULAS

TABLES = ("arms.csv", "arms.tex", "cases.csv")


def write_tables(out: Path, **options: Any) -> tuple[JobRecord, dict[str, str]]:
    """A job and its tables, without the page."""
    record = write_job(out, shift=0.15, **options)
    scores = format_test_scores(out, record, record.arms)
    assert scores is not None
    (out / "report").mkdir()
    (out / "report" / "cases.csv").write_text(scores, encoding="utf-8", newline="")
    return record, {
        "arms.csv": format_arms(record, record.arms),
        "arms.tex": format_latex_arms(record, record.arms),
        "cases.csv": scores,
    }


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, JobRecord, dict[str, str]]:
    """A job that no test changes, with its record and its tables."""
    out = tmp_path_factory.mktemp("job") / "out"
    return out, *write_tables(out)


def read_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("named", [True, False])
def test_the_table_of_scores_gives_compare_what_place_found_to_the_last_digit(tmp_path, named):
    record, _ = write_tables(tmp_path / "out", placed=(True, False, True), named=named)
    for metric in (None, "hd95", "nsd"):
        # A table does not say what its folds share, and this job has none that share anything.
        table = tmp_path / "out" / "report" / "cases.csv"
        found = compare_paths(table, groups=None, metric=metric, claim="data_set")
        assert list(found.systems) == ["none", "all", "placed"]
        for pair in found.comparisons:
            if metric is None:
                expected = record.find_comparison(pair.other, "none")
                mean = expected.dice
            else:
                wanted = (pair.other, "none", metric)
                (expected,) = (one for one in record.distance_differences if (one.one, one.other, one.score) == wanted)
                mean = expected.mean
            assert (pair.difference.mean, pair.difference.low, pair.difference.high) == (mean, expected.low, expected.high)
            assert pair.p_value == expected.p_value
            assert mean != 0


def test_every_test_score_of_every_training_has_its_line(job):
    out, _, tables = job
    rows = read_rows(tables["cases.csv"])
    assert len(rows) == 3 * 3 * 3 * 8  # arms, folds, seeds, cases; no validation case
    assert len({(row["system"], row["fold"], row["seed"], row["case"]) for row in rows}) == len(rows)
    own = read_rows((out / "runs" / "placed" / "fold_3" / "seed_8" / "cases.csv").read_text())
    expected = {row["case"]: row for row in own if row["part"] == "test"}
    found = [row for row in rows if (row["system"], row["fold"], row["seed"]) == ("placed", "3", "8")]
    for row in found:
        same = {name: value for name, value in row.items() if name in expected[row["case"]]}
        assert same == {name: value for name, value in expected[row["case"]].items() if name != "part"}
        assert (row["unit"], float(row["tolerance"])) == ("mm", 2.0)


def test_the_table_of_arms_has_the_record_s_numbers_to_the_last_digit(job):
    _, record, tables = job
    for row in read_rows(tables["arms.csv"]):
        arm = record.arms[row["arm"]]
        ends = ("", "_low", "_high")
        assert tuple(float(row[f"dice{end}"]) for end in ends) == (arm.dice, arm.low, arm.high)
        for score in ("iou", "precision", "recall"):
            assert float(row[score]) == getattr(arm, score) == arm.intervals[score].mean
            assert float(row[f"{score}_low"]) == arm.intervals[score].low
        for score, found in arm.distances.list_scores():
            assert tuple(float(row[score + end]) for end in ends) == (found.mean, found.low, found.high)
        assert (int(row["modules"]), int(row["parameters"]), row["unit"]) == (arm.modules, arm.parameters, "mm")
        pair = record.find_comparison(row["arm"], "none")
        assert row["minus_none"] == ("" if pair is None else repr(pair.dice))
        assert row["endpoint"] == "dice_with_object"
        for name in ("with_object", "missed"):
            found = record.strata[name].arms[row["arm"]]
            assert tuple(float(row[f"{name}{end}"]) for end in ends) == (found.value, found.low, found.high)
            assert int(row[f"{name}_cases"]) == found.cases
        change = record.strata["missed"].find(row["arm"], "none")
        assert row["missed_minus_none"] == ("" if change is None else repr(change.value))
        assert row["left_empty"] == row["tuned"] == ""  # every case has the object, and no threshold was tuned


def test_the_latex_table_has_three_digits_and_needs_no_package(job):
    _, record, tables = job
    lines = tables["arms.tex"].splitlines()
    assert lines[0] == r"\begin{tabular}{lccccccc}"
    assert lines[2] == (
        r"Attention & Dice [95\,\% CI] & Missed, \% [95\,\% CI] & "
        r"NSD at 2\,mm [95\,\% CI] & HD95, mm [95\,\% CI] & ASSD, mm [95\,\% CI] & Modules & "
        r"Parameters \\"
    )
    for line, (name, arm) in zip(lines[4:7], record.arms.items(), strict=True):
        cells = line.removesuffix(r" \\").split(" & ")
        assert (cells[0], cells[6]) == (name, str(arm.modules))
        expected = [arm.dice, arm.low, arm.high, arm.distances.nsd.mean, arm.distances.nsd.low, arm.distances.nsd.high]
        assert re.findall(r"[\d.]+", f"{cells[1]} {cells[3]}") == [f"{value:.3f}" for value in expected]
        missed = record.strata["missed"].arms[name]
        assert re.findall(r"[\d.]+", cells[2]) == [f"{100 * end:.1f}" for end in (missed.value, missed.low, missed.high)]
    assert set(re.findall(r"\\[a-z]+", tables["arms.tex"])) == {r"\begin", r"\hline", r"\end"}


def test_where_cases_lack_the_object_the_latex_table_has_both_means(make_placement, made_strata):
    contents = read_placement_contents(make_placement(**made_strata))
    lines = format_latex_arms(contents.record, contents.arms).splitlines()
    assert lines[2] == (
        r"Attention & Dice with the object [95\,\% CI] & Missed, \% [95\,\% CI] & Left empty, \% [95\,\% CI] & "
        r"Dice, all cases [95\,\% CI] & Modules & Parameters \\"
    )
    assert lines[4].startswith(
        "none & $0.596$ [$0.546$, $0.646$] & $9.0$ [$7.0$, $11.0$] & $49.0$ [$43.0$, $55.0$] & $0.658$ ["
    )


@pytest.mark.parametrize("name", [*FORMULAS, r"\input{x}", "a&b\\\\", "50% _of_ $x^2$ {~}", "two\nlines"])
def test_no_name_of_an_arm_is_a_formula_or_a_command(job, name):
    _, record, _ = job
    arms = {**record.arms, name: record.arms["all"]}
    text = format_latex_arms(record, arms)
    assert len(text.splitlines()) == 6 + len(arms)
    assert text.splitlines()[7].startswith(f"{escape_latex(name)} & $")
    assert not re.search(r"(?<!\\)[%&#_](?! )", text.splitlines()[7].split(" & $")[0])
    for row in csv.reader(format_arms(record, arms).splitlines()):
        assert row[0][:1] not in set("=+-@\t\r")


def test_a_training_that_is_gone_leaves_no_table_of_scores_and_an_altered_one_is_named(tmp_path):
    record = write_job(tmp_path / "out", shift=0.1)
    run = tmp_path / "out" / "runs" / "all" / "fold_3" / "seed_8"
    scores = (run / "cases.csv").read_text()
    (run / "cases.csv").write_text(scores.replace("0.", "1.", 1))
    with pytest.raises(SettingError, match="cases.csv"):
        format_test_scores(tmp_path / "out", record, record.arms)
    (run / "result.json").unlink()
    assert format_test_scores(tmp_path / "out", record, record.arms) is None


@pytest.mark.slow
def test_the_report_writes_its_tables_beside_the_page_and_takes_back_what_no_longer_holds(tmp_path):
    out = tmp_path / "out"
    write_job(out, shift=0.1)
    folder = write_report(out).parent
    first = {name: (folder / name).read_bytes() for name in TABLES}
    page = write_report(out).read_text(encoding="utf-8")
    assert {name: (folder / name).read_bytes() for name in TABLES} == first
    for name in TABLES:
        assert f"report/{name}" in page
    (out / "runs" / "all" / "fold_3" / "seed_8" / "result.json").unlink()
    page = write_report(out).read_text(encoding="utf-8")
    assert not (folder / "cases.csv").exists()
    assert "report/cases.csv" not in page
    assert (folder / "arms.csv").read_bytes() == first["arms.csv"]


def test_a_record_of_before_distances_were_measured_has_tables_without_them(job, tmp_path):
    content = open_seal(json.loads((job[0] / "placement.json").read_text()))
    for name in ("distance_differences", "runs", "strata", "by_size", "endpoint", "rescue", "difference_all_cases"):
        del content[name]
    for arm in content["arms"].values():
        del arm["distances"], arm["intervals"]
    (tmp_path / "placement.json").write_text(json.dumps(content))
    record = read_record(JobRecord, tmp_path / "placement.json")
    assert r"Attention & Dice [95\,\% CI] & Modules & Parameters \\" in format_latex_arms(record, record.arms)
    row = read_rows(format_arms(record, record.arms))[2]
    assert (row["hd95"], row["unit"], row["iou_low"]) == ("", "", "")
    assert float(row["iou"]) == record.arms["placed"].iou
