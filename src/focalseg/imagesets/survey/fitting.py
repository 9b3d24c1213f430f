"""Small pictures fitted to one another by a zoom and a shift along each axis, many pairs at a time.

A placing (N, axes, 2) says where each picture lies in its other: position in the other = zoom * position + shift, in pixels
from the middle.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float32]


def stay(count: int, axes: int) -> NDArray[np.float64]:
    """The placing (count, axes, 2) that moves nothing: zoom 1 and shift 0."""
    return np.tile([1.0, 0.0], (count, axes, 1))


def register(ones: np.ndarray, others: np.ndarray, placing: np.ndarray, *, steps: int) -> NDArray[np.float64]:
    """The placing that brings others onto ones, up to contrast and brightness: Gauss-Newton steps (Lucas & Kanade 1981)."""
    count, *sides = ones.shape
    axes = len(sides)
    for _ in range(steps):
        moved, weights = warp(others, placing)
        columns = [moved, np.ones_like(moved)]
        for axis, side in enumerate(sides):
            slope = np.gradient(moved, axis=axis + 1) / placing[:, axis, 0].reshape(-1, *[1] * axes)
            along = (np.arange(side) - (side - 1) / 2).reshape(-1, *[1] * (axes - 1 - axis))
            columns += [slope * along, slope]
        system = np.stack(columns, axis=-1).reshape(count, -1, len(columns)) * weights.reshape(count, -1, 1)
        across = system.transpose(0, 2, 1)
        matrix = (across @ system).astype(np.float64)
        # A picture without slope along an axis says nothing of its shift there, which then stays.
        matrix += 1e-5 * np.trace(matrix, axis1=1, axis2=2)[:, None, None] / len(columns) * np.eye(len(columns))
        solved = np.linalg.solve(matrix, across @ (ones * weights).reshape(count, -1, 1))[..., 0]
        gain = np.maximum(solved[:, :1], 0.2)
        step = (solved[:, 2:] / gain).reshape(count, axes, 2)
        furthest = 0.08 * max(sides)
        placing = np.clip(placing + np.clip(step, [-0.06, -2], [0.06, 2]), [0.85, -furthest], [1.18, furthest])
    return placing


def warp(pictures: np.ndarray, placing: np.ndarray) -> tuple[_Floats, _Floats]:
    """Pictures seen at the placed positions (cubic convolution, Keys 1981), and 1 where these lie inside, 0 elsewhere."""
    count, *sides = pictures.shape
    weights: Any = np.ones((count, *[1] * len(sides)), np.float32)
    for axis, side in enumerate(sides):
        middle = (side - 1) / 2
        places = placing[:, axis, :1] * (np.arange(side) - middle) + placing[:, axis, 1:] + middle
        inside = ((places > -0.5) & (places < side - 0.5)).astype(np.float32)
        kernel = _cubic(np.abs(np.clip(places, 0, side - 1)[:, :, None] - np.arange(side))).astype(np.float32)
        kernel /= kernel.sum(axis=2, keepdims=True)
        front = np.moveaxis(pictures, axis + 1, 1)
        moved = (kernel @ np.ascontiguousarray(front).reshape(count, side, -1)).reshape(front.shape)
        pictures = np.moveaxis(moved, 1, axis + 1)
        weights = weights * np.expand_dims(inside, [1 + other for other in range(len(sides)) if other != axis])
    return pictures, weights


def _cubic(distance: np.ndarray) -> np.ndarray:
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


def correlate(ones: np.ndarray, others: np.ndarray, weights: np.ndarray) -> NDArray[np.float64]:
    """The correlation of each picture with its partner where the weights are 1; 0 where either is flat."""
    one, other, weight = (pictures.reshape(len(ones), -1).astype(np.float64) for pictures in (ones, others, weights))
    total = weight.sum(1, keepdims=True)
    one = (one - (weight * one).sum(1, keepdims=True) / total) * weight
    other = (other - (weight * other).sum(1, keepdims=True) / total) * weight
    length = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    return np.where(length > 0, (one * other).sum(1) / np.where(length > 0, length, 1), 0.0)
