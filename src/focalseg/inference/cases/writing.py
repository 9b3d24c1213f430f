"""What is written of a case: its mask, its probabilities and its overlay, each in the format of its image. No torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from focalseg.imagesets.dataset import Decoded
from focalseg.imagesets.marks import code_colours, code_values, has_colours
from focalseg.imagesets.pictures.writing import write_png, write_tiff
from focalseg.imagesets.volumes.writing import write_grid
from focalseg.inference.cases.overlays import draw_overlay


def write_mask(path: Path, labels: np.ndarray, image: Decoded, marks: Sequence[str]) -> None:
    """Writes labels (*spatial) uint8 as the set has them: a volume on the grid of its file, a picture by value or colour."""
    if image.header is not None:
        write_grid(path, code_values(labels, marks), image.header)
        return
    coloured = has_colours(marks)
    pixels = code_colours(labels, marks) if coloured else code_values(labels, marks)
    if labels.ndim == 2:
        write_png(path, pixels)
    else:
        write_tiff(path, pixels, axes="ZYXS" if coloured else "ZYX")


def write_probabilities(path: Path, probabilities: np.ndarray, image: Decoded) -> None:
    """Writes probabilities (K, *spatial) float32: a volume with K as a fourth axis, a picture as a TIFF of K channels."""
    if image.header is not None:
        write_grid(path, probabilities, image.header)
    elif probabilities.ndim == 3:
        write_tiff(path, probabilities, axes="CYX")
    else:
        write_tiff(path, np.ascontiguousarray(probabilities.swapaxes(0, 1)), axes="ZCYX")


def write_overlay(path: Path, labels: np.ndarray, image: Decoded) -> None:
    """Writes a PNG of the image with its labels on it."""
    write_png(path, draw_overlay(image.image, labels))
