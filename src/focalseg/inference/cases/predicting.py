"""One case through a model: whether its image fits, and what makes its mask doubtful."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from focalseg.errors import DataError
from focalseg.findings import counted, show_path
from focalseg.imagesets.dataset import Decoded
from focalseg.inference.cases.job import Predict
from focalseg.inference.model import Model
from focalseg.inference.prediction import predict_mask, predict_probabilities
from focalseg.labels import THRESHOLD, choose_most_probable
from focalseg.training.run import RunConfig


def build_predict(
    model: Model,
    *,
    overlap: float,
    flips: bool = False,
    windows_at_a_time: int | None = None,
    threshold: float = THRESHOLD,
    probabilities: bool = False,
) -> Predict:
    """What predicts a case by a model. Settings as `predict_mask` has them.

    An image with other channels or axes, or so far from those of the training that its mask would mean nothing, is refused
    with DataError. One whose elements have another size is predicted, and its mask is doubtful.
    """

    def predict(file: Path, image: Decoded) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
        _check_fit(file, image.image, model.config)
        doubt = ""
        if image.spacing_mm is not None:
            doubt = model.preparation.compare_spacing(image.image.shape[1:], image.spacing_mm)
        doubts = (doubt,) if doubt else ()
        tell = _refuse(file)
        if not probabilities:
            labels = predict_mask(
                model.members,
                image.image,
                overlap=overlap,
                flips=flips,
                windows_at_a_time=windows_at_a_time,
                threshold=threshold,
                tell=tell,
            )
            return labels, None, doubts
        shares = predict_probabilities(
            model.members, image.image, overlap=overlap, flips=flips, windows_at_a_time=windows_at_a_time, tell=tell
        )
        return choose_most_probable(torch.from_numpy(shares)[None], threshold)[0].numpy(), shares, doubts

    return predict


def _refuse(file: Path) -> Callable[[str], None]:
    """Raises DataError with what it is told."""

    def refuse(sentence: str) -> None:
        raise DataError(f"{show_path(file)}: {sentence[:1].lower()}{sentence[1:]} No mask was written.")

    return refuse


def _check_fit(file: Path, image: np.ndarray, config: RunConfig) -> None:
    """Raises DataError where an image (C, *spatial) has other channels or axes than those that the model was trained on."""
    channels, axes = config.network.in_channels, len(config.preparation.size)
    if image.ndim - 1 != axes:
        kinds = {2: "pictures", 3: "volumes"}
        found = f"has {image.ndim - 1} spatial axes"
        expected = f"{axes}, since the model was trained on {kinds.get(axes, 'such images')}"
        raise DataError(f"{show_path(file)}: {found}; expected {expected}. Give an image of that kind.")
    if len(image) != channels:
        mend = {(1, 3): "Save it in colour.", (3, 1): "Save it in grey."}.get((len(image), channels), "Convert it.")
        found, expected = counted(len(image), "channel"), f"{channels}, as the images that the model was trained on"
        raise DataError(f"{show_path(file)}: has {found}; expected {expected}. {mend}")
