"""Predictions of a trained network for whole images, at the size of the images."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.feeding.preparation import Preparation
from focalseg.labels import choose_labels, compute_probabilities
from focalseg.layers import LINEAR_INTERPOLATIONS
from focalseg.windows import predict_in_windows


def predict_probabilities(network: nn.Module, preparation: Preparation, image: np.ndarray) -> np.ndarray:
    """image (C, *spatial) as it was read -> probabilities (K, *spatial) float32 at the image's size.

    A network of one channel gives the probability of the foreground, by sigmoid; one of more channels those of the background
    and every label, by softmax.
    """
    probabilities: np.ndarray = compute_probabilities(_predict_logits(network, preparation, image))[0].cpu().numpy()
    return probabilities


def predict_mask(network: nn.Module, preparation: Preparation, image: np.ndarray) -> np.ndarray:
    """image (C, *spatial) as it was read -> labels (*spatial) uint8 at the image's size, 0 the background."""
    mask: np.ndarray = choose_labels(_predict_logits(network, preparation, image))[0].cpu().numpy()
    return mask


@torch.no_grad()
def _predict_logits(network: nn.Module, preparation: Preparation, image: np.ndarray) -> Tensor:
    """image (C, *spatial) -> logits (1, K, *spatial) float32, interpolated back to the image's size."""
    device = next(network.parameters()).device
    network.eval()
    prepared = preparation.prepare_image(image)[None].to(device)
    logits = predict_in_windows(network, prepared, preparation.window)
    return F.interpolate(logits, size=image.shape[1:], mode=LINEAR_INTERPOLATIONS[image.ndim - 1], align_corners=False)
