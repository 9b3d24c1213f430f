"""Pictures that we write: masks as PNG and as TIFF of several pages, and maps of floats as TIFF."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from focalseg.errors import SettingError
from focalseg.files import write_whole

_TIFFS = (".tif", ".tiff")
_WRITER = "focalseg"


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Writes (H, W) uint8 or uint16, or (H, W, 3) uint8 colours, whole or not at all, and the same bytes each time.

    Raises SettingError for other pixels, MachineError where the file cannot be written.
    """
    grey, colour = pixels.ndim == 2 and pixels.dtype in (np.uint8, np.uint16), pixels.ndim == 3 and pixels.shape[2] == 3
    if not grey and not (colour and pixels.dtype == np.uint8):
        raise SettingError(f"{path} was to hold {pixels.dtype} of the shape {pixels.shape}; a PNG holds (H, W) or (H, W, 3).")
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    write_whole(path, lambda file: picture.save(file, format="PNG"))


def write_tiff(path: Path, pages: np.ndarray, *, axes: str) -> None:
    """Writes uint8, uint16 or float32 with these axes, in ImageJ's way: YX, ZYX, CYX or ZCYX, and YXS or ZYXS for colours.

    Whole or not at all, and the same bytes each time. Raises SettingError for another name, MachineError where it cannot be
    written.
    """
    import tifffile  # heavy, and of use for TIFF alone

    if not path.name.lower().endswith(_TIFFS):
        raise SettingError(f"{path} names no TIFF; end it in .tif.")
    how: dict[str, Any] = {"photometric": "rgb" if axes.endswith("S") else "minisblack", "software": _WRITER}
    buffer = io.BytesIO()  # tifffile asks a file for its name, which one that is not there yet has not
    tifffile.imwrite(buffer, pages, imagej=True, metadata={"axes": axes}, **how)
    write_whole(path, lambda file: file.write(buffer.getbuffer()))
