"""One side of a split as a network takes it: decoded and resampled once, normalised when a batch is asked for."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from focalseg.data.case import Case
from focalseg.data.feeding.patches import cut_patch, draw_corners, find_places
from focalseg.data.feeding.store import CaseStore
from focalseg.data.preparation import Preparation, normalise

Device = torch.device | str
PLACES_SEED = 0
"""Of the places on foreground that are kept where there are too many: the same for every training on the data."""


class Feed:
    """Prepared cases of one size, by number. means, deviations (N, C): by which each is normalised. patch: what is cut."""

    def __init__(self, store: CaseStore, means: Tensor, deviations: Tensor, *, patch: tuple[int, ...] | None = None) -> None:
        self._store, self._means, self._deviations, self._patch = store, means, deviations, patch
        self._places = [find_places(store[number][1], seed=PLACES_SEED) for number in range(len(store))] if patch else []

    @classmethod
    def from_tensors(cls, images: Tensor, masks: Tensor) -> "Feed":
        """images (N, C, *size) as the network takes them, masks (N, *size) bool or labels."""
        pairs = [(image.numpy(), mask.to(torch.uint8).numpy()) for image, mask in zip(images, masks, strict=True)]
        store = CaseStore.build(len(pairs), pairs.__getitem__, most_bytes=2**62, folder=Path())
        return cls(store, torch.zeros(images.shape[:2]), torch.ones(images.shape[:2]))

    def __len__(self) -> int:
        return len(self._store)

    def read_masks(self) -> Tensor:
        """All masks, (N, *size) uint8."""
        return self._store.gather(range(len(self)))[1]

    def gather(self, indices: Tensor, *, device: Device = "cpu") -> tuple[Tensor, Tensor]:
        """Whole cases: images (B, C, *size) float32, normalised; masks (B, *size) uint8."""
        images, masks = self._store.gather(indices)
        return self._normalise(images, indices, device), masks.to(device)

    def draw_patches(
        self, indices: Tensor, *, foreground_share: float, seed: int, step: int, device: Device = "cpu"
    ) -> tuple[Tensor, Tensor]:
        """A patch of each case where `patches.draw_corners` lays it: images (B, C, *patch) and masks (B, *patch)."""
        places = [self._places[index] for index in indices.tolist()]
        sizes = [self._store.sizes[index] for index in indices.tolist()]
        corners = draw_corners(places, sizes, self._window, foreground_share=foreground_share, seed=seed, step=step)
        return self._cut(indices, corners, device)

    def batches(self, size: int, indices: Tensor | None = None, *, device: Device = "cpu") -> Iterator[tuple[Tensor, Tensor]]:
        """Cases, all or some, `size` at a time; where patches are cut, those tiles of each case that hold foreground."""
        chosen = torch.arange(len(self)) if indices is None else indices
        if self._patch is None:
            for part in torch.split(chosen, size):
                yield self.gather(part, device=device)
            return
        tiles = [(index, corner) for index in chosen.tolist() for corner in place_tiles(self._store[index][1], self._patch)]
        for start in range(0, len(tiles), size):
            numbers, corners = zip(*tiles[start : start + size], strict=True)
            yield self._cut(torch.tensor(numbers), corners, device)

    @property
    def _window(self) -> tuple[int, ...]:
        if self._patch is None:
            raise ValueError("This feed gives whole cases; no patch was set.")
        return self._patch

    def _cut(self, indices: Tensor, corners: Sequence[tuple[int, ...]], device: Device) -> tuple[Tensor, Tensor]:
        parts = [
            [cut_patch(array, corner, self._window) for array in self._store[index]]
            for index, corner in zip(indices.tolist(), corners, strict=True)
        ]
        images, masks = (torch.from_numpy(np.stack(side)) for side in zip(*parts, strict=True))
        return self._normalise(images, indices, device), masks.to(device)

    def _normalise(self, images: Tensor, indices: Tensor, device: Device) -> Tensor:
        """On the device, where bytes go before they become four times as many."""
        return normalise(images.to(device), self._means[indices].to(device), self._deviations[indices].to(device))


def place_tiles(mask: np.ndarray, patch: tuple[int, ...]) -> list[tuple[int, ...]]:
    """First corners of patches laid side by side over a mask (*spatial), of those that hold foreground.

    The last of a row reaches to the border and so over its neighbour. Of an empty mask there is the one in the middle.
    """
    axes = [
        [min(start, max(side - length, 0)) for start in range(0, max(side, 1), length)]
        for side, length in zip(mask.shape, patch, strict=True)
    ]
    tiles = [corner for corner in itertools.product(*axes) if cut_patch(mask, corner, patch).any()]
    middle = tuple(max(side - length, 0) // 2 for side, length in zip(mask.shape, patch, strict=True))
    return tiles or [middle]


@contextmanager
def open_feed(cases: Iterable[Case], count: int, preparation: Preparation, *, most_bytes: int, folder: Path) -> Iterator[Feed]:
    """Prepares `count` cases once. They are kept in memory up to most_bytes, beyond it in a file in the folder meanwhile."""
    scales = []
    coming = iter(cases)

    def prepare(_number: int) -> tuple[np.ndarray, np.ndarray]:
        case = next(coming)
        scales.append(preparation.measure_scale(case.image))
        return preparation.resample_image(case.image), preparation.prepare_mask(case.mask).numpy()

    with CaseStore.build(count, prepare, most_bytes=most_bytes, folder=folder) as store:
        means, deviations = (torch.tensor(side, dtype=torch.float32) for side in zip(*scales, strict=True))
        yield Feed(store, means, deviations, patch=preparation.patch)
