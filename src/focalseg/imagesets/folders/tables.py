"""Tables beside the images, read strictly: CSV and JSON. Whatever is wrong with one is a DataError that names file and line."""

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from focalseg.errors import DataError
from focalseg.findings import Finding, counted, plural, show_name, show_path
from focalseg.imagesets.kinds import KINDS
from focalseg.json_files import MOST_DEPTH, DepthError, parse_json
from focalseg.text_files import NoSmallFileError, TooLargeError, read_bounded

_DELIMITERS = ",;\t"
MOST_CSV_BYTES = 32 * 2**20
"""At the most lines 160 characters each; read, so large a table takes some 250 MB."""
MOST_JSON_BYTES = 16 * 2**20
MOST_LINES = 200_000
_MOST_CELLS = 2_000_000
_MOST_LINE_LENGTH = 2**20
_MOST_COLUMNS = 1000
MOST_FAULTS = 20
"""At most so many lines at fault are named one by one."""
Given = ParamSpec("Given")
Content = TypeVar("Content")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table. line: its number in the file, from 1. cells: by column, without blanks around them."""

    line: int
    cells: Mapping[str, str]


def read_csv(path: Path, required: Sequence[str] = ()) -> list[Row]:
    """The lines below the header, blank ones left out. UTF-8; comma, semicolon or tab, as the header line has it.

    Columns without a name are left out; required ones are found whatever their case, and have the case asked for.
    Raises DataError for a table that breaks a rule or a limit, every line at fault named.
    """
    content = _read_bytes(path, MOST_CSV_BYTES)
    lines = content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
    if lines > MOST_LINES:
        raise _fault(path, f"has {lines:,} lines", f"at most {MOST_LINES:,}", "Cut it into parts.")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise _fault(path, f"has a NUL byte in line {line}", "text in UTF-8", "Save it as CSV in UTF-8.")
    rows: list[Row] = []
    faults: list[Finding] = []
    listed = _read_lines(path, content)
    header = _read_header(path, next(listed, (0, []))[1], required)
    if lines * len(header) > _MOST_CELLS:
        columns = counted(len(header), "column")
        raise _fault(path, f"has {lines:,} lines of {columns}", f"at most {_MOST_CELLS:,} cells", "Cut it down.")
    for line, fields in listed:
        if len(fields) != len(header):
            said, wanted = f"has {counted(len(fields), 'field')} in line {line}", f"{len(header)}, as in its header"
            mend = "Mend the line; a cell with a separator in it stands in double quotes."
            faults.append(KINDS["bad_table"].at(path, said, expected=wanted, mend=mend))
        elif any(map(str.strip, fields)):
            cells = {name: field.strip() for name, field in zip(header, fields, strict=True) if name}
            rows.append(Row(line=line, cells=cells))
    if faults:
        raise DataError(shorten_faults(path, faults))
    if not rows:
        raise _fault(path, "has no lines below its header", "one line a case", "Add them or remove the file.")
    return rows


def find_column(rows: Sequence[Row], names: Iterable[str]) -> str | None:
    """The first of the names that is a column, whatever its case; spelt as the table has it."""
    columns = {column.lower(): column for column in rows[0].cells}
    return next((columns[name] for name in names if name in columns), None)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. UTF-8; no key twice, no NaN or infinity, at most MOST_DEPTH levels. Raises DataError."""
    expected, mend = "a JSON object, {...}, in UTF-8", "Mend or remove the file."
    content = _read_bytes(path, MOST_JSON_BYTES)
    try:
        loaded = parse_json(content)
    except UnicodeDecodeError as error:
        raise _undecodable(path, content) from error
    except DepthError as error:
        raise _fault(path, str(error), f"at most {MOST_DEPTH}", mend) from error
    except json.JSONDecodeError as error:
        raise _fault(path, f"is no JSON from line {error.lineno} on ({error.msg})", expected, mend) from error
    except ValueError as error:
        raise _fault(path, f"cannot be read as JSON ({str(error)[:120]})", expected, mend) from error
    if not isinstance(loaded, dict):
        raise _fault(path, f"holds a {type(loaded).__name__}", expected, mend)
    return loaded


def attempt(
    findings: list[Finding], read: Callable[Given, Content], *given: Given.args, **named: Given.kwargs
) -> Content | None:
    """What read gives; None where it raises DataError, whose findings are then added to the list."""
    try:
        return read(*given, **named)
    except DataError as error:
        findings += error.findings
        return None


def _fault(path: Path, found: str, expected: str, mend: str) -> DataError:
    return DataError(KINDS["bad_table"].at(path, found, expected=expected, mend=mend))


def _read_bytes(path: Path, most: int) -> bytes:
    try:
        return read_bounded(path, most_bytes=most)
    except TooLargeError as error:
        raise _fault(path, str(error), f"at most {most // 2**20} MiB", "Cut it into parts.") from error
    except NoSmallFileError as error:
        raise DataError(KINDS["not_a_file"].at(path, str(error), expected="a table")) from error
    except PermissionError as error:
        raise DataError(KINDS["no_permission"].at(path, "may not be read")) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _fault(path, f"cannot be read ({reason})", "a table", "Mend or remove it.") from error


def _undecodable(path: Path, content: bytes) -> DataError:
    """The fault of bytes that are no UTF-8, with the line of the first of them."""
    try:
        content.decode("utf-8-sig")
        position = 0
    except UnicodeDecodeError as error:
        position = error.start
    line = content.count(b"\n", 0, position) + 1
    found = f"has bytes that are no UTF-8 text in line {line}"
    return _fault(path, found, "text in UTF-8", "Save it again with the encoding UTF-8.")


def _read_lines(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Fields of each line that is not blank, with the number of the line it starts in. Raises DataError."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    reader = csv.reader(_limit_lines(text), delimiter=_find_delimiter(content), strict=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise _undecodable(path, content) from error
    except csv.Error as error:
        mend = "Mend the line, or remove the quotes that are not closed."
        raise _fault(path, f"cannot be read from line {line} on ({show_name(str(error))})", "one case a line", mend) from error


def _limit_lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if len(line) > _MOST_LINE_LENGTH:
            raise csv.Error(f"a line of {len(line):,} characters")
        yield line


def _find_delimiter(content: bytes) -> str:
    """The delimiter that separates the most fields in the first line."""
    start = content.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")[:_MOST_LINE_LENGTH]
    line = re.split(rb"[\r\n]", start, maxsplit=1)[0].decode(errors="replace")
    outside_quotes = re.sub(r'"[^"]*"', "", line)
    return max(_DELIMITERS, key=outside_quotes.count)


def _read_header(path: Path, fields: Sequence[str], required: Sequence[str]) -> list[str]:
    """The names of the columns; empty for columns that are left out."""
    spelling = {name.lower(): name for name in required}
    header = [spelling.get(field.strip().lower(), field.strip()) for field in fields]
    wanted = (
        f"the {plural(len(required), 'column')} {', '.join(required)}"
        if required
        else "a header line with the names of the columns"
    )
    if not any(header):
        raise _fault(path, "is empty", wanted, "Write the header line and a line for each case.")
    if len(header) > _MOST_COLUMNS:
        raise _fault(path, f"has {len(header):,} columns", f"at most {_MOST_COLUMNS:,}", "Cut it down.")
    counts = Counter(name.lower() for name in header if name)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise _fault(
            path, f"has the column {show_path(twice[0][:40])} twice in its header", "columns of different names", "Rename one."
        )
    if missing := [name for name in required if name not in header]:
        shown = show_path(", ".join(filter(None, header))[:120])
        raise _fault(path, f"has no column {' and no column '.join(missing)} (it has {shown})", wanted, "Add it or rename one.")
    return header


def shorten_faults(path: Path, faults: list[Finding]) -> list[Finding]:
    """The first of many faults of a table, and the number of the others."""
    if len(faults) <= MOST_FAULTS:
        return faults
    rest = KINDS["bad_table"].at(path, f"has {len(faults) - MOST_FAULTS + 1:,} further lines of that kind")
    return [*faults[: MOST_FAULTS - 1], rest]
