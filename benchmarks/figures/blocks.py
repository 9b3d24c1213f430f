"""Marked blocks of a page, each written by a function: `<!-- figures: NAME -->` on a line, what it says, `<!-- end -->`."""

import re
from collections.abc import Callable, Mapping

from figures.markdown import UNWRITTEN

Writer = Callable[[str], str]
"""Takes what the block says now and returns what it should say. Most look at nothing but the results."""

START, END = "<!-- figures: ", "<!-- end -->"
BLOCK = re.compile(rf"^{re.escape(START)}(?P<name>[^\n]+?) -->\n(?P<body>.*?)^{re.escape(END)}$", re.DOTALL | re.MULTILINE)


class BlockError(Exception):
    """A block that is not closed, or that nothing writes."""


def find_blocks(text: str) -> dict[str, str]:
    """What every block of a page says, by name."""
    found = {match["name"]: match["body"] for match in BLOCK.finditer(text)}
    unclosed = [name for name, body in found.items() if START in body]
    if unclosed or not len(found) == text.count(START) == text.count(END):
        where = f" after {START}{unclosed[0]} -->" if unclosed else ""
        raise BlockError(
            f"Markers that do not pair up, or a name twice{where}; expected {START}NAME --> ... {END}, each on a line."
        )
    return found


def write_blocks(text: str, writers: Mapping[str, Writer]) -> str:
    """The page with every block written anew, and every other line as it was."""
    if unknown := [name for name in find_blocks(text) if name not in writers]:
        raise BlockError(f"No writer for the block {unknown[0]!r}; there are {', '.join(sorted(writers))}.")

    def write(match: re.Match[str]) -> str:
        body = writers[match["name"]](match["body"].strip("\n"))
        return f"{START}{match['name']} -->\n{body}\n{END}"

    return BLOCK.sub(write, text)


def list_faults(text: str, writers: Mapping[str, Writer]) -> list[str]:
    """What is wrong with the blocks of a page, a sentence per block."""
    ours, theirs = find_blocks(text), find_blocks(write_blocks(text, writers))
    faults = [f"the block {name!r} is not what the results and the code say" for name in ours if ours[name] != theirs[name]]
    return faults + [f"the block {name!r} has words {UNWRITTEN}" for name in ours if UNWRITTEN in theirs[name]]
