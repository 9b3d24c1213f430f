"""Draws the floors of the package from the import contract in pyproject.toml, and lists its folders in CONTRIBUTING.md.

python docs/draw_structure.py           # writes docs/floors.svg and the tree in CONTRIBUTING.md
python docs/draw_structure.py --check   # says which of the two is out of date, and ends with status 1
"""

import ast
import re
import sys
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "focalseg"
DRAWING, PAGE = ROOT / "docs" / "floors.svg", ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- tree: written by docs/draw_structure.py -->", "<!-- end of tree -->"
WIDTH, ROW, GAP, LETTER = 860, 44, 8, 7.4
"""In pixels of the drawing: its width, the height of a floor, the space between, and a letter of 13 pixels."""


def read_floors() -> list[list[str]]:
    """The floors of the layers contract, the highest first, each with its neighbours."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["focalseg"])
    return [[name.strip() for name in layer.split("|")] for layer in layers]


def read_purpose(path: Path) -> str:
    """The first line of a module's docstring, without the stop at its end."""
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0].removesuffix(".")


def list_tree(floors: list[list[str]]) -> str:
    """A line per folder, those on a higher floor first, and a line per module that stands by itself."""
    rows: list[tuple[str, str]] = []
    for name in (name for floor in floors for name in floor):
        path = SOURCE / name
        rows.append((f"{name}/" if path.is_dir() else f"{name}.py", read_purpose(path)))
        inner = sorted(file.parent for file in path.rglob("*/__init__.py")) if path.is_dir() else []
        rows += [("  " * len(folder.relative_to(path).parts) + f"{folder.name}/", read_purpose(folder)) for folder in inner]
    width = max(len(name) for name, _ in rows) + 2
    lines = "\n".join(f"{name:<{width}}{purpose}" for name, purpose in rows)
    return f"{BEGIN}\n```\n{lines}\n```\n{END}"


def draw_floors(floors: list[list[str]]) -> str:
    """An SVG with a row per floor; neighbours, which do not import one another, stand side by side."""
    height = GAP + len(floors) * (ROW + GAP)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            'aria-label="The floors of focalseg: imports only go down" font-family="sans-serif" font-size="13">'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, floor in enumerate(floors):
        top = GAP + number * (ROW + GAP)
        space = WIDTH - GAP * (len(floor) + 1)
        letters = sum(len(name) + 4 for name in floor)
        left = float(GAP)
        for name in floor:
            width = space * (len(name) + 4) / letters
            colour = "#e8f0e4" if name == "imagesets" else "#e6eef7" if (SOURCE / name).is_dir() else "#f4f4f4"
            text = escape(name)
            shown = f' textLength="{width - 8:.0f}" lengthAdjust="spacingAndGlyphs"' if len(name) * LETTER > width - 8 else ""
            parts.append(
                f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW}" rx="4" fill="{colour}" stroke="#8a97a5"/>'
                f'<text x="{left + width / 2:.1f}" y="{top + ROW / 2 + 5:.0f}" text-anchor="middle"{shown}>{text}</text>'
            )
            left += width + GAP
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    """Writes what is out of date, or with --check only names it."""
    floors = read_floors()
    page = PAGE.read_text(encoding="utf-8")
    tree = re.sub(f"{BEGIN}.*?{END}", lambda _: list_tree(floors), page, flags=re.DOTALL)
    wanted = {DRAWING: draw_floors(floors), PAGE: tree}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date; run `python docs/draw_structure.py`.")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
