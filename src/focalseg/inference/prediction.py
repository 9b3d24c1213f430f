"""Predictions of trained networks for whole images, at the size of the images.

The logits of windows are blended, interpolated to the image's size and made probabilities or labels a few rows at a time:
beside the image and what is asked for, no more is held than a window's length of rows.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations

import numpy as np
import torch
from torch import Tensor, nn

from focalseg.errors import SettingError
from focalseg.feeding.preparation import Preparation, measure_intensities, normalise
from focalseg.inference.rows import resize_in_rows
from focalseg.labels import choose_labels, choose_most_probable, compute_probabilities
from focalseg.windows import OVERLAP, Place, Tiling, stream_windows

Tell = Callable[[str], None]
_ELEMENTS_AT_A_TIME = 2**21
"""Of one class map at the image's size, of which so many are held while they are made labels: 8 MiB a class."""
_WINDOWS_ON_A_GPU = 4
"""Windows in one pass unless somebody says how many: on a GPU one alone leaves most of it idle, on a CPU it is the fastest."""


class ScaleWarning(UserWarning):
    """An image is so far from those that the network was trained on that its prediction means nothing."""


@dataclass(frozen=True, eq=False)
class Member:
    """A trained network and how images are prepared for it: a model by itself, or one of several that predict together.

    Keep it for further images: what is found out about the network once is kept with it.
    """

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
    """image (C, *spatial) as it was read -> probabilities (K, *spatial) float32 at the image's size.

    A network of one channel gives the probability of the foreground, by sigmoid; one of more channels those of the background
    and every label, by softmax. Of several members it is the mean. Arguments and errors as those of `predict_mask`.
    """
    _check_scale(members, image, tell)
    made = np.empty((0, *image.shape[1:]), np.float32)
    for place, logits in _stream(members, image, overlap=overlap, flips=flips, windows_at_a_time=windows_at_a_time):
        probabilities = _average(logits)[0].cpu().numpy()
        if not len(made):
            made = np.empty((len(probabilities), *image.shape[1:]), np.float32)
        made[:, place] = probabilities
    return made


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

    members: one, or several whose probabilities are averaged at the image's size; each prepares the image in its own way.
    overlap: the share of a window that the next one covers again, where the image is larger than one. flips: whether logits
    are the mean over all mirrored copies of every window (Isensee et al. 2021), 2, 4 or 8 times the work. windows_at_a_time:
    in one pass; it changes no mask. tell: hears of an image far from those that the networks were trained on.

    Raises SettingError for no members, for members that tell different numbers of labels apart, and as `stream_windows` does;
    DataError for an image of other channels or axes than the networks were trained on.
    """
    _check_scale(members, image, tell)
    mask = np.empty(image.shape[1:], np.uint8)
    for place, logits in _stream(members, image, overlap=overlap, flips=flips, windows_at_a_time=windows_at_a_time):
        labels = choose_labels(logits[0]) if len(logits) == 1 else choose_most_probable(_average(logits))
        mask[place] = labels[0].cpu().numpy()
    return mask


def _check_scale(members: Sequence[Member], image: np.ndarray, tell: Tell) -> None:
    """Tells of the member to which the image is strangest, if it is to any."""
    if not members:
        raise SettingError("No network was given to predict with; expected at least one member.")
    for member in members:
        member.preparation.check_image(image)
    intensities = measure_intensities(image)
    entries = [member.preparation.measure_entry(*intensities) for member in members]
    strangest = max(entries, key=lambda entry: entry.strangeness)
    if strangest.is_extreme:
        tell(f"The image {strangest}; what the network says of it is not to be trusted. Save it on their scale.")


def _average(logits: Sequence[Tensor]) -> Tensor:
    """The mean of the probabilities of several logits (1, K, *spatial)."""
    total = compute_probabilities(logits[0])
    for others in logits[1:]:
        total += compute_probabilities(others).to(total.device)
    return total / len(logits)


def _stream(
    members: Sequence[Member], image: np.ndarray, *, overlap: float, flips: bool, windows_at_a_time: int | None
) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
    """Rows of the image and the logits of each member there, (1, K, rows, *spatial)."""
    size = image.shape[1:]
    rows = max(_ELEMENTS_AT_A_TIME // max(math.prod(size[1:]), 1), 1)
    streams = []
    for member in members:
        device = next((parameter.device for parameter in member.network.parameters()), torch.device("cpu"))
        default = 1 if device.type == "cpu" else _WINDOWS_ON_A_GPU
        tiling = Tiling(
            window=member.preparation.window,
            overlap=overlap,
            at_a_time=default if windows_at_a_time is None else windows_at_a_time,
        )
        slabs = _stream_prepared(member, image, tiling, device, flips=flips)
        streams.append(resize_in_rows(slabs, member.preparation.size, size, rows=rows))
    for number, logits in enumerate(zip(*streams, strict=True)):
        if len(channels := {each.shape[1] for each in logits}) > 1:
            raise SettingError(
                f"The networks have {' and '.join(map(str, sorted(channels)))} output channels; expected as many in each, to "
                "average them. Give networks that were trained on the same labels."
            )
        yield slice(number * rows, (number + 1) * rows), logits


def _stream_prepared(
    member: Member, image: np.ndarray, tiling: Tiling, device: torch.device, *, flips: bool
) -> Iterator[Tensor]:
    """The logits of a member at the size that it prepares images to, in slabs as `stream_windows` yields them."""
    preparation, network = member.preparation, member.network.eval()
    resampled = preparation.resample_image(image)
    mean, deviation = (torch.tensor([each], device=device) for each in preparation.measure_scale(image))

    def cut(place: Place) -> Tensor:
        # Windows alone are made float32: the whole would take many times the image's own memory.
        part = torch.from_numpy(np.ascontiguousarray(resampled[:, *place]))[None]
        return normalise(part.to(device), mean, deviation)

    predict = partial(_predict_flipped, network) if flips else network
    yield from stream_windows(predict, cut, preparation.size, tiling)


def _predict_flipped(network: nn.Module, images: Tensor) -> Tensor:
    """The mean logits of images (B, C, *spatial) and all their mirrored copies, mirrored back.

    Logits and not probabilities, as in nnU-Net: windows are blended as logits too, so it does not matter which comes first.
    """
    axes = range(2, images.ndim)
    total: Tensor = network(images).float()
    for flipped in chain.from_iterable(combinations(axes, count) for count in range(1, len(axes) + 1)):
        total = total + network(images.flip(flipped)).float().flip(flipped)
    mean: Tensor = total / 2 ** len(axes)
    return mean
