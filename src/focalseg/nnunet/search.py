"""The search for sites inside nnU-Net, as far as it needs no nnU-Net: gates everywhere, and evidence on its prepared cases."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.errors import SettingError
from focalseg.evaluation.scoring import Batch
from focalseg.hosts.attachment import occupied_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.gammas import GAMMA_FACTOR, gamma_parameters
from focalseg.hosts.instrument import fill_sites, plan_layout
from focalseg.hosts.libraries.nnunet import without_deep_supervision
from focalseg.placement.evidence import gather_evidence
from focalseg.records.evidence import Evidence

MOST_SLICES = 16
"""Slices of a volume that go through a network for slices at a time."""


class Cases(Protocol):
    """What is asked of nnU-Net's data sets."""

    def load_case(self, identifier: str) -> tuple[Any, Any, Any, Any]:
        """Image (C, *spatial), mask (1, *spatial), mask of an earlier stage or None, and properties."""
        ...


def fill_everywhere(network: nn.Module, image_shape: Sequence[int], gates: Sequence[str] = ("se", "ag")) -> None:
    """Puts a gate at every site that one of these kinds fits, in place. image_shape: (C, *spatial) of what it trains on.

    Raises SettingError where the plans have gates already.
    """
    if occupied_sites(network):
        raise SettingError(
            "The plans already name a network with gates; the search starts from nnU-Net's own. Train with -p and the plans "
            "that were given to `focalseg export`."
        )
    candidates = sites(network, image_shape)
    with torch.random.fork_rng(devices=[]):
        fill_sites(network, plan_layout(candidates, gates), candidates=candidates)


def group_parameters(network: nn.Module, *, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """What nnU-Net's optimiser gets: everything else as it has it, and the exponents without decay at a higher rate."""
    exponents = gamma_parameters(network)
    known = {id(gamma) for gamma in exponents}
    others = [parameter for parameter in network.parameters() if id(parameter) not in known]
    return [
        {"params": others, "lr": learning_rate, "weight_decay": weight_decay},
        {"params": exponents, "lr": learning_rate * GAMMA_FACTOR, "weight_decay": 0.0},
    ]


def restore_rates(optimiser: torch.optim.Optimizer) -> None:
    """Sets the rate of the exponents anew, in place, after nnU-Net's scheduler gave every group the same."""
    first, exponents = optimiser.param_groups
    exponents["lr"] = first["lr"] * GAMMA_FACTOR


class PreparedCases(Sequence[Batch]):
    """nnU-Net's prepared cases as batches that are made when they are asked for: whole volumes, or some slices of one where the
    network is for slices. window: the patch that it trains on. groups: the case of each image in order."""

    def __init__(self, cases: Cases, identifiers: Sequence[str], *, window: Sequence[int], device: torch.device) -> None:
        self.cases, self.window, self.device = cases, tuple(window), device
        self.parts: list[tuple[str, slice]] = []
        self.groups: list[str] = []
        for identifier in identifiers:
            depth = cases.load_case(identifier)[0].shape[1] if len(self.window) == 2 else 1
            steps = range(0, depth, MOST_SLICES)
            self.parts += [(identifier, slice(start, start + MOST_SLICES)) for start in steps]
            self.groups += [identifier] * depth

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, number: Any) -> Any:
        """Images (B, C, *spatial) float32 and masks (B, *spatial) int64, on the device."""
        identifier, part = self.parts[number]
        data, mask, _, _ = self.cases.load_case(identifier)
        image, labels = np.asarray(data[:], dtype=np.float32), np.asarray(mask[:], dtype=np.int64)[0]
        labels = np.where(labels < 0, 0, labels)  # nnU-Net marks what lies outside of the body with -1
        if len(self.window) == 2:
            image, labels = image[:, part].swapaxes(0, 1), labels[part]
        else:
            image, labels = image[None], labels[None]
        return torch.from_numpy(image.copy()).to(self.device), torch.from_numpy(labels).to(self.device)

    def centre_patches(self, most: int) -> Iterator[Batch]:
        """One patch of the window's size from the middle of each of so many batches."""
        for images, masks in (self[number] for number in range(min(most, len(self)))):
            yield self._cut(images), self._cut(masks)

    def _cut(self, values: Tensor) -> Tensor:
        axes = len(self.window)
        for axis, length in zip(range(values.ndim - axes, values.ndim), self.window, strict=True):
            lacking = length - values.shape[axis]
            if lacking > 0:
                values = F.pad(values, [0, 0] * (values.ndim - 1 - axis) + [0, lacking])
            values = values.narrow(axis, max(-lacking, 0) // 2, length)
        return values


def witness(
    network: nn.Module, validation: PreparedCases, training: PreparedCases, *, ignore_index: int | None, tell: Any
) -> Evidence:
    """The evidence of a network that trained under site dropout, on nnU-Net's validation cases. tell: called with a sentence
    now and then, since this takes as long as some thirty validations without mirroring."""
    told = 0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if 10 * done // total > told:
            told = 10 * done // total
            tell(f"gathering evidence: {done} of {total}")

    with without_deep_supervision(network):
        evidence = gather_evidence(
            network,
            validation,
            norm_batches=list(training.centre_patches(8)),
            window=validation.window,
            exponents="dropout",
            ignore_index=ignore_index,
            progress=progress,
        )
    return replace(evidence, groups=tuple(validation.groups))
