"""Which folders hold a model: what can be told of them without torch, whose import takes seconds."""

from pathlib import Path

from focalseg.errors import SettingError
from focalseg.records.placement import PLACEMENT
from focalseg.records.result import CONFIG, RESULT

LEAN, LEAN_CONFIG = "lean", "config.json"


def refuse_no_model(path: Path) -> None:
    """Raises SettingError for a path that is neither a job, nor a finished run, nor a lean folder, and says why."""
    if not any((path / mark).is_file() for mark in (LEAN_CONFIG, RESULT, PLACEMENT)):
        raise SettingError(_describe_absence(path))


def _describe_absence(path: Path) -> str:
    expected = "the folder of a `focalseg place` job, of a finished `focalseg train`, or a lean folder"
    if not path.exists():
        return f"No folder {path}; expected {expected}. Check the path."
    if path.is_file():
        return f"{path} is a file; expected {expected}. Give the folder that holds it."
    if (path / CONFIG).exists():
        return f"{path} holds no finished training yet; expected {expected}. Run the command that made it again, which goes on."
    return f"{path} holds no model; expected {expected}. Check the path."
