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
def score_batches(network: nn.Module, batches: Iterable[Batch], *, window: tuple[int, ...] | None = None) -> list[float]:
    """Dice of every case, the mean over its foreground labels.

    batches: images (B, C, *spatial) as the network takes them, masks (B, *spatial) or (B, 1, *spatial): for one output channel
    foreground where they are not 0, for more the labels. window: what the network sees at a time of larger images, which are
    predicted in overlapping windows. The network is used in the mode it is in. Raises DataError for a
    label that the network has no channel for.
    """
    scores = []
    for images, masks in batches:
        logits = predict_in_windows(network, images, window)
        labels = count_labels(logits.shape[1])
        truth = (masks.bool() if logits.shape[1] == 1 else masks).cpu()
        if truth.max() > labels:
            raise DataError(f"A mask holds the label {int(truth.max())}; the network tells 0 to {labels} apart.")
        predicted = choose_labels(logits).cpu().numpy()
        for prediction, mask in zip(predicted, truth.numpy(), strict=True):
            overlaps = measure_labels(prediction, mask.reshape(prediction.shape), labels)
            scores.append(average_labels(overlaps, "dice"))
    return scores
