"""nnU-Net's raw data in both versions: a file a channel, and the table that names them."""

import json

import pytest

from focalseg.imagesets.layouts import nnunet as LAYOUT
from imagesets.layouts.trees import kinds, names, plant, said

SECOND = {
    "channel_names": {"0": "T1", "1": "T2"},
    "labels": {"background": 0, "tumour": 1, "edema": 2},
    "numTraining": 2,
    "file_ending": ".nii.gz",
}
FIRST = {
    "modality": {"0": "T1", "1": "T2"},
    "labels": {"0": "background", "1": "tumour", "2": "edema"},
    "numTraining": 2,
    "training": [{"image": f"./imagesTr/case_{n}.nii.gz", "label": f"./labelsTr/case_{n}.nii.gz"} for n in (1, 2)],
}


def write(folder, table=SECOND, ending=".nii.gz", channels=2, **changes):
    plant(folder, [f"imagesTr/case_{n}_{channel:04d}{ending}" for n in (1, 2) for channel in range(channels)])
    plant(folder, [f"labelsTr/case_{n}{ending}" for n in (1, 2)])
    plant(folder, [f"imagesTs/case_3_0000{ending}"])
    content = {key: value for key, value in (table | changes).items() if value is not None}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("table", [FIRST, SECOND])
def test_both_versions_are_listed_with_every_channel(tmp_path, table):
    folder = write(tmp_path, table)
    assert LAYOUT.recognise(folder)
    listing = LAYOUT.read(folder)
    assert (names(listing), listing.channels, listing.findings) == (["case_1", "case_2"], 2, ())
    assert [path.name for path in listing.cases[1].images] == ["case_2_0000.nii.gz", "case_2_0001.nii.gz"]
    assert listing.cases[1].masks == (folder / "labelsTr" / "case_2.nii.gz",)
    assert (listing.coding.labels, listing.coding.values) == (("tumour", "edema"), {0: 0, 1: 1, 2: 2})


def test_pictures_may_have_a_file_a_channel_or_all_colours_in_one(tmp_path):
    red_green_blue = {"0": "red", "1": "green", "2": "blue"}
    one = LAYOUT.read(write(tmp_path / "one", ending=".png", channels=1, file_ending=".png", channel_names=red_green_blue))
    each = LAYOUT.read(write(tmp_path / "each", ending=".tif", channels=3, file_ending=".tif", channel_names=red_green_blue))
    assert [len(case.images) for case in (*one.cases, *each.cases)] == [1, 1, 3, 3]
    assert (one.channels, each.channels, one.findings, each.findings) == (3, 3, (), ())


def test_a_missing_channel_is_told_by_name(tmp_path):
    folder = write(tmp_path)
    (folder / "imagesTr" / "case_2_0001.nii.gz").unlink()
    listing = LAYOUT.read(folder)
    assert names(listing) == ["case_1"]
    assert said(listing, folder) == [
        "imagesTr/case_2_0000.nii.gz: is without its channel 0001 (T2); expected case_2_0001.nii.gz beside it. "
        "Add the channel or take the case out."
    ]


def test_a_channel_that_is_not_declared_is_told_once(tmp_path):
    folder = write(tmp_path, channels=3)
    assert said(LAYOUT.read(folder), folder) == [
        "imagesTr/case_1_0002.nii.gz: is channel 0002, and dataset.json names 2 (T1, T2); expected a name for every channel. "
        "Name the channel in dataset.json or take its files out."
    ]


@pytest.mark.parametrize(
    ("changes", "kind", "found"),
    [
        ({"numTraining": 20}, "wrong_count", "says that there are 20 training cases, but 2 are there"),
        ({"labels": {"background": 0, "whole": [1, 2], "core": 2}}, "bad_table", "has a region, 'whole', of several labels"),
        ({"labels": {"background": 0, "a": 1, "ignore": 1}}, "bad_table", "gives the labels 'a' and 'ignore' one number"),
        ({"labels": {"background": 0, "a": 1, "b": 1}}, "bad_table", "gives the labels 'a' and 'b' one number"),
        ({"labels": {"background": 0, "a": 2}}, "bad_table", "has the labels {'background': 0, 'a': 2}"),
        ({"labels": {"a": 1, "b": 2}}, "bad_table", "has the labels {'a': 1, 'b': 2}"),
        ({"channel_names": None}, "bad_table", "has no channel_names"),
        ({"channel_names": ["T1", "T2"]}, "bad_table", "has ['T1', 'T2'] as channel_names"),
        ({"file_ending": None}, "bad_table", "has no file_ending"),
        ({"file_ending": ".nrrd"}, "bad_table", "has the file_ending '.nrrd'"),
    ],
)
def test_a_table_at_fault_is_told(tmp_path, changes, kind, found):
    listing = LAYOUT.read(write(tmp_path, **changes))
    assert [(finding.kind, finding.found) for finding in listing.findings] == [(kind, found)]
    assert names(listing) == ["case_1", "case_2"]
    assert (listing.coding.labels is None) == ("labels" in changes)


def test_the_table_has_to_be_there(tmp_path):
    folder = write(tmp_path)
    (folder / "dataset.json").unlink()
    assert said(LAYOUT.read(folder), folder) == [
        "dataset.json: cannot be read (No such file or directory); expected a table. Mend or remove it."
    ]


def test_a_file_of_another_ending_is_told(tmp_path):
    folder = plant(write(tmp_path, numTraining=3), "imagesTr/case_3_0000.nii\nimagesTr/case_3_0001.nii\nlabelsTr/case_3.nii.gz")
    listing = LAYOUT.read(folder)
    assert names(listing) == ["case_1", "case_2"]
    assert said(listing, folder) == [
        f"imagesTr/case_3_000{n}.nii: does not end on .nii.gz, as dataset.json says; expected .nii.gz for every file. "
        "Convert it, or take it out."
        for n in (0, 1)
    ]


def test_what_has_no_partner_is_told(tmp_path):
    folder = plant(write(tmp_path, numTraining=4), "labelsTr/case_8.nii.gz")
    plant(folder, "imagesTr/case_9_0000.nii.gz\nimagesTr/case_9_0001.nii.gz")
    listing = LAYOUT.read(folder)
    assert names(listing) == ["case_1", "case_2"]
    assert said(listing, folder) == [
        "imagesTr/case_9_0000.nii.gz: has no labels in labelsTr; expected case_9.nii.gz there. "
        "Rename the labels of case_8 if they are its own; if not, add them or take the image out.",
        "labelsTr/case_8.nii.gz: has no image in imagesTr; expected case_8_0000.nii.gz there. "
        "Add the image or take the mask out.",
    ]


@pytest.mark.parametrize("broken", ["imagesTr/case_3_0000.mha", "imagesTr/case_3_0001.mha", "labelsTr/case_3.mha"])
def test_a_file_at_fault_does_not_make_its_partners_so(tmp_path, broken):
    whole = {"imagesTr/case_3_0000.nii.gz", "imagesTr/case_3_0001.nii.gz", "labelsTr/case_3.nii.gz"}
    folder = plant(write(tmp_path, numTraining=3), whole - {broken.replace("mha", "nii.gz")})
    listing = LAYOUT.read(plant(folder, [broken]))
    assert (names(listing), kinds(listing)) == (["case_1", "case_2"], ["not_supported"])


def test_a_file_without_its_channel_is_told(tmp_path):
    folder = plant(write(tmp_path), "imagesTr/case_3.nii.gz")
    assert said(LAYOUT.read(folder), folder) == [
        "imagesTr/case_3.nii.gz: has no number of a channel at the end of its name; "
        "expected case_3_0000, for the first channel. Rename the file."
    ]


def test_folders_whose_ids_end_on_four_digits_are_the_decathlons(tmp_path):
    plant(tmp_path, "imagesTr/case_0001.nii.gz\nlabelsTr/case_0001.nii.gz\ndataset.json")
    assert not LAYOUT.recognise(tmp_path)


def test_the_folder_above_the_sets_is_told_with_their_names(tmp_path):
    write(tmp_path / "Dataset001_Brain")
    assert LAYOUT.recognise(tmp_path)
    assert said(LAYOUT.read(tmp_path), tmp_path) == [
        "DATA: is the folder above a data set of nnU-Net or the Decathlon: Dataset001_Brain; expected the folder that holds "
        "imagesTr/. Give Dataset001_Brain."
    ]
    write(tmp_path / "Dataset012_Heart")
    plant(tmp_path, "Task03_Liver/imagesTr/a.nii.gz\nDataset013_Empty/notes.txt\nresults/imagesTr/a.nii.gz")
    listing = LAYOUT.read(tmp_path)
    assert listing.cases == ()
    assert said(listing, tmp_path) == [
        "DATA: is the folder above 3 data sets of nnU-Net or the Decathlon: Dataset001_Brain, Dataset012_Heart, Task03_Liver; "
        "expected the folder that holds imagesTr/. Give one of them as the data, such as Dataset001_Brain."
    ]


def test_empty_folders_are_told(tmp_path):
    folder = write(tmp_path)
    for path in (folder / "labelsTr").iterdir():
        path.unlink()
    assert kinds(LAYOUT.read(folder)) == ["empty_folder"]
