"""`cases.csv` or `sequences.csv`: what belongs together, and whatever else is known of each case."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from focalseg.errors import DataError
from focalseg.findings import Finding, show_name, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import cut_suffix, find_file
from focalseg.imagesets.folders.pairing import Nearest
from focalseg.imagesets.folders.tables import Row, find_column, read_csv, shorten_faults
from focalseg.imagesets.kinds import KINDS

CASE_TABLE, SEQUENCE_TABLE = "cases.csv", "sequences.csv"
ID_COLUMNS = ("id", "case", "image", "name", "frame")
_GROUP_COLUMNS = ("group", "subject", "patient", "sequence", "video", "near_duplicate_group")
NO_GROUP = frozenset(("nan", "n/a", "#n/a", "none", "null"))
"""What programs write for a missing cell: read as a name, it would join all of these cases."""


@dataclass(frozen=True, kw_only=True)
class CaseTable:
    """groups and columns (a case's whole line) by case. what: the words for what its lines hold."""

    path: Path
    what: str
    groups: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]


def find_case_tables(folder: Path) -> list[Path]:
    """The tables of cases in a folder, by their names."""
    return [file for name in (SEQUENCE_TABLE, CASE_TABLE) if (file := find_file(folder, name))]


def read_case_table(path: Path, *, whole: bool = False) -> CaseTable:
    """`sequences.csv` has the columns frame and sequence; `cases.csv` one of ID_COLUMNS, and at will one of GROUP_COLUMNS.

    A column such as patient_id counts as patient. The column stands before the group's name. An empty cell of cases.csv: a
    case that stands alone. whole: whether a case is named with its folder. Raises DataError with every line at fault.
    """
    sequences = path.name.lower() == SEQUENCE_TABLE
    rows = read_csv(path, required=("frame", "sequence") if sequences else ())
    name_column = find_column(rows, ("frame",) if sequences else ID_COLUMNS)
    if name_column is None:
        wanted = f"a column {', '.join(ID_COLUMNS[:-1])} or {ID_COLUMNS[-1]}"
        raise DataError(_fault(path, "has no column for the cases", wanted))
    group_column = find_group_column(rows, ("sequence",) if sequences else _GROUP_COLUMNS)
    groups: dict[str, str] = {}
    first: dict[str, Row] = {}
    faults: list[Finding] = []
    for row in rows:
        case = _read_name(row.cells[name_column], whole=whole)
        group = row.cells[group_column] if group_column else ""
        if not case or (sequences and not group):
            wanted = "a frame and its sequence" if sequences else "the name of a case"
            faults.append(_fault(path, f"has an empty cell in line {row.line}", wanted, "Complete the line."))
        elif group.lower() in NO_GROUP:
            faults.append(no_group(path, row, group_column or ""))
        elif first.setdefault(case, row).cells != row.cells:
            found = f"has {show_name(case)} in line {first[case].line} and another in line {row.line}"
            faults.append(_fault(path, found, "one line a case", "Take one out."))
        else:
            groups[case] = name_group(group_column, group) if group_column else ""
    if faults:
        raise DataError(shorten_faults(path, faults))
    what = show_name(f"its {name_column}" + (f" and {group_column}" if group_column else ""))
    return CaseTable(path=path, what=what, groups=groups, columns={case: row.cells for case, row in first.items()})


def find_group_column(rows: Sequence[Row], names: Sequence[str] = _GROUP_COLUMNS) -> str | None:
    """The first of the names that is a column, also as patient_id and the like; spelt as the table has it."""
    return find_column(rows, [spelling for name in names for spelling in (name, f"{name}_id")])


def no_group(path: Path, row: Row, column: str) -> Finding:
    """The finding for a cell of NO_GROUP."""
    found = f"has {row.cells[column]} as {show_name(column)} in line {row.line}"
    return _fault(path, found, "a name, or an empty cell for a case that stands alone", "Mend the line.")


def name_group(column: str, value: str) -> str:
    """`sequence_3` for the cell 3 or sequence_3 of the column sequence; empty for an empty cell."""
    prefix = column.lower().removesuffix("_id")
    return value if not value or value.lower().startswith(prefix + "_") else f"{prefix}_{value}"


def group_cases(cases: Sequence[CaseFiles], table: CaseTable) -> tuple[list[CaseFiles], list[Finding]]:
    """The cases with their groups and columns. One that the table does not name is left out, with a finding."""
    lines = _find_lines([case.name for case in cases], table.columns)
    known = [
        replace(case, group=table.groups[line], columns=table.columns[line])
        for case in cases
        if (line := lines.get(case.name)) is not None
    ]
    missing = [case for case in cases if case.name not in lines]
    nearest = Nearest(table.columns.keys() - set(lines.values()))
    findings = []
    for case in missing:
        mend = "Add the line."
        if near := nearest.find(case.name):
            mend = f"Write {show_path(case.name)} where the table has {show_name(near)}, if that is it."
        found = f"is not in {show_path(table.path)}"
        findings.append(KINDS["bad_table"].at(case.images[0], found, expected=f"a line with {table.what}", mend=mend))
    return known, findings


def _find_lines(names: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    """What the table calls each case: its whole name, else the part of it behind the folder where that is of one case alone."""
    known = set(known)
    ends, known_ends = Counter(map(_last_part, names)), defaultdict(list)
    for name in known:
        known_ends[_last_part(name)].append(name)
    lines = {}
    for name in names:
        alike = known_ends[_last_part(name)]
        if name in known:
            lines[name] = name
        elif len(alike) == 1 and ends[_last_part(name)] == 1:
            lines[name] = alike[0]
    return lines


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]


def _read_name(cell: str, *, whole: bool) -> str:
    """The case's name, where a table gives it as the name or path of its file."""
    return cut_suffix(cell.removeprefix("./") if whole else _last_part(cell))[0]


def _fault(path: Path, found: str, expected: str, mend: str = "Add it or remove the file.") -> Finding:
    return KINDS["bad_table"].at(path, found, expected=expected, mend=mend)
