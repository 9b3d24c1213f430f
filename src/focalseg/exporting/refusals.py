"""What stops an export before torch is imported: the model's folder, the folder to fill, and libraries that are not there."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from focalseg.errors import SettingError
from focalseg.exporting.folder import refuse_others
from focalseg.inference.folders import refuse_no_model
from focalseg.records.preprocessing import PREPROCESSING

Format = Literal["onnx", "bundle", "nnunet"]
GRAPH, PROGRAM, CARD = "model.onnx", "predict.py", "README.md"
_NAMES = {"onnx": ((GRAPH, f"{GRAPH}.data", PREPROCESSING, PROGRAM, CARD), PREPROCESSING)}
"""By format: what its folder may hold, and the name among them that tells that it is one."""
_LIBRARIES = {"onnx": ("onnx", "onnxscript", "onnxruntime")}


def refuse_export(model: Path, kind: Format, out: Path) -> None:
    """Raises SettingError for what cannot be exported, cannot be written, or needs what is not installed."""
    refuse_no_model(model)
    refuse_out(kind, out)
    missing = [name for name in _LIBRARIES.get(kind, ()) if find_spec(name) is None]
    if missing:
        raise SettingError(
            f"--format {kind} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed; run "
            f"`pip install 'focalseg[{kind}]'`."
        )


def refuse_out(kind: Format, out: Path) -> None:
    """Raises SettingError for a folder to fill that holds something that no such export wrote."""
    if kind in _NAMES:
        refuse_others(out, *_NAMES[kind])
