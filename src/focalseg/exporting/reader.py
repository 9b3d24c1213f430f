"""Masks of images by model.onnx and preprocessing.json, with NumPy, onnxruntime and Pillow alone; focalseg is not needed.

python predict.py IMAGE... writes NAME_mask.png beside every image: 0 the background, then the labels in their order.
"""

import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

HERE = Path(__file__).parent


def read(path: Path) -> np.ndarray:
    """A picture as (C, height, width): a palette as the colours that it stands for, a single bit as 0 or 255."""
    with Image.open(path) as picture:
        pixels = np.array(picture.convert({"P": "RGB", "PA": "RGB", "1": "L"}.get(picture.mode, picture.mode)))
    return np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels[None]


def resize(array: np.ndarray, size: Sequence[int], *, average: bool) -> np.ndarray:
    """(C, *spatial) -> (C, *size) float32, linear; average: over the elements that fall together where it shrinks.

    In float32 and the last axis first, as torch does it.
    """
    array = array.astype(np.float32)
    for axis in reversed(range(1, array.ndim)):
        new, old = size[axis - 1], array.shape[axis]
        if new == old:
            continue
        step = np.float32(old) / np.float32(new)
        reach = max(step, np.float32(1)) if average else np.float32(1)
        centres = step * (np.arange(new, dtype=np.float32)[:, None] + np.float32(0.5))
        apart = np.abs(np.arange(old, dtype=np.float32) - centres + np.float32(0.5))
        weights = np.clip(1 - apart * (1 / reach), 0, None)
        weights /= weights.sum(axis=1, keepdims=True)
        array = np.moveaxis(np.tensordot(weights, array, (1, axis)), 0, axis)
    return array


def prepare(image: np.ndarray, plan: dict[str, Any]) -> np.ndarray:
    """An image (C, *spatial) as it was read -> what the network sees, (C, *size) float32."""
    resized = resize(image, plan["size"], average=True)
    if image.dtype.kind in "iu":
        # A little above a half: what lies halfway is rounded up, whichever way an error of the average went.
        resized = np.floor(resized + np.float32(0.5 + 2**-10))
    mean, deviation = np.array(plan["mean"]), np.array(plan["standard_deviation"])
    if plan["normalisation"] == "image":
        pixels = image.reshape(len(image), -1).astype(np.float64)
        mean, deviation = pixels.mean(axis=1), np.where(pixels.std(axis=1) > 0, pixels.std(axis=1), 1)
    along = (-1, *(1,) * (image.ndim - 1))
    prepared: np.ndarray = (resized - mean.reshape(along)) / deviation.reshape(along)
    return prepared.astype(np.float32)


def run_in_windows(run: Callable[[np.ndarray], np.ndarray], image: np.ndarray, plan: dict[str, Any]) -> np.ndarray:
    """The logits (K, *size) of a prepared image, those of overlapping windows averaged where the network sees windows."""
    window, size = plan["window"], image.shape[1:]
    if window is None or tuple(window) == size:
        return run(image)
    axes = [place_windows(side, axis, plan) for axis, side in enumerate(size)]
    whole = [starts[-1] + length for (starts, _), length in zip(axes, window, strict=True)]
    image = np.pad(image, [(0, 0), *((0, filled - side) for filled, side in zip(whole, size, strict=True))])
    total: Any = 0
    for numbers in itertools.product(*(range(len(starts)) for starts, _ in axes)):
        weight = np.ones((), np.float32)
        for (_, weights), number in zip(axes, numbers, strict=True):
            weight = weight[..., None] * weights[number]
        corner = [starts[number] for (starts, _), number in zip(axes, numbers, strict=True)]
        place = (slice(None), *(slice(start, start + length) for start, length in zip(corner, window, strict=True)))
        logits = run(image[place]) * weight
        total = np.zeros((len(logits), *whole), np.float32) if isinstance(total, int) else total
        total[place] += logits
    return np.asarray(total[(slice(None), *map(slice, size))])


def place_windows(side: int, axis: int, plan: dict[str, Any]) -> tuple[list[int], np.ndarray]:
    """Where windows start along an axis, and their weights (windows, length), those of an element with the sum 1."""
    length, stride, margin = (plan[name][axis] for name in ("window", "window_stride", "window_margin"))
    step, last = max(int(length * (1 - plan["overlap"])) // stride, 1), max(-(-(side - length) // stride), 0)
    count = -(-last // step) + 1
    starts = [round(last * number / max(count - 1, 1)) * stride for number in range(count)]
    weights = np.exp(-0.5 * ((np.arange(length) - (length - 1) / 2) / (length * plan["window_sigma"])) ** 2)
    weights = np.tile(weights, (count, 1))
    weights[1:, :margin] = weights[:-1, length - margin :] = 0
    total = np.zeros(starts[-1] + length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + length] += weight
    shares = [weight / total[start : start + length] for start, weight in zip(starts, weights, strict=True)]
    return starts, np.array(shares, np.float32)


def predict(image: np.ndarray, folder: Path = HERE) -> np.ndarray:
    """An image (C, *spatial) as it was read -> labels (*spatial) uint8 at its size."""
    plan = json.loads((folder / "preprocessing.json").read_text())
    if len(image) != plan["channels"] or image.ndim - 1 != len(plan["size"]):
        axes = len(plan["size"])
        raise ValueError(
            f"The image has the shape {image.shape}; expected {plan['channels']} channels and {axes} axes. Convert it."
        )
    session = onnxruntime.InferenceSession(folder / "model.onnx")

    def run(part: np.ndarray) -> np.ndarray:
        logits: np.ndarray = session.run(["logits"], {"image": part[None]})[0][0]
        return logits

    logits = resize(run_in_windows(run, prepare(image, plan), plan), image.shape[1:], average=False)
    # Sigmoid is above one half where the logit is above 0.
    return np.asarray(logits[0] > 0 if plan["activation"] == "sigmoid" else logits.argmax(axis=0)).astype(np.uint8)


if __name__ == "__main__":
    for name in map(Path, sys.argv[1:]):
        Image.fromarray(predict(read(name))).save(name.with_name(f"{name.stem}_mask.png"))
