"""Foreground labels and the output channels of a network: the one place that says how the two belong together.

Labels are counted from 1, 0 is the background. One label needs one channel, whose sigmoid is its probability; several need a
channel each and one for the background, by softmax.
"""

import torch
from torch import Tensor

THRESHOLD = 0.5
"""By sigmoid a pixel is foreground where its probability is above this."""


def count_channels(labels: int) -> int:
    """Output channels of a network for so many foreground labels."""
    return 1 if labels == 1 else labels + 1


def count_labels(channels: int) -> int:
    """Foreground labels that so many output channels tell apart."""
    return 1 if channels == 1 else channels - 1


def compute_probabilities(logits: Tensor) -> Tensor:
    """logits (B, K, *spatial) -> probabilities of that shape, float32: by sigmoid for one channel, by softmax for more."""
    return torch.sigmoid(logits.float()) if logits.shape[1] == 1 else torch.softmax(logits.float(), dim=1)


def choose_labels(logits: Tensor) -> Tensor:
    """logits (B, K, *spatial) -> labels (B, *spatial) uint8: above THRESHOLD for one channel, the most probable for more."""
    # More channels are not made probabilities first: rounded, two of them may be the same where their logits are not.
    return choose_most_probable(compute_probabilities(logits) if logits.shape[1] == 1 else logits)


def choose_most_probable(probabilities: Tensor) -> Tensor:
    """probabilities (B, K, *spatial) -> labels (B, *spatial) uint8, as `choose_labels` chooses them from logits."""
    if probabilities.shape[1] == 1:
        return (probabilities[:, 0] > THRESHOLD).to(torch.uint8)
    # As argmax, which takes five to fifteen times as long on a CPU: it walks from map to map for every pixel.
    highest = probabilities[:, 0].clone()
    labels = torch.zeros(highest.shape, dtype=torch.uint8, device=highest.device)
    for label in range(1, probabilities.shape[1]):
        labels.masked_fill_(probabilities[:, label] > highest, label)
        torch.maximum(highest, probabilities[:, label], out=highest)
    return labels
