"""Tables are read as they are meant or refused by line; nothing but DataError comes out of any bytes."""

import csv
import io
import json
import os
import time
import tracemalloc

import numpy as np
import pytest

from focalseg.errors import DataError
from focalseg.imagesets.folders import tables
from focalseg.imagesets.folders.tables import attempt, find_column, read_csv, read_json
from imagesets.corpus.privileges import as_an_ordinary_reader
from imagesets.layouts.trees import garble
from imagesets.mutation import mutate


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="cases.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def cells(path, required=()):
    return [dict(row.cells) for row in read_csv(path, required)]


def refused(read, path, *given):
    with pytest.raises(DataError) as caught:
        read(path, *given)
    assert caught.value.findings
    assert {finding.kind for finding in caught.value.findings} <= {"bad_table", "no_permission", "not_a_file"}
    return str(caught.value).replace(f"{path.parent}/", "")


# CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_usual_way_to_write_a_table_is_read(write, delimiter, start, end):
    lines = [("id", "sequence"), ("a", "1"), ("b", "2")]
    content = start + end.join(map(delimiter.join, lines)) + end
    assert cells(write(content)) == [{"id": "a", "sequence": "1"}, {"id": "b", "sequence": "2"}]


def test_what_the_csv_module_writes_is_read_back(write):
    texts = ['a "quoted" word', "a, comma", "two\nlines", "plain", "Müller; Ärzte", ""]
    file = io.StringIO()
    writer = csv.DictWriter(file, ["id", "text"])
    writer.writeheader()
    writer.writerows({"id": number, "text": text} for number, text in enumerate(texts))
    assert [row.cells["text"] for row in read_csv(write(file.getvalue()))] == texts


def test_rows_know_their_line_after_blank_lines_and_cells_of_two_lines(write):
    rows = read_csv(write('\n\nid,text\na,"two\nlines"\n\nb,one\n,\nc,x\n'))
    assert [(row.cells["id"], row.line) for row in rows] == [("a", 4), ("b", 7), ("c", 9)]


def test_blanks_around_cells_and_an_index_without_a_name_are_left_out(write):
    assert cells(write(",frame , sequence\n0, 001, 7 \n")) == [{"frame": "001", "sequence": "7"}]


def test_required_columns_are_found_in_any_case_and_keep_the_one_asked_for(write):
    assert cells(write("Image,MASK,Age\na,b,5\n"), ("image", "mask")) == [{"image": "a", "mask": "b", "Age": "5"}]


def test_a_column_is_found_by_the_first_of_several_names(write):
    rows = read_csv(write("ID,Patient,sequence\na,p,s\n"))
    assert find_column(rows, ("group", "patient", "sequence")) == "Patient"
    assert find_column(rows, ("video",)) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cases.csv: is empty; expected the columns id, group. Write the header line and a line for each case."),
        ("\n\n", "cases.csv: is empty; expected the columns id, group. Write the header line and a line for each case."),
        ("id,group\n", "cases.csv: has no lines below its header; expected one line a case. Add them or remove the file."),
        (
            "id,Id,group\na,b,c\n",
            "cases.csv: has the column id twice in its header; expected columns of different names. Rename one.",
        ),
        (
            "id,subject\na,b\n",
            "cases.csv: has no column group (it has id, subject); expected the columns id, group. Add it or rename one.",
        ),
        (
            "id,group\na,1\nb\nc,1,2\n",
            "cases.csv: has 1 field in line 3; expected 2, as in its header. "
            "Mend the line; a cell with a separator in it stands in double quotes.\n"
            "cases.csv: has 3 fields in line 4; expected 2, as in its header. "
            "Mend the line; a cell with a separator in it stands in double quotes.",
        ),
        (
            "id,group\na,1\0\n",
            "cases.csv: has a NUL byte in line 2; expected text in UTF-8. Save it as CSV in UTF-8.",
        ),
        (
            "id,group\na,1\nMüller,2\n".encode("latin-1"),
            "cases.csv: has bytes that are no UTF-8 text in line 3; expected text in UTF-8. "
            "Save it again with the encoding UTF-8.",
        ),
        (
            'id,group\na,"1\nb,2\n',
            "cases.csv: cannot be read from line 2 on (unexpected end of data); expected one case a line. "
            "Mend the line, or remove the quotes that are not closed.",
        ),
        (
            "id,group\n" + "x" * 150_000 + ",1\n",
            "cases.csv: cannot be read from line 2 on (field larger than field limit (131072)); expected one case a line. "
            "Mend the line, or remove the quotes that are not closed.",
        ),
    ],
)  # fmt: skip
def test_a_table_that_breaks_a_rule_is_refused_by_line(write, content, message):
    assert refused(read_csv, write(content), ("id", "group")) == message


def test_undecodable_bytes_far_down_are_found_in_their_line(write):
    content = b"id\n" + b"abcdefgh\n" * 10_000 + b"\xff\n"
    assert "in line 10002;" in refused(read_csv, write(content))


def test_very_many_lines_at_fault_are_summed_up(write):
    message = refused(read_csv, write("a,b\n" + "1\n" * 1000)).splitlines()
    assert len(message) == tables.MOST_FAULTS
    assert "has 981 further lines of that kind" in message[-1]


@pytest.mark.slow
def test_tables_beyond_the_limits_are_refused(write):
    lines = "id\n" + "a\n" * tables.MOST_LINES
    assert "has 200,001 lines; expected at most 200,000" in refused(read_csv, write(lines))
    assert len(read_csv(write(lines.removesuffix("a\n")))) == tables.MOST_LINES - 1
    assert "has 1,001 columns" in refused(read_csv, write(",".join(map(str, range(1001))) + "\n"))
    assert "a line of 1,048,577 characters" in refused(read_csv, write("id\n" + "a" * 2**20 + "\n"))
    wide = ",".join(f"c{n}" for n in range(500)) + "\n" + ("a" + "," * 499 + "\n") * 5000
    assert "has 5,001 lines of 500 columns; expected at most 2,000,000 cells" in refused(read_csv, write(wide))


def test_a_table_of_too_many_bytes_is_refused_before_it_is_read(write, tmp_path):
    path = tmp_path / "cases.csv"
    with path.open("wb") as file:
        file.truncate(3 * tables.MOST_CSV_BYTES)
    tracemalloc.start()
    message = refused(read_csv, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message == "cases.csv: has more than 32 MiB; expected at most 32 MiB. Cut it into parts."
    assert peak < 2 * tables.MOST_CSV_BYTES + 2**20


@pytest.mark.parametrize("read", [read_csv, read_json])
def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    assert refused(read, tmp_path / "pipe") == "pipe: is a pipe; expected a table. Replace or remove it."
    assert refused(read, tmp_path).endswith(": is a folder; expected a table. Replace or remove it.")
    assert "cannot be read (No such file or directory)" in refused(read, tmp_path / "absent")


def test_a_table_that_may_not_be_read_says_so(write):
    path = write("id\na\n")
    path.chmod(0)
    with as_an_ordinary_reader() as holds:
        if not holds:
            pytest.skip("permissions do not hold here")
        message = refused(read_csv, path)
    assert message == "cases.csv: may not be read; expected a file that you may read. Give read permission (chmod u+r)."


# JSON


def test_an_object_is_read_with_or_without_a_byte_order_mark(write):
    content = {"labels": {"0": "background", "1": "Tumör"}, "numTraining": 3, "rate": 0.5, "deep": [[{}]], "none": None}
    for encoding in ("utf-8", "utf-8-sig"):
        assert read_json(write(json.dumps(content, ensure_ascii=False).encode(encoding), "dataset.json")) == content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no JSON from line 1 on (Expecting value)"),
        ('{"a": 1,\n "b": }', "is no JSON from line 2 on (Expecting value)"),
        ("[1]", "holds a list"),
        ("3", "holds a int"),
        ('{"a": 1, "a": 2}', "cannot be read as JSON (the key 'a' is given twice)"),
        ('{"x": {"a": 1, "a": 1}}', "cannot be read as JSON (the key 'a' is given twice)"),
        ('{"a": NaN}', "cannot be read as JSON (NaN is no number)"),
        ('{"a": -Infinity}', "cannot be read as JSON (-Infinity is no number)"),
        ('{"a": 1e999}', "cannot be read as JSON (1e999 is no finite number)"),
        ('{"a": ' + "9" * 10_000 + "}", "cannot be read as JSON (a number of 10,000 digits)"),
        ('{"a": ' + "[" * 64 + "]" * 64 + "}", "is nested 65 levels deep; expected at most 64"),
        ("[" * 100_000, "is nested 100,000 levels deep; expected at most 64"),
        ('{"a": "' + "\\", "is no JSON from line 1 on (Unterminated string starting at)"),
        ('{"a": 1}'.encode("utf-16"), "has bytes that are no UTF-8 text in line 1"),
    ],
)
def test_json_that_breaks_a_rule_is_refused(write, content, said):
    assert refused(read_json, write(content, "dataset.json")).startswith(f"dataset.json: {said}")


def test_brackets_in_texts_are_not_depth(write):
    content = {"a": "[{" * 500 + '\\" [[', "b": '"' + "]" * 9}
    assert read_json(write(json.dumps(content), "dataset.json")) == content


@pytest.mark.slow
@pytest.mark.parametrize("content", ['"\\"' * 2_000_000, '{"' + "\\" * 4_000_000, "{" * 8_000_000, '{"a":"' + "x" * 17 * 2**20])
def test_json_made_to_be_slow_is_refused_fast(write, content):
    path = write(content, "dataset.json")
    start = time.process_time()
    refused(read_json, path)
    assert time.process_time() - start < 5


# Whatever the bytes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("read", "content"),
    [
        (read_csv, b'id;group;"text"\r\na;1;"two\nlines"\r\nb;2;x\r\n'),
        (read_json, b'{"labels": {"0": "background", "1": "a"}, "numTraining": 2, "training": [{"image": "./x"}], "r": 0.5}'),
    ],
)
def test_altered_tables_are_read_or_refused_and_nothing_else(write, read, content):
    rng = np.random.default_rng(3)
    outcomes = set()
    for _ in range(1000):
        path = write((mutate if rng.random() < 0.5 else garble)(content, rng), "table")
        findings = []
        outcomes.add(attempt(findings, read, path) is not None)
        assert all(str(finding).startswith(f"{path}: ") and str(finding).isprintable() for finding in findings)
    assert outcomes == {True, False}


def test_findings_are_collected_where_reading_is_attempted(write):
    findings = []
    assert attempt(findings, read_csv, write("id\na\n"), ("id",))[0].line == 2
    assert attempt(findings, read_json, write("[]")) is None
    assert [finding.kind for finding in findings] == ["bad_table"]
