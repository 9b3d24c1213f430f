"""Folders of masks made for tests: discs that are shifted, missed or invented, as pictures and as volumes."""

from pathlib import Path

import nibabel
import numpy as np
from PIL import Image


def draw_disc(centre, radius, shape=(48, 64)):
    """A disc, or a ball in three axes, (*shape) bool."""
    grid = np.indices(shape)
    return sum((axis - middle) ** 2 for axis, middle in zip(grid, centre, strict=True)) < radius**2


def draw_cases(number=8, *, seed=0, shape=(48, 64)):
    """By case, a predicted and a true mask, (*shape) bool: the third has nothing predicted, the fourth nothing true, the fifth
    neither."""
    random = np.random.default_rng(seed)
    cases = {}
    for place in range(number):
        centre = [side // 2 + int(random.integers(-4, 5)) for side in shape]
        true = draw_disc(centre, 6 + place % 5, shape)
        predicted = draw_disc([middle + int(random.integers(-2, 3)) for middle in centre], 6 + place % 4, shape)
        predicted &= place not in (2, 4)
        true &= place not in (3, 4)
        cases[f"patient{place // 2}_{place}"] = (predicted, true)
    return cases


def write_pictures(folder: Path, masks, *, white=255, ending=".png"):
    """Writes (H, W) bool or whole numbers by name; of bool, true is `white`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        pixels = mask.astype(np.uint8) * white if mask.dtype == bool else mask.astype(np.uint8)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}{ending}")
    return folder


def write_volumes(folder: Path, masks, *, affine=None, dtype=np.uint8, ending=".nii.gz"):
    """Writes (X, Y, Z) arrays by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        nibabel.save(nibabel.Nifti1Image(mask.astype(dtype), np.diag([0.5, 0.5, 2, 1]) if affine is None else affine),
                     folder / f"{name}{ending}")  # fmt: skip
    return folder


def write_both(root: Path, cases=None, *, write=write_pictures, **named):
    """The folders of predictions and of true masks."""
    cases = draw_cases() if cases is None else cases
    return (
        write(root / "predicted", {name: one for name, (one, _) in cases.items()}, **named),
        write(root / "true", {name: other for name, (_, other) in cases.items()}, **named),
    )


def compute_dice(predicted, true):
    """By its formula; nan for two empty masks."""
    total = int(predicted.sum()) + int(true.sum())
    return 2 * int((predicted & true).sum()) / total if total else float("nan")
