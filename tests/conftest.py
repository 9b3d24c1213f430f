"""What several tests stand on: small data sets on disk and small settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from focalseg.study.presets import Settings, build_settings

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
TINY = {
    "seeds": 2,
    "data": {"longest_side": 32},
    "network": {"base_width": 4, "most_levels": 3},
    "training": {"steps": 12, "batch_size": 4, "validate_every": 6, "log_every": 3},
}


@pytest.fixture
def tiny_settings() -> Settings:
    """A job of seconds, that learns nothing much."""
    return build_settings("quick", TINY)


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a plain folder of colour images with a bright square each, and their masks."""

    def make(count: int = 10, size: int = 24, name: str = "data", **changes: Any) -> Path:
        folder = tmp_path / name
        random = np.random.default_rng(0)
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        for number in range(count):
            image = random.integers(0, 120, (size, size, 3)).astype(np.uint8)
            mask = np.zeros((size, size), np.uint8)
            row, column = random.integers(2, size - 10, 2)
            mask[row : row + 8, column : column + 8] = changes.get("foreground", 255)
            image[mask > 0] = 220
            Image.fromarray(image).save(folder / "images" / f"case_{number}.png")
            Image.fromarray(mask).save(folder / "masks" / f"case_{number}.png")
        return folder

    return make


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A real data set beside the repository; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        folder = SHARED_DATA / name
        if not folder.is_dir():
            pytest.skip(f"{name} is not beside the repository")
        return folder

    return find
