"""`focalseg check`: what is in a folder, what is wrong with it, and a corrected copy."""

import os
import shlex
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from focalseg.cli.options import AsJson, Data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from focalseg.findings import Finding
    from focalseg.imagesets.case import Dataset
    from focalseg.imagesets.repair.copying import Repair
    from focalseg.imagesets.repair.mending import Background
    from focalseg.imagesets.survey.survey import Survey
    from focalseg.report.check.wording import FindingGroup

_PageFolder = Annotated[
    Path | None, typer.Option("--out", help="A folder for the page on the set, index.html, and check.json.")
]
_RepairFolder = Annotated[
    Path | None, typer.Option("--repair", help="A new folder for a corrected copy and repair.csv; DATA stays as it is.")
]
_Background = Annotated[
    str | None,
    typer.Option("--background", help="black or white: what --repair lays images with transparent pixels on; masks on black."),
]
_MOST_NAMES = 10
_MOST_NOTES = 20
"""At most so many notes of one kind are listed; errors are all listed."""


def check(
    data: Data,
    out: _PageFolder = None,
    repair: _RepairFolder = None,
    background: _Background = None,
    as_json: AsJson = False,
) -> None:
    """Read every case and list every fault by file, with its mend; ends with status 3 where there is an error."""
    from focalseg.cli.terminal.counting import show_counting
    from focalseg.errors import DataError
    from focalseg.findings import counted, show_path
    from focalseg.imagesets.repair.copying import refuse_copy
    from focalseg.imagesets.survey.survey import survey_dataset
    from focalseg.report.check.page import show_record, write_check
    from focalseg.report.check.wording import count_findings
    from focalseg.study.running.stopping import STOP

    STOP.install()
    beside = sys.stderr if as_json else sys.stdout  # stdout carries nothing but the JSON object
    ground = _read_background(background, repair)
    if repair:
        refuse_copy(repair, data)
    if out:
        _refuse_page_folder(out, data, repair)
    dataset = _open_or_show(data, as_json=as_json)
    survey = survey_dataset(dataset, show_counting)
    if as_json:
        print(show_record(survey), end="")
    else:
        _print_survey(survey)
    if out:
        print(f"page: {write_check(out, dataset, survey)}", file=beside)
    repaired = _write_copy(dataset, survey, repair, beside, ground) if repair else None
    if not as_json:
        print(f"{count_findings(survey)}. {_advise(survey, repaired)}".rstrip())
    if survey.errors:
        sys.stdout.flush()
        if not as_json and _go_to_one_place(sys.stdout, sys.stderr):
            raise typer.Exit(DataError.exit_status)  # whoever reads it has just seen every error
        if not as_json and _is_piped(sys.stdout) and sys.stderr.isatty():  # into a pager, say: both end on one screen
            has = counted(len(survey.errors), "error")
            raise DataError(f"{show_path(survey.source)}: has {has}, told on standard output; expected none. Mend them.")
        raise DataError(survey.errors)


def _go_to_one_place(one: TextIO, other: TextIO) -> bool:
    """Whether two streams end in the same terminal, file or pipe; elsewhere stderr has the errors too, as with every verb."""
    try:
        return (one.isatty() and other.isatty()) or os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return False


def _is_piped(stream: TextIO) -> bool:
    """Whether a stream goes into another program."""
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _open_or_show(data: str, *, as_json: bool) -> "Dataset":
    """The data set; where none can be opened the JSON object says so before the error is raised."""
    from focalseg.errors import DataError
    from focalseg.imagesets.opening import open_dataset
    from focalseg.imagesets.survey.survey import survey_nothing
    from focalseg.report.check.page import show_record

    try:
        return open_dataset(data)
    except DataError as error:
        if as_json:
            print(show_record(survey_nothing(data, error.findings)), end="")
        raise


def _read_background(text: str | None, repair: Path | None) -> "Background | None":
    """What --background says. Raises SettingError for another colour, and without --repair."""
    from focalseg.errors import SettingError

    if text is None:
        return None
    if repair is None:
        raise SettingError("--background says what --repair lays images on, and there is no --repair; add --repair COPY.")
    if text not in ("black", "white"):
        raise SettingError(f"--background was {text!r}; expected black or white.")
    return "black" if text == "black" else "white"


def _write_copy(
    dataset: "Dataset", survey: "Survey", folder: Path, beside: TextIO, background: "Background | None"
) -> "Repair | None":
    """The corrected copy, and what became of it in words; None where no case can be copied."""
    from focalseg.cli.terminal.counting import show_counting
    from focalseg.errors import DataError
    from focalseg.imagesets.repair.copying import repair_dataset

    try:
        repaired = repair_dataset(dataset, survey, folder, show_counting, background=background)
    except DataError as error:
        print(f"no copy was written: {error}", file=beside)
        return None
    print(*_describe_repair(repaired), sep="\n", file=beside)
    return repaired


def _refuse_page_folder(out: Path, data: str, repair: Path | None) -> None:
    """Raises SettingError for an --out that is a file, lies in the set or in the copy, or holds what no check wrote."""
    from focalseg.errors import SettingError
    from focalseg.imagesets.opening import refuse_inside
    from focalseg.report.check.page import RECORD

    if out.exists() and not out.is_dir():
        raise SettingError(f"{out} is a file; expected a folder, or a path where one can be made. Give another --out.")
    refuse_inside(out, data, "--out")
    if repair and (repair.resolve() == out.resolve() or repair.resolve() in out.resolve().parents):
        raise SettingError(f"--out {out} lies in --repair {repair}, which holds the copy alone; give a folder outside of it.")
    if out.is_dir() and any(out.iterdir()) and not (out / RECORD).is_file():
        raise SettingError(f"{out} is not empty and was not made by focalseg check; give a new or an empty folder as --out.")


def _print_survey(survey: "Survey") -> None:
    """Prints what the set is and its findings: tables on a terminal, elsewhere one line per finding.

    Of the notes that need nothing there is one line per kind, below all others.
    """
    from focalseg.findings import show_path
    from focalseg.report.check.record import measure_fingerprint
    from focalseg.report.check.wording import describe_set, group_findings

    print(show_path(survey.source))
    if survey.errors:
        print(f"  {'errors':<16}{len(survey.errors)}, told below: the data cannot be used before they are mended")
    for name, value in describe_set(survey, measure_fingerprint(survey)):
        print(f"  {name:<16}{show_path(value)}")
    groups = group_findings(survey.findings)
    for group in groups:
        if not group.quiet:
            print()
            _print_group(group)
    if quiet := [group for group in groups if group.quiet]:
        print()
        for group in quiet:
            print(group)
    print()


def _print_group(group: "FindingGroup") -> None:
    """Prints the findings of one kind under its title; of notes only the first ones and the number of the others."""
    from focalseg.findings import counted

    shown = group.findings if group.level == "error" else group.findings[:_MOST_NOTES]
    print(f"{counted(len(group.findings), group.level)}: {group.title}")
    if sys.stdout.isatty():
        _print_table(shown)
    else:
        for finding in shown:
            print(finding)
    if rest := len(group.findings) - len(shown):
        print(f"and {rest} more; --json and the page of --out have them all")


def _advise(survey: "Survey", repaired: "Repair | None") -> str:
    """Says what to do next, with the set or with its corrected copy."""
    from focalseg.report.check.wording import count_mendable

    usable = repaired.survey if repaired else survey
    if not usable.errors:
        return _name_next(usable) if usable.cases else ""
    mendable = 0 if repaired else count_mendable(survey.errors)
    copy = f", or let --repair DIR write a copy with {mendable} of them mended" if mendable else ""
    return f"Mend the errors{copy}, and check again."


def _name_next(survey: "Survey") -> str:
    """The command that comes next, or what would stop it."""
    from focalseg.findings import show_path
    from focalseg.imagesets.survey.readiness import USUAL_FOLDS, find_folds

    folds, obstacle = find_folds(survey)
    if obstacle:
        return f"A job cannot start yet: {obstacle}"
    fewer = f" --set split.folds={folds}" if folds < USUAL_FOLDS else ""
    return f"Next: focalseg place {shlex.quote(show_path(survey.source))} --out OUT{fewer}"


def _describe_repair(repaired: "Repair") -> list[str]:
    """Describes what became of the corrected copy."""
    from focalseg.findings import counted
    from focalseg.imagesets.kinds import list_names
    from focalseg.report.check.wording import count_findings

    left_out = f", {counted(len(repaired.left_out), 'case')} left out" if repaired.left_out else ""
    files = f"{counted(repaired.mended, 'file')} mended, {repaired.copied} copied as they are{left_out}"
    return [
        f"copy: {repaired.folder}: {files}; log: {repaired.log}",
        *([f"left out of the copy: {list_names(repaired.left_out, _MOST_NAMES)}"] if repaired.left_out else []),
        f"check of the copy: {count_findings(repaired.survey)}",
        *(f"left in the copy: {finding}" for finding in repaired.survey.errors),
    ]


def _print_table(shown: "Sequence[Finding]") -> None:
    """Prints, on a terminal, what all findings of a kind have in common once, and one row per file."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from focalseg.findings import show_path

    console = Console()
    cells = {
        "file": [show_path(finding.file) for finding in shown],
        "found": [_tell_found(finding) for finding in shown],
        "expected": [finding.expected for finding in shown],
        "mend": [finding.mend for finding in shown],
    }
    alike = {name: values[0] for name, values in cells.items() if name in ("expected", "mend") and len(set(values)) == 1}
    if alike:
        shared = [f"expected {alike['expected']}." if "expected" in alike else "", alike.get("mend", "")]
        console.print(Text(" ".join(filter(None, shared)), style="dim"))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    columns = [name for name in cells if name not in alike]
    for name in columns:
        widest = max(map(len, cells[name]))
        table.add_column(name, overflow="fold", min_width=min(widest, console.width // 2) if name == "file" else None)
    for row in zip(*(cells[name] for name in columns), strict=True):
        table.add_row(*map(Text, row))  # Text: brackets in a name are no markup
    console.print(table)


def _tell_found(finding: "Finding") -> str:
    """What was found, with the further files where it does not name them."""
    from focalseg.findings import show_path
    from focalseg.report.check.wording import name_others

    others = ", ".join(map(show_path, name_others(finding)))
    return f"{finding.found} (with {others})" if others else finding.found
