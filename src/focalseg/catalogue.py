"""A named collection: the one place where a name that a person types becomes the thing it names."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import TypeVar

from focalseg.errors import SettingError
from focalseg.findings import LONGEST_SHOWN, show_name, show_value

Member = TypeVar("Member")
_LONGEST_LIST = 2000
"""Characters of the known names that a message lists: the columns of somebody's table may be many."""


class Catalogue(Mapping[str, Member]):
    """Members by name, to read alone. An unknown name is an error that lists the known ones and offers the nearest."""

    def __init__(self, kind: str, members: Mapping[str, Member]) -> None:
        self.kind, self._members = kind, dict(members)

    def __getitem__(self, name: str) -> Member:
        self.check(name)
        return self._members[name]

    def check(self, name: str) -> None:
        """Raises SettingError for an unknown name, and asks for no member."""
        if name not in self._members:
            raise SettingError(unknown_name_message(self.kind, name, self))

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


class DeferredCatalogue(Catalogue[Member]):
    """A catalogue whose members are imported when they are asked for, and whose names are known before.

    members: `package.module:name` by name. So settings are read and refused before torch is imported, which takes seconds.
    """

    def __init__(self, kind: str, members: Mapping[str, str]) -> None:
        self._homes = dict(members)
        super().__init__(kind, {})

    def __getitem__(self, name: str) -> Member:
        self.check(name)
        if name not in self._members:
            module, _, member = self._homes[name].partition(":")
            self._members[name] = getattr(import_module(module), member)
        return self._members[name]

    def check(self, name: str) -> None:
        """Raises SettingError for an unknown name, and imports nothing."""
        if name not in self._homes:
            raise SettingError(unknown_name_message(self.kind, name, self))

    def __contains__(self, name: object) -> bool:
        return name in self._homes

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


def unknown_name_message(kind: str, name: str, known: Iterable[str], offer: str = "") -> str:
    """The sentence for a name that is not among the known ones, with the nearest of them, or what the caller offers instead."""
    known = list(known)
    listed = ", ".join(map(show_name, known))
    listed = listed if len(listed) <= _LONGEST_LIST else f"{listed[:_LONGEST_LIST]}..."
    return f"No {kind} named {show_value(name)}; known are {listed}.{offer or offer_nearest(name, known)}"


def offer_nearest(name: str, known: Iterable[str]) -> str:
    """The question whether the nearest of the known names was meant, after a space; empty where none is near."""
    near = difflib.get_close_matches(str(name)[:LONGEST_SHOWN], list(known), n=1)
    return f" Did you mean {show_value(near[0])}?" if near else ""
