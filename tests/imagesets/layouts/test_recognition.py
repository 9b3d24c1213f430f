"""No folder is taken for another set's, and no table, however altered, makes a layout raise."""

import json

import numpy as np
import pytest

from focalseg.imagesets.opening import LAYOUTS
from imagesets.layouts.trees import garble, plant
from imagesets.mutation import mutate

TREES = {
    "manifest": "manifest.csv\na.png",
    "nnunet": "dataset.json\nimagesTr/case_1_0000.nii.gz\nlabelsTr/case_1.nii.gz",
    "decathlon": "dataset.json\nimagesTr/case_1.nii.gz\nlabelsTr/case_1.nii.gz",
    "drive": "training/images/21_training.tif\ntraining/1st_manual/21_manual1.gif\ntraining/mask/21_training_mask.gif",
    "cvc_clinicdb": "Original/1.tif\nGround Truth/1.tif",
    "kvasir_seg": "images/a.jpg\nmasks/a.jpg\nkavsir_bboxes.json",
    "udiat": "original/000001.png\nGT/000001.png",
    "busi": "benign/benign (1).png\nbenign/benign (1)_mask.png",
    "chase_db1": "Image_01L.jpg\nImage_01L_1stHO.png",
    "plain": "images/a.png\nmasks/a.png",
    "split_folders": "train/images/a.png\ntrain/masks/a.png\ntest/images/b.png\ntest/masks/b.png",
    "one_folder": "case_0.png\ncase_0_mask.png\ncase_1.png\ncase_1_mask.png",
}
BROADER = {("nnunet", "decathlon"), ("kvasir_seg", "plain"), ("drive", "split_folders"), ("split_folders", "one_folder")}
"""Layouts that also look like a broader one, which is tried later."""
KNOWN_BY_IMAGES = {"nnunet", "busi", "chase_db1", "one_folder"}
"""Layouts that only the names of their images tell: without images, they are none."""


def test_every_layout_is_told_from_every_other(tmp_path):
    assert set(TREES) == set(LAYOUTS)
    for name, tree in TREES.items():
        folder = plant(tmp_path / name, tree)
        seen = [other for other, layout in LAYOUTS.items() if layout.recognise(folder)]
        assert seen[0] == name
        assert {(name, other) for other in seen[1:]} <= BROADER


@pytest.mark.parametrize(
    ("name", "tree"),
    [
        ("nnunet", "Dataset001_a/imagesTr/a_0000.png\nDataset002_b/imagesTr/b_0000.png"),
        ("drive", TREES["drive"] + "\ntest/images/01_test.tif\ntest/1st_manual/01_manual1.gif\ntest/mask/01_test_mask.gif"),
        (
            "busi",
            "\n".join(f"{part}/{part} ({n}){end}.png" for part in ("benign", "normal") for n in "12" for end in ("", "_mask")),
        ),
        ("chase_db1", "\n".join(f"Image_0{n}L{end}" for n in "12" for end in (".jpg", "_1stHO.png", "_2ndHO.png"))),
        ("plain", "images/a.png\nmasks/a.png\nx.png\nx_mask.png\ny.png\ny_mask.png"),
        ("split_folders", "Train/Imgs/a.png\nTrain/GT/a.png\nvalid/images/b.png\nvalid/masks/b.png"),
        ("split_folders", "train/a.png\ntrain/a_mask.png\ntrain/b.png\ntrain/b_mask.png\ntest/c.png"),
        ("one_folder", "p1/images/a.png\np1/masks/a.png\np2/images/a.png\np2/masks/a.png"),
        ("one_folder", "p1/a.tif\np1/a_mask.tif\np2/a.tif\np2/a_mask.tif\ndata.csv"),
    ],
)
def test_what_looks_like_several_layouts_is_the_most_clearly_marked(tmp_path, name, tree):
    plant(tmp_path, tree)
    assert next(other for other, layout in LAYOUTS.items() if layout.recognise(tmp_path)) == name


@pytest.mark.parametrize(
    "tree",
    [
        "case_0.png\ncase_0_mask.png",
        "a.png\nb.png\nc.png",
        "set/images/a.png\nset/masks/a.png",
        "set/a.png\nset/a_mask.png\nset/b.png\nset/b_mask.png",
        "one/images/a.png\none/masks/a.png\none/cases.csv\ntwo/images/a.png\ntwo/masks/a.png",
        "train/a.png\ntest/b.png",
        "Dataset001_a/images/a.png",
    ],
)
def test_what_may_mean_several_things_is_none_of_the_layouts(tmp_path, tree):
    plant(tmp_path, tree)
    assert [name for name, layout in LAYOUTS.items() if layout.recognise(tmp_path)] == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_recognition_and_listing_never_raise_where_there_is_nothing(tmp_path, name):
    for place in (tmp_path, tmp_path / "absent", plant(tmp_path, "a.txt") / "a.txt", tmp_path / ("x" * 300), tmp_path / "\0"):
        assert not LAYOUTS[name].recognise(place)


@pytest.mark.parametrize("name", LAYOUTS)
def test_folders_without_images_are_told(tmp_path, name):
    folder = plant(tmp_path, TREES[name])
    for path in tmp_path.rglob("*"):
        if path.suffix in (".png", ".jpg", ".tif", ".gif", ".gz"):
            path.rename(path.with_name("notes.txt"))
    recognised = LAYOUTS[name].recognise(folder)
    assert recognised == (name not in KNOWN_BY_IMAGES)
    if recognised:
        listing = LAYOUTS[name].read(folder)
        assert (listing.cases, {finding.level for finding in listing.findings}) == ((), {"error"})


DECATHLON = {
    "modality": {"0": "MRI"},
    "labels": {"0": "background", "1": "left", "2": "right"},
    "numTraining": 1,
    "training": [{"image": "./imagesTr/case_1.nii.gz", "label": "./labelsTr/case_1.nii.gz"}],
}
RAW = {
    "channel_names": {"0": "T1"},
    "labels": {"background": 0, "left": 1, "right": 2},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "table", "content"),
    [
        ("decathlon", "dataset.json", json.dumps(DECATHLON)),
        ("nnunet", "dataset.json", json.dumps(RAW)),
        ("plain", "labels.csv", "label,value\nlesion,255\norgan,128\n"),
        ("plain", "labels.csv", "label,colour\nlesion,#FF0000\n"),
        ("plain", "cases.csv", "id,subject,age\na,1,50\nb,1,51\n"),
        ("plain", "sequences.csv", "frame,sequence\na,1\nb,1\n"),
        ("split_folders", "cases.csv", "image,patient\ntrain/a.png,1\ntest/b,2\n"),
        ("split_folders", "train/labels.csv", "label,value\nlesion,255\norgan,128\n"),
        (
            "manifest",
            "manifest.csv",
            "image,mask,group,split,fov,name\na.png,b.png,p,train,,one\nc.png,d.png,q,test,b.png,two\n",
        ),
    ],
)
def test_altered_tables_give_findings_and_nothing_else(tmp_path, name, table, content):
    plant(tmp_path, TREES[name])
    plant(tmp_path, "images/b.png\nmasks/b.png" if name == "plain" else "b.png\nc.png\nd.png")
    random = np.random.default_rng(5)
    layout, outcomes = LAYOUTS[name], set()
    for _ in range(300):
        (tmp_path / table).write_bytes((mutate if random.random() < 0.3 else garble)(content.encode(), random))
        listing = layout.read(tmp_path)
        outcomes.add(bool(listing.findings))
        assert all(str(finding).isprintable() for finding in listing.findings), listing.findings
        assert len({case.name for case in listing.cases}) == len(listing.cases)
        assert all(path.resolve().is_relative_to(tmp_path) for case in listing.cases for path in (*case.images, *case.masks))
    assert outcomes == {True, False}
