"""A finished job that was never trained, on a set of its own, and another set beside it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def write_squares(
    folder: Path, *, count: int = 8, seed: int = 1, channels: int = 3, bright: int = 220, prefix: str = "far"
) -> Path:
    """A plain folder of images with a bright square each, of that seed."""
    random = np.random.default_rng(seed)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        image = random.integers(0, 120, (24, 24, 3)[: 2 + (channels == 3)]).astype(np.uint8)
        mask = np.zeros((24, 24), np.uint8)
        row, column = random.integers(2, 14, 2)
        mask[row : row + 8, column : column + 8] = 255
        image[mask > 0] = bright
        Image.fromarray(image).save(folder / "images" / f"{prefix}_{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{prefix}_{number}.png")
    return folder


def copy_case(name: str, source: Path, target: Path, *, called: str | None = None) -> None:
    """Copies one case of a plain folder into another, under another name if one is given."""
    for part in ("images", "masks"):
        (target / part).mkdir(parents=True, exist_ok=True)
        shutil.copy(source / part / f"{name}.png", target / part / f"{called or name}.png")


@pytest.fixture
def another(tmp_path: Path) -> Callable[..., Path]:
    """Writes another set."""

    def write(name: str = "far", **settings: int) -> Path:
        return write_squares(tmp_path / name, **settings)

    return write
