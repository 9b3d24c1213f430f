"""train/, val/ and test/ with images and masks each: the official split where training and test cases have masks."""

import pytest

from focalseg.imagesets.layouts import split_folders as LAYOUT
from focalseg.imagesets.opening import open_dataset
from imagesets.layouts.trees import kinds, names, plant, said


def write(folder, *sides, stems=("case_1", "case_2")):
    return plant(folder, [f"{side}/{part}/{stem}.png" for side in sides for part in ("images", "masks") for stem in stems])


def parts(listing):
    return {case.name: case.part for case in listing.cases}


@pytest.mark.parametrize("sides", [("train", "val", "test"), ("Training", "VALID", "Testing"), ("TRAIN", "validation", "Test")])
def test_the_sides_are_the_official_split_and_equal_names_stay_apart(tmp_path, sides):
    folder = write(tmp_path, *sides)
    assert LAYOUT.recognise(folder)
    listing = LAYOUT.read(folder)
    assert listing.findings == ()
    expected = zip(sides, ("train", "validation", "test"), strict=True)
    assert parts(listing) == {f"{side}/case_{number}": part for side, part in expected for number in (1, 2)}
    assert listing.cases[0].images == (folder / sides[0] / "images" / "case_1.png",)
    assert {case.group for case in listing.cases} == {""}
    assert len(set(open_dataset(str(folder)).groups)) == 6


def test_each_side_is_read_as_a_plain_folder_or_with_masks_beside_the_images(tmp_path):
    plant(tmp_path, "train/img/a.png\ntrain/segmentations/a_seg.png\ntrain/fov/a.png")
    plant(tmp_path, "test/b.png\ntest/b_mask.png\ntest/c.png\ntest/c_mask.png")
    listing = LAYOUT.read(tmp_path)
    assert parts(listing) == {"train/a": "train", "test/b": "test", "test/c": "test"}
    assert (listing.cases[0].field_of_view, listing.findings) == (tmp_path / "train" / "fov" / "a.png", ())


def test_a_folder_a_patient_in_each_side_groups_the_cases(tmp_path):
    plant(
        tmp_path,
        [f"{place}/{name}.tif" for place in ("train/p1", "train/p2", "test/p3", "test/p4") for name in ("a", "a_mask")],
    )
    listing = LAYOUT.read(tmp_path)
    assert listing.findings == ()
    assert {case.name: case.group for case in listing.cases} == {
        "train/p1/a": "folder_p1",
        "train/p2/a": "folder_p2",
        "test/p3/a": "folder_p3",
        "test/p4/a": "folder_p4",
    }


@pytest.mark.parametrize("sides", [("train", "val"), ("val", "test"), ("train",), ("test",)])
def test_without_training_or_test_cases_all_are_one_free_set(tmp_path, sides):
    listing = LAYOUT.read(write(tmp_path, *sides))
    assert (set(parts(listing).values()), len(listing.cases), listing.findings) == ({""}, 2 * len(sides), ())


@pytest.mark.parametrize("images", ["test/images/x.png", "test/x.png"])
def test_test_images_without_masks_are_noted_and_the_others_are_free(tmp_path, images):
    listing = LAYOUT.read(plant(write(tmp_path, "train", "val"), images))
    assert (set(parts(listing).values()), len(listing.cases)) == ({""}, 4)
    assert [finding.level for finding in listing.findings] == ["note"]
    assert said(listing, tmp_path) == [
        "test: holds images without masks; expected images/ and masks/ in it. "
        "Nothing need be done: the other cases are used, and divided anew."
    ]


def test_training_images_without_masks_are_told(tmp_path):
    listing = LAYOUT.read(plant(write(tmp_path, "test"), "train/images/a.png\nval/masks/a.png\nTraining/notes.txt"))
    assert said(listing, tmp_path) == [
        "Training: stands beside train; expected one folder for train. Rename or remove one.",
        "train: holds images without masks; expected images/ and masks/ in it. Add the masks or take the folder out.",
        "val: holds no images; expected images/ and masks/ in it. Put them there or take the folder out.",
    ]


def test_programs_in_a_folder_named_test_are_passed_over(tmp_path):
    assert LAYOUT.read(plant(write(tmp_path, "train"), "test/test_data.py")).findings == ()


def test_the_groups_are_those_of_each_sides_table(tmp_path):
    folder = write(tmp_path, "train", "test")
    plant(folder, ["train/cases.csv"], b"id,patient\ncase_1,anna\ncase_2,anna\n")
    listing = LAYOUT.read(folder)
    assert [case.group for case in listing.cases] == ["patient_anna", "patient_anna", "", ""]
    assert listing.cases[0].columns == {"id": "case_1", "patient": "anna"}
    assert listing.findings == ()


@pytest.mark.parametrize("path", ["{side}/{stem}", "./{side}/{stem}.png"])
def test_one_table_at_the_top_names_cases_by_side(tmp_path, path):
    folder = write(tmp_path, "train", "test")
    lines = [path.format(side=side, stem=stem) + f",{side}" for side in ("train", "test") for stem in ("case_1", "case_2")]
    plant(folder, ["cases.csv"], "\n".join(["id,patient", *lines]).encode())
    listing = LAYOUT.read(folder)
    assert [case.group for case in listing.cases] == ["patient_train"] * 2 + ["patient_test"] * 2
    assert listing.findings == ()


def test_a_table_at_the_top_may_leave_the_side_out_where_names_differ(tmp_path):
    write(tmp_path, "train", stems=("a", "b"))
    write(tmp_path, "test", stems=("b", "c"))
    plant(tmp_path, ["cases.csv"], b"id,patient\na,1\nb,2\nc,3\n")
    listing = LAYOUT.read(tmp_path)
    assert {case.name: case.group for case in listing.cases} == {"train/a": "patient_1", "test/c": "patient_3"}
    assert [str(finding.file).removeprefix(f"{tmp_path}/") for finding in listing.findings] == [
        "train/images/b.png",
        "test/images/b.png",
    ]


def test_tables_of_cases_at_the_top_and_in_a_side_are_told(tmp_path):
    folder = write(tmp_path, "train", "test", stems=("a",))
    plant(folder, ["cases.csv", "test/cases.csv"], b"id\ntrain/a\ntest/a\n")
    assert said(LAYOUT.read(folder), folder) == [
        "test/cases.csv: stands beside cases.csv; expected one table of cases. Rename or remove one."
    ]


@pytest.mark.parametrize("place", ["", "train/", "train/masks/", "test/"])
def test_the_table_of_labels_counts_for_all_sides(tmp_path, place):
    folder = plant(write(tmp_path, "train", "test"), [f"{place}labels.csv"], b"label,value\nlesion,7\n")
    listing = LAYOUT.read(folder)
    assert (listing.coding.values, listing.findings) == ({7: 1, 0: 0}, ())


def test_every_fault_of_every_side_is_told(tmp_path):
    folder = plant(write(tmp_path, "train", "test"), "train/images/x.png\ntest/masks/y.png\nval/images/z.webp\nval/masks/z.png")
    listing = LAYOUT.read(folder)
    assert kinds(listing) == ["no_mask", "not_supported", "no_image"]
    assert names(listing) == ["train/case_1", "train/case_2", "test/case_1", "test/case_2"]
