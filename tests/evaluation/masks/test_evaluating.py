"""Folders of masks as scores: against NumPy's own means, for every layout and kind of file that masks come in."""

import dataclasses
import json
import math

import nibabel
import numpy as np
import pytest
from PIL import Image

import focalseg
from evaluation.masks.made_masks import (
    compute_dice,
    draw_cases,
    draw_disc,
    write_both,
    write_pictures,
    write_volumes,
)
from focalseg.errors import DataError, SettingError
from focalseg.evaluation.masks.evaluating import evaluate
from focalseg.evaluation.statistics import estimate_mean
from focalseg.metrics import measure
from focalseg.records.record import read_record
from focalseg.records.scores.evaluation import EvaluationRecord


def test_means_are_those_of_the_masks_by_numpy(tmp_path):
    cases = draw_cases()
    found = evaluate(*write_both(tmp_path, cases))
    dice = [compute_dice(*masks) for masks in cases.values()]
    by_formula = [1.0 if math.isnan(value) else value for value in dice]
    assert [case.case for case in found.cases] == list(cases)
    assert [case.dice for case in found.cases] == by_formula
    whole = found.summary["dice"]
    assert whole.mean == pytest.approx(np.mean(by_formula), abs=1e-12)
    estimate = estimate_mean(np.array(by_formula), list(cases), span=(0, 1))
    assert (whole.low, whole.high) == (estimate.low, estimate.high)
    assert (whole.counted, whole.left_out, whole.both_empty, whole.one_empty, whole.empty) == (8, 0, 1, 2, "one")
    overlap = [int((one & other).sum()) / max(int((one | other).sum()), 1) for one, other in cases.values()]
    assert found.summary["iou"].mean == pytest.approx((sum(overlap) + 1) / 8, abs=1e-12)
    assert [(case.predicted_pixels, case.true_pixels) for case in found.cases] == [
        (int(one.sum()), int(other.sum())) for one, other in cases.values()
    ]


def test_distances_are_those_of_metrics_with_the_spacing_that_is_given(tmp_path):
    cases = draw_cases()
    found = evaluate(*write_both(tmp_path, cases), spacing_mm=(0.5, 0.25), tolerance_mm=0.5, surface="voxels")
    for case, (one, other) in zip(found.cases, cases.values(), strict=True):
        own = measure(one, other, spacing_mm=(0.5, 0.25), tolerance_mm=0.5, surface="voxels")[1]
        assert (case.hd95, case.nsd, case.assd) == (own.hd95, own.nsd, own.assd)
    assert found.unit == "mm"
    assert found.cases[2].hd95 == pytest.approx(math.hypot(48 * 0.5, 64 * 0.25))  # one empty: the diagonal


@pytest.mark.parametrize(("empty", "values"), [("one", (1.0, 0.0)), ("zero", (0.0, 0.0)), ("leave-out", (None, 0.0))])
def test_every_policy_of_empty_masks_has_its_value_and_its_counts(tmp_path, empty, values):
    found = evaluate(*write_both(tmp_path), empty=empty)
    both, missed = found.cases[4].dice, found.cases[2].dice
    assert (both, missed) == values
    whole = found.summary["dice"]
    assert (whole.counted, whole.left_out, whole.both_empty, whole.one_empty) == (
        8 - (empty == "leave-out"),
        8 - whole.counted,
        1,
        2,
    )
    assert found.summary["hd95"].counted == (5 if empty == "leave-out" else 8)


def test_means_that_leave_out_are_those_of_nnunet_by_its_formula(tmp_path):
    """nnU-Net 2's evaluate_predictions: Dice is nan where TP + FP + FN is 0, and the mean of a label is np.nanmean."""
    random = np.random.default_rng(1)
    masks = [
        {f"case_{number}": random.integers(0, 3, (12, 10)) * (random.random() > share) for number in range(12)}
        for share in (0.2, 0.4)
    ]
    for side in masks:
        side["case_0"] *= 0
        side["case_1"][side["case_1"] == 2] = 0
    (tmp_path / "labelsTr").mkdir()
    predicted, true = write_pictures(tmp_path / "predicted", masks[0]), write_pictures(tmp_path / "labelsTr", masks[1])
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "liver": 1, "tumour": 2}}))
    found = evaluate(predicted, true, empty="leave-out")
    for number, label in enumerate(("liver", "tumour"), start=1):
        dice = [compute_dice(one == number, masks[1][name] == number) for name, one in masks[0].items()]
        assert any(map(math.isnan, dice))
        assert found.summary["dice"].labels[label].mean == pytest.approx(np.nanmean(dice), abs=1e-15)
        assert found.summary["dice"].labels[label].left_out == sum(map(math.isnan, dice))


def test_the_mean_over_labels_is_of_cases_first(tmp_path):
    random = np.random.default_rng(2)
    masks = [{f"c{number}": random.integers(0, 4, (9, 9)) for number in range(5)} for _ in range(2)]
    found = evaluate(write_pictures(tmp_path / "p", masks[0]), write_pictures(tmp_path / "t", masks[1]))
    assert found.labels == ("1", "2", "3")
    by_case = [
        np.mean([compute_dice(one == number, masks[1][name] == number) for number in (1, 2, 3)])
        for name, one in masks[0].items()
    ]
    assert found.summary["dice"].mean == pytest.approx(np.mean(by_case), abs=1e-12)
    assert len(found.cases) == 15


def test_what_stands_for_yes_may_differ_and_is_told(tmp_path):
    cases = draw_cases()
    predicted = write_pictures(tmp_path / "p", {name: one for name, (one, _) in cases.items()}, white=1)
    true = write_pictures(tmp_path / "t", {name: other for name, (_, other) in cases.items()})
    found = evaluate(predicted, true)
    same = evaluate(*write_both(tmp_path / "same", cases))
    assert found.cases == same.cases
    assert "Predictions hold 1 and references 255 beside 0: what is not 0 is the one label." in found.notes
    assert not any("hold" in note for note in same.notes)


def test_volumes_of_0_and_255_are_those_of_0_and_1(tmp_path):
    cases = draw_cases(3, shape=(12, 14, 10))
    predicted = write_volumes(tmp_path / "p", {name: one * 255 for name, (one, _) in cases.items()})
    true = write_volumes(tmp_path / "t", {name: other for name, (_, other) in cases.items()})
    found = evaluate(predicted, true)
    assert found.summary["dice"].mean == pytest.approx(np.mean([compute_dice(*masks) for masks in cases.values()]))
    assert found.elements == "voxels"


def test_volumes_are_compared_in_one_orientation_and_in_mm(tmp_path):
    cases = draw_cases(3, shape=(20, 16, 10))
    true = write_volumes(tmp_path / "t", {name: other for name, (_, other) in cases.items()})
    turned = tmp_path / "p"
    turned.mkdir()
    for name, (one, _) in cases.items():
        image = nibabel.Nifti1Image(one.astype(np.uint8), np.diag([0.5, 0.5, 2, 1]))
        other_way = nibabel.orientations.axcodes2ornt(("P", "I", "R"))
        axes = nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), other_way)
        nibabel.save(image.as_reoriented(axes), turned / f"{name}.nii")
    found = evaluate(turned, true)
    for case, (one, other) in zip(found.cases, cases.values(), strict=True):
        own = measure(one, other, labels=(1,), spacing_mm=(0.5, 0.5, 2))[1]
        assert (case.dice, case.hd95) == (own.dice, pytest.approx(own.hd95, abs=1e-6))
    assert found.unit == "mm"


def test_a_set_gives_its_masks_its_groups_and_the_names_of_its_labels(tmp_path):
    data = tmp_path / "set"
    random = np.random.default_rng(3)
    masks = {f"c{number}": random.integers(0, 3, (16, 16)) * 10 for number in range(6)}
    write_pictures(data / "masks", masks)
    write_pictures(data / "images", {name: random.integers(0, 255, (16, 16)) for name in masks})
    (data / "labels.csv").write_text("label,value\nlesion,10\nnodule,20\n")
    (data / "cases.csv").write_text("case,group\n" + "".join(f"c{number},p{number // 2}\n" for number in range(6)))
    predicted = write_pictures(tmp_path / "p", {name: np.roll(mask, 1, axis=0) for name, mask in masks.items()})
    found = evaluate(predicted, data)
    assert found.labels == ("lesion", "nodule")
    assert [case.group for case in found.cases[::2]] == ["group_p0", "group_p0", "group_p1", "group_p1", "group_p2", "group_p2"]
    assert found.groups == 3
    dice = [compute_dice(np.roll(mask, 1, axis=0) == 20, mask == 20) for mask in masks.values()]
    assert found.summary["dice"].labels["nodule"].mean == pytest.approx(np.mean(dice))
    same = evaluate(predicted, data / "masks")  # the table beside the folder names its labels as well
    assert same.labels == found.labels
    assert [case.dice for case in same.cases] == [case.dice for case in found.cases]


def test_names_may_differ_by_mask_and_the_like(tmp_path):
    cases = draw_cases()
    predicted = write_pictures(tmp_path / "p", {name: one for name, (one, _) in cases.items()})
    true = write_pictures(tmp_path / "t", {f"{name}_mask": other for name, (_, other) in cases.items()}, ending=".tif")
    assert evaluate(predicted, true).summary["dice"].mean == evaluate(*write_both(tmp_path / "s", cases)).summary["dice"].mean


def test_masks_of_a_known_set_without_its_images_are_a_plain_folder(tmp_path):
    masks = {f"Image_0{number}{side}": draw_disc((20, 20), 6 + number) for number in (1, 2) for side in "LR"}
    true = write_pictures(tmp_path / "t", {f"{name}_1stHO": mask for name, mask in masks.items()})
    assert evaluate(write_pictures(tmp_path / "p", masks), true).number_of_cases == 4


def test_two_sets_need_their_labels_in_one_order(tmp_path):
    random = np.random.default_rng(7)
    masks = {f"c{number}": random.integers(0, 3, (16, 16)) for number in range(3)}
    for name, table in (("p", "nodule,1\nlesion,2\n"), ("t", "lesion,1\nnodule,2\n")):
        write_pictures(tmp_path / name / "masks", masks)
        write_pictures(tmp_path / name / "images", {case: random.integers(0, 255, (16, 16)) for case in masks})
        (tmp_path / name / "labels.csv").write_text(f"label,value\n{table}")
    with pytest.raises(DataError, match="has the labels nodule, lesion; expected those of .*, lesion, nodule, in that order"):
        evaluate(tmp_path / "p", tmp_path / "t")


def test_what_nobody_judged_counts_nowhere(tmp_path):
    true, predicted = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    true[5:10, 5:10], predicted[5:10, 5:15] = 1, 1
    true[:, 10:] = 255
    found = evaluate(write_pictures(tmp_path / "p", {"a": predicted}), write_pictures(tmp_path / "t", {"a": true}), ignore=255)
    assert found.cases[0].dice == 1.0
    assert found.cases[0].predicted_pixels == 25


def test_scores_may_count_inside_a_folder_of_masks_alone(tmp_path):
    cases = {"a": (draw_disc((20, 20), 9), draw_disc((20, 28), 9))}
    view = draw_disc((20, 20), 12)
    found = evaluate(*write_both(tmp_path, cases), inside=write_pictures(tmp_path / "fov", {"a": view}))
    one, other = (mask & view for mask in cases["a"])
    assert found.cases[0].dice == compute_dice(one, other)
    assert any("inside the field of view" in note for note in found.notes)


def test_a_region_is_scored_as_one(tmp_path):
    random = np.random.default_rng(4)
    masks = [{"a": random.integers(0, 4, (15, 15)), "b": random.integers(0, 4, (15, 15))} for _ in range(2)]
    sides = [write_pictures(tmp_path / name, some) for name, some in zip("pt", masks, strict=True)]
    found = evaluate(*sides, labels=["whole=1+2", "core=2"])
    assert found.labels == ("whole", "core")
    dice = [compute_dice(np.isin(one, (1, 2)), np.isin(masks[1][name], (1, 2))) for name, one in masks[0].items()]
    assert found.summary["dice"].labels["whole"].mean == pytest.approx(np.mean(dice))
    assert "The labels 3 are not scored, and count as background." in found.notes


def test_cases_without_a_prediction_are_left_out_when_that_is_asked_for(tmp_path):
    predicted, true = write_both(tmp_path)
    (predicted / "patient0_0.png").unlink()
    write_pictures(predicted, {"more": draw_disc((9, 9), 4)})
    found = evaluate(predicted, true, partial=True)
    assert found.missing == ("patient0_0",)
    assert found.unused == ("more",)
    assert found.number_of_cases == 7
    assert any(
        note.startswith("Left out (--partial): 1 of 8 cases, which have no prediction: patient0_0.") for note in found.notes
    )
    assert any(note.startswith("1 prediction without a reference, not scored: more") for note in found.notes)


def test_groups_widen_the_interval_as_the_statistics_say(tmp_path):
    cases = draw_cases(12)
    folders = write_both(tmp_path, cases)
    found = evaluate(*folders, group_pattern="patient([0-9]+)")
    dice = np.array([case.dice for case in found.cases])
    expected = estimate_mean(dice, [str(number // 2) for number in range(12)], span=(0, 1))
    assert (found.summary["dice"].low, found.summary["dice"].high) == (expected.low, expected.high)
    by_name = evaluate(*folders, groups={name: name.split("_")[0] for name in cases})
    assert by_name.summary["dice"] == found.summary["dice"]
    alone = evaluate(*folders, groups=dict.fromkeys(cases, "one"))
    assert (alone.summary["dice"].low, alone.summary["dice"].high) == (None, None)


def test_worst_come_first(tmp_path):
    found = evaluate(*write_both(tmp_path))
    ranked = [found.cases[place] for place in found.worst]
    assert [case.dice for case in ranked] == sorted(case.dice for case in found.cases)
    assert {case.case for case in ranked[:2]} == {"patient1_2", "patient1_3"}
    assert "  0.000  patient2_4: both masks are empty" in str(evaluate(tmp_path / "predicted", tmp_path / "true", empty="zero"))
    assert f"  0.000  patient1_2: nothing predicted of {ranked[0].true_pixels:,} pixels" in str(found)


def test_the_record_comes_back_from_its_file(tmp_path):
    found = evaluate(*write_both(tmp_path))
    found.save(tmp_path / "evaluation.json")
    assert read_record(EvaluationRecord, tmp_path / "evaluation.json") == found
    assert dataclasses.replace(found) == found


def test_masks_are_the_same_on_one_thread_and_on_several(tmp_path, monkeypatch):
    folders = write_both(tmp_path, draw_cases(20))
    several = evaluate(*folders)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert evaluate(*folders) == several


def test_a_colour_is_a_label(tmp_path):
    cases = draw_cases()
    predicted, true = write_both(tmp_path, cases)
    for name, (_, other) in cases.items():
        Image.fromarray(np.stack([other * 255, other * 0, other * 0], axis=-1).astype(np.uint8)).save(true / f"{name}.png")
    assert evaluate(predicted, true).cases == evaluate(*write_both(tmp_path / "grey", cases)).cases


def test_lesions_and_centrelines_are_scored_when_asked_for(tmp_path):
    pytest.importorskip("skimage")
    folders = write_both(tmp_path)
    found = evaluate(*folders, lesions=True, cldice=True)
    assert found.scores[-4:] == ("lesion_f1", "lesion_recall", "lesion_precision", "cldice")
    assert found.cases[0].lesion_f1 == 1.0
    assert "lesion_f1" not in evaluate(*folders).to_json()["cases"][0]


def test_it_is_a_name_of_the_package():
    assert focalseg.evaluate is evaluate


def test_one_case_has_no_interval_whatever_it_scored(tmp_path):
    found = evaluate(*write_both(tmp_path, {"a": (draw_disc((9, 9), 5), draw_disc((30, 40), 5))}))
    assert found.summary["dice"].mean == 0.0
    assert (found.summary["dice"].low, found.summary["dice"].high) == (None, None)


def test_a_raw_set_of_nnunet_names_labels_and_leaves_its_test_masks_to_be_named(tmp_path):
    random = np.random.default_rng(5)
    data = tmp_path / "Dataset001_Made"
    masks = {f"case_{number}": random.integers(0, 3, (8, 9, 7)) for number in range(3)}
    write_volumes(data / "labelsTr", masks)
    write_volumes(data / "imagesTr", {f"{name}_0000": mask * 100 for name, mask in masks.items()}, dtype=np.int16)
    table = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1, "tumour": 2}, "file_ending": ".nii.gz"}
    (data / "dataset.json").write_text(json.dumps({**table, "numTraining": 3}))
    predicted = write_volumes(tmp_path / "preds", {name: np.roll(mask, 1, axis=2) for name, mask in masks.items()})
    (predicted / "plans.json").write_text("{}")
    found = evaluate(predicted, data)
    assert found.labels == ("liver", "tumour")
    assert found.cases == evaluate(predicted, data / "labelsTr").cases
    test = write_volumes(data / "labelsTs", {f"test_{number}": mask for number, mask in enumerate(masks.values())})
    others = write_volumes(tmp_path / "others", {f"test_{number}": mask for number, mask in enumerate(masks.values())})
    with pytest.raises(DataError, match=f"Give {test}, if these are its cases."):
        evaluate(others, data)
    assert evaluate(others, test).labels == ("liver", "tumour")


def test_regions_of_nnunet_are_scored_as_regions_and_what_it_ignores_counts_nowhere(tmp_path):
    random = np.random.default_rng(6)
    masks = {f"case_{number}": random.integers(0, 4, (8, 9, 7)) for number in range(3)}
    true = write_volumes(tmp_path / "set" / "labelsTr", masks)
    labels = {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({"labels": labels}))
    moved = {name: np.roll(mask % 3, 1, axis=0) for name, mask in masks.items()}
    predicted = write_volumes(tmp_path / "p", moved)
    found = evaluate(predicted, true)
    assert found.labels == ("whole", "core")
    for name, values in (("whole", (1, 2)), ("core", (2,))):
        expected = [
            compute_dice(np.isin(moved[case], values) & (mask != 3), np.isin(mask, values)) for case, mask in masks.items()
        ]
        assert found.summary["dice"].labels[name].mean == pytest.approx(np.mean(expected), abs=1e-12)
    assert evaluate(predicted, true, labels=["core"]).labels == ("core",)
    assert evaluate(predicted, true, labels=["edema=1"]).labels == ("edema",)
    with pytest.raises(SettingError, match="expected one of whole, core"):
        evaluate(predicted, true, labels=["edema"])


@pytest.mark.slow
def test_masks_of_real_sets_are_scored_as_their_own_arrays(real_data, tmp_path):
    data = real_data("hippocampus")
    expected = []
    for path in sorted((data / "labelsTr").glob("*.nii.gz")):
        image = nibabel.load(path)
        true = np.asarray(image.dataobj)
        moved = np.roll(true, 1, axis=0)
        nibabel.save(nibabel.Nifti1Image(moved.astype(true.dtype), image.affine, image.header), tmp_path / path.name)
        expected.append([compute_dice(moved == label, true == label) for label in (1, 2)])
    found = evaluate(tmp_path, data)
    assert found.summary["dice"].mean == pytest.approx(np.mean(expected), abs=1e-12)
    assert found.unit == "mm"
