"""Standard output and error that take whatever is written: what a person no longer reads or cannot read ends no job."""

import errno
import io
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO


class Stream:
    """A text stream that goes on in silence once nothing can be written to it, and remembers why."""

    def __init__(self, stream: TextIO) -> None:
        self.failure: OSError | None = None
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes the text; its length, as if it had been written, where it could not be."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Writes what is held back."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """From now on the null device takes all, also what Python holds back until the process ends."""
        self.failure = self.failure or error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


def settle_streams() -> None:
    """Makes standard output and error of this process take signs that their encoding lacks, and outlive their reader."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before Python started, and opened to the null device since
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open as long as the process
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Stream(stream))


def find_lost_output() -> OSError | None:
    """Why standard output could not be written; None where it was, and where its reader wanted no more, as `head` does."""
    sys.stdout.flush()
    failure: OSError | None = getattr(sys.stdout, "failure", None)
    return None if failure is None or failure.errno == errno.EPIPE else failure
