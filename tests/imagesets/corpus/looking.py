"""What the product says about a folder, and what it takes to say it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from focalseg.errors import DataError
from focalseg.findings import Finding
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.survey import survey_dataset

Value = TypeVar("Value")
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
MIB = 2**20
LAYOUT = "layout"
"""What no reader knows is refused as a whole: the one fault that is about no single file, and has no kind."""


def look_at(folder: Path) -> tuple[Finding, ...]:
    """Every finding of a folder, whether the listing or the survey tells it. Exceptions other than DataError go through."""
    try:
        return survey_dataset(open_dataset(str(folder))).findings
    except DataError as error:
        told = set(map(str, error.findings))
        return *error.findings, *(take_apart(fault) for fault in error.faults if fault not in told)


def take_apart(fault: str) -> Finding:
    """A fault that came as a sentence, `FILE: FOUND; expected EXPECTED. MEND`, of the kind LAYOUT."""
    file, _, rest = fault.partition(": ")
    found, _, rest = rest.partition("; expected ")
    expected, _, mend = rest.rpartition(". ")
    return Finding(kind=LAYOUT, level="error", file=file, found=found, expected=expected, mend=mend)


def concerns(finding: Finding, paths: tuple[Path, ...]) -> bool:
    """Whether a finding is about one of the files."""
    return bool({finding.file, *finding.others} & set(map(str, paths)))


@dataclass(frozen=True)
class Cost:
    """seconds of this process's own time; memory: the most it held beyond what it held before, in MiB, None off Linux."""

    seconds: float
    memory: float | None


def measure(run: Callable[[], Value]) -> tuple[Value, Cost]:
    """What a call gives, and its cost."""
    before = _reset_peak()
    start = time.process_time()
    value = run()
    seconds = time.process_time() - start
    return value, Cost(seconds, None if before is None else (_read("VmHWM") - before) / MIB)


def _reset_peak() -> int | None:
    """Makes Linux forget the largest size of this process so far, and gives its present one in bytes."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return None
    return _read("VmRSS")


def _read(name: str) -> int:
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
