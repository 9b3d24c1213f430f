"""The folder that a comparison or an evaluation is written to, looked at before any score is read."""

import os
from pathlib import Path

from focalseg.errors import SettingError
from focalseg.findings import show_path
from focalseg.records.scores.comparison import COMPARISON


def refuse_folder(folder: Path, record: str = COMPARISON, verb: str = "compare") -> None:
    """Raises SettingError for a file of that name or above it, a folder that may not be written to, and one with things in it
    and no record of that verb."""
    if folder.exists() and not folder.is_dir():
        raise SettingError(
            f"{show_path(folder)} is a file; expected a folder, or a path where one can be made. Give another --out."
        )
    above = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        why = "may not be written to" if above.is_dir() else "is a file"
        raise SettingError(
            f"{show_path(folder)} cannot be written: {show_path(above)} {why}; expected a folder that may be written to. "
            "Give another --out."
        )
    if folder.is_dir() and any(folder.iterdir()) and not (folder / record).is_file():
        raise SettingError(
            f"{show_path(folder)} is not empty and was not made by focalseg {verb}; expected a new or an empty folder. "
            "Give another --out."
        )
