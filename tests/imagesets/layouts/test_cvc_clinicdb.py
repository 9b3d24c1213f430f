"""The release of CVC-ClinicDB: frames of one sequence are one group."""

import csv

from focalseg.imagesets.layouts import cvc_clinicdb as LAYOUT
from focalseg.imagesets.layouts.cvc_clinicdb import LAST_FRAMES, find_sequence
from imagesets.layouts.trees import kinds, names, plant, said


def release(folder, frames, suffix="tif"):
    return plant(folder, [f"{part}/{frame}.{suffix}" for part in ("Original", "Ground Truth") for frame in frames])


def test_frames_are_grouped_by_the_table_of_the_release(tmp_path):
    assert LAYOUT.recognise(release(tmp_path, [1, 25, 26, 50, 51, 591, 592, 612]))
    listing = LAYOUT.read(tmp_path)
    assert {case.name: case.group for case in listing.cases} == {
        "1": "sequence_1",
        "25": "sequence_1",
        "26": "sequence_2",
        "50": "sequence_2",
        "51": "sequence_3",
        "591": "sequence_28",
        "592": "sequence_29",
        "612": "sequence_29",
    }
    assert (listing.coding.threshold, listing.findings) == (True, ())


def test_the_table_is_that_of_the_copy_with_a_table(real_data):
    with (real_data("cvc_clinicdb") / "sequences.csv").open(newline="") as file:
        table = {int(row["frame"]): int(row["sequence"]) for row in csv.DictReader(file)}
    assert {frame: find_sequence(frame) for frame in range(1, 613)} == table
    assert len(LAST_FRAMES) == 29


def test_a_frame_that_the_release_does_not_have_is_told(tmp_path):
    listing = LAYOUT.read(release(tmp_path, [1, 0, 613, "x", "٣", "9" * 40], "png"))
    assert names(listing) == ["1"]
    assert said(listing, tmp_path)[1] == (
        "Original/613.png: is not named by a frame number from 1 to 612, which tells its sequence; "
        "expected a name such as 17.tif. Rename it as in the release."
    )
    assert kinds(listing) == ["not_released"] * 5


def test_one_frame_under_two_names_is_told(tmp_path):
    listing = LAYOUT.read(release(tmp_path, ["7", "007", "8"]))
    assert (names(listing), kinds(listing)) == (["8"], ["two_files"])


def test_masks_are_matched_by_the_same_name_alone(tmp_path):
    plant(tmp_path, "Original/1.tif\nOriginal/2.tif\nGround Truth/1.tif\nGround Truth/2_mask.tif")
    assert kinds(LAYOUT.read(tmp_path)) == ["no_mask", "no_image"]


def test_other_folders_are_not_taken_for_it(tmp_path):
    assert not LAYOUT.recognise(plant(tmp_path, "original/1.png\nGT/1.png"))
