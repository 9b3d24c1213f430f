"""A folder of images with folders inside: what each of them holds, by the names on the way to it. Looks at names alone."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from focalseg.findings import Finding, show_path
from focalseg.imagesets.folders.files import SUFFIXES, FolderFiles, find_name_fault, list_files
from focalseg.imagesets.kinds import KINDS

_MOST_DEPTH = 6
_MOST_FOLDERS = 200_000
"""Folders are followed so far down, and so many at most."""

Place = tuple[str, ...]
"""The names of the folders on the way down, in Unicode's composed form; empty for the folder itself."""


@dataclass(frozen=True, kw_only=True)
class FolderTree:
    """places: the files by place, in natural order: the folder itself, and whatever is below it and not blank.

    findings: of all places below, without notes on folders inside, which are read. Those of the folder are its files' own.
    """

    folder: Path
    places: Mapping[Place, FolderFiles]
    findings: tuple[Finding, ...] = ()

    @property
    def top(self) -> FolderFiles:
        """What lies in the folder itself."""
        return self.places[()]

    @property
    def filled(self) -> dict[Place, FolderFiles]:
        """The places that hold images or files at fault."""
        return {place: files for place, files in self.places.items() if not files.blank}

    def findings_of_all(self) -> tuple[Finding, ...]:
        """The findings of every place, where all of them are read."""
        return (*(finding for finding in self.top.findings if finding.kind != "passed_over"), *self.findings)


def list_tree(folder: Path, suffixes: Sequence[str] = SUFFIXES, *, root: Path | None = None) -> FolderTree:
    """Lists a folder and those inside. root: the data folder, that links should not leave. Never raises."""
    walk = _Walk(folder, suffixes, root or folder)
    walk.look_into((), folder)
    return FolderTree(folder=folder, places=walk.places, findings=tuple(walk.findings))


class _Walk:
    """Every folder below one, each before those inside it. Each is looked into once, by whatever links it can be reached."""

    def __init__(self, folder: Path, suffixes: Sequence[str], root: Path) -> None:
        self.places: dict[Place, FolderFiles] = {}
        self.findings: list[Finding] = []
        self._suffixes, self._root, self._home = suffixes, root, folder.resolve() if folder.is_dir() else folder
        self._linked: set[Path] = set()
        self._count = 0

    def look_into(self, place: Place, folder: Path) -> None:
        """Lists a folder and those inside. What keeps one from being looked into is a finding."""
        files = list_files(folder, self._suffixes, root=self._root)
        if place:
            self.findings += (finding for finding in files.findings if finding.kind != "passed_over")
        if not (place and files.blank):
            self.places[place] = files
        siblings: dict[str, Path] = {}
        for name in files.folders:
            path, composed = folder / name, unicodedata.normalize("NFC", name)
            if fault := self._find_fault(path, len(place), siblings.get(composed.casefold())):
                self.findings.append(fault)
            else:
                siblings[composed.casefold()] = path
                self._count += 1
                self.look_into((*place, composed), path)

    def _find_fault(self, path: Path, depth: int, same: Path | None) -> Finding | None:
        """What keeps a folder from being looked into. depth: how many folders it lies below. same: a sibling of its name."""
        if fault := find_name_fault(path.name):
            return KINDS["name_unreadable"].at(path, f"has {fault} in its name", mend="Rename the folder.")
        if same:
            found = f"differs from {show_path(same.name)} only in upper and lower case or in how its accents are written"
            return KINDS["names_clash"].at(path, found, others=(same,))
        if path.is_symlink() and (target := path.resolve()).is_dir():
            if target in self._linked or target.is_relative_to(self._home) or self._home.is_relative_to(target):
                found, expected = f"is a link to {show_path(target)}, which is read already", "a folder that is read once"
                return KINDS["dead_link"].at(path, found, expected=expected, mend="Remove the link.")
            self._linked.add(target)
        if depth >= _MOST_DEPTH or self._count >= _MOST_FOLDERS:
            found = f"lies {depth + 1} folders deep" if depth >= _MOST_DEPTH else f"comes after {_MOST_FOLDERS:,} other folders"
            expected = f"at most {_MOST_FOLDERS:,} folders, {_MOST_DEPTH} deep"
            return KINDS["passed_over"].at(path, f"{found} and is not looked into", expected=expected)
        return None
