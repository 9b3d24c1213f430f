"""Where the exponent acts on one image: in the loss's gradient, a gate's coefficients and the boundary's weight."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from focalseg.attention.focal_site import AttentionSite
from focalseg.distance import closeness_to_border, distance_to_border
from focalseg.errors import DataError
from focalseg.evaluation.metrics import measure_overlap
from focalseg.focal import focal
from focalseg.focal_role.trainings import ORDINARY, MapBudget, TaskData, load_task, plan_held, predict_logits, train_in_passing
from focalseg.hosts.attachment import attention_sites
from focalseg.losses.unified_focal import UnifiedFocalLoss
from focalseg.training.loop import Run

ARMS = {"overlap": 1.0, "cross_entropy": 0.0, "both": 0.5}
"""overlap_weight by the name of the part of the loss that it leaves."""
SITE = "skip.0"
WANTED_SHARE = 0.04
"""Foreground of the image that is shown: a choice by its mask alone, so that no rounding in a training changes it."""
NEAR_PIXELS = 2.0
_SMALLEST_CLOSENESS = 1e-30
"""phi is 0 at the farthest pixel, whose logarithm must stay finite; any weight made from this is 0 beside 1."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The image under the maps. image (C, H, W); mask, predicted (H, W) bool; logits, log_coefficients (H, W) float32."""

    case: str
    dice: float
    image: np.ndarray
    mask: np.ndarray
    predicted: np.ndarray
    logits: np.ndarray
    log_coefficients: np.ndarray


@dataclass(frozen=True, kw_only=True)
class GradientMap:
    """The loss's slope in the logit of each pixel, absolute, (H, W). on_*: the share of the sum that falls there.

    total: that sum against the one at the smallest gamma of the arm.
    """

    arm: str
    gamma: float
    pixels: np.ndarray
    on_foreground: float
    on_wrong: float
    total: float


@dataclass(frozen=True, kw_only=True)
class ArmShift:
    """What the largest gamma of an arm changes against the smallest, over all held-out images that have a border.

    first, last: mean shares at those gammas; *_rises: on how many of the images the share rises. total: mean of the last sum
    against the first.
    """

    arm: str
    images: int
    foreground_first: float
    foreground_last: float
    foreground_rises: int
    wrong_first: float
    wrong_last: float
    wrong_rises: int
    total: float


@dataclass(frozen=True, kw_only=True)
class FactorMap:
    """coefficient^gamma of the gate, (H, W), with its means inside and outside the mask."""

    gamma: float
    pixels: np.ndarray
    foreground: float
    background: float


@dataclass(frozen=True, kw_only=True)
class WeightMap:
    """W = 1 + beta * phi^gamma, (H, W). near_border: share of what it adds that falls within NEAR_PIXELS of the border."""

    gamma: float
    pixels: np.ndarray
    near_border: float
    mean: float


@dataclass(frozen=True, kw_only=True)
class FocalMaps:
    """All maps of one image. pixels_near: the share of the image that lies within NEAR_PIXELS of the border."""

    subject: Subject
    gradients: tuple[GradientMap, ...]
    shifts: tuple[ArmShift, ...]
    factors: tuple[FactorMap, ...]
    weights: tuple[WeightMap, ...]
    pixels_near: float


def compute_maps(budget: MapBudget) -> FocalMaps:
    """Trains the network and maps the held-out case whose foreground lies nearest to WANTED_SHARE of its pixels."""
    data = load_task(budget)
    config = replace(plan_held(budget, data, budget.seed), attention={SITE: "ag"})
    subjects = _predict_subjects(train_in_passing(config, data, gamma=ORDINARY), data, budget.phantom)
    subject = min(subjects, key=lambda one: abs(float(one.mask.mean()) - WANTED_SHARE))
    near = distance_to_border(torch.from_numpy(subject.mask)[None, None])[0, 0].numpy() <= NEAR_PIXELS
    return FocalMaps(
        subject=subject,
        gradients=tuple(one for arm in ARMS for one in map_gradients(subject, arm, budget.loss_gammas)),
        shifts=tuple(measure_shift(subjects, arm, budget.loss_gammas) for arm in ARMS),
        factors=tuple(map_factor(subject, gamma) for gamma in budget.network_gammas),
        weights=tuple(map_weight(subject, gamma, budget.boundary_weight, near) for gamma in budget.boundary_gammas),
        pixels_near=float(near.mean()),
    )


def _predict_subjects(run: Run, data: TaskData, phantom: str) -> tuple[Subject, ...]:
    """Every held-out case that has a border, with what network and gate make of it. Raises DataError where there is none."""
    images, masks = data.images[data.train :], data.masks[data.train :].numpy()
    seen: list[Tensor] = []
    site = cast(AttentionSite, attention_sites(run.network)[SITE])
    handle = site.gate.register_forward_hook(lambda _gate, _arguments, output: seen.append(output.detach()))
    logits = predict_logits(run, images)
    handle.remove()
    log_coefficients = seen[0][:, 0].float().cpu().numpy()
    subjects = tuple(
        Subject(
            case=f"phantom:{phantom}, case {data.train + number}",
            dice=measure_overlap(logits[number] > 0, mask).dice,
            image=images[number].numpy(),
            mask=mask,
            predicted=logits[number] > 0,
            logits=logits[number],
            log_coefficients=log_coefficients[number],
        )
        for number, mask in enumerate(masks)
        if mask.any() and not mask.all()
    )
    if not subjects:
        raise DataError(f"phantom:{phantom}: no mask of the {len(masks)} held-out images has a border; hold out more of them.")
    return subjects


def map_gradients(subject: Subject, arm: str, gammas: tuple[float, ...]) -> list[GradientMap]:
    """One map per gamma: |d loss / d logit| of the loss in its default form, with no part of it but the arm."""
    target, wrong = torch.from_numpy(subject.mask)[None, None], subject.mask != subject.predicted
    maps: list[GradientMap] = []
    for gamma in gammas:
        logits = torch.from_numpy(subject.logits)[None, None].clone().requires_grad_()
        loss = UnifiedFocalLoss(overlap_weight=ARMS[arm], gamma=gamma)(logits, target)
        (slope,) = torch.autograd.grad(loss, logits)
        pixels = slope[0, 0].abs().double().numpy()
        first = maps[0].pixels if maps else pixels
        maps.append(
            GradientMap(
                arm=arm,
                gamma=gamma,
                pixels=pixels,
                on_foreground=float(pixels[subject.mask].sum() / pixels.sum()),
                on_wrong=float(pixels[wrong].sum() / pixels.sum()),
                total=float(pixels.sum() / first.sum()),
            )
        )
    return maps


def measure_shift(subjects: Sequence[Subject], arm: str, gammas: tuple[float, ...]) -> ArmShift:
    """The smallest gamma of an arm against its largest on every image."""
    pairs = [map_gradients(subject, arm, (min(gammas), max(gammas))) for subject in subjects]
    firsts, lasts = zip(*pairs, strict=True)
    return ArmShift(
        arm=arm,
        images=len(subjects),
        foreground_first=float(np.mean([one.on_foreground for one in firsts])),
        foreground_last=float(np.mean([one.on_foreground for one in lasts])),
        foreground_rises=sum(last.on_foreground > first.on_foreground for first, last in pairs),
        wrong_first=float(np.mean([one.on_wrong for one in firsts])),
        wrong_last=float(np.mean([one.on_wrong for one in lasts])),
        wrong_rises=sum(last.on_wrong > first.on_wrong for first, last in pairs),
        total=float(np.mean([one.total for one in lasts])),
    )


def map_factor(subject: Subject, gamma: float) -> FactorMap:
    """What the gate multiplies the skip by, with that gamma."""
    pixels = focal(torch.from_numpy(subject.log_coefficients), gamma).numpy()
    return FactorMap(
        gamma=gamma,
        pixels=pixels,
        foreground=float(pixels[subject.mask].mean()),
        background=float(pixels[~subject.mask].mean()),
    )


def map_weight(subject: Subject, gamma: float, beta: float, near: np.ndarray) -> WeightMap:
    """What the loss of each pixel is multiplied by. near (H, W) bool: within NEAR_PIXELS of the border."""
    closeness = closeness_to_border(torch.from_numpy(subject.mask)[None, None])[0, 0]
    added = (beta * focal(closeness.clamp(min=_SMALLEST_CLOSENESS).log(), gamma)).double().numpy()
    return WeightMap(
        gamma=gamma,
        pixels=1 + added,
        near_border=float(added[near].sum() / added.sum()),
        mean=float(1 + added.mean()),
    )
