"""Writes the figures of the README and the documentation from the results of the benchmarks and from the code.

    python benchmarks/write_figures.py            # rewrites the marked blocks in place
    python benchmarks/write_figures.py --check    # says which of them differ, and changes nothing

A block begins with `<!-- figures: NAME -->`, ends with `<!-- end -->`, and cannot be seen on the page. What stands around the
blocks is free prose. In a table of settings or gates the names and values are the code's, and the words beside them are kept.
"""

import argparse
import sys
from pathlib import Path

from figures.blocks import BlockError, find_blocks, list_faults, write_blocks
from figures.from_code import FROM_CODE
from figures.from_costs import FROM_COSTS
from figures.from_designs import FROM_DESIGNS
from figures.from_results import FROM_RESULTS

ROOT = Path(__file__).parents[1]
WRITERS = FROM_CODE | FROM_RESULTS | FROM_COSTS | FROM_DESIGNS
COMMAND = "python benchmarks/write_figures.py"


def list_pages(root: Path) -> list[Path]:
    """The pages that hold figures."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def check_pages(root: Path) -> list[str]:
    """A line for every block that differs, and for every writer that no page asks for."""
    faults, used = [], set()
    for page in list_pages(root):
        text, name = page.read_text(encoding="utf-8"), page.relative_to(root).as_posix()
        try:
            faults += [f"{name}: {fault}; to mend it: {COMMAND}" for fault in list_faults(text, WRITERS)]
            used |= set(find_blocks(text))
        except BlockError as error:
            faults.append(f"{name}: {error}")
    return faults + [f"no page has the block {name!r}" for name in WRITERS if name not in used]


def rewrite_pages(root: Path) -> list[Path]:
    """Writes every block anew and returns the pages that changed."""
    changed = []
    for page in list_pages(root):
        text = page.read_text(encoding="utf-8")
        written = write_blocks(text, WRITERS)
        if written != text:
            page.write_text(written, encoding="utf-8")
            changed.append(page)
    return changed


def main() -> None:
    """Writes or checks the pages of this repository."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="say which blocks differ; status 1 where one does")
    if parser.parse_args().check:
        faults = check_pages(ROOT)
        print("\n".join(faults) or "every block is what the results and the code say")
        sys.exit(1 if faults else 0)
    for page in rewrite_pages(ROOT):
        print(f"written: {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
