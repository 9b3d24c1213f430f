"""What the shape of the code promises beyond the import contract."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "focalseg"
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES, MOST_MODULES = 400, 60, 16
INHERITED = {"forward", "for_site", "read_case", "files", "construct_mapping"}  # documented where they are declared
TESTS = sorted(Path(__file__).parent.rglob("*.py"))
HOMELESS = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}


def definitions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Classes, methods and functions, without those inside functions."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node.body)


def test_files_and_functions_stay_short_and_have_a_name_and_a_docstring():
    assert FILES
    assert [fault for path in FILES for fault in find_faults(path)] == []


def find_faults(path: Path) -> Iterator[str]:
    """What a file breaks, each with its place."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    place = str(path.relative_to(SOURCE))
    if len(text.splitlines()) > MOST_LINES:
        yield f"{place} is too long"
    if path.stem in HOMELESS:
        yield f"{place} is named for no idea"
    if not ast.get_docstring(tree):
        yield f"{place} has no docstring"
    for node in definitions(tree.body):
        public = not node.name.startswith("_") and node.name not in INHERITED
        if public and not ast.get_docstring(node):
            yield f"{place}: {node.name} has no docstring"
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MOST_FUNCTION_LINES:
            yield f"{place}: {node.name} is too long"


def test_every_test_asserts_something_whatever_its_parameters():
    """By itself or through a function of the tests, and not in one branch of an `if` alone."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in TESTS]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    asserting, before = {"raises", "warns", "fail", "gradcheck"}, set()
    while asserting != before:
        before, asserting = asserting, asserting | {one.name for one in functions if asserts(one.body, asserting)}
    tests = [one for one in functions if one.name.startswith("test_")]
    assert tests
    assert [one.name for one in tests if not asserts(one.body, asserting)] == []


def asserts(body: list[ast.stmt], asserting: set[str]) -> bool:
    """Whether statements always come to an assert, or to a call of a function that does; loops are taken to run."""
    return any(always_asserts(statement, asserting) for statement in body)


def always_asserts(statement: ast.stmt, asserting: set[str]) -> bool:
    """The same of one statement."""
    if isinstance(statement, ast.If):
        return asserts(statement.body, asserting) and asserts(statement.orelse, asserting)
    if isinstance(statement, ast.For | ast.While):
        return asserts(statement.body, asserting)
    if isinstance(statement, ast.Try):
        return asserts([*statement.body, *statement.finalbody], asserting)
    if isinstance(statement, ast.With):
        return any(calls(item, asserting) for item in statement.items) or asserts(statement.body, asserting)
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    return isinstance(statement, ast.Assert) or calls(statement, asserting)


def calls(node: ast.AST, asserting: set[str]) -> bool:
    """Whether a function is called that asserts: one of those, or one named so, as NumPy's are."""
    called = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    names = [one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in called]
    return any(name in asserting or name.startswith("assert") for name in names)


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


def test_a_function_that_only_its_own_file_uses_begins_with_an_underscore():
    """Whatever nothing else in the package, its tests, benchmarks or docs names is no door of its file."""
    texts = {
        path: path.read_text(encoding="utf-8")
        for folder in ("src", "tests", "benchmarks", "docs")
        for path in list_texts(folder)
    }
    texts[ROOT / "README.md"] = (ROOT / "README.md").read_text(encoding="utf-8")
    named: dict[str, set[Path]] = {}
    for path, text in texts.items():
        for word in set(re.findall(r"[A-Za-z_]\w*", text)):
            named.setdefault(word, set()).add(path)
    functions = [
        (path, node.name) for path in FILES for node in ast.parse(texts[path]).body if isinstance(node, ast.FunctionDef)
    ]
    assert [(str(path), name) for path, name in functions if not name.startswith("_") and named[name] == {path}] == []


def list_texts(folder: str) -> Iterator[Path]:
    """The sources and pages of a folder of the repository."""
    return (path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md", ".j2"))
