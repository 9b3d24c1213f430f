"""What the shape of the code promises beyond the import contract."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "focalseg"
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES = 400, 60
INHERITED = {"forward", "for_site", "read_case", "files", "construct_mapping"}  # documented where they are declared
HOMELESS = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}


def definitions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Classes, methods and functions, without those inside functions."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node.body)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_short_and_have_a_name_and_a_docstring(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MOST_LINES
    assert path.stem not in HOMELESS
    assert ast.get_docstring(tree)
    for node in definitions(tree.body):
        public = not node.name.startswith("_") and node.name not in INHERITED
        assert ast.get_docstring(node) or not public, f"{node.name} has no docstring"
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_FUNCTION_LINES, f"{node.name} is too long"
