"""How foreground labels and output channels belong together."""

import math

import pytest
import torch

from focalseg.errors import SettingError
from focalseg.labels import (
    THRESHOLD,
    THRESHOLDS,
    choose_labels,
    choose_most_probable,
    compute_probabilities,
    count_channels,
    count_labels,
    grade_labels,
    grade_most_probable,
)


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


def make_logits(channels, shape=(3, 40, 50), *, seed=3, dtype=torch.float32):
    """With many ties, also with the background, and many that lie on a threshold or beside it by the least there is."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape[0], channels, *shape[1:], generator=generator)
    on_bounds = torch.tensor([math.log(each / (1 - each)) for each in THRESHOLDS])
    chosen = on_bounds[torch.randint(0, len(THRESHOLDS), logits.shape, generator=generator)]
    beside = chosen.nextafter(torch.tensor(torch.inf))
    kind = torch.randint(0, 4, logits.shape, generator=generator)
    logits = torch.where(kind == 0, chosen, torch.where(kind == 1, beside, torch.where(kind == 2, logits.round(), logits)))
    return logits.to(dtype)


def choose_by_hand(logits, threshold):
    """One channel: sigmoid above the threshold. More: argmax, the background moved by the log of the odds, in float64."""
    if logits.shape[1] == 1:
        return torch.sigmoid(logits[:, 0].float()) > threshold
    moved = logits.double()
    moved[:, 0] += math.log(threshold / (1 - threshold))
    return moved.argmax(dim=1)


def test_the_thresholds_go_from_5_to_95_percent_and_the_usual_one_is_among_them():
    assert pytest.approx([0.05 * step for step in range(1, 20)]) == THRESHOLDS
    assert THRESHOLD == THRESHOLDS[9] == 0.5


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_at_one_half_the_labels_are_what_they_are_without_a_threshold(channels, dtype):
    logits = make_logits(channels, dtype=dtype)
    expected = torch.sigmoid(logits[:, 0].float()) > 0.5 if channels == 1 else logits.argmax(dim=1)
    assert torch.equal(choose_labels(logits).long(), expected.long())
    assert torch.equal(choose_labels(logits, 0.5), choose_labels(logits))
    probabilities = compute_probabilities(logits)
    expected = probabilities[:, 0] > 0.5 if channels == 1 else probabilities.argmax(dim=1)
    assert torch.equal(choose_most_probable(probabilities, 0.5).long(), expected.long())
    for grade, given, choose in (
        (grade_labels, logits, choose_labels),
        (grade_most_probable, probabilities, choose_most_probable),
    ):
        labels, grades = grade(given)
        assert torch.equal(labels * (grades > 9), choose(given))


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("threshold", [*THRESHOLDS, 0.01, 1 / 3, 0.999])
def test_a_threshold_moves_the_logit_of_the_background_by_the_log_of_its_odds(channels, threshold):
    logits = torch.randn(3, channels, 40, 50, generator=torch.Generator().manual_seed(4))
    chosen = choose_labels(logits, threshold)
    assert chosen.dtype == torch.uint8
    assert torch.equal(chosen.long(), choose_by_hand(logits, threshold).long())
    assert torch.equal(choose_most_probable(compute_probabilities(logits.double()), threshold), chosen)
    if channels == 2:
        assert torch.equal(chosen.bool(), torch.softmax(logits.double(), dim=1)[:, 1] > threshold)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
@pytest.mark.parametrize("shape", [(2, 300), (3, 40, 50), (1, 9, 11, 13)])
def test_grades_say_to_the_bit_what_each_threshold_chooses(channels, dtype, shape):
    logits = make_logits(channels, shape, dtype=dtype)
    before = logits.clone()
    probabilities = compute_probabilities(logits)
    for grade, given, choose in (
        (grade_labels, logits, choose_labels),
        (grade_most_probable, probabilities, choose_most_probable),
    ):
        labels, grades = grade(given)
        assert (labels.dtype, grades.dtype, labels.shape) == (torch.uint8, torch.uint8, shape)
        assert int(grades.max()) <= len(THRESHOLDS)
        for rank, threshold in enumerate(THRESHOLDS):
            assert torch.equal(labels * (grades > rank), choose(given, threshold))
    assert torch.equal(logits, before)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_the_higher_the_threshold_the_less_is_predicted_and_no_label_becomes_another(channels):
    logits = make_logits(channels)
    lower = choose_labels(logits, THRESHOLDS[0])
    for threshold in THRESHOLDS[1:]:
        higher = choose_labels(logits, threshold)
        assert torch.equal(higher, lower * (higher > 0))
        assert (higher > 0).sum() < (lower > 0).sum()
        lower = higher


@pytest.mark.parametrize("threshold", [0, 1, -0.5, 1.5, math.nan, math.inf])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_threshold_that_is_no_probability_is_refused(channels, threshold):
    with pytest.raises(SettingError, match="expected a probability between 0 and 1, such as 0.5"):
        choose_labels(torch.zeros(1, channels, 4), threshold)
