"""Small colour images with a bright square each, and their masks, for benchmarks in which it matters little what is seen."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_squares(folder: Path, *, count: int, size: int = 24) -> Path:
    """Writes so many pairs into images/ and masks/ of a new folder, and returns it."""
    random, side = np.random.default_rng(0), size // 3
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        image, mask = random.integers(0, 120, (size, size, 3)).astype(np.uint8), np.zeros((size, size), np.uint8)
        row, column = random.integers(2, size - side - 2, 2)
        mask[row : row + side, column : column + side] = 255
        image[mask > 0] = 220
        Image.fromarray(image).save(folder / "images" / f"case_{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"case_{number}.png")
    return folder
