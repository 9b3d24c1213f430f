"""The Decathlon's folders, with and without dataset.json."""

import json

import pytest

from focalseg.imagesets.layouts import decathlon as LAYOUT
from focalseg.imagesets.masks import MaskCoding
from imagesets.layouts.trees import kinds, names, plant, said

TABLE = {
    "name": "Hippocampus",
    "modality": {"0": "MRI"},
    "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
    "numTraining": 3,
    "numTest": 1,
    "training": [{"image": f"./imagesTr/h_{n}.nii.gz", "label": f"./labelsTr/h_{n}.nii.gz"} for n in (1, 2, 10)],
    "test": ["./imagesTs/h_4.nii.gz"],
}


@pytest.fixture
def write(tmp_path):
    def write_set(**changes):
        plant(
            tmp_path,
            [f"{part}/{mark}h_{n}.nii.gz" for part in ("imagesTr", "labelsTr") for n in (1, 2, 10) for mark in ("", "._")],
        )
        plant(tmp_path, "imagesTs/h_4.nii.gz\n._dataset.json")
        table = {key: value for key, value in (TABLE | changes).items() if value is not None}
        (tmp_path / "dataset.json").write_text(json.dumps(table))
        return tmp_path

    return write_set  # fmt: skip


def test_an_official_task_is_listed_with_its_labels_and_channels(write):
    folder = write()
    assert LAYOUT.recognise(folder)
    listing = LAYOUT.read(folder)
    assert (names(listing), listing.channels, listing.findings) == (["h_1", "h_2", "h_10"], 1, ())
    assert listing.coding == MaskCoding(
        labels=("Anterior", "Posterior"), values={0: 0, 1: 1, 2: 2}, table=str(folder / "dataset.json")
    )
    assert listing.cases[0].masks == (folder / "labelsTr" / "h_1.nii.gz",)


def test_channels_are_those_of_the_modality(write):
    assert LAYOUT.read(write(modality={"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"})).channels == 4
    assert LAYOUT.read(write(modality=None)).channels is None


def test_without_the_table_only_the_masks_can_tell(write):
    folder = write()
    (folder / "dataset.json").unlink()
    listing = LAYOUT.read(folder)
    assert (listing.coding, listing.channels, listing.findings) == (MaskCoding(labels=None), None, ())


@pytest.mark.parametrize(
    ("changes", "kind", "found"),
    [
        ({"numTraining": 260}, "wrong_count", "says that there are 260 training cases, but 3 are there"),
        ({"numTraining": True}, "bad_table", "has True as numTraining"),
        ({"training": TABLE["training"][:2]}, "wrong_count", "does not list 1 case that is there: h_10"),
        (
            {"training": [*TABLE["training"], *({"image": f"imagesTr/h_{n}.nii.gz"} for n in range(20, 25))]},
            "wrong_count",
            "lists 5 cases that are not there: h_20, h_21, h_22 and 2 more",
        ),
        ({"training": [*TABLE["training"], TABLE["training"][0]]}, "bad_table", "lists h_1 more than once for training"),
        ({"training": [{"image": "../h_1.nii.gz"}]}, "outside", "lists ../h_1.nii.gz for training"),
        ({"training": {"image": 3}}, "bad_table", "lists {'image': 3} for training"),
        ({"labels": None}, "bad_table", "names no labels"),
        ({"labels": {"0": "background"}}, "bad_table", "names 0 labels besides the background"),
        ({"labels": {"0": "background", "2": "a"}}, "bad_table", "has the labels {'0': 'background', '2': 'a'}"),
        ({"labels": {"0": "background", "1": "a", "2": "a"}}, "bad_table", "has two labels of one name"),
        ({"labels": {str(n): f"l{n}" for n in range(257)}}, "bad_table", "names 256 labels besides the background"),
        ({"modality": {"1": "MRI"}}, "bad_table", "has {'1': 'MRI'} as modality"),
        ({"modality": "MRI"}, "bad_table", "has 'MRI' as modality"),
    ],
)
def test_a_table_at_fault_is_told(write, changes, kind, found):
    listing = LAYOUT.read(write(**changes))
    assert [(finding.kind, finding.found) for finding in listing.findings] == [(kind, found)]


def test_two_faults_of_a_table_are_told_together(write):
    assert kinds(LAYOUT.read(write(labels=3, modality=3, numTraining=9, training=None))) == [
        "bad_table",
        "bad_table",
        "wrong_count",
    ]


def test_a_missing_file_is_one_fault(write):
    folder = write()
    (folder / "labelsTr" / "h_2.nii.gz").unlink()
    assert said(LAYOUT.read(folder), folder) == [
        "imagesTr/h_2.nii.gz: has no mask in labelsTr; expected h_2.nii.gz there. Add the mask or take the image out."
    ]


def test_pictures_are_not_read_here(write):
    folder = plant(write(numTraining=4, training=None), "imagesTr/h_11.png\nlabelsTr/h_11.nii.gz")
    assert said(LAYOUT.read(folder), folder) == [
        "imagesTr/h_11.png: is a .png file; expected .nii.gz or .nii. Convert the file."
    ]


def test_the_real_set_without_its_table_has_forty_cases(real_data):
    folder = real_data("hippocampus")
    assert LAYOUT.recognise(folder)
    listing = LAYOUT.read(folder)
    assert (len(listing.cases), listing.coding.labels, listing.findings) == (40, None, ())
    assert names(listing)[0] == "hippocampus_001"
