"""Whole images through a trained network, back at their own size."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from focalseg.data.preparation import Preparation
from focalseg.evaluation.metrics import THRESHOLD


@torch.no_grad()
def predict_probabilities(network: nn.Module, preparation: Preparation, image: np.ndarray) -> np.ndarray:
    """image (C, H, W) as it was read -> probability of foreground (H, W) float32, interpolated back to the image's size."""
    device = next(network.parameters()).device
    network.eval()
    logits = network(preparation.prepare_image(image)[None].to(device)).float()
    return F.interpolate(logits, size=image.shape[1:], mode="bilinear", align_corners=False)[0, 0].sigmoid().cpu().numpy()


def predict_mask(network: nn.Module, preparation: Preparation, image: np.ndarray) -> np.ndarray:
    """image (C, H, W) as it was read -> mask (H, W) bool, foreground where its probability is above THRESHOLD."""
    return predict_probabilities(network, preparation, image) > THRESHOLD
