"""Small trees of files whose content nobody decodes."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from focalseg.imagesets.folders.listing import Listing


def plant(folder: Path, names: str | Iterable[str], content: bytes = b"x") -> Path:
    """Writes a file for each name (a path below the folder), its folders as well. Gives the folder."""
    for name in names.splitlines() if isinstance(names, str) else names:
        if name.strip():
            path = folder / name.strip()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def names(listing: Listing) -> list[str]:
    """Of its cases."""
    return [case.name for case in listing.cases]


def kinds(listing: Listing) -> list[str]:
    """Of its findings."""
    return [finding.kind for finding in listing.findings]


def said(listing: Listing, folder: Path) -> list[str]:
    """Its findings as a person reads them, without what stands above the folder."""
    return [str(finding).replace(f"{folder}/", "").replace(str(folder), "DATA") for finding in listing.findings]


HOSTILE = (
    "", "0", "-1", "1.5", "1e999", "NaN", "null", "true", "[]", "{}", '""', '"', ",", ":", "\n", "\0", "[[", "}", "..", "/",
    "\\", "../../x.png", "/etc/passwd", "x" * 300, "\u202e", "caf\u00e9", "9" * 30,
    '{"a": 1}', "[1, 2]", "train", "test", "#GGGGGG",
)  # fmt: skip
"""What stands where something else should."""


def garble(content: bytes, random: np.random.Generator) -> bytes:
    """One to three words, numbers or signs of a text changed for others, of the same text or hostile; it stays UTF-8."""
    tokens = re.findall(r"\w+|\W", content.decode())
    for _ in range(int(random.integers(1, 4))):
        new = HOSTILE[random.integers(len(HOSTILE))] if random.random() < 0.7 else tokens[random.integers(len(tokens))]
        tokens[random.integers(len(tokens))] = new
    return "".join(tokens).encode()
