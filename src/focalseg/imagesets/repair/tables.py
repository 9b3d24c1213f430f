"""Rewrites the tables beside a set's images for a corrected copy: without the cases that it leaves out, with the new names."""

import csv
import io
import json
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from focalseg.errors import DataError
from focalseg.imagesets.folders.files import cut_suffix
from focalseg.imagesets.folders.tables import find_column, read_csv, read_json
from focalseg.imagesets.layouts.case_table import ID_COLUMNS
from focalseg.imagesets.layouts.label_table import LABEL_TABLE

_SUFFIXES = (".csv", ".json", ".txt", ".md")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How a copy differs from its set. cases: names of those it has. files: their images and masks.

    left_out: names of the other cases. lost: files that the copy is without. moved: new places by old ones. Files are given by
    their place within the set, whose folder is root.
    """

    root: Path
    cases: frozenset[str]
    files: frozenset[str]
    left_out: frozenset[str]
    lost: frozenset[str]
    moved: Mapping[str, str]

    def lose(self, cells: Iterable[str]) -> bool:
        """Whether any of these cells names a file that the copy is without."""
        return any(cell and self.place(cell) in self.lost for cell in cells)

    def rename(self, cell: str) -> str:
        """The cell, or the new place of the file that it names."""
        if not cell:
            return cell
        place = self.place(cell)
        return self.moved.get(place, place if PurePosixPath(cell).is_absolute() else cell)

    def place(self, cell: str) -> str:
        """The place within the set of the file that a cell names, relative to it or whole."""
        path = PurePosixPath(cell)
        for root in (self.root, self.root.resolve()):
            if path.is_absolute() and path.is_relative_to(root):
                return str(path.relative_to(root))
        return str(path)


def copy_tables(target: Path, changes: Changes, files: Collection[str]) -> None:
    """Copies the tables and texts in a set's folder, byte for byte unless a case was left out or a file has a new name.

    files: those that belong to cases; tables beside them, and in the folders above them, are copied as well. A table that
    cannot be read is copied as it is.
    """
    above = {folder for file in files for folder in Path(file).parents if folder.is_relative_to(changes.root)}
    for folder in sorted({changes.root, *above}):
        inner = folder.relative_to(changes.root)
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in _SUFFIXES or not path.is_file() or str(path) in files:
                continue
            text = None
            with suppress(DataError):
                text = _rewrite(path, _see_from(inner, changes))
            (target / inner).mkdir(parents=True, exist_ok=True)
            if text is None:
                shutil.copyfile(path, target / inner / path.name)
            else:
                (target / inner / path.name).write_text(text, encoding="utf-8", newline="")


def _see_from(inner: Path, changes: Changes) -> Changes:
    """The changes with cases named as a table in an inner folder names them: without the folder's name before them."""
    prefix = "" if inner == Path() else f"{inner.as_posix()}/"
    return replace(changes, left_out=frozenset(name.removeprefix(prefix) for name in changes.left_out))


def _rewrite(path: Path, changes: Changes) -> str | None:
    """The new text of a table; None for one that stays. Raises DataError for one that cannot be read."""
    if path.suffix.lower() == ".csv" and path.name.lower() != LABEL_TABLE:
        return _rewrite_csv(path, changes)
    if path.suffix.lower() == ".json":
        content = read_json(path)
        rewritten = _rewrite_listing(content, changes)
        return None if rewritten == content else json.dumps(rewritten, indent=2) + "\n"
    return None


def _rewrite_csv(path: Path, changes: Changes) -> str | None:
    """A manifest keeps the lines whose files the copy has; another table loses those of the cases left out."""
    read = read_csv(path)
    rows = [row.cells for row in read]
    image, mask = find_column(read, ("image",)), find_column(read, ("mask",))
    names = [column for column in rows[0] if column.lower() in ID_COLUMNS]
    kept = []
    for row in rows:
        if image and mask:
            stays = {changes.place(row[image]), changes.place(row[mask])} <= changes.files
        else:
            stays = not changes.lose(row.values()) and changes.left_out.isdisjoint(row[column] for column in names)
        if stays:
            kept.append({column: changes.rename(cell) for column, cell in row.items()})
    if kept == rows:
        return None
    buffer = io.StringIO(newline="")
    table = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(kept)
    return buffer.getvalue()


def _rewrite_listing(content: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """A dataset.json: its list of training cases, those of the copy once each, and how many the copy has."""
    content = dict(content)
    if isinstance(content.get("training"), list):
        by_case = {_name_of(entry): entry for entry in reversed(content["training"])}
        kept = [entry for name, entry in reversed(by_case.items()) if name in changes.cases]
        content["training"] = [_rename_in(entry, changes) for entry in kept]
    if isinstance(content.get("numTraining"), int):
        content["numTraining"] = len(changes.cases)
    return content


def _name_of(entry: Any) -> str:
    """The case of an entry in a list of cases: the stem of its image; empty for an entry that is none."""
    image = entry.get("image") if isinstance(entry, dict) else None
    return cut_suffix(PurePosixPath(image).name)[0] if isinstance(image, str) else ""


def _rename_in(entry: Any, changes: Changes) -> Any:
    if isinstance(entry, dict):
        return {key: _rename_in(value, changes) for key, value in entry.items()}
    return changes.rename(entry) if isinstance(entry, str) else entry
