"""Predictions of a trained network for whole images, at the size of the images."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.feeding.preparation import Preparation, measure_intensities
from focalseg.labels import choose_labels, compute_probabilities
from focalseg.layers import LINEAR_INTERPOLATIONS
from focalseg.windows import predict_in_windows

Tell = Callable[[str], None]


class ScaleWarning(UserWarning):
    """An image is so far from those that the network was trained on that its prediction means nothing."""


def warn(sentence: str) -> None:
    """Warns as Python's libraries do."""
    warnings.warn(sentence, ScaleWarning, stacklevel=4)


def keep_quiet(_sentence: str) -> None:
    """For a job, which says it of all its images before it starts."""


def predict_probabilities(network: nn.Module, preparation: Preparation, image: np.ndarray, *, tell: Tell = warn) -> np.ndarray:
    """image (C, *spatial) as it was read -> probabilities (K, *spatial) float32 at the image's size.

    A network of one channel gives the probability of the foreground, by sigmoid; one of more channels those of the background
    and every label, by softmax. tell: hears of an image far from those that the network was trained on.
    """
    logits = _predict_logits(network, preparation, image, tell)
    probabilities: np.ndarray = compute_probabilities(logits)[0].cpu().numpy()
    return probabilities


def predict_mask(network: nn.Module, preparation: Preparation, image: np.ndarray, *, tell: Tell = warn) -> np.ndarray:
    """image (C, *spatial) as it was read -> labels (*spatial) uint8 at the image's size, 0 the background.

    tell: hears of an image far from those that the network was trained on.
    """
    mask: np.ndarray = choose_labels(_predict_logits(network, preparation, image, tell))[0].cpu().numpy()
    return mask


@torch.no_grad()
def _predict_logits(network: nn.Module, preparation: Preparation, image: np.ndarray, tell: Tell) -> Tensor:
    """image (C, *spatial) -> logits (1, K, *spatial) float32, interpolated back to the image's size."""
    device = next(network.parameters()).device
    network.eval()
    prepared = preparation.prepare_image(image)[None].to(device)
    entry = preparation.measure_entry(*measure_intensities(image))
    if entry.is_extreme:
        tell(f"The image {entry}; what the network says of it is not to be trusted. Save it on their scale.")
    logits = predict_in_windows(network, prepared, preparation.window)
    return F.interpolate(logits, size=image.shape[1:], mode=LINEAR_INTERPOLATIONS[image.ndim - 1], align_corners=False)
