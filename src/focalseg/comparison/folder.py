"""The folder that a comparison or an evaluation is written to, looked at before any score is read."""

from pathlib import Path

from focalseg.errors import SettingError
from focalseg.findings import show_path
from focalseg.records.comparison import COMPARISON


def refuse_folder(folder: Path, record: str = COMPARISON, verb: str = "compare") -> None:
    """Raises SettingError for a file of that name, and for a folder with things in it and no record of that verb."""
    if folder.exists() and not folder.is_dir():
        raise SettingError(
            f"{show_path(folder)} is a file; expected a folder, or a path where one can be made. Give another --out."
        )
    if folder.is_dir() and any(folder.iterdir()) and not (folder / record).is_file():
        raise SettingError(
            f"{show_path(folder)} is not empty and was not made by focalseg {verb}; expected a new or an empty folder. "
            "Give another --out."
        )
