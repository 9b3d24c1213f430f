"""How foreground labels and output channels belong together."""

import pytest
import torch

from focalseg.labels import choose_labels, choose_most_probable, compute_probabilities, count_channels, count_labels


@pytest.mark.parametrize(("labels", "channels"), [(1, 1), (2, 3), (3, 4), (7, 8)])
def test_one_label_has_one_channel_and_several_have_one_each_and_one_for_the_background(labels, channels):
    assert count_channels(labels) == channels
    assert count_labels(channels) == labels


def test_two_channels_tell_one_label_from_the_background():
    assert count_labels(2) == 1


def test_one_channel_by_sigmoid_is_two_channels_by_softmax_with_a_background_of_0():
    logits = torch.randn(3, 1, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    pair = torch.cat([torch.zeros_like(logits), logits], dim=1)
    torch.testing.assert_close(compute_probabilities(logits)[:, 0], compute_probabilities(pair)[:, 1])
    assert torch.equal(choose_labels(logits), choose_labels(pair))
    assert choose_labels(logits).dtype == torch.uint8


def test_the_label_chosen_is_the_one_of_the_highest_probability():
    logits = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    probabilities = compute_probabilities(logits)
    assert probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(2, 9))
    assert torch.equal(choose_labels(logits).long(), probabilities.argmax(dim=1))


def test_of_labels_that_are_as_probable_as_each_other_the_first_is_chosen_as_by_argmax():
    probabilities = torch.randint(0, 4, (3, 5, 20, 30), generator=torch.Generator().manual_seed(2)).float() / 4
    before = probabilities.clone()
    assert torch.equal(choose_most_probable(probabilities).long(), probabilities.argmax(dim=1))
    assert torch.equal(probabilities, before)
