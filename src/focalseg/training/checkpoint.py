"""The state of a run on disk, from which it goes on to the same bits as if it had never stopped.

Nothing random needs saving: order, augmentation and dropout of a step are functions of (seed, step).
"""

import io
from pathlib import Path
from typing import Any

import torch

from focalseg.errors import SettingError
from focalseg.files import write_whole


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes tensors and plain data; the checkpoint before survives a kill at any instant."""
    # Through memory, since torch reports a full disk as a fault of its own.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(path, lambda file: file.write(buffer.getbuffer()))


def load_checkpoint(path: Path, *, run: str) -> dict[str, Any] | None:
    """The state that was saved, or None where no file is. run: the run's config as text, which must be the one that was saved.

    Executes nothing that the file holds. Raises SettingError for a damaged file or one of another run.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise SettingError(
            f"{path} is no checkpoint ({type(error).__name__}); remove it to train this run from the start."
        ) from error
    if state.get("run") != run:
        raise SettingError(
            f"{path} belongs to a run with other settings; give another --out, or remove the folder to start anew."
        )
    return state
