"""What stops an export before torch is imported: the model's folder, the folder to fill, and libraries that are not there."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from focalseg.errors import SettingError
from focalseg.exporting.folder import refuse_others
from focalseg.inference.folders import ENSEMBLE, find_networks, refuse_own_network
from focalseg.records.placement import PLACEMENT
from focalseg.records.preprocessing import PREPROCESSING

Format = Literal["onnx", "bundle"]
GRAPH, PROGRAM, CARD = "model.onnx", "predict.py", "README.md"
_HELD = {
    "onnx": ((GRAPH, f"{GRAPH}.data", PREPROCESSING, PROGRAM, CARD), (PREPROCESSING,)),
    "bundle": (("configs", "models", "docs"), ("configs",)),
}
"""By format: what its folder holds at the top, and the names of which one tells that it is one."""
_LIBRARIES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "bundle": ("monai",)}


def refuse_export(model: Path, kind: Format, out: Path, *, own_network: str = "") -> None:
    """Raises SettingError for what cannot be exported, cannot be written, or needs what is not installed."""
    refuse_own_network(find_networks(model, one=True), own_network)
    refuse_out(kind, out)
    missing = [name for name in _LIBRARIES[kind] if find_spec(name) is None]
    if missing:
        raise SettingError(
            f"--format {kind} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed; run "
            f"`pip install 'focalseg[{kind}]'`."
        )


def refuse_out(kind: Format, out: Path) -> None:
    """Raises SettingError for a folder to fill that holds something that no such export wrote."""
    refuse_others(out, *_HELD[kind])


def holds_several(model: Path) -> bool:
    """Whether the model may be the mean of several networks, of which an export holds one."""
    return any((model / mark).is_file() for mark in (PLACEMENT, ENSEMBLE))
