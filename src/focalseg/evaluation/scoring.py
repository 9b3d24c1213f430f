"""Scores of a network on prepared batches, at the network's own resolution."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from focalseg.errors import DataError
from focalseg.evaluation.metrics import average_labels, measure_labels
from focalseg.labels import choose_labels, count_labels
from focalseg.windows import predict_in_windows

Batch = tuple[Tensor, Tensor]


@torch.no_grad()
def score_batches(
    network: nn.Module,
    batches: Iterable[Batch],
    *,
    window: tuple[int, ...] | None = None,
    ignore_index: int | None = None,
) -> list[float]:
    """Dice of every case, the mean over its foreground labels.

    batches: images (B, C, *spatial) as the network takes them, masks (B, *spatial) or (B, 1, *spatial): for one output channel
    foreground where they are not 0, for more the labels. window: what the network sees at a time of larger images, which are
    predicted in overlapping windows. ignore_index: the label of pixels that do not count, as the losses have it. The network is
    used in the mode it is in. Raises DataError for a label that the network has no channel for, and a case of which no pixel
    counts.
    """
    scores = []
    for images, masks in batches:
        logits = predict_in_windows(network, images, window)
        labels = count_labels(logits.shape[1])
        counted = None if ignore_index is None else (masks != ignore_index).cpu()
        truth = (masks.bool() if logits.shape[1] == 1 else masks).cpu()
        truth = truth if counted is None else truth.masked_fill(~counted, 0)
        if truth.max() > labels:
            raise DataError(f"A mask holds the label {int(truth.max())}; the network tells 0 to {labels} apart.")
        predicted = choose_labels(logits).cpu().numpy()
        for number, (prediction, mask) in enumerate(zip(predicted, truth.numpy(), strict=True)):
            inside = None if counted is None else counted[number].numpy().reshape(prediction.shape)
            if inside is not None and not inside.any():
                raise DataError(f"A mask is {ignore_index} all over, which does not count; take the case out.")
            overlaps = measure_labels(prediction, mask.reshape(prediction.shape), labels, inside=inside)
            scores.append(average_labels(overlaps, "dice"))
    return scores
