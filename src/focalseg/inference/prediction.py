"""Predictions of trained networks for whole images, at the size of the images.

The logits of windows are blended, interpolated to the image's size and made probabilities or labels a few rows at a time:
beside the image and what is asked for, no more is held than a window's length of rows.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, combinations

import numpy as np
import torch
from torch import Tensor, nn

from focalseg.errors import SettingError
from focalseg.evaluation.thresholds import GradedMask
from focalseg.feeding.preparation import Preparation, measure_intensities, normalise
from focalseg.hosts.attachment import occupied_sites
from focalseg.hosts.pruning import without_attention
from focalseg.inference.reach import Reach, measure_reach
from focalseg.inference.rows import resize_in_rows
from focalseg.labels import (
    THRESHOLD,
    choose_labels,
    choose_most_probable,
    compute_probabilities,
    grade_labels,
    grade_most_probable,
)
from focalseg.windows import OVERLAP, Place, Tiling, stream_windows

Tell = Callable[[str], None]
Stream = Iterator[tuple[slice, Tensor]]
"""Rows of an image, and what a member says there."""
_ELEMENTS_AT_A_TIME = 2**19
"""Of one class map at the image's size, of which so many are held while they are made labels: 2 MiB a class."""
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
    _reaches: dict[tuple[int, bool], Reach | None] = field(default_factory=dict, init=False, repr=False)

    @property
    def device(self) -> torch.device:
        """Where the network is; the CPU for one without parameters."""
        return next((parameter.device for parameter in self.network.parameters()), torch.device("cpu"))

    def find_reach(self, axis: int, *, attention: bool = True) -> Reach | None:
        """What the network does along an axis of its windows, or what its host does without attention; measured once. None
        where it sees all of a window."""
        if (axis, attention) not in self._reaches:
            channels, window = len(self.preparation.mean), self.preparation.window
            with nullcontext() if attention else without_attention(self.network):
                self._reaches[axis, attention] = measure_reach(self.network.eval(), channels, window, axis)
        return self._reaches[axis, attention]

    def plan_tiling(self, *, overlap: float = OVERLAP, windows_at_a_time: int | None = None) -> Tiling:
        """How prepared images are cut into windows: to give what the whole would give, where the overlap allows it.

        Where attention looks too far for that, windows are placed and joined as suits the host. So networks that differ in
        attention alone are cut alike, and are compared by it alone.
        """
        default = 1 if self.device.type == "cpu" else _WINDOWS_ON_A_GPU
        plain = Tiling(
            window=self.preparation.window,
            overlap=overlap,
            at_a_time=default if windows_at_a_time is None else windows_at_a_time,
        )
        tiling, known = self._heed_reach(plain, attention=True)
        settled = tiling.settle(self.preparation.size)
        if (known and settled == tiling) or not occupied_sites(self.network):
            return settled
        return self._heed_reach(plain, attention=False)[0].settle(self.preparation.size)

    def _heed_reach(self, plain: Tiling, *, attention: bool) -> tuple[Tiling, bool]:
        """A tiling with the strides and margins of the network, or of its host, and whether it has some along all axes."""
        nothing, size = Reach(margin=0, stride=1), self.preparation.size
        found = [
            self.find_reach(axis, attention=attention) if plain.window[axis] < side else nothing
            for axis, side in enumerate(size)
        ]
        reaches = [reach or nothing for reach in found]
        strides, margins = (tuple(getattr(reach, name) for reach in reaches) for name in ("stride", "margin"))
        return replace(plain, stride=strides, margin=margins), None not in found


def warn(sentence: str) -> None:
    """Warns as Python's libraries do."""
    warnings.warn(sentence, ScaleWarning, stacklevel=4)


def keep_quiet(_sentence: str) -> None:
    """For a job, which says it of all its images before it starts."""


def predict_logits(
    member: Member,
    image: np.ndarray,
    *,
    overlap: float = OVERLAP,
    flips: bool = False,
    windows_at_a_time: int | None = None,
    tell: Tell = warn,
) -> np.ndarray:
    """image (C, *spatial) as it was read -> logits (K, *spatial) float32 at the image's size, of one network.

    Away from the image's borders they are those of the whole image in one pass to 1e-4, where the network looks no farther than
    half the overlap of its windows and their sides and the image's are multiples of its stride. Arguments and errors as those
    of `predict_mask`.
    """
    _check_scale([member], image, tell)
    logits = np.zeros((0, *image.shape[1:]), np.float32)
    for place, part in _stream(member, image, overlap=overlap, flips=flips, windows_at_a_time=windows_at_a_time):
        logits = _add(logits, place, part)
    return logits


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
    stream = partial(_stream, image=image, overlap=overlap, flips=flips, windows_at_a_time=windows_at_a_time)
    return _average_members(members, image, stream)


def predict_mask(
    members: Sequence[Member],
    image: np.ndarray,
    *,
    overlap: float = OVERLAP,
    flips: bool = False,
    windows_at_a_time: int | None = None,
    threshold: float = THRESHOLD,
    tell: Tell = warn,
) -> np.ndarray:
    """image (C, *spatial) as it was read -> labels (*spatial) uint8 at the image's size, 0 the background.

    members: one, or several whose probabilities are averaged at the image's size; each prepares the image in its own way.
    overlap: the share of a window that the next one covers again, where the image is larger than one. flips: whether logits
    are the mean over all mirrored copies of every window (Isensee et al. 2021), 2, 4 or 8 times the work. windows_at_a_time:
    in one pass; it changes no mask. threshold: between foreground and background, as `choose_labels` has it. tell: hears of
    an image far from those that the networks were trained on.

    Raises SettingError for no members, for members that tell different numbers of labels apart, for a threshold that is not
    between 0 and 1, and as `stream_windows` does; DataError for an image of other channels or axes than the networks were
    trained on.
    """
    _check_scale(members, image, tell)
    stream = partial(_stream, image=image, overlap=overlap, flips=flips, windows_at_a_time=windows_at_a_time)
    if len(members) > 1:
        shares = torch.from_numpy(_average_members(members, image, stream))[None]
        return choose_most_probable(shares, threshold)[0].numpy()
    mask = np.empty(image.shape[1:], np.uint8)
    for place, logits in stream(members[0]):
        mask[place] = choose_labels(logits, threshold)[0].cpu().numpy()
    return mask


def predict_graded(
    members: Sequence[Member],
    image: np.ndarray,
    *,
    overlap: float = OVERLAP,
    flips: bool = False,
    windows_at_a_time: int | None = None,
    tell: Tell = warn,
) -> GradedMask:
    """image (C, *spatial) as it was read -> its mask at every threshold, at the image's size; at 0.5 it is that of
    `predict_mask`, to the bit. Arguments and errors as those of `predict_mask`."""
    _check_scale(members, image, tell)
    stream = partial(_stream, image=image, overlap=overlap, flips=flips, windows_at_a_time=windows_at_a_time)
    if len(members) > 1:
        shares = torch.from_numpy(_average_members(members, image, stream))[None]
        return GradedMask(*(each[0].numpy() for each in grade_most_probable(shares)))
    graded = GradedMask(*(np.empty(image.shape[1:], np.uint8) for _ in range(2)))
    for place, logits in stream(members[0]):
        labels, grades = grade_labels(logits)
        graded.labels[place], graded.grades[place] = labels[0].cpu().numpy(), grades[0].cpu().numpy()
    return graded


def _average_members(members: Sequence[Member], image: np.ndarray, stream: Callable[[Member], Stream]) -> np.ndarray:
    """The mean of the members' probabilities (K, *spatial) float32 at the image's size."""
    total = np.zeros((0, *image.shape[1:]), np.float32)
    for member in members:  # one after the other: together they would hold a window's length of rows each
        for place, logits in stream(member):
            total = _add(total, place, compute_probabilities(logits))
    mean: np.ndarray = np.divide(total, len(members), out=total)
    return mean


def _add(total: np.ndarray, place: slice, part: Tensor) -> np.ndarray:
    """The total (K, *spatial) with a part (1, K, rows, *spatial) added to its rows at that place; one without maps is made."""
    channels = part.shape[1]
    if not len(total):
        total = np.zeros((channels, *total.shape[1:]), np.float32)
    if len(total) != channels:
        raise SettingError(
            f"The networks have {len(total)} and {channels} output channels; expected as many in each, to average them. "
            "Give networks that were trained on the same labels."
        )
    total[:, place] += part[0].cpu().numpy()
    return total


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


def _stream(member: Member, image: np.ndarray, *, overlap: float, flips: bool, windows_at_a_time: int | None) -> Stream:
    """Rows of the image and the logits of a member there, (1, K, rows, *spatial)."""
    size = image.shape[1:]
    rows = max(_ELEMENTS_AT_A_TIME // max(math.prod(size[1:]), 1), 1)
    tiling = member.plan_tiling(overlap=overlap, windows_at_a_time=windows_at_a_time)
    slabs = _stream_prepared(member, image, tiling, flips=flips)
    done = 0
    for logits in resize_in_rows(slabs, member.preparation.size, size, rows=rows):
        yield slice(done, done + logits.shape[2]), logits
        done += logits.shape[2]


def _stream_prepared(member: Member, image: np.ndarray, tiling: Tiling, *, flips: bool) -> Iterator[Tensor]:
    """The logits of a member at the size that it prepares images to, in slabs as `stream_windows` yields them."""
    preparation, network, device = member.preparation, member.network.eval(), member.device
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
