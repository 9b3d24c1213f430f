"""Masks beside their images, in one folder or in a folder a patient."""

import pytest

from focalseg.imagesets.folders.pairing import IMAGE_AFFIXES, MASK_AFFIXES
from focalseg.imagesets.layouts import one_folder as LAYOUT
from imagesets.layouts.trees import kinds, names, plant, said


@pytest.mark.parametrize("mask", MASK_AFFIXES[1:])
def test_every_known_way_to_name_masks_is_read_from_one_folder(tmp_path, mask):
    for place, image in enumerate(IMAGE_AFFIXES):
        folder = tmp_path / str(place)
        plant(folder, [f"{affix.add(f'case_{number}')}.png" for affix in (image, mask) for number in (1, 2, 10)])
        assert LAYOUT.recognise(folder)
        listing = LAYOUT.read(folder)
        assert (names(listing), listing.findings) == (["case_1", "case_2", "case_10"], ())
        assert listing.cases[2].images == (folder / f"{image.add('case_10')}.png",)
        assert listing.cases[2].masks == (folder / f"{mask.add('case_10')}.png",)
        assert {case.group for case in listing.cases} == {""}


FLAT = "a.png\na_mask.png\nb.png\nb_mask.png\nc.png\nc_mask.png"


def test_every_fault_of_one_folder_is_told(tmp_path):
    plant(tmp_path, FLAT + "\nd.png\nelbow_mask.png\nf.webp\nf_mask.png\nc_seg.png\ninner/x.png\nnotes.txt")
    listing = LAYOUT.read(tmp_path)
    assert names(listing) == ["a", "b"]
    assert kinds(listing) == ["not_supported", "passed_over", "two_files", "no_mask", "no_image"]
    assert said(listing, tmp_path)[2:] == [
        "c_seg.png: is a second mask of c.png, beside c_mask.png; expected one mask an image. Rename or remove one.",
        "d.png: has no mask in DATA; expected d_mask.png there. Add the mask or take the image out.",
        "elbow_mask.png: has no image in DATA; expected elbow.png there. Add the image or take the mask out.",
    ]


def test_tables_of_cases_and_labels_are_read_from_one_folder(tmp_path):
    plant(tmp_path, FLAT)
    plant(tmp_path, ["cases.csv"], b"id,patient\na,1\nb.png,1\nc,\n")
    plant(tmp_path, ["labels.csv"], b"label,value\nlesion,7\n")
    listing = LAYOUT.read(tmp_path)
    assert [case.group for case in listing.cases] == ["patient_1", "patient_1", ""]
    assert (listing.coding.values, listing.findings) == ({7: 1, 0: 0}, ())


def test_a_folder_a_patient_groups_its_cases(tmp_path):
    slices = [
        f"p_{patient}/p_{patient}_{number}{end}.tif" for patient in (1, 2, 10) for number in (1, 2) for end in ("", "_mask")
    ]
    plant(tmp_path, [*slices, "data.csv", "README.md", "docs/notes.txt"])
    assert LAYOUT.recognise(tmp_path)
    listing = LAYOUT.read(tmp_path)
    assert listing.findings == ()
    assert [(case.name, case.group) for case in listing.cases] == [
        (f"p_{patient}_{number}", f"folder_p_{patient}") for patient in (1, 2, 10) for number in (1, 2)
    ]


def test_names_that_recur_get_their_folder_before_them(tmp_path):
    plant(tmp_path, [f"{place}/{part}/x_1.png" for place in ("anna", "bob") for part in ("images", "masks")])
    plant(tmp_path, "bob/images/y.png\nbob/masks/y.png")
    listing = LAYOUT.read(tmp_path)
    assert [(case.name, case.group) for case in listing.cases] == [
        ("anna/x_1", "folder_anna"),
        ("bob/x_1", "folder_bob"),
        ("bob/y", "folder_bob"),
    ]
    assert listing.findings == ()


def test_folders_that_a_prefix_would_make_one_stay_two(tmp_path):
    plant(tmp_path, [f"{place}/{place}{end}.png" for place in ("3", "folder_3") for end in ("", "_mask")])
    assert len({case.group for case in LAYOUT.read(tmp_path).cases}) == 2


def test_a_table_of_cases_groups_otherwise_than_the_folders(tmp_path):
    plant(tmp_path, [f"{place}/x{end}.png" for place in ("day_1", "day_2", "day_3") for end in ("", "_mask")])
    plant(tmp_path, ["cases.csv"], b"image,patient\nday_1/x.png,anna\nday_2/x.png,anna\nday_3/x.png,\n")
    listing = LAYOUT.read(tmp_path)
    assert [case.group for case in listing.cases] == ["patient_anna", "patient_anna", ""]
    assert listing.findings == ()


def test_what_is_not_read_or_has_no_partner_is_told_folder_by_folder(tmp_path):
    plant(tmp_path, [f"p{number}/x{number}{end}.png" for number in (1, 2) for end in ("", "_mask")])
    plant(tmp_path, "loose.png\np3/a.png\np3/b.png\np4/a_mask.png\np5/inner/a.png\np2/y.png")
    listing = LAYOUT.read(tmp_path)
    assert names(listing) == ["x1", "x2"]
    assert said(listing, tmp_path) == [
        "p2/y.png: has no mask in p2; expected y_mask.png there. Add the mask or take the image out.",
        "p3: holds images without masks: a.png, b.png; expected masks beside them, such as 1.png and 1_mask.png. "
        "Add the masks or take the folder out.",
        "p4: holds masks without images: a_mask.png; expected images beside them, such as 1.png and 1_mask.png. "
        "Add the images or take the folder out.",
        "p5/inner: is a folder inside and holds a.png; expected all images in one folder. "
        "Move them up, or list them in a manifest.",
        "DATA: holds loose.png beside the folders, which is not read; expected every image in a folder of its patient. "
        "Move what should be read into such a folder.",
    ]


def test_folders_whose_names_are_no_text_are_told(tmp_path):
    plant(tmp_path, [f"{place}/x{end}.png" for place in ("a", "b", "c\u202ed") for end in ("", "_mask")])
    listing = LAYOUT.read(tmp_path)
    assert (names(listing), kinds(listing)) == (["a/x", "b/x"], ["name_unreadable"])


def test_a_link_that_leaves_is_noted_and_one_to_nothing_is_told(tmp_path):
    plant(tmp_path / "data", [f"{place}/{place}{end}.png" for place in "ab" for end in ("", "_mask")])
    plant(tmp_path / "away", "c.png\nc_mask.png")
    (tmp_path / "data" / "c").symlink_to(tmp_path / "away")
    (tmp_path / "data" / "d").symlink_to(tmp_path / "gone")
    listing = LAYOUT.read(tmp_path / "data")
    assert (names(listing), kinds(listing)) == (["a", "b", "c"], ["link_leaves", "dead_link"])
