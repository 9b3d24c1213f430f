"""What was found in somebody's data: the thing, what was found, what was expected, and the mend."""

from dataclasses import dataclass
from typing import Literal

LONGEST_SHOWN = 200
"""Characters of a value that a message repeats: a file may hold anything."""
Level = Literal["error", "note"]
"""An error keeps the data from being used; a note is legal, and worth knowing."""


NOTHING = "Nothing need be done"
"""How the mend of a note begins of which nothing follows."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing about one file. kind: its name in `imagesets.kinds.KINDS`. others: further files that it involves.

    found continues the file's name ("is cut short"), expected continues "expected" ("an undamaged image"), mend is a sentence.
    repairable: whether a corrected copy mends it, rather than leave the case out or the file as it is.
    """

    kind: str
    level: Level
    file: str
    found: str
    expected: str
    mend: str
    others: tuple[str, ...] = ()
    repairable: bool = False

    @property
    def quiet(self) -> bool:
        """Whether nothing need be done about it."""
        return self.mend.startswith(NOTHING)

    def __str__(self) -> str:
        """`FILE: FOUND; expected EXPECTED. MEND` in one line, whatever characters the name has."""
        return f"{show_path(self.file)}: {self.found}; expected {self.expected}. {self.mend}"


def show_path(path: object) -> str:
    """A path as a person can read it: as it is where it can be printed in one line, quoted with escapes where not."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def show_value(value: object) -> str:
    """A value that somebody gave, as a message repeats it: quoted, in one line, and cut where it is long."""
    text = repr(value[: LONGEST_SHOWN + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def show_name(name: str) -> str:
    """A name that somebody chose, as it stands within a sentence: as it is, or as `show_value` where that is not plain."""
    return name if name.isprintable() and len(name) <= LONGEST_SHOWN else show_value(name)


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 case, 2 cases."""
    return f"{number} {plural(number, noun)}"


def plural(number: int, noun: str) -> str:
    """The noun as it goes with the number."""
    return noun if number == 1 else f"{noun}s"
