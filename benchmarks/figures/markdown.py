"""Tables and paragraphs of Markdown: read from the pages of results, written into the documentation."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
WIDTH = 125
UNWRITTEN = "(to be written)"
"""Stands where a table of the code has a new name and nobody has said yet what it means."""

Row = dict[str, str]


def read_page(name: str) -> str:
    """A page of results as text."""
    return (RESULTS / f"{name}.md").read_text(encoding="utf-8")


def read_json(name: str) -> Any:
    """The numbers of a benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def split_cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


def find_tables(text: str) -> list[str]:
    """Every table of a text as it stands, without what is around it."""
    tables: list[list[str]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            tables = tables if before.startswith("|") else [*tables, []]
            tables[-1].append(line)
        before = line
    return ["\n".join(lines) for lines in tables]


def cut_section(text: str, heading: str) -> str:
    """What stands under a heading, which is given by its beginning, up to the next one."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("#") and line.lstrip("# ").startswith(heading))
    end = next((number for number in range(start + 1, len(lines)) if lines[number].startswith("#")), len(lines))
    return "\n".join(lines[start + 1 : end])


def read_rows(table: str) -> list[Row]:
    """The rows of a table by the names of its columns."""
    columns, _, *rows = map(split_cells, table.splitlines())
    return [dict(zip(columns, row, strict=True)) for row in rows]


def read_table(name: str, heading: str = "") -> list[Row]:
    """The rows of the first table of a page of results, or of the first below a heading."""
    text = read_page(name)
    return read_rows(find_tables(cut_section(text, heading) if heading else text)[0])


def format_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    first, rule, *others = (f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([first, rule.replace(" ", ""), *others])


def fill_table(current: str, columns: Sequence[str], figures: dict[str, Sequence[str]], titles: dict[str, str]) -> str:
    """A table whose names and figures are the code's, and whose words are those that stand beside the names now.

    current: the table as it is. titles: what is shown in place of a name in backticks.
    """
    words = {cells[0].split("`")[1]: cells for cells in map(split_cells, current.splitlines()[2:])}
    rows = []
    for name, values in figures.items():
        count = len(columns) - 1 - len(values)
        kept = words[name][-count:] if name in words else [UNWRITTEN] * count
        rows.append([titles.get(name, f"`{name}`"), *values, *kept])
    return format_table(columns, rows)


def wrap(text: str) -> str:
    """A paragraph of lines that fit."""
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def list_items(items: Iterable[str]) -> str:
    """A list, each item in lines that fit."""
    return "\n".join(
        fill(item, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for item in items
    )


def show_interval(found: dict[str, float], middle: str = "dice") -> str:
    """A difference with its interval."""
    return f"{found[middle]:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def show_range(values: Iterable[float], digits: int = 1) -> str:
    """The least and the greatest."""
    found = list(values)
    return f"{min(found):.{digits}f} to {max(found):.{digits}f}"
