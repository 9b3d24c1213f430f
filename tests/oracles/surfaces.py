"""Surfaces and their distances by brute force: element by element, and every pair of elements."""

import itertools

import numpy as np


def list_voxels(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (N, axes) of the mask that have a face neighbour outside of it or of the image, and their weights."""
    padded = np.pad(mask, 1)
    places = [
        place
        for place in np.argwhere(padded)
        if not all(padded[tuple(place + sign * step)] for step in np.eye(mask.ndim, dtype=int) for sign in (1, -1))
    ]
    return np.array(places, float).reshape(-1, mask.ndim), np.ones(len(places))


def list_contour(mask: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Corners (N, axes) of a 1-D or 2-D mask between pixels that differ, and the contour's length there: a straight piece
    between the middles of the sides that it crosses, two of them about a saddle, each cutting off one pixel."""
    padded = np.pad(mask, 1)
    places, lengths = [], []
    for corner in itertools.product(*(range(side - 1) for side in padded.shape)):
        cell = padded[tuple(slice(place, place + 2) for place in corner)]
        if cell.all() or not cell.any():
            continue
        places.append(corner)
        lengths.append(1.0 if mask.ndim == 1 else cross(cell, spacing))
    return np.array(places, float).reshape(-1, mask.ndim), np.array(lengths)


def list_corners(mask: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (N, 3) of a volume between voxels that are not all alike, and their areas by code, (256,): of the eight voxels
    about a corner the first has the highest bit."""
    padded = np.pad(mask, 1)
    places, weights = [], []
    for corner in itertools.product(*(range(side - 1) for side in padded.shape)):
        cell = padded[tuple(slice(place, place + 2) for place in corner)]
        if cell.any() and not cell.all():
            places.append(corner)
            weights.append(areas[int("".join(str(int(held)) for held in cell.ravel()), 2)])
    return np.array(places, float).reshape(-1, 3), np.array(weights)


def cross(cell: np.ndarray, spacing: tuple[float, ...]) -> float:
    middles = [
        np.mean([one, other], axis=0) * spacing
        for one, other in itertools.combinations(itertools.product((0, 1), repeat=2), 2)
        if sum(abs(np.subtract(one, other))) == 1 and cell[one] != cell[other]
    ]
    if len(middles) == 2:
        return float(np.linalg.norm(middles[0] - middles[1]))
    return 2 * 0.5 * float(np.hypot(*spacing))


def measure_pairs(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The distance of every place of one to the nearest of the other."""
    gaps = (one[:, None] - other[None]) * np.array(spacing)
    return np.sqrt((gaps**2).sum(axis=2)).min(axis=1)
