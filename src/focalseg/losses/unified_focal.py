"""The Unified Focal loss with the focal distance penalty, from logits."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Self

import torch
from torch import Tensor, nn

from focalseg.errors import DataError, ShapeError
from focalseg.losses.boundary import find_closeness, weigh_pixels
from focalseg.losses.gradient import Problem, Terms, Unified, evaluate
from focalseg.losses.targets import read_target, refuse_gradient
from focalseg.losses.unified_focal_config import Form, Reduction, UnifiedFocalConfig


class UnifiedFocalLoss(nn.Module):
    """overlap_weight * L_mFT + (1 - overlap_weight) * L_mF (Yeung et al. 2022, arXiv 2102.04525), with boundary weights W.

    L_mFT, the overlap arm: the mean over images and classes of (1 - TI)^(1 - gamma), TI the Tversky index.
    L_mF, the cross-entropy arm: the mean over pixels of W * delta * (1 - p)^gamma * (-log p), p that of the true class.
    W = 1 + boundary_weight * phi^boundary_gamma, phi the closeness to the border of the class; in all sums of both arms.

    >>> import focalseg, torch
    >>> loss = focalseg.UnifiedFocalLoss(delta=0.6, gamma=0.5, boundary_weight=1.0)
    >>> mask = (torch.arange(64).reshape(1, 1, 8, 8) > 31).float()
    >>> certain, undecided = loss(20 * mask - 10, mask), loss(0 * mask, mask)
    >>> bool(certain < 0.01 < undecided)
    True

    form: "asymmetric" enhances the foreground alone in the overlap arm and suppresses the background alone in the cross-entropy
        arm; "symmetric" does both to every class.
    overlap_weight: the share of the overlap arm, 0 to 1 (lambda in the paper, whose figure and code disagree on its ends).
    delta: weight of missed against invented foreground, and of foreground against background; above 0, below 1.
    gamma: the focal exponent; below 1 unless overlap_weight is 0. 0 gives Tversky and weighted cross-entropy.
    boundary_weight, boundary_gamma: beta and gamma_d of the focal distance penalty, which is ours. The attribute
        `boundary_weight` may be set between steps.
    boundary_radius: where phi reaches 0; None: at the farthest pixel of either side in each image and class.
    ignore_index: pixels with this label leave every sum, and the count of pixels; of a one-hot target those of this class,
        and those of none.
    class_weights: one number, or one per class (background first; two for one channel); they multiply and are not normalised.
    reduction: "mean" and "sum" over images give (); "none" gives (B,), whose mean is "mean": of each image the overlap arm and
        its pixels' share of the mean over all pixels of the batch.
    spacing_mm: that of the pixels, one number per axis; distances and boundary_radius are then in mm.
    check_target: False trusts the target and so never waits for the device. Under torch.compile, where nothing can be raised, a
        target out of range makes the value NaN.
    check_logits: True refuses logits that are not finite instead of giving a value that is not.
    Raises SettingError for a setting out of range, which a tensor is in place of a number, and GradientError for a tensor of
    numbers that requires a gradient.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        *,
        form: Form = UnifiedFocalConfig.form,
        overlap_weight: float = UnifiedFocalConfig.overlap_weight,
        delta: float = UnifiedFocalConfig.delta,
        gamma: float = UnifiedFocalConfig.gamma,
        boundary_weight: float = UnifiedFocalConfig.boundary_weight,
        boundary_gamma: float = UnifiedFocalConfig.boundary_gamma,
        boundary_radius: float | None = UnifiedFocalConfig.boundary_radius,
        ignore_index: int | None = UnifiedFocalConfig.ignore_index,
        class_weights: Sequence[float] | float | None = UnifiedFocalConfig.class_weights,
        reduction: Reduction = UnifiedFocalConfig.reduction,
        spacing_mm: Sequence[float] | float | None = UnifiedFocalConfig.spacing_mm,
        check_target: bool = UnifiedFocalConfig.check_target,
        check_logits: bool = UnifiedFocalConfig.check_logits,
    ) -> None:
        super().__init__()
        self.config = UnifiedFocalConfig(
            form=form,
            overlap_weight=overlap_weight,
            delta=delta,
            gamma=gamma,
            boundary_weight=boundary_weight,
            boundary_gamma=boundary_gamma,
            boundary_radius=boundary_radius,
            ignore_index=ignore_index,
            class_weights=_as_tuple(class_weights, "class_weights"),
            reduction=reduction,
            spacing_mm=_as_tuple(spacing_mm, "spacing_mm"),
            check_target=check_target,
            check_logits=check_logits,
        )

    @property
    def boundary_weight(self) -> float:
        """beta. It may be set between steps, to let the penalty grow; checked like the setting it is."""
        return self.config.boundary_weight

    @boundary_weight.setter
    def boundary_weight(self, value: float) -> None:
        """Raises SettingError for a value that the setting refuses."""
        self.config = replace(self.config, boundary_weight=value)

    @classmethod
    def from_config(cls, config: UnifiedFocalConfig) -> Self:
        """The loss of these settings."""
        return cls(**vars(config))

    def extra_repr(self) -> str:
        """The settings that differ from the defaults."""
        settings = vars(self.config).items()
        return ", ".join(f"{name}={value!r}" for name, value in settings if value != getattr(UnifiedFocalConfig, name))

    def forward(self, logits: Tensor, target: Tensor, closeness: Tensor | None = None) -> Tensor:
        """logits (B, K, *spatial), floating: K = 1 by sigmoid, more by softmax with class 0 the background.

        target: class indices (B, *spatial) or (B, 1, *spatial) of any dtype, or one-hot or soft classes (B, K, *spatial); for
            K = 1 a mask (B, *spatial) or (B, 1, *spatial) in [0, 1].
        closeness: phi in [0, 1], (B, *spatial), (B, 1, *spatial) or (B, K, *spatial), for example cached and augmented with the
            masks; None makes it from the target where boundary_weight is above 0.
        Returns float32 (float64 for float64 logits), shape () or (B,) as `reduction` says; the gradient has the dtype of the
        logits. No pixel that counts: 0. Raises ShapeError for shapes that do not fit, DataError for values out of range, and
        GradientError for a target or a closeness that requires a gradient: only the logits get one.
        """
        logits, target = _plain(logits, "logits"), _plain(target, "target")
        check_shape(logits)
        if self.config.check_logits:
            _check_finite(logits)
        truth = read_target(logits, target, ignore_index=self.config.ignore_index, check=self.config.check_target)
        arms = self.config.arms(max(2, logits.shape[1]))
        weights = weigh_pixels(
            logits,
            truth,
            None if closeness is None else _plain(closeness, "closeness"),
            weight=self.boundary_weight,
            gamma=self.config.boundary_gamma,
            radius=self.config.boundary_radius,
            spacing_mm=self.config.spacing_mm,
            check=self.config.check_target,
        )
        terms = Terms(arms, truth.soft, self.config.reduction)
        value: Tensor
        if torch.is_grad_enabled() and logits.requires_grad:
            value = Unified.apply(logits, truth.values, truth.valid, weights, terms)[0]  # type: ignore[no-untyped-call]
        else:
            value = evaluate(logits, Problem(terms, truth.values, truth.valid, weights))[0]
        return value if truth.fault is None else value.masked_fill(truth.fault, torch.nan)

    def measure_closeness(self, target: Tensor, classes: int) -> Tensor:
        """phi of a target as this loss would make it, to be kept and given back as `closeness`.

        target: (B, 1, *spatial) or (B, K, *spatial), for logits of `classes` channels. Returns (B, 1, *spatial) float32, or
        (B, K, *spatial) for three classes or more. Raises ShapeError and DataError as the loss does.
        """
        target = _plain(target, "target")
        logits = torch.zeros(1, device=target.device).expand(len(target), classes, *target.shape[2:])
        check_shape(logits)
        truth = read_target(logits, target, ignore_index=self.config.ignore_index, check=self.config.check_target)
        closeness = find_closeness(logits, truth, radius=self.config.boundary_radius, spacing_mm=self.config.spacing_mm)
        return closeness.reshape(len(target), -1, *target.shape[2:])


@lru_cache(maxsize=64, typed=True)
def _loss(**settings: Any) -> UnifiedFocalLoss:
    return UnifiedFocalLoss(**settings)


def unified_focal_loss(logits: Tensor, target: Tensor, *, closeness: Tensor | None = None, **settings: Any) -> Tensor:
    """`UnifiedFocalLoss` as a function; settings are its keywords."""
    for name in ("class_weights", "spacing_mm"):
        if name in settings:
            settings[name] = _as_tuple(settings[name], name)
    value: Tensor = _loss(**settings)(logits, target, closeness)
    return value


def modified_focal_tversky_loss(logits: Tensor, target: Tensor, *, closeness: Tensor | None = None, **settings: Any) -> Tensor:
    """The overlap arm L_mFT alone; settings are the keywords of `UnifiedFocalLoss` but overlap_weight."""
    return unified_focal_loss(logits, target, closeness=closeness, overlap_weight=1.0, **settings)


def modified_focal_loss(logits: Tensor, target: Tensor, *, closeness: Tensor | None = None, **settings: Any) -> Tensor:
    """The cross-entropy arm L_mF alone; settings are the keywords of `UnifiedFocalLoss` but overlap_weight."""
    return unified_focal_loss(logits, target, closeness=closeness, overlap_weight=0.0, **settings)


def check_shape(logits: Tensor) -> None:
    """Raises ShapeError unless the logits are (B, K, *spatial), none of them 0, and DataError unless they are floating."""
    shape = tuple(logits.shape)
    if logits.ndim < 3:
        raise ShapeError(f"The logits have shape {shape}; (B, K, *spatial) was expected, with at least one spatial axis.")
    if not logits.is_floating_point():
        raise DataError(f"The logits are {logits.dtype}; floating numbers were expected.")
    if not logits.numel():
        raise ShapeError(f"The logits have shape {shape}; at least one image, one channel and one pixel were expected.")


def _check_finite(logits: Tensor) -> None:
    """Raises DataError that names the first of the logits (B, K, *spatial) that is not finite."""
    where = (~torch.isfinite(logits)).nonzero()
    if not len(where):
        return
    image, channel, *position = where[0].tolist()
    first = f"{logits[image, channel][tuple(position)].item()}"
    place = f"at image {image}, channel {channel}, position ({', '.join(map(str, position))})"
    found = f"1 value that is not finite ({first}, {place})"
    if len(where) > 1:
        found = f"{len(where)} values that are not finite (the first is {first}, {place})"
    raise DataError(f"The logits hold {found}; lower the learning rate, or look at the input for values that are not numbers.")


def _plain(tensor: Tensor, name: str) -> Tensor:
    """Without a subclass that a library put around it, MONAI's MetaTensor for one, and the bookkeeping that comes with it."""
    if not isinstance(tensor, Tensor):
        raise DataError(f"The {name} is a {type(tensor).__name__}; a torch tensor was expected.")
    return tensor if type(tensor) is Tensor else tensor.as_subclass(Tensor)


def _as_tuple(numbers: Any, name: str) -> tuple[float, ...] | None:
    """One number or several, of a sequence, an array or a tensor. Raises GradientError where it requires a gradient."""
    if numbers is None or isinstance(numbers, tuple):
        return numbers
    if isinstance(numbers, Tensor):
        refuse_gradient(numbers, name)
        numbers = numbers.tolist()
    return tuple(map(float, numbers)) if hasattr(numbers, "__iter__") else (numbers,)
