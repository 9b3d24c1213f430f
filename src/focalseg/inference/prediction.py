"""Predictions of trained networks for whole images, at the size of the images."""

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.feeding.preparation import Preparation, measure_intensities
from focalseg.labels import THRESHOLD, choose_labels, compute_probabilities
from focalseg.layers import LINEAR_INTERPOLATIONS
from focalseg.windows import OVERLAP, predict_in_windows

Tell = Callable[[str], None]


class ScaleWarning(UserWarning):
    """An image is so far from those that the network was trained on that its prediction means nothing."""


class Member(NamedTuple):
    """A network, and what is done to an image before it sees it."""

    network: nn.Module
    preparation: Preparation


def warn(sentence: str) -> None:
    """Warns as Python's libraries do."""
    warnings.warn(sentence, ScaleWarning, stacklevel=4)


def keep_quiet(_sentence: str) -> None:
    """For a job, which says it of all its images before it starts."""


def predict_probabilities(
    members: Sequence[Member],
    image: np.ndarray,
    *,
    overlap: float = OVERLAP,
    flips: bool = False,
    windows_at_a_time: int | None = None,
    tell: Tell = warn,
) -> np.ndarray:
    """image (C, *spatial) as it was read -> probabilities (K, *spatial) float32 at the image's size, the mean over members.

    A network of one channel gives the probability of the foreground, by sigmoid; one of more channels those of the background
    and every label, by softmax. tell: hears of an image far from those that the network was trained on.
    """
    _ = windows_at_a_time
    logits = [_predict_logits(member, image, overlap, flips, tell) for member in members]
    mean: np.ndarray = torch.stack([compute_probabilities(one)[0].cpu() for one in logits]).mean(dim=0).numpy()
    return mean


def predict_mask(
    members: Sequence[Member],
    image: np.ndarray,
    *,
    overlap: float = OVERLAP,
    flips: bool = False,
    windows_at_a_time: int | None = None,
    tell: Tell = warn,
) -> np.ndarray:
    """image (C, *spatial) as it was read -> labels (*spatial) uint8 at the image's size, 0 the background.

    tell: hears of an image far from those that the network was trained on.
    """
    if len(members) > 1:
        probabilities = predict_probabilities(members, image, overlap=overlap, flips=flips, tell=tell)
        chosen: np.ndarray = probabilities[0] > THRESHOLD if len(probabilities) == 1 else probabilities.argmax(axis=0)
        return chosen.astype(np.uint8)
    _ = windows_at_a_time
    mask: np.ndarray = choose_labels(_predict_logits(members[0], image, overlap, flips, tell))[0].cpu().numpy()
    return mask


@torch.no_grad()
def _predict_logits(member: Member, image: np.ndarray, overlap: float, flips: bool, tell: Tell) -> Tensor:
    """image (C, *spatial) -> logits (1, K, *spatial) float32, interpolated back to the image's size."""
    network, preparation = member.network, member.preparation
    device = next(network.parameters()).device
    network.eval()
    prepared = preparation.prepare_image(image)[None].to(device)
    entry = preparation.measure_entry(*measure_intensities(image))
    if entry.is_extreme:
        tell(f"The image {entry}; what the network says of it is not to be trusted. Save it on their scale.")
    axes = range(2, prepared.ndim) if flips else ()
    mirrored = [chosen for count in range(len(axes) + 1) for chosen in itertools.combinations(axes, count)]
    views = (predict_in_windows(network, prepared.flip(axes), preparation.window, overlap).flip(axes) for axes in mirrored)
    logits = torch.stack([*views]).mean(dim=0)
    return F.interpolate(logits, size=image.shape[1:], mode=LINEAR_INTERPOLATIONS[image.ndim - 1], align_corners=False)
