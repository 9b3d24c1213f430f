"""One planted fault: how it is made and what the product has to say about it."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from focalseg.imagesets.kinds import KINDS

Make = Callable[[Path], Path | tuple[Path, ...]]
"""Writes a whole set with one fault into a folder that is not there yet; gives the file, or files, at fault."""


@dataclass(frozen=True)
class Fault:
    """kinds: any of them names the fault rightly. also: what else may be said of the same files, as it is just as true."""

    name: str
    make: Make
    kinds: frozenset[str]
    also: frozenset[str] = frozenset()

    @property
    def refused(self) -> bool:
        """Whether the set cannot be used."""
        return all(kind not in KINDS or KINDS[kind].level == "error" for kind in self.kinds)


def fault(name: str, kinds: str, make: Make, *, also: str = "") -> Fault:
    """A fault; kinds and also are names with blanks between them."""
    return Fault(name, make, frozenset(kinds.split()), frozenset(also.split()))


def as_tuple(paths: Path | tuple[Path, ...]) -> tuple[Path, ...]:
    """The planted files, one or several."""
    return paths if isinstance(paths, tuple) else (paths,)


def fingerprint(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every entry below a folder: what it holds or leads to, its permissions and when it was last written."""
    found: dict[str, tuple[str, int, int]] = {}
    for top, folders, files in os.walk(folder):
        for name in sorted(folders + files):
            path = Path(top, name)
            state = path.lstat()
            found[str(path)] = (_content(path), state.st_mode, state.st_mtime_ns)
    return found


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
