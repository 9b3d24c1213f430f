"""Images that are the same or nearly so: copies, other encodings, sizes and contrasts, flips, quarter turns, slight crops.

The sides of a split must not share them. Plain correlation of small versions, the usual test, says too much of sets that are
aligned: two healthy eyes correlate above 0.97. So three things must hold of a pair, after one picture was turned and fitted to
the other by a shift and a zoom along each axis:

- the small grey versions (48 x 48 pixels of an image) correlate above 0.97, over the 85 % of the area or more that both show;
- so does their fine detail above 0.85: what is left after a Gaussian blur of 2 pixels was taken off, divided by its local
  strength. Different eyes of CHASE_DB1 reach 0.72 before they are fitted, their JPEG copies and crops 0.95 and more;
- the detail is spread over more than a few pixels: pictures of next to nothing, one dot on black, cannot be told apart.

Every pair is looked at, at low resolution and in all 8 orientations (48 of a volume); whatever correlates there is compared in
full as it lies, and the nearest 2 of each picture, up to 8 in a small set, are fitted as well.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from focalseg.counting import Advance, ignore
from focalseg.errors import ShapeError
from focalseg.imagesets.survey.fitting import correlate, register, stay, warp

Floats = NDArray[np.float32]

SIDES = {1: (256, 64), 2: (48, 12), 3: (16, 8)}
"""Samples along each axis of a signature, and at low resolution, by number of spatial axes."""
DETAIL_SIGMA = {1: 4.0, 2: 2.0, 3: 1.0}
LEAST_CORRELATION = 0.97
LEAST_DETAIL = 0.85
LEAST_COARSE = 0.95  # of pairs that may correlate above 0.97 as they lie
LEAST_FITTED = 0.6  # of pairs worth fitting: crops of 90 % stay above 0.8
LEAST_SPREAD = 0.1  # of the pixels, were the detail of equal strength on them and none elsewhere
LEAST_NEAREST, MOST_NEAREST, MOST_FITS = 2, 8, 3000  # neighbours of each that are fitted: more where images are few
BLOCK = 512
SLAB = 1 << 20
MOST_PER_IMAGE = 20
ORIENTATIONS: dict["Orientation", str] = {
    ((0, 1), (1, 1)): "",
    ((0, 1), (1, -1)): "mirrored",
    ((0, 1), (-1, 1)): "upside down",
    ((0, 1), (-1, -1)): "turned by 180 degrees",
    ((1, 0), (1, -1)): "turned by 90 degrees",
    ((1, 0), (-1, 1)): "turned by 90 degrees",
    ((1, 0), (1, 1)): "mirrored and turned by 90 degrees",
    ((1, 0), (-1, -1)): "mirrored and turned by 90 degrees",
}

Orientation = tuple[tuple[int, ...], tuple[int, ...]]
"""Order of the axes, and 1 or -1 for the direction along each."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two images by number, first < second. correlation: of the small versions. moved: how one lies in the other, in words."""

    first: int
    second: int
    identical: bool
    correlation: float
    moved: str = ""


def make_signature(image: np.ndarray) -> np.ndarray:
    """A small grey version of mean 0 and variance 1: area averages. (C, *spatial) real and finite -> (48, 48) float32.

    Of a volume (16, 16, 16), of a signal (256,). Colours (uint8, uint16) are averaged; channels of other types have scales of
    their own and are standardised first. An image of one intensity gives zeros. Raises ShapeError for other than 1 to 3 spatial
    axes.
    """
    axes = image.ndim - 1
    if axes not in SIDES:
        raise ShapeError(f"An image of shape {image.shape} was given; expected (C, *spatial) with 1 to 3 spatial axes.")
    side = SIDES[axes][0]
    if image.dtype in (np.uint8, np.uint16):
        grey = _average(tuple(image), side)
    else:
        grey = _standardise(np.stack([_average((channel,), side) for channel in image])).sum(axis=0)
    return np.asarray(_standardise(grey[None])[0], np.float32)


def find_duplicates(signatures: Sequence[np.ndarray], digests: Sequence[str], advance: Advance = ignore) -> list[Pair]:
    """The pairs of images that are the same or nearly so, by number, in order; see the module for the rule.

    Of several identical images each is paired with the first, and the first stands for all in near pairs. Where 512 images in a
    row have more than 20 near pairs each, as of a video that stands still, only as many are listed as connect the images.
    Signatures of different shapes are never paired, and flat ones only when identical.
    """
    first: dict[str, int] = {}
    pairs = []
    for number, digest in enumerate(digests):
        if digest in first:
            pairs.append(Pair(first=first[digest], second=number, identical=True, correlation=1.0))
        first.setdefault(digest, number)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for number in first.values():
        if signatures[number].any():
            by_shape.setdefault(signatures[number].shape, []).append(number)
    for numbers in by_shape.values():
        found = _Search(np.stack([signatures[number] for number in numbers])).find(advance)
        pairs.extend(
            Pair(first=numbers[one], second=numbers[other], identical=False, correlation=value, moved=moved)
            for (one, other), (value, moved) in found.items()
        )
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def join_groups(names: Sequence[str], groups: Sequence[str], pairs: Sequence[Pair]) -> dict[str, str]:
    """The group of each case, by name, once both cases of a pair belong together.

    A joined group is called as the first of its groups in the order of text; an empty group is a case that stands alone, and
    is called as the case.
    """
    if not names:
        return {}
    own = np.array([group or name for name, group in zip(names, groups, strict=True)], object)
    every, numbers = np.unique(own, return_inverse=True)
    ones, others = numbers[np.array([(pair.first, pair.second) for pair in pairs], int).reshape(-1, 2)].T
    links = coo_array((np.ones(len(pairs)), (ones, others)), shape=(len(every), len(every)))
    _, parts = connected_components(links, directed=False)
    _, first = np.unique(parts, return_index=True)  # groups stand in the order of text, and so do those of a part
    return dict(zip(names, every[first[parts[numbers]]].tolist(), strict=True))


Found = dict[tuple[int, int], tuple[float, str]]


class _Best:
    """Of some pictures (rows) with all others (columns): the highest correlation so far, and in which orientation it is."""

    def __init__(self, rows: int, columns: int, *, least: float) -> None:
        self.correlation = np.full((rows, columns), least, np.float32)
        self.orientation = np.zeros((rows, columns), np.uint8)


class _Search:
    """Near duplicates among signatures (N, *spatial), none of them flat."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = pictures
        self.axes = pictures.ndim - 1
        # All ways to order and reverse the axes, as they lie first: 2, 8 or 48.
        directions = itertools.product((1, -1), repeat=self.axes)
        self.orientations = tuple(itertools.product(itertools.permutations(range(self.axes)), directions))
        coarse = _standardise(_shrink(self.pictures, SIDES[self.axes][1]))
        self.coarse = (coarse / np.sqrt(coarse[0].size)).astype(np.float32)  # a scalar product is a correlation
        self.detail = np.empty_like(self.pictures)
        self.telling = np.empty(len(pictures), bool)
        for start in range(0, len(pictures), BLOCK):
            block = slice(start, start + BLOCK)
            self.detail[block] = _detail(self.pictures[block])
            # Of a mean square of 1, all of it in a share of the pixels, the mean fourth power is 1 over that share.
            self.telling[block] = (_flat(self.detail[block]) ** 4).mean(1) * LEAST_SPREAD <= 1

    def find(self, advance: Advance) -> Found:
        """Correlation and orientation in words, by pair of numbers."""
        found: Found = {}
        candidates: dict[tuple[int, int], tuple[int, int, int]] = {}
        seen = []
        for start in range(0, len(self.pictures), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(self.pictures)))
            rough = _Best(len(rows), len(self.pictures), least=-1)
            near = _Best(len(rows), len(self.pictures), least=0)
            for number, orientation in enumerate(self.orientations):
                coarse = _flat(_turn(self.coarse[rows], orientation)) @ _flat(self.coarse).T
                better = coarse > rough.correlation
                np.copyto(rough.correlation, coarse, where=better)
                rough.orientation[better] = number
                self._compare(rows, coarse, number, near)
            found |= self._list_pairs(rows, near)
            seen.append(np.packbits(near.correlation > 0, axis=1))  # a bit per pair: of many pictures a byte would be too much
            candidates |= self._nearest(rows, rough)
            advance(start + len(rows), 2 * len(self.pictures))  # the other half is the fitting
        # Also those that were found as they lie and not listed, being too many.
        near_pairs = np.concatenate(seen)
        # A pair is one bit of its row; the highest bit of a byte comes first.
        waiting = [each for (one, other), each in candidates.items() if not near_pairs[one, other >> 3] & 128 >> (other & 7)]
        return found | self._fit(waiting, advance)

    def _compare(self, rows: np.ndarray, coarse: Floats, number: int, near: _Best) -> None:
        """Enters the correlation of near duplicates as they lie in this orientation, where it is the best so far.

        Of each pair the row is the smaller number.
        """
        likely = (coarse > LEAST_COARSE) & (np.arange(coarse.shape[1]) > rows[:, None])
        likely &= self.telling & self.telling[rows][:, None]
        ones, others = np.flatnonzero(likely.any(1)), np.flatnonzero(likely.any(0))
        if not len(ones):
            return
        pictures, details = (_turn(every[rows[ones]], self.orientations[number]) for every in (self.pictures, self.detail))
        for columns in np.split(others, range(BLOCK, len(others), BLOCK)):
            here = np.ix_(ones, columns)
            plain = _product(pictures, self.pictures[columns])
            # A picture that is its own mirror image is called by what comes first.
            chosen = likely[here] & (plain > np.maximum(LEAST_CORRELATION, near.correlation[here] + 1e-6))
            if chosen.any():
                chosen &= _product(details, self.detail[columns]) > LEAST_DETAIL
                near.correlation[here] = np.where(chosen, plain, near.correlation[here])
                near.orientation[here] = np.where(chosen, number, near.orientation[here])

    def _list_pairs(self, rows: np.ndarray, near: _Best) -> Found:
        """The near duplicates among some pictures and all; where they are too many, only as many as connect the same ones."""
        ones, others = np.nonzero(near.correlation)
        if len(ones) > MOST_PER_IMAGE * len(rows):
            weights = 2 - near.correlation[ones, others]
            graph = coo_array((weights, (rows[ones], others)), shape=(len(self.pictures), len(self.pictures)))
            tree = minimum_spanning_tree(graph.tocsr()).tocoo()
            ones, others = np.asarray(tree.row - rows[0]), np.asarray(tree.col)
        words = [_say(orientation) for orientation in self.orientations]
        return {
            (int(rows[one]), other): (float(near.correlation[one, other]), words[near.orientation[one, other]])
            for one, other in zip(ones.tolist(), others.tolist(), strict=True)
        }

    def _nearest(self, rows: np.ndarray, rough: _Best) -> dict[tuple[int, int], tuple[int, int, int]]:
        """The nearest pictures of each, telling ones alone: which is turned how, and which it is laid on."""
        best = rough.correlation
        best[:, ~self.telling] = -1
        best[np.arange(len(rows)), rows] = -1
        most = min(max(LEAST_NEAREST, min(MOST_NEAREST, MOST_FITS // best.shape[1])), best.shape[1])
        columns = np.argpartition(best, -most, axis=1)[:, -most:]
        return {
            (min(row, column), max(row, column)): (row, column, int(rough.orientation[line, column]))
            for line, row in enumerate(rows.tolist())
            if self.telling[row]
            for column in columns[line].tolist()
            if best[line, column] > LEAST_FITTED
        }

    def _fit(self, candidates: Sequence[tuple[int, int, int]], advance: Advance) -> Found:
        """Those that are near duplicates once one was shifted and zoomed, at low resolution first."""
        found: Found = {}
        large, small = SIDES[self.axes]
        for start in range(0, len(candidates), BLOCK):
            block = candidates[start : start + BLOCK]
            advance(round(len(self.pictures) * (1 + start / len(candidates))), 2 * len(self.pictures))
            ones = np.stack([_turn(self.pictures[one][None], self.orientations[turn])[0] for one, _, turn in block])
            others = self.pictures[[other for _, other, _ in block]]
            placing = register(_shrink(ones, small), _shrink(others, small), stay(len(block), self.axes), steps=5)
            moved, weights = warp(_shrink(others, small), placing)
            kept = np.flatnonzero(correlate(_shrink(ones, small), moved, weights) > LEAST_CORRELATION - 0.05)
            if not len(kept):
                continue
            placing[:, :, 1] *= large / small
            placing = register(ones[kept], others[kept], placing[kept], steps=4)
            moved, weights = warp(others[kept], placing)
            plain = correlate(ones[kept], moved, weights)
            detail = correlate(_detail(ones[kept]), _detail(moved), weights)
            shared = weights.reshape(len(kept), -1).mean(1)
            for number in np.flatnonzero((plain > LEAST_CORRELATION) & (detail > LEAST_DETAIL) & (shared > 0.85)):
                one, other, turn = block[kept[number]]
                words = ", ".join(word for word in (_say(self.orientations[turn]), "cropped or shifted") if word)
                found[min(one, other), max(one, other)] = float(plain[number]), words
        return found


# Small pictures: averages, orientations, detail


@cache
def _weights(length: int, side: int) -> NDArray[np.float64]:
    """(side, length): how much of each sample falls into each of `side` equal stretches; rows sum to 1."""
    edges = np.arange(side + 1) * (length / side)
    samples = np.arange(length)
    overlap = np.minimum(edges[1:, None], samples + 1) - np.maximum(edges[:-1, None], samples)
    weights: NDArray[np.float64] = np.clip(overlap, 0, None) * (side / length)
    return weights


def _average(channels: Sequence[np.ndarray], side: int) -> Any:
    """Area averages (side, ...) of the sum of channels (*spatial), less its first pixel; in slabs, to copy little at once."""
    precise: Any = np.float64 if channels[0].dtype.itemsize > 2 else np.float32
    reference = np.sum([channel.flat[0] for channel in channels], dtype=precise)
    every = _weights(channels[0].shape[0], side).astype(precise)
    slabs = []
    for weights in np.array_split(every, min(side, 1 + channels[0].size // SLAB)):
        used = np.flatnonzero(weights.any(axis=0))
        first, last = used[0], used[-1] + 1
        slab: Any = channels[0][first:last].astype(precise)
        for channel in channels[1:]:
            slab += channel[first:last]
        slab -= reference
        slabs.append(np.tensordot(weights[:, first:last], slab, 1))
    small: Any = np.concatenate(slabs)
    for axis in range(1, small.ndim):
        weights = _weights(small.shape[axis], side).astype(precise)
        small = np.moveaxis(np.tensordot(weights, small, (1, axis)), 0, axis)
    return small


def _standardise(pictures: np.ndarray) -> NDArray[np.float64]:
    spatial = tuple(range(1, pictures.ndim))
    centred = pictures - pictures.mean(axis=spatial, keepdims=True, dtype=np.float64)
    spread = centred.std(axis=spatial, keepdims=True)
    return np.where(spread > 0, centred / np.where(spread > 0, spread, 1), 0.0)


def _shrink(pictures: np.ndarray, side: int) -> np.ndarray:
    factor = pictures.shape[1] // side
    for axis in range(1, pictures.ndim):
        shape = (*pictures.shape[:axis], side, factor, *pictures.shape[axis + 1 :])
        pictures = pictures.reshape(shape).mean(axis=axis + 1)
    return pictures


def _detail(pictures: np.ndarray) -> Floats:
    """What a blur takes away, divided by its local strength; mean 0 and variance 1."""
    axes = pictures.ndim - 1
    sigma = (0, *(DETAIL_SIGMA[axes],) * axes)
    fine = pictures - gaussian_filter(pictures, sigma)
    strength = np.sqrt(gaussian_filter(fine * fine, sigma))
    overall = fine.std(axis=tuple(range(1, axes + 1)), keepdims=True)
    # The tenth keeps what is smooth from being blown up to the strength of the rest.
    return _standardise(fine / (strength + 0.1 * overall + 1e-12)).astype(np.float32)


def _turn(pictures: np.ndarray, orientation: Orientation) -> np.ndarray:
    order, signs = orientation
    turned = pictures.transpose(0, *(axis + 1 for axis in order))
    return turned[(slice(None), *(slice(None, None, sign) for sign in signs))]


def _say(orientation: Orientation) -> str:
    order, signs = orientation
    if set(signs) == {1} and list(order) == sorted(order):
        return ""
    return ORIENTATIONS.get(orientation, "mirrored or turned" if len(order) > 1 else "reversed")


def _flat(pictures: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pictures).reshape(len(pictures), -1)


def _product(ones: np.ndarray, others: np.ndarray) -> Floats:
    """Correlation of every standardised picture with every other."""
    rows, columns = _flat(ones), _flat(others)
    return np.asarray(rows @ columns.T / rows.shape[1])
