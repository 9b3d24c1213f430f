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


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_pixels_that_do_not_count_are_in_no_score(channels, dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, channels, 9, 7, generator=generator)
    masks = torch.randint(0, max(channels, 2), (4, 9, 7), generator=generator).to(dtype)
    masks[torch.rand(4, 9, 7, generator=generator) < 0.3] = 255
    expected = []
    for logit, mask in zip(logits.numpy(), masks.numpy(), strict=True):
        counted = mask != 255
        predicted = (logit[0] > 0).astype(int) if channels == 1 else logit.argmax(axis=0)
        dice = []
        for label in range(1, max(channels, 2)):
            one, other = predicted[counted] == label, mask[counted] == label
            dice.append(2 * (one & other).sum() / (one.sum() + other.sum()))
        expected.append(np.mean(dice))
    assert score_batches(nn.Identity(), [(logits, masks)], ignore_index=255) == pytest.approx(expected)
    # Whatever is predicted there changes nothing.
    logits = torch.where((masks == 255)[:, None], -5 * logits, logits)
    assert score_batches(nn.Identity(), [(logits, masks)], ignore_index=255) == pytest.approx(expected)


def test_a_case_of_which_no_pixel_counts_is_refused():
    masks = torch.tensor([[0, 1, 255, 1], [255] * 4], dtype=torch.uint8)
    with pytest.raises(DataError) as caught:
        score_batches(nn.Identity(), [(torch.ones(2, 1, 4), masks)], ignore_index=255)
    assert str(caught.value) == "A mask is 255 all over, which does not count; take the case out."


def test_without_a_label_to_ignore_255_is_foreground_as_in_many_masks():
    masks = torch.tensor([[0, 255, 255, 0]], dtype=torch.uint8)
    assert score_batches(nn.Identity(), [(torch.tensor([[[-1.0, 1.0, 1.0, -1.0]]]), masks)]) == [1.0]
