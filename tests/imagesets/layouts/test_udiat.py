"""UDIAT: original/ and GT/."""

from focalseg.imagesets.layouts import udiat as LAYOUT
from imagesets.layouts.trees import kinds, names, plant


def test_images_have_the_mask_of_the_same_name(tmp_path):
    plant(tmp_path, [f"{part}/{number:06d}.png" for part in ("original", "GT") for number in range(1, 164)])
    assert LAYOUT.recognise(tmp_path)
    listing = LAYOUT.read(tmp_path)
    assert (len(listing.cases), names(listing)[0], listing.findings) == (163, "000001", ())
    assert listing.cases[0].masks == (tmp_path / "GT" / "000001.png",)
    assert not listing.coding.threshold


def test_what_has_no_partner_is_told(tmp_path):
    plant(tmp_path, "original/000001.png\noriginal/000002.png\nGT/000001.png\nGT/000003.png")
    listing = LAYOUT.read(tmp_path)
    assert (names(listing), kinds(listing)) == (["000001"], ["no_mask", "no_image"])


def test_other_folders_are_not_taken_for_it(tmp_path):
    assert not LAYOUT.recognise(plant(tmp_path, "Original/1.tif\nGround Truth/1.tif\nimages/a.png"))
