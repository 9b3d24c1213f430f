"""BUSI: images and masks side by side in a folder a class."""

import pytest

from focalseg.imagesets.layouts import busi as LAYOUT
from imagesets.layouts.trees import kinds, names, plant, said

TREE = """
benign/benign (1).png
benign/benign (1)_mask.png
benign/benign (4).png
benign/benign (4)_mask.png
benign/benign (4)_mask_1.png
benign/benign (10).png
benign/benign (10)_mask.png
malignant/malignant (1).png
malignant/malignant (1)_mask.png
normal/normal (1).png
normal/normal (1)_mask.png
"""


@pytest.mark.parametrize("parent", ["", "Dataset_BUSI_with_GT/"])
def test_the_release_is_known_by_itself_and_by_its_parent(tmp_path, parent):
    plant(tmp_path / parent, TREE)
    assert LAYOUT.recognise(tmp_path)
    listing = LAYOUT.read(tmp_path)
    assert names(listing) == ["benign (1)", "benign (4)", "benign (10)", "malignant (1)", "normal (1)"]
    assert [case.columns["class"] for case in listing.cases] == ["benign"] * 3 + ["malignant", "normal"]
    place = tmp_path / parent / "benign"
    assert listing.cases[1].masks == (place / "benign (4)_mask.png", place / "benign (4)_mask_1.png")
    assert listing.findings == ()


def test_a_class_may_be_left_out(tmp_path):
    assert LAYOUT.recognise(plant(tmp_path, "malignant/malignant (1).png\nmalignant/malignant (1)_mask.png"))
    assert names(LAYOUT.read(tmp_path)) == ["malignant (1)"]


def test_what_has_no_partner_is_told(tmp_path):
    plant(tmp_path, TREE)
    plant(tmp_path, "benign/benign (2).png\nbenign/benign (3)_mask.png")
    listing = LAYOUT.read(tmp_path)
    assert said(listing, tmp_path) == [
        "benign/benign (2).png: has no mask; expected benign (2)_mask.png beside it. Add the mask or take the image out.",
        "benign/benign (3)_mask.png: has no image; expected benign (3).png beside it. Add the image or take the mask out.",
    ]
    assert len(listing.cases) == 5


@pytest.mark.parametrize("broken", ["benign/benign (7).webp", "benign/benign (7)_mask.webp", "benign/benign (7)_mask_1.webp"])
def test_a_file_at_fault_does_not_make_its_partner_one(tmp_path, broken):
    plant(tmp_path, TREE)
    whole = {"benign/benign (7).png", "benign/benign (7)_mask.png"} - {broken.replace("webp", "png")}
    plant(tmp_path, [*whole, broken])
    listing = LAYOUT.read(tmp_path)
    assert kinds(listing) == ["not_supported"]
    assert "benign (7)" not in names(listing)


def test_one_name_in_two_classes_is_told(tmp_path):
    plant(tmp_path, TREE)
    plant(tmp_path, "normal/benign (1).png\nnormal/benign (1)_mask.png")
    listing = LAYOUT.read(tmp_path)
    assert said(listing, tmp_path) == [
        "normal/benign (1).png: has the same name as benign/benign (1).png; expected one file a case. Rename or remove one."
    ]
    assert "benign (1)" not in names(listing)


def test_classes_of_other_files_are_not_taken_for_it(tmp_path):
    assert not LAYOUT.recognise(plant(tmp_path, "benign/a.png\nmalignant/b.png\nbenign (1).png"))


def test_an_empty_class_is_told(tmp_path):
    plant(tmp_path, TREE)
    for path in (tmp_path / "normal").iterdir():
        path.unlink()
    assert kinds(LAYOUT.read(tmp_path)) == ["empty_folder"]
