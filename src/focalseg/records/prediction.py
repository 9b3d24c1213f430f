"""prediction.json and masks.jsonl: what a folder of predicted masks was made with, and which files in it are ours."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from focalseg import __version__
from focalseg.configuration import from_mapping, setting, to_mapping
from focalseg.errors import SettingError
from focalseg.json_files import parse_json
from focalseg.records.record import Record
from focalseg.records.seals import open_seal, seal

PREDICTION, MASKS = "prediction.json", "masks.jsonl"
AGAIN = "give a new --out"


@dataclass(frozen=True, kw_only=True)
class PredictionRecord(Record):
    """What decides the masks in a folder. model: the path as it was given; model_digest: of all its networks, their number.

    labels, marks: as the config of a run has them. threshold: between foreground and background; versions that had 0.5 alone
    did not write it.
    """

    made_by = "`focalseg predict`"
    again = AGAIN

    model: str
    model_digest: str
    networks: int = setting(at_least=1)
    labels: tuple[str, ...]
    marks: tuple[str, ...] = ()
    overlap: float = setting(at_least=0, below=1)
    flips: bool = False
    threshold: float = setting(0.5, above=0, below=1)


@dataclass(frozen=True, kw_only=True)
class MaskEntry:
    """A line of masks.jsonl. mask: its path within the folder. inputs: SHA-256 of the image's files, by name.

    outputs: SHA-256 of all files that were written for it, by path within the folder; empty where they were only begun, and
    may be there or not. doubts: what makes them doubtful. Of two lines for a mask the later one holds.
    """

    mask: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def to_line(self) -> bytes:
        """One line of sealed JSON."""
        return json.dumps(seal(to_mapping(self), writer=__version__)).encode() + b"\n"


def read_entries(path: Path) -> tuple[dict[str, MaskEntry], int]:
    """The entries of a masks.jsonl by mask, and the bytes that they take; an end that was cut off in writing is not counted.

    None where there is no file. Raises SettingError for a line that is not as it was written.
    """
    entries: dict[str, MaskEntry] = {}
    taken = 0
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return entries, taken
    except OSError as error:
        raise SettingError(f"{path} cannot be read ({error.strerror or error}); {AGAIN}.") from error
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            break
        entry = _read_entry(line, f"{path}: line {number}")
        entries[entry.mask] = entry
        taken += len(line)
    return entries, taken


def _read_entry(line: bytes, place: str) -> MaskEntry:
    try:
        content = parse_json(line)
        if not isinstance(content, dict):
            raise ValueError("is no JSON object")  # noqa: TRY004 - as every other fault of the line
        return from_mapping(MaskEntry, open_seal(content), each="field")
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise SettingError(
            f"{place} was altered ({first}); expected it as `focalseg predict` wrote it. Remove the line and the mask that it "
            f"names, or {AGAIN}."
        ) from error
