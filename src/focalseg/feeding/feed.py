"""One side of a split as a network takes it: decoded and resampled once, normalised for each batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from focalseg.feeding.patches import cut_patch, draw_corners, find_places
from focalseg.feeding.preparation import Preparation, normalise
from focalseg.feeding.store import CaseStore
from focalseg.imagesets.case import Case

_Device = torch.device | str
_PLACES_SEED = 0
"""The seed by which places on foreground are chosen where there are too many: the same for every training on the data."""


class Feed:
    """Prepared cases of one size, by number. means, deviations (N, C): by which each is normalised. patch: what is cut."""

    def __init__(self, store: CaseStore, means: Tensor, deviations: Tensor, *, patch: tuple[int, ...] | None = None) -> None:
        self._store, self._means, self._deviations, self._patch = store, means, deviations, patch
        self._places = [find_places(store[number][1], seed=_PLACES_SEED) for number in range(len(store))] if patch else []

    @classmethod
    def from_tensors(cls, images: Tensor, masks: Tensor) -> "Feed":
        """images (N, C, *size) as the network takes them, masks (N, *size) bool or labels."""
        pairs = [(image.numpy(), mask.to(torch.uint8).numpy()) for image, mask in zip(images, masks, strict=True)]
        store = CaseStore.build(len(pairs), pairs.__getitem__, most_bytes=2**62, folder=Path())
        return cls(store, torch.zeros(images.shape[:2]), torch.ones(images.shape[:2]))

    def __len__(self) -> int:
        return len(self._store)

    @property
    def bytes_in_memory(self) -> int:
        """The bytes taken by the cases that are held in memory."""
        return self._store.bytes_in_memory

    def read_masks(self) -> Tensor:
        """Reads all masks, (N, *size) uint8."""
        return self._store.gather(range(len(self)))[1]

    def gather(self, indices: Tensor, *, device: _Device = "cpu") -> tuple[Tensor, Tensor]:
        """Whole cases: images (B, C, *size) float32, normalised; masks (B, *size) uint8."""
        images, masks = self._store.gather(indices)
        return self._normalise(images, indices, device), masks.to(device)

    def draw_patches(
        self, indices: Tensor, *, foreground_share: float, seed: int, step: int, device: _Device = "cpu"
    ) -> tuple[Tensor, Tensor]:
        """A patch of each case where `patches.draw_corners` lays it: images (B, C, *patch) and masks (B, *patch)."""
        if self._patch is None:
            raise ValueError("This feed gives whole cases; no patch was set.")
        places = [self._places[index] for index in indices.tolist()]
        sizes = [self._store.sizes[index] for index in indices.tolist()]
        corners = draw_corners(places, sizes, self._patch, foreground_share=foreground_share, seed=seed, step=step)
        parts = [
            [cut_patch(array, corner, self._patch) for array in self._store[index]]
            for index, corner in zip(indices.tolist(), corners, strict=True)
        ]
        images, masks = (torch.from_numpy(np.stack(side)) for side in zip(*parts, strict=True))
        return self._normalise(images, indices, device), masks.to(device)

    def batches(
        self, size: int, *, device: _Device = "cpu", arrange: Callable[[Tensor], Tensor] = lambda images: images
    ) -> "Batches":
        """All cases, whole, `size` at a time, each batch made when it is asked for. arrange: what is done to its images."""
        return Batches(self, torch.split(torch.arange(len(self)), size), device, arrange)

    def _normalise(self, images: Tensor, indices: Tensor, device: _Device) -> Tensor:
        """Normalises on the device: images are moved as bytes, before they become four times as large in float32."""
        return normalise(images.to(device), self._means[indices].to(device), self._deviations[indices].to(device))


class Batches(Sequence[tuple[Tensor, Tensor]]):
    """Batches of whole cases, of which only one is in memory at a time."""

    def __init__(self, feed: Feed, parts: Sequence[Tensor], device: _Device, arrange: Callable[[Tensor], Tensor]) -> None:
        self._feed, self._parts, self._device, self._arrange = feed, parts, device, arrange

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return Batches(self._feed, self._parts[number], self._device, self._arrange)
        images, masks = self._feed.gather(self._parts[number], device=self._device)
        return self._arrange(images), masks


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
        means, deviations = (torch.tensor([scale[side] for scale in scales], dtype=torch.float32) for side in (0, 1))
        yield Feed(store, means, deviations, patch=preparation.patch)
