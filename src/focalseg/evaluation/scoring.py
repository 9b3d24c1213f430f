"""Scores of a network on prepared batches, at the network's own resolution."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from focalseg.errors import DataError
from focalseg.evaluation.metrics import average_labels, measure_labels
from focalseg.labels import choose_labels, count_labels
from focalseg.windows import predict_in_windows

Batch = tuple[Tensor, Tensor]


@torch.no_grad()
def score_batches(
    network: Callable[[Tensor], Tensor],
    batches: Iterable[Batch],
    *,
    window: tuple[int, ...] | None = None,
    ignore_index: int | None = None,
    lacking: bool = True,
) -> list[float]:
    """Dice of every case, the mean over its foreground labels. lacking: whether labels that a case lacks take part; else it is
    the mean over those that it has, and over all for a case that has none.

    batches: images (B, C, *spatial) as the network takes them, masks (B, *spatial) or (B, 1, *spatial): for one output channel
    foreground where they are not 0, for more the labels, or one-hot (B, K, *spatial) of the logits' shape. window: what the
    network sees at a time of larger images, which are predicted in overlapping windows. ignore_index: the label of pixels that
    do not count, as the losses have it. The network is used in the mode it is in. Raises DataError for masks of another shape
    than the logits, a label that the network has no channel for, and a case of which no pixel counts.
    """
    scores = []
    for images, masks in batches:
        logits = predict_in_windows(network, images, window)
        labelled = _read_labels(masks, logits)
        labels = count_labels(logits.shape[1])
        counted = None if ignore_index is None else (labelled != ignore_index).cpu()
        truth = (labelled.bool() if logits.shape[1] == 1 else labelled).cpu()
        truth = truth if counted is None else truth.masked_fill(~counted, 0)
        if truth.max() > labels:
            raise DataError(f"A mask holds the label {int(truth.max())}; the network tells 0 to {labels} apart.")
        predicted = choose_labels(logits).cpu().numpy()
        for number, (prediction, mask) in enumerate(zip(predicted, truth.numpy(), strict=True)):
            inside = None if counted is None else counted[number].numpy().reshape(prediction.shape)
            if inside is not None and not inside.any():
                raise DataError(f"A mask is {ignore_index} all over, which does not count; take the case out.")
            overlaps = measure_labels(prediction, mask.reshape(prediction.shape), labels, inside=inside)
            present = tuple(overlap for overlap in overlaps if overlap.true_pixels)
            scores.append(average_labels(overlaps if lacking or not present else present, "dice"))
    return scores


def _read_labels(masks: Tensor, logits: Tensor) -> Tensor:
    """The masks as (B, *spatial). masks: that, (B, 1, *spatial), or one-hot of the shape of the logits (B, K, *spatial)."""
    size = (logits.shape[0], *logits.shape[2:])
    if tuple(masks.shape) == size:
        return masks
    if tuple(masks.shape) == (size[0], 1, *size[1:]):
        return masks[:, 0]
    if masks.shape != logits.shape:
        raise DataError(
            f"Masks {tuple(masks.shape)} were given for logits {tuple(logits.shape)}; expected {size}, that with one "
            "channel, or one-hot masks of the logits' shape. Bring them to that."
        )
    if not bool(((masks == 0) | (masks == 1)).all() & (masks.sum(dim=1) == 1).all()):
        raise DataError(
            f"Masks have the {masks.shape[1]} channels of the logits and are not one-hot: labels overlap, or a pixel has none. "
            "Score labels that may overlap one at a time, each with the network's channel for it."
        )
    return masks.to(torch.uint8).argmax(dim=1)
