"""Dice of prepared batches."""

import numpy as np
import pytest
import torch
from torch import nn

from focalseg.errors import DataError
from focalseg.evaluation.metrics import measure_overlap
from focalseg.evaluation.scoring import score_batches


def test_every_case_is_scored_in_order_whatever_the_shape_of_the_masks():
    images = torch.tensor([3.0, -3.0, 3.0])[:, None, None, None].expand(3, 1, 4, 4)
    masks = torch.ones(3, 4, 4, dtype=torch.bool)
    masks[2, :2] = False
    expected = [1, 0, 2 * 8 / (16 + 8)]
    assert score_batches(nn.Identity(), [(images, masks)]) == pytest.approx(expected)
    assert score_batches(nn.Identity(), [(images[:2], masks[:2, None]), (images[2:], masks[2:])]) == pytest.approx(expected)
    for dtype in (torch.uint8, torch.float32, torch.int64):
        assert score_batches(nn.Identity(), [(images, masks.to(dtype))]) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(5,), (6, 7), (3, 4, 5)])
def test_several_labels_are_scored_one_by_one_and_their_dice_averaged(shape):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 4, *shape, generator=generator)
    masks = torch.randint(0, 4, (4, *shape), generator=generator)
    masks[0][masks[0] == 3] = 0  # a label that the case lacks
    expected = []
    for predicted, mask in zip(logits.argmax(dim=1).numpy(), masks.numpy(), strict=True):
        expected.append(np.mean([measure_overlap(predicted == label, mask == label).dice for label in (1, 2, 3)]))
    assert score_batches(nn.Identity(), [(logits, masks)]) == pytest.approx(expected)
    assert score_batches(nn.Identity(), [(logits, masks[:, None].to(torch.uint8))]) == pytest.approx(expected)


def test_a_label_that_both_lack_counts_as_1_and_one_that_only_one_has_as_0():
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 1] = 1
    assert score_batches(nn.Identity(), [(logits, torch.ones(1, 2, 2))]) == [1]
    assert score_batches(nn.Identity(), [(logits, torch.full((1, 2, 2), 2))]) == [0]
    half = torch.tensor([[[1, 1], [1, 2]]])
    assert score_batches(nn.Identity(), [(logits, half)]) == pytest.approx([(2 * 3 / 7 + 0) / 2])


def test_a_label_without_a_channel_is_refused():
    with pytest.raises(DataError) as caught:
        score_batches(nn.Identity(), [(torch.zeros(1, 3, 4, 4), torch.full((1, 4, 4), 3))])
    assert str(caught.value) == "A mask holds the label 3; the network tells 0 to 2 apart."
