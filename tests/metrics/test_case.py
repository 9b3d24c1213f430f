"""The record of a case: what the functions give, by label, where pixels count; and means that say what they leave out."""

import subprocess
import sys

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from focalseg import metrics
from focalseg.errors import DataError, SettingError, ShapeError
from focalseg.metrics import SCORES, LesionRule, average_measures, measure
from metrics.masks import ball, box


@pytest.fixture
def maps():
    """A prediction and a reference with the labels 1 to 3, the last of them in the reference alone."""
    predicted, reference = np.zeros((2, 40, 50), np.uint8)
    predicted[box((40, 50), (4, 4), (12, 10))], reference[box((40, 50), (5, 4), (12, 12))] = 1, 1
    predicted[ball((40, 50), (28, 30), 7)], reference[ball((40, 50), (27, 32), 8)] = 2, 2
    reference[2, 45:48] = 3
    return predicted, reference


@pytest.mark.parametrize("empty", ["one", "zero", "leave-out"])
@pytest.mark.parametrize("surface", ["surfels", "voxels"])
def test_a_record_holds_what_the_functions_give_label_by_label(maps, empty, surface):
    spacing = (0.5, 0.7)
    found = measure(
        *maps, labels=(1, 2, 3, 4), spacing_mm=spacing, tolerance_mm=0.8, empty=empty, surface=surface, lesions=LesionRule()
    )
    assert list(found) == [1, 2, 3, 4]
    for label, scores in found.items():
        pair = [mask == label for mask in maps]
        for name in ("dice", "iou", "precision", "recall", "specificity", "relative_volume_difference", "lesion_f1"):
            expected = getattr(metrics, name)(*pair, empty=empty)
            assert getattr(scores, name) == pytest.approx(expected, nan_ok=True), name
        surfaces = metrics.measure_surfaces(*pair, spacing_mm=spacing, surface=surface)
        expected = {
            "nsd": surfaces.surface_dice(0.8, empty),
            "hd95": surfaces.hausdorff(95, empty),
            "hd": surfaces.hausdorff(100, empty),
            "assd": surfaces.average_symmetric(empty),
            "masd": surfaces.mean_average(empty),
            "volume_difference": metrics.volume_difference(*pair, spacing_mm=spacing),
        }
        assert {name: getattr(scores, name) for name in expected} == pytest.approx(expected, nan_ok=True)
        assert (scores.predicted_pixels, scores.true_pixels) == tuple(int(mask.sum()) for mask in pair)
        assert (scores.unit, scores.tolerance_mm, scores.empty, scores.surface) == ("mm", 0.8, empty, surface)
    assert (found[3].one_empty, found[4].both_empty) == (True, True)


def test_a_missed_label_is_the_image_diagonal_away_in_the_image_s_own_size(maps):
    scores = measure(*maps, spacing_mm=(0.5, 0.7))[3]
    assert scores.hd95 == scores.hd == scores.assd == pytest.approx(np.hypot(40 * 0.5, 50 * 0.7))


def test_a_region_is_the_labels_it_is_made_of(maps):
    both = measure(*maps, labels=((1, 2), 3))[1, 2]
    expected = measure(np.isin(maps[0], (1, 2)), np.isin(maps[1], (1, 2)))[1]
    whole = np.array([getattr(one, name) for one in (both, expected) for name in SCORES])
    np.testing.assert_array_equal(*np.split(whole, 2))


def test_without_names_the_labels_are_those_that_either_mask_holds(maps):
    assert list(measure(*maps)) == [1, 2, 3]
    assert list(measure(*(mask == 2 for mask in maps))) == [1]
    with pytest.raises(DataError, match=r"^Neither mask holds a label but 0\. Name those .*, as in labels=\(1,\)\.$"):
        measure(*(mask * 0 for mask in maps))
    assert measure(*(mask * 0 for mask in maps), labels=(1,))[1].both_empty


def test_ignored_pixels_and_those_outside_count_nowhere(maps):
    predicted, reference = maps
    void = reference.copy()
    void[:, 30:] = 255
    inside = np.zeros(reference.shape, bool)
    inside[:, :30] = True
    first = measure(predicted, void, ignore=255, labels=(1, 2, 3), lesions=LesionRule())
    second = measure(predicted, reference, inside=inside, labels=(1, 2, 3), lesions=LesionRule())
    cut = measure(predicted[:, :30], reference[:, :30], labels=(1, 2), lesions=LesionRule())
    for label in (1, 2):
        for name in set(SCORES) - {"cldice"}:
            assert getattr(first[label], name) == getattr(second[label], name) == getattr(cut[label], name), name
    with pytest.raises(DataError, match=r"^No pixel counts: .* Take the case out\.$"):
        measure(predicted, np.full_like(reference, 255), ignore=255)


def test_tensors_give_what_arrays_give_and_nothing_is_altered(maps):
    before = [mask.copy() for mask in maps]
    tensors = [torch.from_numpy(mask.astype(np.int64)) for mask in maps]
    assert {label: scores.hd95 for label, scores in measure(*tensors).items()} == {
        label: scores.hd95 for label, scores in measure(*maps).items()
    }
    for kind in (np.uint64, np.int8, np.float32, ">i2"):
        assert measure(*(mask.astype(kind) for mask in maps))[2].assd == measure(*maps)[2].assd
    for mask, kept in zip(maps, before, strict=True):
        np.testing.assert_array_equal(mask, kept)


def test_a_mean_says_what_it_leaves_out(maps):
    found = [*measure(*maps, labels=(1, 2, 3, 4), empty="leave-out").values()]
    mean = average_measures(found, "hd95")
    assert (mean.counted, mean.left_out, mean.both_empty, mean.one_empty) == (2, 2, 1, 1)
    assert mean.value == pytest.approx((found[0].hd95 + found[1].hd95) / 2)
    assert average_measures(found, "dice").counted == 3  # of a missed object 0, as nnU-Net's nanmean has it
    assert np.isnan(average_measures([], "dice").value)
    with pytest.raises(SettingError, match=r"^There is no score 'hd99'; expected one of dice, iou, .*\.$"):
        average_measures(found, "hd99")


def test_scores_of_one_and_three_axes_work_alike():
    line = measure(np.array([0, 1, 1, 1, 0, 0]), np.array([0, 0, 1, 1, 1, 0]))[1]
    assert (line.dice, line.hd, line.nsd) == (pytest.approx(2 / 3), 1, 1)
    volume = measure(box((9, 9, 9), (2, 2, 2), (4, 4, 4)), box((9, 9, 9), (2, 2, 3), (4, 4, 4)), spacing_mm=(1, 1, 3))[1]
    assert (volume.hd, volume.volume_difference, volume.unit) == (3, 0, "mm")


GOOD = np.array([[0, 1], [1, 2]])
FAULTS = {
    "shapes": (
        (GOOD, np.zeros((3, 2), int)),
        {},
        ShapeError,
        "predicted has shape (2, 2) and reference (3, 2); expected the same shape. Bring the prediction to the "
        "reference's grid first, labels by the nearest pixel.",
    ),
    "axes": (
        (np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 2, 2))),
        {},
        ShapeError,
        "The masks have shape (1, 1, 2, 2); expected (*spatial) with 1 to 3 axes and a pixel along each. Take one case "
        "at a time, without the axes of batch and channel: predicted[0, 0].",
    ),
    "nan": (
        (np.array([0.0, np.nan]), np.array([0, 1])),
        {},
        DataError,
        "predicted holds nan in 1 pixels; expected whole numbers, the labels. Find out where they come from before the case is "
        "scored.",
    ),
    "probabilities": (
        (np.array([0.0, 0.25]), np.array([0, 1])),
        {},
        DataError,
        "predicted holds 0.25, which is no label; expected whole numbers. Cut probabilities first: "
        "predicted = predicted > 0.5; they have measures of their own, measure_probabilities.",
    ),
    "not named": (
        (GOOD, GOOD),
        {"labels": (1,)},
        DataError,
        "predicted holds 2, which labels=(1,) does not name. Name it there or make it 0 in the mask; where it marks what "
        "nobody judged, ignore=2.",
    ),
    "no names": (
        (GOOD, GOOD),
        {"labels": ()},
        SettingError,
        "labels is (); expected different whole numbers or tuples of them, without the ignored label (None), such as "
        "labels=(1, 2).",
    ),
    "names that are none": (
        (GOOD, GOOD),
        {"labels": ("liver",)},
        SettingError,
        "labels is ('liver',); expected different whole numbers or tuples of them, without the ignored label (None), such as "
        "labels=(1, 2).",
    ),
    "one name": (
        (GOOD, GOOD),
        {"labels": 1},
        SettingError,
        "labels is 1; expected different whole numbers or tuples of them, without the ignored label (None), such as "
        "labels=(1, 2).",
    ),
    "tolerance": (
        (GOOD, GOOD),
        {"tolerance_mm": "2"},
        SettingError,
        "tolerance_mm is '2'; expected a finite number, at least 0, in mm or, without a spacing, in pixels, as in "
        "tolerance_mm=2.0.",
    ),
    "no rule": (
        (GOOD, GOOD),
        {"lesions": True},
        SettingError,
        "lesions is True; expected the rule by which they are matched, as in "
        "lesions=focalseg.metrics.LesionRule(least_iou=0.5), or None.",
    ),
    "void or foreground": (
        (np.array([0, 1]), np.array([0, 255])),
        {},
        DataError,
        "reference holds 255 and predicted does not. Where it marks what nobody judged, ignore=255; where it is the "
        "foreground, reference == 255; else name the labels, as in labels=(1, 2).",
    ),
    "bool and labels": (
        (np.array([False, True]), np.array([0, 3])),
        {},
        DataError,
        "reference holds 3 and predicted is bool. Compare like with like: reference == 1.",
    ),
    "view": (
        (GOOD, GOOD),
        {"inside": np.ones((2, 3))},
        ShapeError,
        "inside has shape (2, 3); expected that of the masks, (2, 2).",
    ),
    "text": (
        (np.array(["a", "b"]), np.array([0, 1])),
        {},
        DataError,
        "predicted has the dtype <U1; expected numbers or bool, such as predicted.astype(numpy.uint8).",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_error_with_its_mend(name):
    pair, keywords, error, message = FAULTS[name]
    with pytest.raises(error) as raised:
        measure(*pair, **keywords)
    assert str(raised.value) == message


def test_the_mends_work():
    assert measure(GOOD, GOOD, labels=(1,), ignore=2)[1].dice == 1
    assert measure(np.array([0, 1]), np.array([0, 255]) == 255)[1].dice == 1
    assert measure(np.array([0, 1, 1]), np.array([0, 255, 1]), ignore=255)[1].dice == 1
    assert measure(np.zeros((1, 1, 2, 2))[0, 0], GOOD)[1].one_empty


def test_one_label_is_compared_by_the_functions_and_more_are_refused():
    with pytest.raises(DataError) as raised:
        metrics.dice(GOOD, GOOD)
    assert str(raised.value) == (
        "predicted holds 2; expected one label, bool or 0 and 1. Compare one label: predicted == 2; or all of them by "
        "focalseg.metrics.measure."
    )


@pytest.mark.parametrize("made", [{"requires_grad": True}, {"dtype": torch.bfloat16}], ids=["gradient", "bfloat16"])
def test_a_tensor_that_is_no_array_becomes_one_by_the_mend(made):
    predicted = torch.ones(3, **made)
    with pytest.raises(DataError) as raised:
        metrics.dice(predicted, np.ones(3))
    assert str(raised.value).startswith("predicted is no array: ")
    assert str(raised.value).endswith("Hand over a NumPy array; of a tensor, predicted.detach().float().cpu().")
    assert metrics.dice(predicted.detach().float().cpu(), np.ones(3)) == 1


def test_what_a_masked_array_hides_is_not_taken_for_a_label():
    predicted, reference = np.array([1, 1, 0, 0]), np.ma.array([1, 0, 1, 0], mask=[0, 1, 1, 0])
    with pytest.raises(DataError) as raised:
        measure(predicted, reference)
    assert str(raised.value) == (
        "reference is a masked array with 2 masked pixels. Say where pixels count, and what lies under the mask: "
        "reference.filled(0) with inside=~numpy.ma.getmaskarray(reference)."
    )
    assert measure(predicted, reference.filled(0), inside=~np.ma.getmaskarray(reference))[1].dice == 1
    assert measure(predicted, np.ma.array(predicted))[1].dice == 1


def test_masks_of_any_layout_and_source_score_the_same(maps, tmp_path):
    """Turned in memory, strided, read-only, lists, a volume that nibabel has not read, and images of Pillow."""
    expected = measure(*maps)[2]
    strided = np.zeros((80, 150), np.uint8)[::2, ::3]
    strided[:] = maps[0]
    frozen = maps[0].copy()
    frozen.flags.writeable = False
    nibabel.save(nibabel.Nifti1Image(maps[0], np.eye(4)), tmp_path / "mask.nii.gz")
    read = nibabel.load(tmp_path / "mask.nii.gz").dataobj
    for mask in (np.asfortranarray(maps[0]), strided, frozen, maps[0].tolist(), read, Image.fromarray(maps[0])):
        assert measure(mask, maps[1])[2] == expected


def test_scores_load_no_torch():
    script = """
import sys
import numpy as np
from focalseg import metrics
metrics.measure(np.eye(9, dtype=bool), np.eye(9, dtype=bool)[::-1], lesions=metrics.LesionRule())
assert "torch" not in sys.modules
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
