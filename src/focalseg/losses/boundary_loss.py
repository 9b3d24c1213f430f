"""The boundary loss of Kervadec et al. 2019 (arXiv 1812.07032), which MONAI lacks: a comparator."""

import torch
from torch import Tensor, nn

from focalseg.distance import euclidean_distance
from focalseg.focal import at_least_float32
from focalseg.losses.targets import read_target
from focalseg.losses.unified_focal import check_shape


class BoundaryLoss(nn.Module):
    """The mean over images, foreground classes and pixels of d * p, d the signed distance to the border in pixels.

    d, the paper's phi, is the distance to the mask outside of it and -(distance to the outside - 1) inside, the level-set form;
    0 for a class that an image lacks, or that fills it. May be negative. Meant to be added to an overlap loss, with a small
    weight.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss (), of logits and a target as for `UnifiedFocalLoss`. Raises ShapeError and DataError as it does."""
        check_shape(logits)
        classes, wide = logits.shape[1], at_least_float32(logits)
        probabilities = torch.sigmoid(wide) if classes == 1 else wide.softmax(dim=1)[:, 1:]
        masks = read_target(logits, target, ignore_index=None, check=True).masks(max(2, classes))
        masks = (masks if classes <= 2 else masks[:, 1:]).reshape(probabilities.shape)
        outside, inside = euclidean_distance(~masks), euclidean_distance(masks)
        signed = outside - (inside - 1).clamp(min=0)
        signed = torch.where(signed.isfinite(), signed, 0)
        return (signed.to(wide.dtype) * probabilities).mean()
