"""Value and gradient of the Unified Focal loss in two sweeps over the pixels, a piece at a time.

The overlap arm needs the sums of whole images before any gradient is known: the first sweep forms them, the second the
gradient, and nothing but the gradient is kept. On a CPU a piece stays in the cache; on a device, or while torch.compile
traces, the whole batch is one piece.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from focalseg.errors import GradientError
from focalseg.focal import at_least_float32
from focalseg.losses import many_classes, soft_classes, two_classes
from focalseg.losses.arms import Overlap, Sums, modified_focal_tversky
from focalseg.losses.unified_focal_config import Arms, Reduction

VALUES_A_PIECE = 196608
"""The values of logits and truth in a piece, per thread. Larger pieces leave the cache, smaller ones cost time in calls."""

Piece = tuple[slice, slice]
_WHOLE = slice(None)


class Terms(NamedTuple):
    """What a loss is made of: its arms, whether the target is soft, and how images are reduced."""

    arms: Arms
    soft: bool
    reduction: Reduction


@dataclass(frozen=True)
class Problem:
    """A loss to be evaluated on a target.

    values, valid: the fields of the `Target`. weights: boundary weights (B, 1, N) or (B, K, N), 0 where a pixel does not count;
    None where all weigh 1.
    """

    terms: Terms
    values: Tensor
    valid: Tensor | None
    weights: Tensor | None

    @property
    def classes(self) -> int:
        """The number of classes, the background included."""
        return len(self.terms.arms.overlap_gammas)

    @property
    def form(self) -> Any:
        """The module that computes the loss: each of the three has `sum_regions` and `differentiate`."""
        if self.classes == 2 and (self.weights is None or self.weights.shape[1] == 1):
            return two_classes
        return soft_classes if self.terms.soft else many_classes

    def read(self, logits: Tensor, piece: Piece) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits, truth and weights of a piece, (b, classes, n)."""
        images, pixels = piece
        part = at_least_float32(logits[images, :, pixels])
        if self.valid is not None:  # what does not count may be no number
            part = part.masked_fill(~self.valid[images, None, pixels], 0)
        weights = None if self.weights is None else self.weights[images, :, pixels].to(part.dtype)
        return part, self.read_truth(piece, part), weights

    def read_truth(self, piece: Piece, like: Tensor) -> Tensor:
        """The truth of a piece: that of the foreground (b, 1, n) for two classes with one weight, else (b, classes, n)."""
        images, pixels = piece
        values = self.values[images, ..., pixels].to(like.dtype)
        if values.ndim == 3:
            return values
        if self.form is two_classes:
            return values.unsqueeze(1)
        if self.terms.soft:
            return torch.stack([1 - values, values], dim=1)
        labels, indices = values.unsqueeze(1), torch.arange(self.classes, dtype=like.dtype, device=like.device).view(1, -1, 1)
        # Into numbers at once: turning truth values into numbers costs ten times the comparison.
        return torch.eq(labels, indices, out=torch.empty_like(like)) if _in_pieces(like) else (labels == indices).to(like.dtype)

    def scale_of_a_pixel(self, logits: Tensor) -> Tensor | float:
        """The weight of a pixel of the cross-entropy arm in its image's loss: the mean over images is that over all pixels."""
        count, pixels = logits.shape[0], logits.shape[0] * logits.shape[2]
        if self.valid is None:
            return count / pixels
        return count / self.valid.sum().clamp(min=1).to(_widest(logits))


class Unified(torch.autograd.Function):
    """The loss of a batch with its own gradient: autograd would keep every intermediate, and subtract near equals."""

    @staticmethod
    def forward(
        logits: Tensor, values: Tensor, valid: Tensor | None, weights: Tensor | None, terms: Terms
    ) -> tuple[Tensor, Tensor]:
        """Returns the value, and its gradient as a second output that cannot be differentiated."""
        return evaluate(logits, Problem(terms, values, valid, weights))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keeps the gradient, and the tensors from which it can be formed once more."""
        *tensors, ctx.terms = inputs
        ctx.save_for_backward(*tensors)
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)  # or the second output would be given zeros of its own size
        ctx.gradient, ctx.dtype = output[1], inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, None, None, None, None]:
        """Gives the gradient away, scaled in place; a second call through a kept graph forms it again."""
        slope = slopes[0]
        if slope is None:
            return None, None, None, None, None
        if torch.compiler.is_compiling():
            scaled = ctx.gradient * slope.view(-1, *[1] * (ctx.gradient.ndim - 1))
            return scaled.to(ctx.dtype), None, None, None, None
        with torch.no_grad():
            gradient, ctx.gradient = ctx.gradient, None
            if gradient is None:
                logits, *rest = ctx.saved_tensors
                gradient = evaluate(logits, Problem(ctx.terms, *rest))[1]
            if gradient.device.type != "cpu" or slope.ndim or slope != 1:
                gradient.mul_(slope.view(-1, *[1] * (gradient.ndim - 1)))
            gradient = gradient.to(ctx.dtype)
        if torch.is_grad_enabled():
            gradient = Final.apply(gradient, ctx.saved_tensors[0], slope)  # type: ignore[no-untyped-call]
        return gradient, None, None, None, None


class Final(torch.autograd.Function):
    """Marks a gradient so that differentiating it raises; otherwise it would silently pass for a constant."""

    @staticmethod
    def forward(gradient: Tensor, *sources: Tensor) -> Tensor:  # noqa: ARG004 - what it depends on
        """Returns the gradient as it is."""
        return gradient.view_as(gradient)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keeps nothing."""

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> None:  # noqa: ARG004
        """Raises GradientError: there is no second derivative."""
        raise GradientError("The Unified Focal loss has no second derivative; take its gradient without create_graph.")


def evaluate(logits: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """logits (B, K, *spatial) -> the loss, () or (B,) in float32 at least, and its gradient, shaped as the logits.

    The gradient of float16 logits is in float32, since much of it lies below the range of float16 before loss scaling.
    """
    flat = logits.flatten(2)
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    pixel_scale = problem.scale_of_a_pixel(flat)
    overlap = steepness = None
    if any(problem.terms.arms.overlap_weights):
        overlap = modified_focal_tversky(problem.terms.arms, _sum_regions(flat, problem))
        # Both arms are in units of a pixel of the cross-entropy arm; the sum of their gradients is scaled when it is written.
        steepness = overlap._replace(slopes=(overlap.slopes / pixel_scale).to(dtype))
    scale = pixel_scale / len(flat) if problem.terms.reduction == "mean" else pixel_scale
    pixel_values, gradient = _sweep(flat, problem, steepness, scale)
    values = pixel_scale * pixel_values if overlap is None else overlap.value + pixel_scale * pixel_values
    if problem.terms.reduction != "none":
        values = values.mean() if problem.terms.reduction == "mean" else values.sum()
    return values.to(dtype), gradient.view(logits.shape)


def _sum_regions(logits: Tensor, problem: Problem) -> Sums:
    """logits (B, K, N) -> the sums of every image, in float64 where the device has it."""
    wide = _widest(logits)
    images, pixels = cut(logits)
    groups = []
    for group in images:
        parts = [torch.stack(problem.form.sum_regions(*problem.read(logits, (group, part)))).to(wide) for part in pixels]
        groups.append(parts[0] if len(parts) == 1 else torch.stack(parts).sum(dim=0))
    return Sums(*(groups[0] if len(groups) == 1 else torch.cat(groups, dim=2)))


def _sweep(logits: Tensor, problem: Problem, overlap: Overlap | None, scale: Tensor | float) -> tuple[Tensor, Tensor]:
    """logits (B, K, N) -> the cross-entropy arm of every image, summed over pixels (B,), and scale * gradient of both arms."""
    images, pixels = cut(logits)
    kept = torch.float32 if logits.dtype == torch.float16 else logits.dtype
    if not _in_pieces(logits):
        parts = [_differentiate(logits, problem, overlap, (_WHOLE, part)) for part in pixels]
        whole = torch.stack([gradient for _, gradient in parts], dim=2).view(logits.shape)
        return torch.stack([value for value, _ in parts]).to(_widest(logits)).sum(dim=0), (whole * scale).to(kept)
    gradient = torch.empty_like(logits, dtype=kept)
    values = []
    for group in images:
        sums = []
        for part in pixels:
            value, piece = _differentiate(logits, problem, overlap, (group, part))
            sums.append(value)
            torch.mul(piece, scale, out=gradient[group, :, part])
        values.append(torch.stack(sums).to(_widest(logits)).sum(dim=0))
    return torch.cat(values), gradient


def _differentiate(logits: Tensor, problem: Problem, overlap: Overlap | None, piece: Piece) -> tuple[Tensor, Tensor]:
    """For one piece, the cross-entropy arm (b,) and the gradient of both arms (b, K, n)."""
    if overlap is not None:
        overlap = overlap._replace(slopes=overlap.slopes[..., piece[0]])
    result: tuple[Tensor, Tensor] = problem.form.differentiate(problem.terms.arms, overlap, *problem.read(logits, piece))
    return result


def _widest(tensor: Tensor) -> torch.dtype:
    """The dtype that sums over pixels are kept in: float64, except on mps, which has none."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def _in_pieces(logits: Tensor) -> bool:
    """Whether the work is cut so that a piece stays in the cache."""
    return logits.device.type == "cpu" and not torch.compiler.is_compiling()


def cut(logits: Tensor) -> tuple[list[slice], list[slice]]:
    """Cuts (B, K, N) into groups of images and parts of their pixels: several small images at once, or a large one in parts."""
    count, channels, pixels = logits.shape
    if not _in_pieces(logits):
        # One channel in halves: the compiler then keeps images and pixels apart, and fuses a sum with what is summed.
        halves = channels == 1 and pixels % 2 == 0 and torch.compiler.is_compiling()
        return [_WHOLE], [slice(0, pixels // 2), slice(pixels // 2, pixels)] if halves else [_WHOLE]
    most = max(1, VALUES_A_PIECE * torch.get_num_threads() // (channels + 1))
    together = max(1, most // max(1, pixels))
    return (
        [slice(start, start + together) for start in range(0, count, together)],
        [slice(start, start + most) for start in range(0, pixels, most)],
    )
