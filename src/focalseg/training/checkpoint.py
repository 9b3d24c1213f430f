"""The state of a run on disk, from which it goes on to the same bits as if it had never stopped.

Nothing random needs saving: order, augmentation and dropout of a step are functions of (seed, step).
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from focalseg.errors import SettingError
from focalseg.records.seals import read_signed, write_signed
from focalseg.training.metrics_log import Row

_MEND = "remove it to train this run from the start"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A run between two steps. run: its config as text. data: the digest of its cases, empty where nobody keeps one. threads:
    those that it was begun with, by which the last bits of sums are settled.

    network, optimiser, scheduler: their state. rows: those of the metrics up to that step. best: the network's state at the
    best validation up to that step, where it is to be kept.
    """

    run: str
    data: str
    step: int
    seconds: float
    step_seconds: float | None
    threads: int
    network: Mapping[str, Any]
    optimiser: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    rows: list[Row]
    best: Mapping[str, Any] | None = None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes it with its digest; the checkpoint before survives a kill at any instant."""
    # Through memory, since torch reports a full disk as a fault of its own.
    buffer = io.BytesIO()
    torch.save(dict(vars(checkpoint)), buffer)
    write_signed(path, buffer.getbuffer())


def load_checkpoint(path: Path, *, run: str, data: str = "") -> Checkpoint | None:
    """What was saved, or None where no file is. run, data: those of the run that goes on, which must be those that were saved.

    Executes nothing that the file holds. Raises SettingError for a damaged file, one of another run and one of other data.
    """
    if not path.exists():
        return None
    try:
        content = read_signed(path)
    except OSError as error:
        raise SettingError(f"{path} cannot be read ({error.strerror or error}); mend that, or {_MEND}.") from error
    except ValueError as error:
        raise SettingError(f"{path} {error}. It is damaged or of an earlier version; {_MEND}.") from error
    try:
        checkpoint = Checkpoint(**torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except MemoryError:  # no fault of the file
        raise
    except Exception as error:
        raise SettingError(f"{path} is no checkpoint ({type(error).__name__}); {_MEND}.") from error
    if checkpoint.run != run:
        raise SettingError(
            f"{path} belongs to a run with other settings; give another --out, or remove the folder to start anew."
        )
    if checkpoint.data != data:
        raise SettingError(
            f"{path} was trained on other data, or on another split, than is there now; restore that, give another --out, or "
            f"{_MEND}."
        )
    return checkpoint
