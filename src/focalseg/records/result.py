"""result.json: what a finished run cost. It is written last and says that all else is there; the scores are in cases.csv."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from focalseg.configuration import setting
from focalseg.errors import SettingError
from focalseg.records import names
from focalseg.records.record import FROM_CHECKPOINT, Record, read_record
from focalseg.records.seals import check_digest

RESULT, CHECKPOINT = names.RESULT, "last.ckpt"
"""What a finished run leaves last, and what an unfinished one goes on from."""
CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
"""What a run was made with, and the network that came of it."""


@dataclass(frozen=True, kw_only=True)
class Result(Record):
    """What a finished run cost. flops: multiply-adds counted as two, one image forward. seconds: training alone, by the clock.

    step_seconds: of one step, the mean over all: processor seconds of all threads, which other programs on the machine do not
    lengthen; on an accelerator by the clock. None in files of before it was measured. files: SHA-256 of every other file that
    the run leaves, by name; empty where the version that wrote it kept none. data: the digest of the cases that it was trained
    and scored on. threshold: tuned on its validation cases, at which its cases are scored besides 0.5; None where an earlier
    version scored them at 0.5 alone.
    """

    made_by = "a finished training"
    again = FROM_CHECKPOINT
    indent = 2

    modules: int = setting(at_least=0)
    parameters: int = setting(at_least=0)
    flops: int = setting(at_least=0)
    seconds: float = setting(at_least=0)
    step_seconds: float | None = setting(None, at_least=0)
    data: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    threshold: float | None = setting(None, above=0, below=1)

    def check_file(self, path: Path) -> Path:
        """The path of a file of the run, as it was written. Raises SettingError for one that is missing or was altered."""
        if self.files:
            return check_digest(path, self.files.get(path.name, "none was kept"), FROM_CHECKPOINT)
        if not path.exists():
            raise SettingError(f"No file {path}; expected one that {self.made_by} left. Mend: {FROM_CHECKPOINT}.")
        return path


def check_run_file(path: Path) -> Path:
    """The path of a file of a finished run, as it was written. Raises SettingError where it or result.json is not."""
    return read_record(Result, path.with_name(RESULT)).check_file(path)
