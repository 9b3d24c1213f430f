"""Lesions matched: counts by hand, one rule against another, and every pairing tried."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from focalseg.errors import SettingError
from focalseg.metrics import LesionRule, count_lesions, lesion_f1


def draw_row(*spans):
    """A mask of one line with these spans of pixels."""
    mask = np.zeros((1, 40), bool)
    for start, end in spans:
        mask[0, start:end] = True
    return mask


def test_found_missed_invented_and_merged_lesions_are_counted():
    true = draw_row((0, 4), (6, 10), (20, 24), (30, 31))
    predicted = draw_row((2, 8), (21, 23), (35, 38))  # one over two, one inside, one nowhere
    lesions = count_lesions(predicted, true)
    assert (lesions.true, lesions.predicted, lesions.found, lesions.right) == (4, 3, 3, 2)
    assert lesions.recall() == 3 / 4
    assert lesions.precision() == 2 / 3
    assert lesions.f1() == pytest.approx(2 / (4 / 3 + 3 / 2))
    half = count_lesions(predicted, true, least_iou=0.5)
    assert (half.found, half.right) == (1, 1)  # 21:23 of 20:24 has an IoU of exactly one half
    assert count_lesions(predicted, true, least_iou=0.51).found == 0


def test_lesions_that_share_a_corner_are_one_unless_it_takes_a_face():
    mask = np.eye(4, dtype=bool)
    assert count_lesions(mask, mask).true == 1
    assert count_lesions(mask, mask, touching="faces").true == 4


def components(mask):
    """Sets of pixels that are joined by faces or corners, by filling."""
    left, found = {tuple(place) for place in np.argwhere(mask)}, []
    while left:
        open_, grown = [left.pop()], set()
        while open_:
            place = open_.pop()
            grown.add(place)
            near = {tuple(np.add(place, step)) for step in itertools.product((-1, 0, 1), repeat=mask.ndim)} & left
            left -= near
            open_ += near
        found.append(grown)
    return found


@given(st.tuples(*[arrays(bool, (4, 7))] * 2), st.sampled_from([None, 0.2, 0.34, 0.5, 1.0]))
@settings(deadline=None, max_examples=60)
def test_counts_are_those_of_sets_and_of_the_best_of_all_pairings(masks, least):
    mine, theirs = map(components, masks)
    lesions = count_lesions(*masks, least_iou=least)
    assert (lesions.predicted, lesions.true) == (len(mine), len(theirs))
    if least is None:
        assert lesions.found == sum(any(one & other for one in mine) for other in theirs)
        assert lesions.right == sum(any(one & other for other in theirs) for one in mine)
        return
    good = [[len(one & other) / len(one | other) >= least - 1e-12 for other in theirs] for one in mine]
    few, many = sorted((range(len(mine)), range(len(theirs))), key=len)
    swap = len(mine) > len(theirs)
    best = max(
        sum(good[b][a] if swap else good[a][b] for a, b in zip(few, order, strict=True))
        for order in itertools.permutations(many, len(few))
    )
    assert lesions.found == lesions.right == best


def test_empty_masks_follow_the_policy():
    none, some = draw_row(), draw_row((3, 5))
    assert [lesion_f1(none, none, empty=policy) for policy in ("one", "zero")] == [1, 0]
    assert np.isnan(lesion_f1(none, none, empty="leave-out"))
    for policy in ("one", "zero", "leave-out"):
        assert lesion_f1(some, none, empty=policy) == lesion_f1(none, some, empty=policy) == 0
    assert np.isnan(count_lesions(some, none).recall("leave-out"))
    assert np.isnan(count_lesions(none, some).precision("leave-out"))


@pytest.mark.parametrize("least", [0, 1.5, "half"])
def test_a_share_is_above_0_and_up_to_1(least):
    with pytest.raises(SettingError) as raised:
        LesionRule(least_iou=least)
    assert str(raised.value) == (
        f"least_iou is {least!r}; expected a number above 0 and up to 1, such as least_iou=0.5; or None, by which one shared "
        "pixel is enough."
    )


def test_what_touches_is_named():
    with pytest.raises(SettingError, match=r"^touching is 'edges'; expected \"corners\" or \"faces\"\.$"):
        count_lesions(draw_row(), draw_row(), touching="edges")
