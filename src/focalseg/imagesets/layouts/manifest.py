"""A set whose files may lie anywhere, listed by a table: `manifest.csv` in its folder, or a CSV file given as the data.

Ours, not a release's. Columns: image and mask, and at will group (or patient and the like, as in `cases.csv`), split (train,
validation, test or empty), fov, name, and label (what the mask is of); others are kept. An image may have several lines, whose
masks are joined. Paths start at the table's folder, or at the root, and stay in the folder. `labels.csv` beside it says what
the values mean.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import get_args

from focalseg.findings import Finding, show_path
from focalseg.imagesets.case import CaseFiles, Part
from focalseg.imagesets.folders.files import cut_suffix, find_file, find_file_fault, find_name_fault
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.tables import Row, attempt, find_column, read_csv
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.layouts.case_table import NO_GROUP, find_group_column, name_group, no_group
from focalseg.imagesets.layouts.label_table import LABEL_TABLE, read_folder_labels
from focalseg.imagesets.layouts.plain import list_coded
from focalseg.imagesets.nesting.sides import is_observer

TITLE = "manifest"
EXPECTED = "a table manifest.csv with the columns image and mask, and at will group (or patient), split, fov and name"
_TABLE = "manifest.csv"
_OPTIONAL = ("split", "fov", "name")
_LABEL_COLUMNS = ("mask_label", "label")
_SPLITS = [part for part in get_args(Part) if part]
_SPLIT_WORDS: Mapping[str, Part] = {
    "": "",
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "val", "valid", "validating", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What people write in the column split, in lower case."""
_MOST_SHOWN = 80
"""At most so many characters of a cell are shown in a message."""
_MOST_NAME_BYTES = 200
"""Files named after a case get a suffix, and a name may have 255 bytes."""


def recognise(data: Path) -> bool:
    """The layout is marked by `manifest.csv`, or by being a CSV file itself."""
    return _find_table(data) is not None


def read(data: Path) -> Listing:
    """The cases of the table's lines, in its order."""
    path = _find_table(data) or data
    findings: list[Finding] = []
    rows = attempt(findings, read_csv, path, ("image", "mask"))
    cases = _Reader(path, rows, findings).read(rows) if rows else []
    return list_coded(path.parent, cases, findings)


def _find_table(data: Path) -> Path | None:
    try:
        if data.is_dir():
            return find_file(data, _TABLE)
        return data if data.suffix.lower() == ".csv" and data.is_file() else None
    except OSError:
        return None


class _Reader:
    """Reads one table. Every fault found is added to the findings."""

    def __init__(self, path: Path, rows: Sequence[Row], findings: list[Finding]) -> None:
        self.path, self.findings = path, findings
        self._home = path.parent.resolve()
        self._columns = {name: find_column(rows, (name,)) for name in _OPTIONAL}
        self._columns |= {"group": find_group_column(rows), "label": find_column(rows, _LABEL_COLUMNS)}
        # Each path is looked up once, and so is its folder.
        self._resolve, self._resolve_folder = cache(self._look_up), cache(Path.resolve)

    def read(self, rows: Sequence[Row]) -> list[CaseFiles]:
        """The cases of the lines that have no fault."""
        names = self._name_cases(rows)
        at_fault = self._find_twice(rows, names) | self._find_leaks(rows)
        self._note_further(rows)
        labelled = self._find_label_column(rows)
        cases: dict[int, CaseFiles] = {}
        for row in rows:
            image = self._find_file(row, "image", "no_image")
            mask = self._find_file(row, "mask", "no_mask")
            field_of_view = self._find_file(row, self._columns["fov"], "no_mask")
            part = self._read_split(row)
            grouped = self._check_group(row)
            named = self._check_name(row, names.get(row.line), known=image is not None)
            viewed = field_of_view is not None or not self._cell(row, "fov")
            label = self._read_label(row) if labelled else ""
            if image and mask and part is not None and grouped and named and viewed and label is not None:
                cases[row.line] = CaseFiles(
                    name=names[row.line],
                    images=(image,),
                    masks=(mask,),
                    mask_labels=(label,) if label else (),
                    group=self._group(row),
                    part=part,
                    field_of_view=field_of_view,
                    columns=row.cells,
                )
        return [
            replace(
                cases[together[0]],
                masks=tuple(mask for line in together for mask in cases[line].masks),
                mask_labels=tuple(label for line in together for label in cases[line].mask_labels),
            )
            for together in self._join_lines(rows)
            if cases.keys() >= set(together) and at_fault.isdisjoint(together)
        ]

    def _join_lines(self, rows: Sequence[Row]) -> list[list[int]]:
        """The lines of each image."""
        lines: dict[Path | int, list[int]] = defaultdict(list)
        for row in rows:
            lines[self._resolve(row.cells["image"]) if row.cells["image"] else row.line].append(row.line)
        return list(lines.values())

    def _find_label_column(self, rows: Sequence[Row]) -> bool:
        """Whether the column of labels counts. One named label may be about whole images, unless an image has several."""
        column = self._columns["label"]
        if column is None:
            return False
        labels = {row.cells[column].casefold() for row in rows}
        several = {(self._resolve(row.cells["image"]), row.cells[column].casefold()) for row in rows}
        images = {image for image, _ in several}
        table = find_file(self.path.parent, LABEL_TABLE)
        declared = attempt([], read_folder_labels, table) if table else {}
        if column.lower() == _LABEL_COLUMNS[0] or len(several) > len(images) or len(labels) < 2 or declared:
            return True
        found = f"has {len(labels)} values in its column {column}, and no image has masks of two"
        expected = f"a column {_LABEL_COLUMNS[0]} for what masks are of, and another name for what whole images show"
        mend = f"Call it {_LABEL_COLUMNS[0]} if it is of the masks; if not, diagnosis or the like."
        self._report("bad_table", found, expected, mend)
        return False

    def _read_label(self, row: Row) -> str | None:
        label = self._cell(row, "label")
        if label and label.isprintable():
            return label
        found = f"has no printable label in line {row.line}"
        self._report("bad_table", found, "the label that the mask is of", "Mend the line.")
        return None

    def _cell(self, row: Row, name: str) -> str:
        column = self._columns[name]
        return row.cells[column] if column else ""

    def _group(self, row: Row) -> str:
        """The group, named with its column, so that it never equals the name of a case by chance."""
        column = self._columns["group"]
        return name_group(column, row.cells[column]) if column else ""

    def _check_group(self, row: Row) -> bool:
        column = self._columns["group"]
        if column is None or row.cells[column].lower() not in NO_GROUP:
            return True
        self.findings.append(no_group(self.path, row, column))
        return False

    def _report(self, kind: str, found: str, expected: str = "", mend: str = "", others: Sequence[Path] = ()) -> None:
        self.findings.append(KINDS[kind].at(self.path, found, expected=expected, mend=mend, others=others))

    def _name_cases(self, rows: Sequence[Row]) -> dict[int, str]:
        """The case's name by line: that of the column `name`, else the image's stem, or its whole path where stems recur."""
        images = {row.line: PurePosixPath(self._start_here(row.cells["image"])) for row in rows}
        different = set(images.values())
        whole = len({cut_suffix(image.name)[0].lower() for image in different}) < len(different)
        stems = [cut_suffix("_".join(image.parts) if whole else image.name)[0] for image in images.values()]
        names: dict[int, str] = {}
        lines: dict[str, list[int]] = defaultdict(list)
        for row, stem in zip(rows, stems, strict=True):
            name = self._cell(row, "name") or stem
            names[row.line] = name
            lines[name.lower()].append(row.line)
        for same in lines.values():
            if len(same) > 1 and len({self._resolve(str(images[line])) for line in same}) > 1:
                found = f"has the name {_shorten(names[same[0]])} in the lines {_list_lines(same)}"
                self._report("names_clash", found, mend="Give them different names in a column name.")
                for line in same:
                    del names[line]
        return names

    def _check_name(self, row: Row, name: str | None, *, known: bool) -> bool:
        """Whether files may be named after the case. known: whether its image is there, whose own fault comes first."""
        fault = _find_case_name_fault(name) if name else ""
        if fault and (known or self._cell(row, "name")):
            found = f"has the name {_shorten(name or '')} in line {row.line}, {fault}"
            self._report("bad_table", found, "a name that may be a file's", "Mend the line, or name the case in a column name.")
        return bool(name) and not fault

    def _find_twice(self, rows: Sequence[Row], names: Mapping[int, str]) -> set[int]:
        """Lines that share a file, but for those of one image with several masks and nothing else that differs."""
        lines: dict[Path, list[int]] = defaultdict(list)
        as_mask: set[Path] = set()
        said: dict[int, tuple[str, ...]] = {}
        for row in rows:
            by = [cell for column, cell in row.cells.items() if is_observer(column)]
            said[row.line] = (
                names.get(row.line, ""),
                self._group(row),
                *(self._cell(row, name) for name in ("split", "fov")),
                *by,
            )
            for column in ("image", "mask"):
                if row.cells[column]:
                    lines[file := self._resolve(row.cells[column])].append(row.line)
                    as_mask |= {file} if column == "mask" else set()
        at_fault: set[int] = set()
        for file, same in lines.items():
            if len(same) == 1 or at_fault.issuperset(same):
                continue
            if file not in as_mask:
                if len({said[line] for line in same}) > 1:
                    at_fault |= set(same)
                    found = f"names one image, {_shorten(file.name)}, in the lines {_list_lines(same)}"
                    expected = "lines of one image that differ in their masks alone, not in name, group, split, fov or observer"
                    self._report("two_files", found, expected, "Mend the lines, or name the right file.", (file,))
                continue
            at_fault |= set(same)
            where = f"as image and mask in line {same[0]}" if len(set(same)) == 1 else f"in the lines {_list_lines(same)}"
            found = f"names one file, {_shorten(file.name)}, {where}"
            self._report("two_files", found, "a file in one place", "Take a line out, or name the right file.", (file,))
        return at_fault

    def _find_leaks(self, rows: Sequence[Row]) -> set[int]:
        """Lines of groups that are on several sides of the split."""
        sides: dict[str, dict[str, int]] = defaultdict(dict)
        values: dict[str, str] = {}
        for row in rows:
            group, split = self._group(row), _SPLIT_WORDS.get(self._cell(row, "split").lower())
            if group and split:
                sides[group].setdefault(split, row.line)
                values.setdefault(group, self._cell(row, "group"))
        leaking = {group: lines for group, lines in sides.items() if len(lines) > 1}
        column = show_path(self._columns["group"] or "")
        for group, lines in leaking.items():
            shown = " and in ".join(f"{split} in line {line}" for split, line in lines.items())
            self._report("leak", f"has the {column} {_shorten(values[group])} in {shown}", f"a {column} on one side")
        return {row.line for row in rows if self._group(row) in leaking}

    def _note_further(self, rows: Sequence[Row]) -> None:
        """A note on columns that name images which are not read, such as further channels or masks."""
        known = {"image", "mask", *filter(None, self._columns.values())}
        first = rows[0].cells if rows else {}
        further = [name for name, cell in first.items() if name not in known and cut_suffix(cell)[1] and self._is_here(cell)]
        if further:
            found = f"names images in the columns {list_names(further)}, which are not read"
            expected = "an image with all of its channels in one file, and one mask"
            mend = "Join channels into one file (a TIFF that says so, or NIfTI), or nothing need be done."
            self.findings.append(KINDS["passed_over"].at(self.path, found, expected=expected, mend=mend))

    def _is_here(self, text: str) -> bool:
        try:
            return (self.path.parent / self._start_here(text)).is_file()
        except (OSError, ValueError):
            return False

    def _read_split(self, row: Row) -> Part | None:
        split = _SPLIT_WORDS.get(self._cell(row, "split").lower())
        if split is not None:
            return split
        found = f"has the split {_shorten(self._cell(row, 'split'))} in line {row.line}"
        self._report("bad_table", found, f"{', '.join(_SPLITS[:-1])}, {_SPLITS[-1]} or an empty cell", "Mend the line.")
        return None

    def _find_file(self, row: Row, column: str | None, kind: str) -> Path | None:
        """The file of a cell, where it is one that may be read; None for an empty cell too, which only fov may be."""
        text = row.cells[column] if column else ""
        if not text:
            if column in ("image", "mask"):
                self._report(kind, f"names no {column} in line {row.line}", f"a path to the {column}", "Complete the line.")
            return None
        place = f"names {_shorten(text)} as {column} in line {row.line}"
        text = self._start_here(text)
        relative = PurePosixPath(text)
        if relative.is_absolute() or ".." in relative.parts or ":" in text[1:2] or text.startswith("\\"):
            self._report("outside", f"{place}, which leads out of the folder")
            return None
        file = self.path.parent / text
        try:
            mode = file.stat().st_mode
        except (OSError, ValueError):
            self._report_absent(kind, place, file, text)
            return None
        if not self._resolve(text).is_relative_to(self._home):
            self._report("outside", f"{place}, a link out of the folder", others=(file,))
            return None
        readable = os.access(file, os.R_OK)
        if fault := find_file_fault(file, mode) or (None if readable else KINDS["no_permission"].at(file, "may not be read")):
            self.findings.append(fault)
            return None
        return file

    def _report_absent(self, kind: str, place: str, file: Path, text: str) -> None:
        if os.path.islink(file):  # noqa: PTH114 - the method of Path raises for names that no file can have
            self.findings.append(KINDS["dead_link"].at(file, "is a link to nothing, or in a circle"))
            return
        mend = "Write / between folders." if "\\" in text else "Add the file, or mend the line or take it out."
        self._report(kind, f"{place}, which is not there", "a file of that name", mend, (file,))

    def _start_here(self, text: str) -> str:
        """A path that starts at the root and leads into the folder, from the folder on; any other as it is."""
        if not text.startswith("/"):
            return text
        path = PurePosixPath(text)
        homes = (self.path.parent.absolute(), self._home)
        return next((str(path.relative_to(home)) for home in homes if path.is_relative_to(home)), text)

    def _look_up(self, text: str) -> Path:
        """Where a path really leads."""
        file = self.path.parent / self._start_here(text)
        try:
            if file.is_symlink() or file.name in ("", ".."):
                return file.resolve()
            folder: Path = self._resolve_folder(file.parent)
            return folder / file.name
        except (OSError, ValueError, RuntimeError):
            return file


def _shorten(text: str) -> str:
    shown = show_path(text)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."


def _list_lines(lines: Sequence[int]) -> str:
    return list_names(map(str, dict.fromkeys(lines)), most=6)


def _find_case_name_fault(name: str) -> str:
    if fault := find_name_fault(name):
        return f"with {fault}"
    if set(name) & set("/\\") or name in (".", ".."):
        return "which is a path"
    return "which is too long" if len(name.encode()) > _MOST_NAME_BYTES else ""
