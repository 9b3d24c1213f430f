"""Files that are whole or absent: written beside their place, forced to disk, then renamed over it."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from focalseg.errors import MachineError, SettingError
from focalseg.findings import show_path

PARTIAL = ".partial"
LOCK = ".lock"
"""In a folder that a process holds."""
# On every system, what it has of: not through a link, not handed to child processes, without waiting for a pipe, as bytes.
_CAREFUL = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFUL
_APPEND = os.O_WRONLY | os.O_APPEND | _CAREFUL
_LOCK = os.O_WRONLY | os.O_CREAT | _CAREFUL


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Calls write(file) on a file in the same folder, then renames it to path: a reader sees the old file or the new, whole.

    A link in the place of either is replaced, and what it leads to stays as it is. Raises MachineError when the disk is full or
    not writable; the old file is then untouched.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What a killed process left there goes, and so does a link that somebody put there, before a new file is made.
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, _NEW, 0o666), "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        mend = "free space" if error.errno == errno.ENOSPC else "check the path and who may write there"
        if path.is_dir():
            mend = "remove the folder that is in its place"
        raise MachineError(
            f"{path} cannot be written ({error.strerror or error}); {mend}, then run the same command again."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def open_to_append(path: Path) -> BinaryIO:
    """An existing file, to write at its end; not through a link. Raises OSError."""
    return os.fdopen(os.open(path, _APPEND), "ab")


def open_lock(path: Path) -> BinaryIO:
    """An empty file to lock, made where it is missing; what is there is neither changed nor followed.

    Raises SettingError for a link, a pipe or anything else that is no file of its own, MachineError where none can be made.
    """
    try:
        file = os.fdopen(os.open(path, _LOCK, 0o666), "wb")
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    except OSError as error:
        if not path.is_symlink() and (path.is_file() or not path.exists()):
            mend = "check the path and who may write there, then run the same command again"
            raise MachineError(f"{path} cannot be written ({error.strerror}); {mend}.") from error
    what = "a link" if path.is_symlink() else "a folder" if path.is_dir() else "no file"
    raise SettingError(f"{path} is {what}, where a file of ours belongs. Remove it and run the same command again.")


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Keeps every other process out of a folder until the block ends, or this process does. Holding needs a POSIX system.

    Raises SettingError where another process holds it, and as `open_lock` does.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    path = folder / LOCK
    while True:
        with open_lock(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise describe_use(folder) from error
            if not _lies_at(path, file):  # whoever held it took it away before we locked it, and the next one makes another
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def describe_use(folder: Path) -> SettingError:
    """What a person hears of a folder that another process holds."""
    return SettingError(f"{show_path(folder)} is in use by another focalseg; wait for it to end, or give another --out.")


def _lies_at(path: Path, file: BinaryIO) -> bool:
    """Whether the open file is the one that is found at that path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def refuse_linked_folders(folder: Path) -> None:
    """Raises SettingError for a link to a folder anywhere within: what is written to the folder would land somewhere else.

    The folder itself may be a link, since that is what a person asked for.
    """
    for place, inner, _ in os.walk(folder):
        for name in inner:
            refuse_link(Path(place, name))


def refuse_link(folder: Path) -> None:
    """Raises SettingError where the folder, which lies within one that a person named, is a link to another."""
    if folder.is_symlink():
        raise SettingError(
            f"{folder} is a link to a folder, and is not written through. Remove the link or put the folder itself there, then "
            "run the same command again."
        )


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
