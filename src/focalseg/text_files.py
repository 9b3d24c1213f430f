"""Text that a person hands over: read in one way, from a regular file of bounded size, so that no path hangs or fills memory.

It is looked at before it is opened, since opening alone can act on a device or wait for the other end of a pipe.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from focalseg.errors import SettingError

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
    (stat.S_ISSOCK, "is a socket"),
)
# A pipe that took the file's place since it was looked at is opened without waiting; a terminal does not become ours.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_RDONLY", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))


class NoSmallFileError(ValueError):
    """What is there is not a regular file, or is too large. The message continues the name of the file."""


class TooLargeError(NoSmallFileError):
    """A regular file, and too large."""


def read_small(path: Path, *, most_bytes: int, expected: str) -> bytes:
    """All bytes of a small regular file. expected: what should have been there, with the mend, as it follows on "expected ".

    Raises SettingError for a file that is not there, is none, is too large or may not be read.
    """
    try:
        return read_bounded(path, most_bytes=most_bytes)
    except FileNotFoundError as error:
        raise SettingError(f"No file {path}; expected {expected}") from error
    except NoSmallFileError as error:
        raise SettingError(f"{path} {error}; expected {expected}") from error
    except (OSError, ValueError) as error:  # a ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SettingError(f"{path} cannot be read ({reason}); expected {expected}") from error


def read_bounded(path: Path, *, most_bytes: int) -> bytes:
    """All bytes of a regular file, links followed. Raises NoSmallFileError, or the system's OSError."""
    _check(path.stat(), most_bytes)
    descriptor = os.open(path, _FLAGS)
    try:
        _check(os.fstat(descriptor), most_bytes)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # What stands in /proc has no size, and may have nothing to give yet: None.
            content = file.read(most_bytes + 1) or b""
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise TooLargeError(_describe_size(most_bytes))
    return content


def _check(found: os.stat_result, most_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NoSmallFileError(next((kind for holds, kind in _KINDS if holds(found.st_mode)), "is no file"))
    if found.st_size > most_bytes:
        raise TooLargeError(_describe_size(most_bytes))


def _describe_size(most_bytes: int) -> str:
    size = f"{most_bytes // 2**20} MiB" if most_bytes >= 2**20 else f"{most_bytes // 2**10} KiB"
    return f"has more than {size}"
