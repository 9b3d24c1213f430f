"""A metric has one printed name, whatever its source writes, and only the same metric has it."""

import pytest

from focalseg.comparison.known_metrics import are_same, find_better, is_distance, is_known, is_share, name_metric
from focalseg.metrics import LOWER_IS_BETTER, SCORES
from focalseg.records.scores.evaluation import TITLES


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("Dice", ["dice", "DSC", "Dice", "val_mean_dice", "mean_dice", "MeanDice", "DiceMetric", "dice_score", " dice "]),
        ("IoU", ["iou", "IoU", "mean_iou", "Jaccard", "jaccard_index", "MeanIoU"]),
        ("Recall", ["sensitivity", "Recall"]),
        ("NSD", ["surface_dice", "nsd", "SurfaceDice", "normalized_surface_distance"]),
        ("HD95", ["hd95", "HD 95", "hausdorff_distance_95", "HausdorffDistance95", "mean_hd95"]),
        ("MSD", ["mean_surface_distance", "msd"]),
        ("AP", ["average_precision", "AP"]),
        ("Lesion F1", ["lesion_f1"]),
        ("uncertainty", ["uncertainty"]),
    ],
)
def test_a_metric_has_one_name(name, names):
    assert {name_metric(one) for one in names} == {name}
    assert all(are_same(one, names[0]) for one in names)


@pytest.mark.parametrize("score", SCORES)
def test_a_score_of_ours_has_one_name_in_every_command(score):
    assert name_metric(score) == name_metric(TITLES[score]) == TITLES[score]
    assert find_better(score) == ("lower" if score in LOWER_IS_BETTER else "higher")
    assert is_share(score) == (score not in LOWER_IS_BETTER)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dice", "surface_dice"),
        ("Dice", "IoU"),
        ("precision", "average_precision"),
        ("asd", "assd"),
        ("hd", "hd95"),
        ("f1", "lesion_f1"),
    ],
)
def test_metrics_that_differ_are_not_taken_for_one(one, other):
    assert not are_same(one, other)


def test_what_a_name_tells_of_its_values():
    assert [find_better(name) for name in ("DSC", "hd95", "dice_loss", "uncertainty", "FP", "TP")] == [
        "higher", "lower", "lower", None, "lower", "higher",
    ]  # fmt: skip
    assert is_share("val_mean_dice")
    assert not is_share("TP")
    assert is_distance("HausdorffDistance95")
    assert not is_distance("FN")
    assert is_distance("volume_difference")  # its absolute value: a negative one is refused


def test_a_column_of_a_system_is_no_metric():
    assert [is_known(name) for name in ("unet", "dice_loss_unet", "mean_dice", "SE")] == [False, False, True, False]
