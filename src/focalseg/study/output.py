"""The folder that a job or a run fills: claimed for it, so that another cannot mix its files in."""

from pathlib import Path

from focalseg.errors import SettingError
from focalseg.files import write_text

CONFIG = "config.yaml"


def claim_folder(folder: Path, config: str) -> None:
    """Makes the folder and writes the config (YAML text) into it; the same config may come back and go on.

    Raises SettingError for a file of that name, for a folder with other things in it, and for one with another config.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder} is a file; expected a folder, or a path where one can be made. Give another --out.")
    path = folder / CONFIG
    if path.exists():
        if path.read_text(encoding="utf-8") != config:
            raise SettingError(
                f"{folder} was made with other settings (see {path}); give another --out, or remove it to start anew."
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise SettingError(f"{folder} is not empty and was not made by focalseg; give a new or an empty folder as --out.")
    write_text(path, config)
