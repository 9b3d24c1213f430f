"""CHASE_DB1: all in one folder, grouped by child."""

from focalseg.imagesets.layouts import chase_db1 as LAYOUT
from imagesets.layouts.trees import kinds, names, plant, said


def release(folder, children=range(1, 15), second=True):
    stems = [f"Image_{child:02d}{eye}" for child in children for eye in "LR"]
    endings = [".jpg", "_1stHO.png", *(["_2ndHO.png"] if second else [])]
    return plant(folder, [stem + ending for stem in stems for ending in endings])


def test_eyes_are_grouped_by_child_and_have_two_observers(tmp_path):
    assert LAYOUT.recognise(release(tmp_path))
    listing = LAYOUT.read(tmp_path)
    assert (len(listing.cases), listing.findings) == (28, ())
    assert {case.group for case in listing.cases} == {f"subject_{child:02d}" for child in range(1, 15)}
    case = listing.cases[1]
    assert (case.name, case.group, case.images[0].name) == ("Image_01R", "subject_01", "Image_01R.jpg")
    assert (case.masks[0].name, case.second_observer.name) == ("Image_01R_1stHO.png", "Image_01R_2ndHO.png")


def test_the_second_observer_may_be_left_out(tmp_path):
    listing = LAYOUT.read(release(tmp_path, [1], second=False))
    assert ([case.second_observer for case in listing.cases], listing.findings) == ([None, None], ())


def test_what_has_no_partner_is_told(tmp_path):
    release(tmp_path, [1, 2])
    (tmp_path / "Image_01L_1stHO.png").unlink()
    (tmp_path / "Image_02L.jpg").unlink()
    listing = LAYOUT.read(tmp_path)
    assert names(listing) == ["Image_01R", "Image_02R"]
    assert {finding.file.rsplit("/")[-1]: finding.kind for finding in listing.findings} == {
        "Image_01L.jpg": "no_mask",
        "Image_02L_1stHO.png": "no_image",
        "Image_02L_2ndHO.png": "no_image",
    }


def test_a_photograph_at_fault_does_not_make_its_masks_so(tmp_path):
    release(tmp_path, [1, 2])
    (tmp_path / "Image_01L.jpg").rename(tmp_path / "Image_01L.webp")
    assert kinds(LAYOUT.read(tmp_path)) == ["not_supported"]


def test_a_photograph_by_another_name_is_told(tmp_path):
    plant(release(tmp_path, [1]), "eye.jpg\neye_1stHO.png")
    assert said(LAYOUT.read(tmp_path), tmp_path) == [
        "eye.jpg: is not named by child and eye; expected a name such as Image_01L.jpg. Rename it as in the release."
    ]


def test_other_folders_are_not_taken_for_it(tmp_path):
    assert not LAYOUT.recognise(plant(tmp_path, "images/Image_01L.jpg\nmasks/Image_01L.png\nImage_01L.jpg"))
