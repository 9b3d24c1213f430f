"""Runs as versions before the tuned threshold left them."""

import json
from pathlib import Path

from focalseg.records.record import write_json
from focalseg.records.result import RESULT
from focalseg.records.seals import SEAL, WRITER, hash_file
from focalseg.study.running.runs import CASES
from focalseg.study.running.scores import TUNED


def forget_threshold(run: Path) -> None:
    """Turns a finished run into what an earlier version would have left: scores at 0.5 alone."""
    lines = (run / CASES).read_text(encoding="utf-8").splitlines(keepends=True)
    end = lines[0].removeprefix(lines[0].rstrip())
    (run / CASES).write_text("".join(line.rsplit(",", len(TUNED))[0] + end for line in lines), encoding="utf-8", newline="")
    result = json.loads((run / RESULT).read_text())
    kept = {name: value for name, value in result.items() if name not in ("threshold", SEAL, WRITER)}
    kept["files"][CASES] = hash_file(run / CASES)
    write_json(run / RESULT, kept, indent=2)
