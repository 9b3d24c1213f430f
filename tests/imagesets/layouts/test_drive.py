"""DRIVE: the official halves, both observers and the field of view."""

from focalseg.imagesets.layouts import drive as LAYOUT
from imagesets.layouts.trees import kinds, names, plant, said


def release(folder, training=(21, 22), test=("01", "02")):
    tree = []
    for number in training:
        tree += [f"images/{number}_training.tif", f"1st_manual/{number}_manual1.gif", f"mask/{number}_training_mask.gif"]
    tree = [f"training/{path}" for path in tree]
    for number in test:
        tree += [
            f"test/{path}"
            for path in (
                f"images/{number}_test.tif",
                f"1st_manual/{number}_manual1.gif",
                f"2nd_manual/{number}_manual2.gif",
                f"mask/{number}_test_mask.gif",
            )
        ]
    return plant(folder, tree)


def test_the_release_has_its_split_both_observers_and_the_field_of_view(tmp_path):
    assert LAYOUT.recognise(release(tmp_path, range(21, 41), [f"{n:02d}" for n in range(1, 21)]))
    listing = LAYOUT.read(tmp_path)
    assert listing.findings == ()
    assert [case.part for case in listing.cases] == ["train"] * 20 + ["test"] * 20
    first, last = listing.cases[0], listing.cases[-1]
    assert (first.name, first.group, first.second_observer) == ("21_training", "", None)
    assert first.masks == (tmp_path / "training/1st_manual/21_manual1.gif",)
    assert first.field_of_view == tmp_path / "training/mask/21_training_mask.gif"
    assert (last.name, last.second_observer) == ("20_test", tmp_path / "test/2nd_manual/20_manual2.gif")


def test_a_test_half_without_observers_is_left_out_with_a_note(tmp_path):
    release(tmp_path, test=())
    plant(tmp_path, "test/images/01_test.tif\ntest/mask/01_test_mask.gif")
    listing = LAYOUT.read(tmp_path)
    assert names(listing) == ["21_training", "22_training"]
    assert said(listing, tmp_path) == [
        "test/images: has no masks, since test/ has no folder 1st_manual/; expected 1st_manual/, as in the full release. "
        "Nothing need be done: the other images are used."
    ]
    assert [finding.level for finding in listing.findings] == ["note"]


def test_a_training_half_without_observers_is_a_fault(tmp_path):
    release(tmp_path, training=())
    plant(tmp_path, "training/images/21_training.tif")
    listing = LAYOUT.read(tmp_path)
    assert [(finding.kind, finding.level) for finding in listing.findings] == [("no_mask", "error")]
    assert [case.part for case in listing.cases] == ["", ""]  # half of a split is none


def test_a_half_alone_is_enough(tmp_path):
    assert LAYOUT.recognise(release(tmp_path, training=()))
    assert names(LAYOUT.read(tmp_path)) == ["01_test", "02_test"]


def test_missing_files_are_told_one_line_each(tmp_path):
    release(tmp_path, training=(21, 22, 23))
    (tmp_path / "training/1st_manual/22_manual1.gif").unlink()
    (tmp_path / "training/mask/23_training_mask.gif").unlink()
    (tmp_path / "test/2nd_manual/01_manual2.gif").unlink()
    listing = LAYOUT.read(tmp_path)
    assert names(listing) == ["21_training", "01_test", "02_test"]
    assert said(listing, tmp_path) == [
        "training/images/22_training.tif: has no mask in training/1st_manual; expected 22_manual1.gif there. "
        "Add the mask or take the image out.",
        "training/images/23_training.tif: has no field of view in training/mask; expected 23_training_mask.gif there. "
        "Add the field of view or take the image out.",
    ]
    assert [case.second_observer is None for case in listing.cases] == [True, True, False]


def test_a_copy_without_fields_of_view_has_none(tmp_path):
    plant(tmp_path, "training/images/21_training.png\ntraining/1st_manual/21_manual1.png")
    [case] = LAYOUT.read(tmp_path).cases
    assert case.field_of_view is None


def test_other_halves_are_not_taken_for_it(tmp_path):
    assert not LAYOUT.recognise(plant(tmp_path, "training/images/a.png\ntraining/masks/a.png\n1st_manual/a.png"))


def test_an_empty_half_is_told(tmp_path):
    release(tmp_path)
    for path in (tmp_path / "test/images").iterdir():
        path.unlink()
    (tmp_path / "test/images").rmdir()
    assert said(LAYOUT.read(tmp_path), tmp_path) == [
        "test: has no folder images/; expected images/ and 1st_manual/. Put them there."
    ]
    assert kinds(LAYOUT.read(tmp_path)) == ["empty_folder"]
