"""A model to use: one trained network or several, and all that prediction needs besides."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from focalseg.errors import DataError, MachineError
from focalseg.feeding.preparation import Preparation
from focalseg.findings import counted
from focalseg.inference.prediction import Member, Tell, predict_mask, predict_probabilities, warn
from focalseg.labels import THRESHOLD
from focalseg.training.run import RunConfig
from focalseg.training.training_config import Device

_MOST_BYTES = 8
"""Of a number that torch knows."""


class TrainedNetwork(NamedTuple):
    """A trained network, and the config of its run."""

    config: RunConfig
    network: nn.Module


class Model:
    """Predicts masks with one trained network, or with the mean of several, as they were trained and scored.

    It stays loaded: predict as many images as you like. name: for messages. config, network: of the lean network, where there
    are several.
    """

    def __init__(self, networks: Sequence[TrainedNetwork], *, name: str = "", device: Device = "cpu") -> None:
        """networks: one at least, all for the same channels and labels. Raises MachineError for a device that is not there."""
        self.name = name
        self.device = _choose_device(device)
        self.configs = tuple(one.config for one in networks)
        self.members = tuple(Member(one.network.to(self.device).eval(), one.config.preparation) for one in networks)

    def __repr__(self) -> str:
        size, channels = " x ".join(map(str, self.preparation.size)), counted(self.config.network.in_channels, "channel")
        named = f" {self.name}" if self.name else ""
        return (
            f"<Model{named}: {counted(len(self.members), 'network')} for {channels}, "
            f"seen at {size}; {self.config.describe_labels()}>"
        )

    @property
    def config(self) -> RunConfig:
        """Everything that decided the outcome of the training, of the first network."""
        return self.configs[0]

    @property
    def network(self) -> nn.Module:
        """A plain module: images (B, C, *spatial) float32, prepared (see `preparation`) -> logits (B, K, *spatial)."""
        return self.members[0].network

    @property
    def preparation(self) -> Preparation:
        """What is done to an image before the first network sees it."""
        return self.config.preparation

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the foreground labels: a mask has 1 for the first, and 0 for the background."""
        return self.config.labels

    def predict(
        self,
        image: np.ndarray,
        spacing_mm: Sequence[float] | None = None,
        *,
        flips: bool = False,
        threshold: float = THRESHOLD,
        tell: Tell = warn,
    ) -> np.ndarray:
        """image -> labels (*spatial) uint8 at the image's size: 0 the background, 1 and up the labels in their order.

        image: (*spatial) of one channel, (C, *spatial), or channels last as cameras have them; numbers of any kind, on the
        scale of the files that it was trained on. The axes of a volume run to the patient's head, front and right, in this
        order, as its files were read: `nibabel.as_closest_canonical(file).get_fdata().T`. Any size: a large image is seen in
        windows. spacing_mm: the size of an
        element along each spatial axis; it says whether the image fits, and is not needed. flips: average over mirrored images
        too. threshold: above which probability a pixel is foreground; of several labels the odds of the background are measured
        by it. tell: hears of what makes a prediction doubtful; by default it is a ScaleWarning.

        Raises DataError for an image that does not fit: other channels or axes, no numbers, or numbers that are not finite, and
        SettingError for a threshold that is not between 0 and 1.
        """
        image = self._take(image, spacing_mm, tell)
        return predict_mask(self.members, image, flips=flips, threshold=threshold, tell=tell)

    def predict_probabilities(
        self, image: np.ndarray, spacing_mm: Sequence[float] | None = None, *, flips: bool = False, tell: Tell = warn
    ) -> np.ndarray:
        """image -> probabilities (K, *spatial) float32 in [0, 1], the mean over the networks.

        K is 1 for one label, its probability; else the background's and one per label, with the sum 1. The rest as `predict`.
        """
        image = self._take(image, spacing_mm, tell)
        return predict_probabilities(self.members, image, flips=flips, tell=tell)

    def _take(self, image: np.ndarray, spacing_mm: Sequence[float] | None, tell: Tell) -> np.ndarray:
        """The image as (C, *spatial), looked at."""
        image = _arrange_channels(np.asarray(image), self.config)
        if spacing_mm is not None and (doubt := self.preparation.compare_spacing(image.shape[1:], spacing_mm)):
            tell(doubt)
        return image


def _arrange_channels(image: np.ndarray, config: RunConfig) -> np.ndarray:
    """image in any of the three arrangements that `Model.predict` takes -> (C, *spatial). Raises DataError."""
    channels, axes = config.network.in_channels, len(config.preparation.size)
    if image.size == 0:
        raise DataError(f"The image of shape {image.shape} has no element; expected one at least. Give another one.")
    if image.dtype == bool:
        image = image.astype(np.uint8)
    if image.dtype.kind not in "iuf":
        raise DataError(f"The image holds {image.dtype}; expected whole numbers or floats. Convert it.")
    if not image.dtype.isnative or image.dtype.itemsize > _MOST_BYTES:  # which torch does not know
        image = image.astype(np.float64 if image.dtype.kind == "f" else image.dtype.newbyteorder("="))
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise DataError("The image holds numbers that are not finite (nan or infinity); expected finite ones. Mend them first.")
    if image.ndim == axes and channels == 1:
        return image[None]
    if image.ndim == axes + 1 and image.shape[0] == channels:
        return image
    if image.ndim == axes + 1 and image.shape[-1] == channels:
        return np.moveaxis(image, -1, 0)
    expected = f"{counted(channels, 'channel')} and {axes} spatial {'axis' if axes == 1 else 'axes'}"
    raise DataError(
        f"The image has the shape {image.shape}; expected {expected}, such as ({channels}, "
        f"{', '.join(map(str, config.preparation.size))}), of any size. Convert it."
    )


def _choose_device(device: Device) -> torch.device:
    """The device of that name; `auto` is a GPU where there is one. Raises MachineError where this machine has none."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    if not there[device]:
        raise MachineError(f"--device {device} is not to be had on this machine; use --device cpu or auto.")
    return torch.device(device)
