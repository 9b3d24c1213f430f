"""Names that somebody chose, in files that other programs show: none is taken for a formula, for HTML or for Markdown.

A spreadsheet runs a cell that begins with = + - or @. An apostrophe before it makes it text, and is taken away on reading.
"""

import csv
import html
import io
import re
from collections.abc import Iterable, Sequence

# Also in their broad forms and after blanks; and after what separates cells or rows elsewhere, where a cell of its own begins.
_FORMULA = r"[^\S\t\r\n\v\f]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
# Only the separator is taken up by a match, so that the next one may begin where the last one looked ahead. A tab or break at
# the very start is dropped by some programs, and counts as well.
_PLAIN = re.compile(rf"^(?='*[\t\r])|([;,\t\r\n\v\f]|^)(?='*{_FORMULA})")
_ESCAPED = re.compile(rf"^'(?='*[\t\r])|([;,\t\r\n\v\f]|^)'(?='*{_FORMULA})")
_SPECIAL = re.compile(r"([\\`*{}\[\]()#!|~$]|(?<!\w)_|_(?!\w))")


def escape_cell(text: str) -> str:
    """A text for a cell of a spreadsheet, which is then no formula."""
    # What begins with an apostrophe gets one more, so that reading knows which one was written.
    return _PLAIN.sub(r"\1'", text)


def read_cell(text: str) -> str:
    """What `escape_cell` was given, from what it made of it."""
    return _ESCAPED.sub(r"\1", text)


def format_table(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV text. No text in it is a formula; numbers stay as they are."""
    text = io.StringIO(newline="")
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = [escape_cell(cell) if isinstance(cell, str) else cell for cell in row]
        # Python 3.11 does not quote a lone \r by itself, which ends a row on reading.
        (quoted if any(isinstance(cell, str) and "\r" in cell for cell in cells) else plain).writerow(cells)
    return text.getvalue()


def show_markdown(text: str) -> str:
    """A text as it stands in a line or a table of Markdown: what it holds is shown, and is neither markup, HTML nor a link."""
    visible = "".join(character if character.isprintable() else " " for character in text)
    return _SPECIAL.sub(r"\\\1", html.escape(visible, quote=False)).replace("://", ":\\//")
