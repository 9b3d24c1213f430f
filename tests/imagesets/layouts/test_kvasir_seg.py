"""Kvasir-SEG: a plain folder whose masks are JPEG."""

import pytest

from focalseg.imagesets.layouts import kvasir_seg as LAYOUT
from imagesets.layouts.trees import kinds, names, plant

TREE = "images/cju0.jpg\nimages/cju1.jpg\nmasks/cju0.jpg\nmasks/cju1.jpg\n"


@pytest.mark.parametrize("boxes", ["kavsir_bboxes.json", "kvasir_bboxes.json"])
def test_the_boxes_mark_it_and_the_masks_are_thresholded(tmp_path, boxes):
    assert LAYOUT.recognise(plant(tmp_path, TREE + boxes))
    listing = LAYOUT.read(tmp_path)
    assert (names(listing), listing.coding.threshold, listing.findings) == (["cju0", "cju1"], True, ())


def test_tables_of_ones_own_count(tmp_path):
    plant(tmp_path, TREE + "kavsir_bboxes.json")
    plant(tmp_path, ["cases.csv"], b"id,patient\ncju0,a\ncju1,a\n")
    plant(tmp_path, ["labels.csv"], b"label,value\npolyp,255\n")
    listing = LAYOUT.read(tmp_path)
    assert [case.group for case in listing.cases] == ["patient_a", "patient_a"]
    assert (listing.coding.labels, listing.coding.threshold) == (("polyp",), False)


def test_a_missing_mask_is_told(tmp_path):
    plant(tmp_path, TREE + "images/cju2.jpg\nkavsir_bboxes.json")
    assert kinds(LAYOUT.read(tmp_path)) == ["no_mask"]


def test_without_the_boxes_it_is_a_plain_folder(tmp_path):
    assert not LAYOUT.recognise(plant(tmp_path, TREE + "boxes.json"))
    assert not LAYOUT.recognise(plant(tmp_path / "other", "kavsir_bboxes.json"))
