"""What other programs make of names that we write: text, and nothing else."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalseg.records.escapes import escape_cell, format_table, read_cell, show_markdown

PARTS = st.text(st.sampled_from("=+-@'\t\r\n ;,\"a0\uff1d") | st.characters(), max_size=8)


@given(PARTS)
def test_every_cell_reads_back_and_none_begins_a_formula(text):
    cell = escape_cell(text)
    assert read_cell(cell) == text
    for part in re.split(r"[;,\t\r\n]", cell):
        assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", part)


@given(st.lists(st.lists(PARTS, min_size=2, max_size=2), max_size=4))
def test_every_table_reads_back(rows):
    read = list(csv.reader(io.StringIO(format_table(rows), newline="")))
    assert [[read_cell(cell) for cell in row] for row in read] == rows


def test_numbers_stay_numbers():
    assert format_table([("a", -0.5, 3, "-0.5")]) == "a,-0.5,3,'-0.5\n"


@pytest.mark.parametrize("text", ["case_01", "case-1", "5", "1e-3", "a=b", "d'or", "'quoted'", ""])
def test_ordinary_names_stay_as_they_are(text):
    assert escape_cell(text) == text
    assert read_cell(text) == text


HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) `a` **b** | c\n# d http://e $f$ ~~g~~ &lt; ![h](i)"


def test_no_markup_is_left_of_a_name_in_markdown():
    shown = show_markdown(HOSTILE)
    assert shown.isprintable()
    assert "<" not in shown
    assert "://" not in shown
    assert not re.search(r"(?<!\\)[`*\[\]()|#~$!]", shown)
    assert re.sub(r"\\(.)", r"\1", shown).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == HOSTILE.replace(
        "\n", " "
    )
    assert show_markdown("_a_b_ label_1") == "\\_a_b\\_ label_1"
    assert show_markdown("U-Net, widths 4-8-16") == "U-Net, widths 4-8-16"
