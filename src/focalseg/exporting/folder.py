"""The folder of an export: written beside its place and renamed, so that a person finds a whole export or none."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from focalseg.errors import MachineError, SettingError
from focalseg.files import PARTIAL, refuse_link


def refuse_others(out: Path, names: Collection[str], marks: Collection[str]) -> None:
    """Raises SettingError where `out` holds what we did not write there: its names at the top are these, a mark among them."""
    if out.is_symlink():
        refuse_link(out)
    if out.is_file():
        raise SettingError(f"{out} is a file; expected a folder to fill. Give a new or an empty one.")
    if not out.is_dir():
        return
    if out.resolve() == Path.cwd():
        raise SettingError(f"{out} is the folder that this runs in, which would be replaced by a new one. Give another one.")
    found = sorted(path.name for path in out.iterdir())
    foreign = [name for name in found if name not in names] or ([] if set(marks) & set(found) else found)
    if foreign:
        raise SettingError(f"{out} holds {foreign[0]}, which focalseg did not write there. Give a new or an empty folder.")


@contextmanager
def fill_folder(out: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `out` in the end; where anything raises, `out` stays as it was.

    The caller has looked at what lies there (`refuse_others`). Raises MachineError where it cannot be written.
    """
    out = out.resolve()  # `.` has no name to put anything beside
    aside, old = out.with_name(out.name + PARTIAL), out.with_name(out.name + ".old" + PARTIAL)
    try:
        _bring_back(old, out)
        for left in (aside, old):
            shutil.rmtree(left, ignore_errors=True)  # of an export that was killed
        aside.mkdir(parents=True)
        yield aside
        if out.exists():
            out.rename(old)
        aside.rename(out)
    except OSError as error:
        if isinstance(error, MachineError):
            raise
        raise MachineError(
            f"{out} cannot be written ({error.strerror or error}); free space or check the path, then run the same command "
            "again."
        ) from error
    finally:
        _bring_back(old, out)
        for left in (aside, old):
            shutil.rmtree(left, ignore_errors=True)


def _bring_back(old: Path, out: Path) -> None:
    """Puts what was moved aside back in its place, where something stopped us before the new folder stood there."""
    if old.is_dir() and not os.path.lexists(out):
        old.rename(out)
