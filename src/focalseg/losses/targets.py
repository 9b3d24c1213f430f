"""The truth that a loss is given, in any of its forms: read, checked, and ready to be taken piece by piece."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from focalseg.errors import DataError, GradientError, ShapeError

_SUM_TOLERANCE = 1e-2
"""How far the sum of the classes of a pixel may be from 1: soft targets come in half precision too."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The truth of a batch.

    values: class indices (B, N), or where it is soft shares in [0, 1], (B, N) of the foreground for two classes, (B, K, N) for
        more.
    valid: (B, N) bool, False where a pixel does not count; None where all do.
    fault: () bool, whether a value is out of range, where that could not be raised: while torch.compile traces.
    """

    values: Tensor
    soft: bool
    valid: Tensor | None = None
    fault: Tensor | None = None

    def masks(self, classes: int) -> Tensor:
        """Bool masks: for two classes (B, 1, N) of the foreground, from one half on; else (B, K, N) of the largest share."""
        if classes == 2:
            return (self.values >= 0.5).unsqueeze(1)
        labels = self.values.argmax(dim=1) if self.soft else self.values
        return torch.stack([labels == index for index in range(classes)], dim=1)


def read_target(logits: Tensor, target: Tensor, *, ignore_index: int | None, check: bool) -> Target:
    """Reads the target of logits (B, K, *spatial): (B, *spatial) or (B, 1, *spatial), or for K of two or more (B, K, *spatial).

    check False trusts the values, so that nothing waits for the device.
    Raises ShapeError, DataError for values out of range, and GradientError for a target that requires a gradient.
    """
    refuse_gradient(target, "target")
    if target.is_complex():
        raise DataError(f"The target is {target.dtype}; expected class indices, a mask or classes in real numbers.")
    if target.dtype in {torch.uint16, torch.uint32, torch.uint64}:
        target = target.long()  # torch has few operations on these
    classes = logits.shape[1]
    indexed = target.squeeze(1) if target.ndim == logits.ndim and target.shape[1] == 1 else target
    if indexed.shape == logits.shape[:1] + logits.shape[2:]:
        return _read_labels(indexed.flatten(1), classes, ignore_index, check)
    if classes > 1 and target.shape == logits.shape:
        return _read_shares(target.flatten(2), ignore_index, check)
    forms = (
        "a mask (B, *spatial) or (B, 1, *spatial)."
        if classes == 1
        else "class indices (B, *spatial) or (B, 1, *spatial), or one-hot (B, K, *spatial)."
    )
    raise ShapeError(f"The target has shape {tuple(target.shape)}; logits {tuple(logits.shape)} need {forms}")


def refuse_gradient(values: Tensor, name: str) -> None:
    """Raises GradientError where a gradient of a loss in these values was asked for, which none of ours gives."""
    tangent = None if torch.compiler.is_compiling() else forward_ad.unpack_dual(values).tangent  # type: ignore[no-untyped-call]
    if tangent is not None or (values.requires_grad and torch.is_grad_enabled()):
        raise GradientError(
            f"The {name} requires a gradient, and only the logits of this loss get one. Hand on {name}.detach()."
        )


def _read_labels(labels: Tensor, channels: int, ignore_index: int | None, check: bool) -> Target:
    """(B, N): class indices, or for one channel a mask, which may be soft."""
    classes = max(2, channels)
    labels, valid = _leave_out(labels, ignore_index)
    expected = "values from 0 to 1" if channels == 1 else f"class indices from 0 to {classes - 1}"
    fault = _find_fault(labels, classes - 1, expected, ignore_index) if check else None
    soft = channels == 1 and labels.is_floating_point()
    return Target(values=labels if soft else _compact(labels, classes), soft=soft, valid=valid, fault=fault)


def _read_shares(shares: Tensor, ignore_index: int | None, check: bool) -> Target:
    """The target of shares (B, K, N), K of two or more."""
    classes = shares.shape[1]
    valid = None
    if ignore_index is not None:
        valid = shares.amax(dim=1) > 0
        if 0 <= ignore_index < classes:
            valid &= shares[:, ignore_index] < 0.5
    fault = _find_fault(shares, 1, "values from 0 to 1", None) if check else None
    if check:
        sums = shares.sum(dim=1, dtype=torch.float32)
        off = (sums - 1).abs() > _SUM_TOLERANCE
        off = off if valid is None else off & valid
        if fault is not None:
            fault = fault | off.any()
        elif off.any():
            found = sums[off][0].item()
            raise DataError(
                f"The target's classes sum to {found:g} in a pixel; expected one-hot or soft classes that sum to 1."
            )
    if classes == 2:
        soft, foreground = shares.is_floating_point(), shares[:, 1]
        return Target(values=foreground if soft else _compact(foreground, 2), soft=soft, valid=valid, fault=fault)
    if _is_one_hot(shares, check):
        return Target(values=_compact(shares.to(torch.uint8).argmax(dim=1), classes), soft=False, valid=valid, fault=fault)
    return Target(values=shares, soft=True, valid=valid, fault=fault)


def _compact(labels: Tensor, classes: int) -> Tensor:
    # One byte per pixel is read twice and faster than eight; compiled code, which reads in place, is slow with bytes.
    return labels.to(torch.int32 if classes > 256 or torch.compiler.is_compiling() else torch.uint8)


def _is_one_hot(shares: Tensor, check: bool) -> bool:
    """Whether every value is 0 or 1. Floating values are looked at, which waits for the device, only if check allows it."""
    if not shares.is_floating_point():
        return True
    return check and not torch.compiler.is_compiling() and bool(((shares == 0) | (shares == 1)).all())


def find_outside(values: Tensor, largest: float) -> float | None:
    """A value outside [0, largest], or NaN if one is not a number; None where all are within. Waits for the device."""
    low, high = (bound.item() for bound in torch.aminmax(values))
    if not low >= 0:
        return float(low)
    return None if high <= largest else float(high)


def _leave_out(values: Tensor, ignore_index: int | None) -> tuple[Tensor, Tensor | None]:
    if ignore_index is None:
        return values, None
    if not values.is_floating_point() and values.dtype != torch.bool:
        bounds = torch.iinfo(values.dtype)
        if not bounds.min <= ignore_index <= bounds.max:  # it would wrap around to a label that is there
            return values, None
    ignored = values == ignore_index
    return values.masked_fill(ignored, 0), ~ignored


def _find_fault(values: Tensor, largest: int, expected: str, ignore_index: int | None) -> Tensor | None:
    """Raises DataError for a value outside [0, largest] or a fraction among class indices; while compiling, returns whether."""
    if values.dtype == torch.bool or not values.numel():
        return None
    indices = expected.startswith("class indices") and values.is_floating_point()
    if torch.compiler.is_compiling():
        values = values.float()
        outside = ~((values >= 0) & (values <= largest))
        return (outside | (values != values.round()) if indices else outside).flatten(1).any(dim=1).any()
    found = find_outside(values, largest)
    if found is None:
        fractions = values[values != values.round()] if indices else values[:0]
        if not fractions.numel():
            return None
        found = fractions.flatten()[0].item()
    ignored = "" if ignore_index is None else f" or the ignored {ignore_index}"
    raise DataError(f"The target holds {found:g}; expected {expected}{ignored}.")
