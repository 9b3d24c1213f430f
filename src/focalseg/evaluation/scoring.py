"""Scores of a network on prepared batches, at the network's own resolution."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from focalseg.errors import ShapeError
from focalseg.evaluation.metrics import THRESHOLD, measure_overlap

Batch = tuple[Tensor, Tensor]


@torch.no_grad()
def score_batches(network: nn.Module, batches: Iterable[Batch]) -> list[float]:
    """Dice of every case. batches: images (B, C, *spatial) as the network takes them, masks (B, *spatial) or (B, 1, *spatial).

    The network is used in the mode it is in. Raises ShapeError for a network of several output channels.
    """
    scores = []
    for images, masks in batches:
        logits = network(images)
        if logits.shape[1] != 1:
            raise ShapeError(f"The network has {logits.shape[1]} output channels; expected one, the logit of the foreground.")
        predicted = torch.sigmoid(logits[:, 0].float()) > THRESHOLD
        for prediction, mask in zip(predicted.cpu().numpy(), masks.bool().cpu().numpy(), strict=True):
            scores.append(measure_overlap(prediction, mask.reshape(prediction.shape)).dice)
    return scores
