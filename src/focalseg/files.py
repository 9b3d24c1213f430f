"""Files that are whole or absent: written beside their place, forced to disk, then renamed over it."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from focalseg.errors import MachineError

PARTIAL = ".partial"


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Calls write(file) on a file in the same folder, then renames it to path: a reader sees the old file or the new, whole.

    Raises MachineError when the disk is full or not writable; the old file is then untouched.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        mend = "free space" if error.errno == errno.ENOSPC else "check the path and who may write there"
        raise MachineError(
            f"{path} cannot be written ({error.strerror or error}); {mend}, then run the same command again."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a whole text file, UTF-8."""
    write_whole(path, lambda file: file.write(text.encode()))


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
