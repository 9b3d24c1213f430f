"""Predictions on each kind of case, against counts made by hand; what empty masks score does not matter."""

import numpy as np
import pytest
from PIL import Image

from focalseg.evaluation.failures import bound_failures
from focalseg.evaluation.masks.evaluating import evaluate
from focalseg.evaluation.statistics import estimate_mean
from focalseg.records.record import read_json
from focalseg.report.evaluation.page import render_evaluation, write_evaluation

DICE = [0.5, 0.8, 0.0, 1.0, 0.6, 0.9]
"""Of the cases with the object; one is missed altogether."""


def write_masks(folder, masks):
    folder.mkdir()
    for name, mask in masks.items():
        Image.fromarray(mask).save(folder / f"{name}.png")
    return folder


def draw_squares(dice):
    """A true row of 10 pixels and a predicted one that overlaps with it in as many as give that Dice."""
    true, predicted = np.zeros((4, 40), np.uint8), np.zeros((4, 40), np.uint8)
    true[1, 10:20] = 255
    start = round(10 + 10 * (1 - dice))
    predicted[1, start : start + 10] = 255
    if dice == 0:
        predicted[:] = 0
    return predicted, true


@pytest.fixture
def two_folders(tmp_path):
    """Six cases with the object, four without, in one of which something is predicted."""
    empty, alarm = np.zeros((4, 40), np.uint8), np.zeros((4, 40), np.uint8)
    alarm[2, 3:9] = 255
    pairs = {f"held_{number}": draw_squares(dice) for number, dice in enumerate(DICE)}
    pairs |= {f"bare_{number}": (alarm if number == 0 else empty, empty) for number in range(4)}
    return [
        write_masks(tmp_path / name, {case: pair[side] for case, pair in pairs.items()})
        for side, name in enumerate(("predicted", "true"))
    ]


@pytest.mark.parametrize("empty", ["one", "zero", "leave-out"])
def test_each_kind_of_case_is_told_apart_whatever_empty_masks_score(two_folders, empty):
    found = evaluate(*two_folders, empty=empty)
    dice, missed = [estimate_mean(np.array([scores]), list("abcdef"), span=(0, 1)) for scores in (DICE, [0, 0, 1, 0, 0, 0])]
    assert list(found.strata) == ["with_object", "missed", "left_empty"]
    for name, mean in (("with_object", dice), ("missed", missed)):
        kind = found.strata[name]
        assert (kind.value, kind.low, kind.high) == pytest.approx((mean.mean, mean.low, mean.high))
        assert kind.cases == 6
    assert (found.strata["left_empty"].value, found.strata["left_empty"].cases) == (0.75, 4)
    assert "Where the object is, in 6 cases, Dice is 0.633 [" in found.sentence
    assert "17 % of the objects are missed altogether; 75 % of the 4 cases without the object are left empty." in found.sentence
    assert "objects missed altogether (share), 6 cases: 0.167 [" in str(found)


def test_a_share_that_is_none_here_has_the_interval_of_so_few_groups(two_folders):
    predicted, true = two_folders
    for number in range(4):
        (predicted / f"bare_{number}.png").unlink()
        (true / f"bare_{number}.png").unlink()
    (predicted / "held_2.png").unlink()
    (true / "held_2.png").unlink()
    found = evaluate(predicted, true)
    assert list(found.strata) == ["with_object", "missed"]
    assert (found.strata["missed"].value, found.strata["missed"].low) == (0.0, 0.0)
    assert found.strata["missed"].high == bound_failures(0, 5)
    assert "Where the object is" not in found.sentence  # it is everywhere, and the mean says all


def test_the_files_and_the_page_hold_the_kinds_of_cases(two_folders, tmp_path):
    found = evaluate(*two_folders)
    write_evaluation(tmp_path / "out", found)
    told = read_json(tmp_path / "out" / "evaluation.json", "so")["strata"]
    assert told["left_empty"]["value"] == 0.75
    assert set(told["missed"]) == {"value", "low", "high", "cases"}
    lines = (tmp_path / "out" / "summary.csv").read_text().splitlines()
    assert sum(line.startswith("foreground,missed,") or ",missed,0.16" in line for line in lines) == 1
    assert "left empty where nothing is (share)" in render_evaluation(found)
