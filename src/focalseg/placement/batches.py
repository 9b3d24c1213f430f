"""Batches and outputs as other people's loops and networks have them, read as images, masks and logits."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from focalseg.errors import SettingError, ShapeError
from focalseg.evaluation.scoring import Batch
from focalseg.hosts.attachment import filled_sites

IMAGE_KEYS = ("image", "images", "data", "pixel_values")
MASK_KEYS = ("label", "labels", "mask", "masks", "seg", "target")
LOGIT_KEYS = ("logits", "out")
_NEAR_ZERO, _NEAR_ONE = 0.02, 0.9
"""Where the probabilities of a network that has learned something reach. Other logits may lie in between by chance."""
_PAIRS = "Give pairs: [(images, masks) for ... in loader]."


class ReadBatches(Sequence[Batch]):
    """Batches as a loader gives them, each read when it is asked for: images on the network's device, and masks.

    A batch is a pair (images, masks); a mapping with one of IMAGE_KEYS and one of MASK_KEYS; or a list of mappings of one case
    each, without an axis for the batch. Images (B, C, *spatial), masks of as many cases; one case alone, as a data set gives
    it, is a batch of one. Tensors that carry more, as MONAI's do, are read as plain ones, and so are NumPy arrays.

    What is no sequence is read once and kept. Raises SettingError for batches that cannot be read, and for one that is another
    when it is asked for again: costs are differences on the same case.
    """

    def __init__(self, batches: Iterable[Any], *, network: nn.Module, name: str) -> None:
        if isinstance(batches, Mapping | Tensor | str):
            raise SettingError(f"{name} was one {type(batches).__name__}; expected several batches, such as [(images, masks)].")
        self._given = batches if isinstance(batches, Sequence) else _read_once(batches)
        self._name = name
        self._device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
        self._axes = {site.shape.spatial_dims for site, _ in filled_sites(network).values()}
        self._seen: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, number: Any) -> Any:
        images, masks = self._read(self._given[number], f"{self._name}[{number}]")
        if not isinstance(self._given, list | tuple):  # which hold what they give
            self._refuse_another(number, images)
        return images.to(self._device), masks

    def __iter__(self) -> Iterator[Batch]:
        for number in range(len(self)):
            yield self[number]

    @property
    def images(self) -> "Images":
        """The images of every batch, each read when it is asked for."""
        return Images(self)

    def _refuse_another(self, number: int, images: Tensor) -> None:
        look = f"{tuple(images.shape)} {float(images.float().sum())}"
        if self._seen.setdefault(number, look) != look:
            raise SettingError(
                f"{self._name}[{number}] was another batch when it was asked for again; expected the same each time. Turn "
                "random augmentation and shuffling off, or give a list of batches."
            )

    def _read(self, batch: Any, name: str) -> Batch:
        if isinstance(batch, Sequence) and batch and all(isinstance(case, Mapping) for case in batch):
            return _stack([self._read_pair(case, f"{name}[{number}]") for number, case in enumerate(batch)], name)
        return self._read_pair(batch, name)

    def _read_pair(self, batch: Any, name: str) -> Batch:
        if isinstance(batch, Mapping):
            batch = (_pick(batch, IMAGE_KEYS, "images", name), _pick(batch, MASK_KEYS, "masks", name))
        if isinstance(batch, str | Tensor) or not isinstance(batch, Sequence) or len(batch) != 2:
            found = f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, tuple | list) else type(batch).__name__
            raise SettingError(f"{name} was a {found}; expected a pair (images, masks) or a mapping of both. {_PAIRS}")
        images, masks = (_read_tensor(part, name) for part in batch)
        if self._axes == {images.ndim - 1} and masks.ndim in (images.ndim, images.ndim - 1):
            images, masks = images[None], masks[None]
        if masks.ndim < 2 or images.ndim < 3 or len(masks) != len(images):
            raise SettingError(
                f"{name} has images {tuple(images.shape)} and masks {tuple(masks.shape)}; expected images (B, C, *spatial) and "
                "masks (B, *spatial) or (B, 1, *spatial) of the same cases. Bring both to that."
            )
        return images, masks


class Images(Sequence[Tensor]):
    """The images of batches, without their masks."""

    def __init__(self, batches: ReadBatches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: Any) -> Any:
        return self._batches[number][0]

    def __iter__(self) -> Iterator[Tensor]:
        return (images for images, _ in self._batches)


def find_logits(output: Any, images: Tensor) -> Tensor:
    """The logits (B, K, *spatial) among what a network returned for images (B, C, *spatial).

    A tensor is the logits. Of a mapping they are the entry "logits" or "out"; of a sequence, as deep supervision gives, the one
    tensor that is as large as the images. Raises SettingError where that is none or several, ShapeError for other axes.
    """
    if isinstance(output, Mapping):
        named = [output[key] for key in LOGIT_KEYS if isinstance(output.get(key), Tensor)]
        found = named or list(output.values())
    else:
        found = list(output) if isinstance(output, list | tuple) else [output]
    tensors = [one for one in found if isinstance(one, Tensor)]
    if len(found) > 1:
        tensors = [one for one in tensors if one.ndim == images.ndim and one.shape[2:] == images.shape[2:]]
    if len(tensors) != 1:
        raise SettingError(
            f"The network returned a {type(output).__name__} with {len(tensors)} tensors that may be the logits; expected one "
            "tensor. Say which: predict=lambda images: network(images)[0], or another entry."
        )
    if tensors[0].ndim != images.ndim:
        raise ShapeError(
            f"The network returned {tuple(tensors[0].shape)} for images {tuple(images.shape)}; expected (B, K, *spatial). "
            "Give predict=, a function of the images that returns them."
        )
    return _make_plain(tensors[0])


class WatchedLogits:
    """images -> logits, by way of what a network returns; remembers how low and high the logits of one channel were."""

    def __init__(self, predict: Callable[[Tensor], Any]) -> None:
        self._predict = predict
        self._lowest, self._highest = math.inf, -math.inf

    def __call__(self, images: Tensor) -> Tensor:
        logits = find_logits(self._predict(images), images)
        if logits.shape[1] == 1:
            lowest, highest = logits.aminmax()
            self._lowest, self._highest = min(self._lowest, float(lowest)), max(self._highest, float(highest))
        return logits

    def refuse_probabilities(self) -> None:
        """Raises SettingError where they filled [0, 1] and never left it: as logits they would call every pixel foreground."""
        if 0 <= self._lowest < _NEAR_ZERO and _NEAR_ONE < self._highest <= 1:
            raise SettingError(
                f"The network's outputs lie between {self._lowest:.3g} and {self._highest:.3g}, as probabilities do; expected "
                "logits. Take the sigmoid out of the network, or give predict=lambda images: network(images).logit(1e-6)."
            )


def _read_once(batches: Any) -> list[Any]:
    """Everything that a loader or an iterator gives, or a data set, which has a length and need not end by itself."""
    return list(batches) if hasattr(batches, "__iter__") else [batches[number] for number in range(len(batches))]


def _pick(batch: Mapping[Any, Any], keys: Sequence[str], what: str, name: str) -> Any:
    """The one entry of a mapping under one of the keys."""
    found = [key for key in keys if key in batch]
    if len(found) != 1:
        raise SettingError(
            f"{name} has {' and '.join(map(repr, found)) or 'no key'} for its {what}, among "
            f"{', '.join(map(str, batch)) or 'none'}; expected one of {', '.join(keys)}. {_PAIRS}"
        )
    return batch[found[0]]


def _read_tensor(part: Any, name: str) -> Tensor:
    """A plain tensor of a tensor or an array."""
    if isinstance(part, Tensor):
        return _make_plain(part)
    try:
        return torch.as_tensor(part)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SettingError(f"{name} holds a {type(part).__name__}; expected tensors (images, masks). {_PAIRS}") from error


def _make_plain(tensor: Tensor) -> Tensor:
    """Without what a subclass carries along: each operation on MONAI's MetaTensor copies its metadata."""
    return tensor if type(tensor) is Tensor else tensor.as_subclass(Tensor)


def _stack(cases: Sequence[Batch], name: str) -> Batch:
    """One batch of cases; each has the axis of the batch if `ReadBatches` could tell that it lacked."""
    images, masks = zip(*cases, strict=True)
    if len({one.shape for one in images}) > 1:
        raise SettingError(
            f"{name} has images of several sizes; expected one size a batch. Give each case as a batch of its own."
        )
    return torch.cat(images), torch.cat(masks)
