"""The one way in which a record becomes a file and a file a record."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from focalseg import __version__
from focalseg.configuration import from_mapping, to_mapping
from focalseg.errors import SettingError
from focalseg.files import write_text
from focalseg.json_files import DepthError, parse_json
from focalseg.records.seals import is_sealed, open_seal, seal
from focalseg.text_files import read_small

AGAIN = "run the command that made the folder again"
FROM_CHECKPOINT = f"{AGAIN}, which writes it anew from the checkpoint"
MEND = f"Restore the file, or {AGAIN}."
MOST_FAULTS = 3
"""Of a damaged file, how many are told."""
MOST_BYTES = 32 << 20
"""The largest file of ours is the split of a set with hundreds of thousands of cases."""


class Record:
    """Base of the dataclasses that have a file of their own, named in the module of each.

    made_by: what writes the file. again: how it is made again, as it follows on "Restore the file, or". indent: of its JSON.
    A field with a default was not written by every version, or not by every job.
    """

    made_by: ClassVar[str]
    again: ClassVar[str] = AGAIN
    indent: ClassVar[int] = 1


Kind = TypeVar("Kind", bound=Record)


def write_record(path: Path, record: Record) -> None:
    """Writes a record as strict JSON, its fields in their order; the file is whole or absent. Raises SettingError for a number
    that is not finite, which JSON does not know."""
    write_json(path, to_mapping(record), indent=record.indent)


def write_json(path: Path, content: dict[str, Any], *, indent: int) -> None:
    """Writes plain data as strict JSON and seals it, whole or not at all."""
    try:
        text = json.dumps(seal(content, writer=__version__), indent=indent, allow_nan=False)
    except ValueError as error:
        raise SettingError(f"{path} was to hold a number that is not finite; expected finite ones. Train anew.") from error
    write_text(path, text + "\n")


def read_record(kind: type[Kind], path: Path, *, show: Callable[[str], str] | None = None) -> Kind:
    """The record that a file holds. show: done to every text in it beforehand, by who wants to show and not to use it.

    A file that was sealed and altered since is refused. Other names at its top are not for this record and are let be; within,
    every field is checked. Raises SettingError naming the file and each field at fault.
    """
    content = read_sealed(path, f"one that {kind.made_by} wrote. Restore the file, or {kind.again}.")
    try:
        if not isinstance(content, dict):
            raise SettingError(f"The whole was {content!r:.40}; expected fields as `name: value`.")
        known = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
        if "schema" in known and content.get("schema") != known["schema"].default:
            raise SettingError(f"schema was {content.get('schema')!r:.40}; this version reads {known['schema'].default}.")
        given = {name: value for name, value in content.items() if name in known}
        return from_mapping(kind, given if show is None else _show_texts(given, show), each="field")
    except SettingError as error:
        faults = [f"{path}: {fault}" for fault in str(error).splitlines()[:MOST_FAULTS]]
        raise SettingError("\n".join(faults) + f" Restore the file, or {kind.again}.") from error


def read_sealed(path: Path, expected: str) -> Any:
    """The plain data in a JSON file, its seal looked at and taken off. Raises SettingError as `read_json` does, and for a file
    that was altered since it was sealed."""
    content = read_json(path, expected)
    try:
        return open_seal(content) if isinstance(content, dict) else content
    except ValueError as error:
        raise SettingError(f"{path} {error}; expected {expected}") from error


def read_json(path: Path, expected: str) -> Any:
    """The plain data in a JSON file. Raises SettingError, saying what was expected, for a file that cannot be read as such."""
    content = read_small(path, most_bytes=MOST_BYTES, expected=expected)
    try:
        return parse_json(content)
    except ValueError as error:
        told = type(error) in (ValueError, DepthError)  # a sentence of ours; the system's own say less than their names
        raise SettingError(f"{path} cannot be read ({error if told else type(error).__name__}); expected {expected}") from error


def was_sealed(path: Path) -> bool:
    """Whether a file of ours has a seal, which an earlier version did not give it."""
    content = read_json(path, "a record of ours.")
    return isinstance(content, dict) and is_sealed(content)


def _show_texts(content: Any, show: Callable[[str], str]) -> Any:
    if isinstance(content, dict):
        return {show(name): _show_texts(value, show) for name, value in content.items()}
    if isinstance(content, list):
        return [_show_texts(value, show) for value in content]
    return show(content) if isinstance(content, str) else content
