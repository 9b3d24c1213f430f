"""A mapping read from a file, whose every field is checked when it is asked for."""

import json
import math
from pathlib import Path
from typing import Any

from focalseg.errors import SettingError

MEND = "Restore the file, or run the command that made the folder again."


class Record:
    """Plain data with the place it stands at, so that a fault names the file and the field.

    Every reader raises SettingError for a field that is missing or of another kind. Numbers are finite.
    """

    def __init__(self, content: object, place: str) -> None:
        if not isinstance(content, dict):
            raise SettingError(f"{place} holds {_describe(content)}; expected named values. {MEND}")
        self.content: dict[str, Any] = content
        self.place = place

    def number(self, name: str) -> float:
        """A finite number."""
        value = self.content.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._fault(name, "a finite number")
        return float(value)

    def amount(self, name: str) -> float:
        """A finite number, 0 or more."""
        value = self.number(name)
        if value < 0:
            raise self._fault(name, "a number, 0 or more")
        return value

    def share(self, name: str) -> float:
        """A number from 0 to 1."""
        value = self.number(name)
        if not 0 <= value <= 1:
            raise self._fault(name, "a number from 0 to 1")
        return value

    def holds(self, name: str) -> bool:
        """Whether there is such a field, and something in it."""
        return self.content.get(name) is not None

    def count(self, name: str) -> int:
        """A whole number, 0 or more."""
        value = self.content.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._fault(name, "a whole number, 0 or more")
        return value

    def text(self, name: str) -> str:
        """A text."""
        value = self.content.get(name)
        if not isinstance(value, str):
            raise self._fault(name, "a text")
        return value

    def truth(self, name: str) -> bool:
        """True or false."""
        value = self.content.get(name)
        if not isinstance(value, bool):
            raise self._fault(name, "true or false")
        return value

    def items(self, name: str) -> list[object]:
        """A list, its members unchecked."""
        value = self.content.get(name)
        if not isinstance(value, list):
            raise self._fault(name, "a list")
        return value

    def record(self, name: str) -> "Record":
        """A mapping within."""
        if name not in self.content:
            raise self._fault(name, "named values")
        return Record(self.content[name], f"{self.place}: {name}")

    def records(self, name: str) -> list["Record"]:
        """A list of mappings within."""
        return [Record(item, f"{self.place}: {name}[{number}]") for number, item in enumerate(self.items(name))]

    def _fault(self, name: str, expected: str) -> SettingError:
        found = f"is {_describe(self.content[name])}" if name in self.content else "is missing"
        return SettingError(f"{self.place}: {name} {found}; expected {expected}. {MEND}")


def read_record(path: Path) -> Record:
    """A JSON file as a Record. Raises SettingError for a file that cannot be read or holds something else."""
    try:
        return Record(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"{path} is not readable as JSON ({type(error).__name__}); expected named values. {MEND}") from error


def _describe(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"a {type(value).__name__}"
