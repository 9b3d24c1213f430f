"""Dice of prepared batches."""

import pytest
import torch
from torch import nn

from focalseg.errors import ShapeError
from focalseg.evaluation.scoring import score_batches


def test_every_case_is_scored_in_order_whatever_the_shape_of_the_masks():
    images = torch.tensor([3.0, -3.0, 3.0])[:, None, None, None].expand(3, 1, 4, 4)
    masks = torch.ones(3, 4, 4, dtype=torch.bool)
    masks[2, :2] = False
    expected = [1, 0, 2 * 8 / (16 + 8)]
    assert score_batches(nn.Identity(), [(images, masks)]) == pytest.approx(expected)
    assert score_batches(nn.Identity(), [(images[:2], masks[:2, None]), (images[2:], masks[2:])]) == pytest.approx(expected)


def test_several_output_channels_are_refused():
    with pytest.raises(ShapeError, match="has 2 output channels; expected one"):
        score_batches(nn.Identity(), [(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4))])
