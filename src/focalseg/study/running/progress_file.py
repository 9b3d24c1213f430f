"""What a run has done since its last step, in a small file in its folder for whoever watches it from another process."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from focalseg.counting import Advance
from focalseg.text_files import read_bounded

PROGRESS = ".progress"
SCORING, EVIDENCE_PASSES = "scoring", "evidence"
"""The parts of what follows the last step, in their order: cases scored at full size, batches gone through for evidence."""
_MOST_BYTES = 1000
_WRITE_SECONDS = 0.5


class ProgressFile:
    """Writes how many of how many there are of each part. It is only for show: what cannot be written is not."""

    def __init__(self, folder: Path) -> None:
        self.path, self.parts, self.written = folder / PROGRESS, dict[str, tuple[int, int]](), 0.0

    def count(self, part: str) -> Advance:
        """Whom to tell how many of a part are done."""

        def advance(done: int, total: int) -> None:
            self.parts[part] = (done, total)
            if time.monotonic() - self.written >= _WRITE_SECONDS or done == total:
                self._write()

        return advance

    def remove(self) -> None:
        """At the end, when all else is there."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        # Neither whole nor forced to disk, which would cost more than it is worth; a link that lies there is not followed, and
        # a pipe not waited for.
        self.written = time.monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with suppress(OSError), os.fdopen(os.open(self.path, flags, 0o644), "w", encoding="utf-8") as file:
            json.dump(self.parts, file)


def read_parts(folder: Path) -> Mapping[str, float]:
    """The share of each part that is done, in [0, 1]; nothing where there is no such file, or half of one."""
    try:
        content = json.loads(read_bounded(folder / PROGRESS, most_bytes=_MOST_BYTES))
        return {part: min(max(done / total, 0.0), 1.0) for part, (done, total) in content.items() if total > 0}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
