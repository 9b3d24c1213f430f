"""What several tests stand on: small data sets on disk and small settings."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from focalseg.study.presets import Settings, build_settings

# The networks here are tiny: a second thread costs more than it gives, in this process and in those that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
# What an earlier test run read is no part of this one.
os.environ["FOCALSEG_CACHE"] = "off"
torch.set_num_threads(1)
# Under nohup a hang-up is ignored, and by inheritance in all that tests start. Received and passed over, it is not inherited.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
TINY = {
    "seeds": 2,
    "data": {"longest_side": 32},
    "network": {"base_width": 4, "most_levels": 3},
    "training": {"steps": 12, "batch_size": 4, "validate_every": 6, "log_every": 3},
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For workers that run at once: files with slow tests come first, so that none is left with a long one at the end."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def tiny_settings() -> Settings:
    """A job of seconds, that learns nothing much."""
    return build_settings("quick", TINY)


@pytest.fixture(scope="session")
def write_folder() -> Callable[..., Path]:
    """Writes a plain folder of colour images with a bright square each, and their masks."""

    def write(folder: Path, *, count: int = 10, size: int = 24, foreground: int = 255) -> Path:
        random = np.random.default_rng(0)
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        for number in range(count):
            image = random.integers(0, 120, (size, size, 3)).astype(np.uint8)
            mask = np.zeros((size, size), np.uint8)
            row, column = random.integers(2, size - 10, 2)
            mask[row : row + 8, column : column + 8] = foreground
            image[mask > 0] = 220
            Image.fromarray(image).save(folder / "images" / f"case_{number}.png")
            Image.fromarray(mask).save(folder / "masks" / f"case_{number}.png")
        return folder

    return write


@pytest.fixture
def make_folder(tmp_path: Path, write_folder: Callable[..., Path]) -> Callable[..., Path]:
    """The same in the folder of the test."""
    return lambda **changes: write_folder(tmp_path / "data", **changes)


@pytest.fixture(scope="session")
def write_volumes() -> Callable[..., Path]:
    """Writes a Decathlon folder of volumes with two labels, side by side and of different brightness, each on its own scale."""
    nibabel = pytest.importorskip("nibabel")

    def write(folder: Path, *, count: int = 10, shape: tuple[int, int, int] = (13, 12, 10), dtype: type = np.float32) -> Path:
        random = np.random.default_rng(0)
        for part in ("imagesTr", "labelsTr"):
            (folder / part).mkdir(parents=True)
        affine = np.diag([0.5, 1.0, 2.0, 1.0])
        for number in range(count):
            labels = np.zeros(shape, np.uint8)
            start = int(random.integers(1, 4))
            labels[start : start + 4, 2:9, 2:8] = 1
            labels[start + 4 : start + 8, 2:9, 2:8] = 2
            image = random.normal(0, 0.2, shape) + labels + 2
            image = (image * 4.0 ** (number % 5)).astype(dtype)
            for part, voxels in (("imagesTr", image), ("labelsTr", labels)):
                nibabel.save(nibabel.Nifti1Image(voxels, affine), folder / part / f"case_{number}.nii.gz")
        return folder

    return write


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A real data set beside the repository; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        folder = SHARED_DATA / name
        if not folder.is_dir():
            pytest.skip(f"{name} is not beside the repository")
        return folder

    return find
