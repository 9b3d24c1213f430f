"""What the shape of the code promises beyond the import contract."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "focalseg"
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES, MOST_MODULES = 400, 60, 16
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


def test_no_folder_holds_more_modules_than_a_reader_keeps_in_mind():
    folders = {path.parent for path in FILES}
    crowded = {str(folder.relative_to(SOURCE)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {name: count for name, count in crowded.items() if count > MOST_MODULES} == {}


def test_the_drawing_of_the_floors_and_the_list_of_folders_are_those_of_the_import_contract():
    answer = subprocess.run(
        [sys.executable, "docs/draw_structure.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, "")


@pytest.mark.parametrize("words", [["check", "--help"], ["check", "phantom:local"], ["check", "FOLDER"]], ids=" ".join)
def test_checking_a_set_never_loads_torch(words, make_folder):
    words = [str(make_folder()) if word == "FOLDER" else word for word in words]
    script = f"""
import sys
from focalseg.cli.main import main
sys.argv[1:] = {words!r}
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
assert "torch" not in sys.modules
assert "focalseg.imagesets.case" in sys.modules or "--help" in sys.argv
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
