"""A comparison as tables: read again they say the same, and no name in them runs."""

import csv
import io

import pytest

import focalseg
from focalseg.comparison.comparing import compare_systems
from focalseg.comparison.settings import ComparisonSettings
from focalseg.comparison.systems import WHOLE, System, Training
from focalseg.comparison.tables import escape_latex, format_cases, format_latex, format_systems

ONE = {"=x": 0.5, "b,c": 0.6, "d": 0.75, "e": 0.25}


def found(name: str = "gated"):
    systems = [
        System(name=title, trainings=(Training(scores={case: {WHOLE: score + gain} for case, score in ONE.items()}),))
        for title, gain in (("plain", 0.0), (name, 0.125))
    ]
    return compare_systems(systems, ComparisonSettings(metric="dice"))


def test_a_line_per_system_holds_the_numbers_of_the_record():
    record = found().record
    rows = list(csv.DictReader(io.StringIO(format_systems(record))))
    assert [row["system"] for row in rows] == ["plain", "gated"]
    assert rows[0]["difference"] == ""
    assert float(rows[1]["difference"]) == record.comparisons[0].difference.mean == 0.125
    assert float(rows[1]["low"]) == record.systems["gated"].low
    assert rows[1]["verdict"] == "better"


def test_every_score_stands_there_with_all_its_digits_and_no_formula():
    rows = list(csv.reader(io.StringIO(format_cases(found().paired, "dice"))))
    assert rows[0] == ["system", "case", "group", "fold", "seed", "dice"]
    assert rows[1] == ["plain", "'=x", "'=x", "", "0", "0.5"]
    assert len(rows) == 1 + 2 * 4


def test_latex_shows_the_names_and_runs_nothing_of_them():
    text = format_latex(found(r"\input{/etc/passwd} & 100%_x").record)
    assert r"\textbackslash{}input\{/etc/passwd\} \& 100\%\_x & $0.650$ [" in text
    assert text.count(r"\\") == 3
    assert "$+0.125$" in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a_b", r"a\_b"),
        ("50%", r"50\%"),
        ("\\x", r"\textbackslash{}x"),
        ("a\nb", "a b"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
    ],
)
def test_every_sign_that_latex_takes_for_its_own_is_escaped(given, shown):
    assert escape_latex(given) == shown


def test_what_nothing_bounds_is_said_to_be_unknown():
    record = focalseg.compare(
        {"a": {"x": 1.0, "y": 30.0}, "b": {"x": 3.0, "y": 31.0}}, groups={"x": "p", "y": "p"}, better="lower"
    )
    assert "[unknown, unknown]" in format_latex(record)
    assert ",," in format_systems(record)
