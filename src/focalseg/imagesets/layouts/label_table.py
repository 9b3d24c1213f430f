"""`labels.csv`: which value, or which colour, of a mask stands for which label."""

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

from focalseg.errors import DataError
from focalseg.findings import Finding, counted, show_name, show_path
from focalseg.imagesets.folders.tables import Row, find_column, read_csv, shorten_faults
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.masks import MOST_LABELS, VOID, Colour, MaskCoding, names_background, names_void

LABEL_TABLE = "labels.csv"
_MOST_VALUE = 65_535
"""Masks have at most 16 bits."""
_COLOUR_COLUMNS = ("colour", "color")
_EXPECTED_BACKGROUND = "a value or colour for the background of a single label"
_BACKGROUND_MEND = "Call it background if somebody judged that nothing is there."
_FOLDER_COLUMN = "folder"
_EXPECTED = "lines such as lesion,255 below label,value, or lesion,#FF0000 below label,colour"


def read_label_table(path: Path) -> MaskCoding:
    """Labels numbered from 1 in the order of the lines; the label `background` is 0, as are value 0 and black unless named.

    What is called void, ignore, unlabeled and the like is no label: nobody judged it.

    Raises DataError with every line at fault.
    """
    rows = read_csv(path, required=("label",))
    value_column, colour_column = find_column(rows, ("value",)), find_column(rows, _COLOUR_COLUMNS)
    if value_column is None and colour_column is None:
        raise DataError(_fault(path, "has no column value and no column colour"))
    names: dict[str, int] = {}
    void: list[str] = []
    values: dict[int, int] = {}
    colours: dict[Colour, int] = {}
    faults: list[Finding] = []
    for row in rows:
        value_text = row.cells[value_column] if value_column else ""
        colour_text = row.cells[colour_column] if colour_column else ""
        name, value, colour = row.cells["label"], _read_value(value_text), _read_colour(colour_text)
        if fault := _find_fault(name, names, (value_text, value), (colour_text, colour)):
            faults.append(_fault(path, f"{fault} in line {row.line}"))
            continue
        number = _number_label(name, names, void)
        if value is not None and values.setdefault(value, number) != number:
            faults.append(_twice(path, row, value_text))
        if colour is not None and colours.setdefault(colour, number) != number:
            faults.append(_twice(path, row, colour_text))
    if not faults and not 1 <= len(names) <= MOST_LABELS:
        faults.append(_fault(path, f"names {counted(len(names), 'label')} besides the background"))
    if values:
        values.setdefault(0, 0)
    if colours:
        colours.setdefault((0, 0, 0), 0)
    if not faults and (fault := _find_lacking_background(names, void, values, colours)):
        faults.append(KINDS["bad_table"].at(path, fault, expected=_EXPECTED_BACKGROUND, mend=_BACKGROUND_MEND))
    if faults:
        raise DataError(shorten_faults(path, faults))
    return MaskCoding(labels=tuple(names), values=values, colours=colours, table=str(path), void=tuple(dict.fromkeys(void)))


def _number_label(name: str, names: dict[str, int], void: list[str]) -> int:
    """The number that a line's label has in masks; it is added to the names of labels, or of what nobody judged."""
    if names_void(name):
        void.append(name)
        return VOID
    if names_background(name):
        return 0
    names[name] = len(names) + 1
    return names[name]


def _find_lacking_background(
    names: Mapping[str, int], void: Collection[str], values: Mapping[int, int], colours: Mapping[Colour, int]
) -> str:
    """What is wrong with a table that leaves every pixel either unjudged or of its one label; empty for nothing."""
    lacking = any(table and 0 not in table.values() for table in (values, colours))
    if not void or len(names) > 1 or not lacking:
        return ""
    return f"says that {list_names(void)} is what nobody judged, which leaves {list_names(names)} without a background"


def read_folder_labels(path: Path) -> dict[str, str]:
    """Labels by the folder that holds their masks, in lower case, in the order of the lines; nothing where no column says it.

    Raises DataError with every line at fault, and for values or colours beside the folders.
    """
    rows = read_csv(path, required=("label",))
    folder_column = find_column(rows, (_FOLDER_COLUMN,))
    if folder_column is None:
        return {}
    if find_column(rows, ("value", *_COLOUR_COLUMNS)):
        found = "has values or colours beside folders"
        mend = "Leave one of the columns out: a mask in such a folder has 0 and one other value."
        raise DataError(KINDS["bad_table"].at(path, found, expected="the columns label,folder alone", mend=mend))
    labels: dict[str, str] = {}
    faults: list[Finding] = []
    for row in rows:
        name, folder = row.cells["label"], row.cells[folder_column]
        if not name or not name.isprintable() or not folder:
            faults.append(_fault(path, f"has no {'label' if folder else 'folder'} in line {row.line}"))
        elif labels.setdefault(unicodedata.normalize("NFC", folder).casefold(), name) != name:
            faults.append(_twice(path, row, show_path(folder)))
    if faults:
        raise DataError(shorten_faults(path, faults))
    return labels


def write_folder_labels(labels: Mapping[str, str]) -> str:
    """The text of a table that declares labels by the names of their folders."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(
        [("label", _FOLDER_COLUMN), *((name, folder) for folder, name in labels.items())]
    )
    return buffer.getvalue()


def _find_fault(name: str, names: dict[str, int], value: tuple[str, int | None], colour: tuple[str, Colour | None]) -> str:
    """What is wrong with a line, of which value and colour are given as text and as read; empty for nothing."""
    if not name or not name.isprintable():
        return "has no printable label"
    if name in names:
        return f"names the label {show_name(name)} again"
    if value[0] and value[1] is None:
        return f"has the value {value[0][:40]!r}, which is no whole number from 0 to {_MOST_VALUE},"
    if colour[0] and colour[1] is None:
        return f"has the colour {colour[0][:40]!r}, which is not #RRGGBB,"
    return "" if value[0] or colour[0] else f"has no value and no colour for {show_name(name)}"


def _read_value(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= _MOST_VALUE else None


def _read_colour(text: str) -> Colour | None:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _twice(path: Path, row: Row, text: str) -> Finding:
    return _fault(path, f"gives {text} a second label in line {row.line}")


def _fault(path: Path, found: str) -> Finding:
    return KINDS["bad_table"].at(path, found, expected=_EXPECTED, mend="Mend the line or remove the file.")
