"""A manifest names every file by line; nothing outside of its folder is read."""

import time

import pytest

from data.layouts.trees import kinds, names, plant, said
from focalseg.data.layouts.manifest import LAYOUT
from focalseg.data.masks import MaskCoding


@pytest.fixture
def write(tmp_path):
    def write_set(lines, header="image,mask", name="manifest.csv"):
        plant(tmp_path / "data", [f"{part}/{stem}.png" for part in ("scans", "truth") for stem in "abcd"])
        (tmp_path / "data" / name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return tmp_path / "data"

    return write_set


def line(stem, *cells):
    return ",".join((f"scans/{stem}.png", f"truth/{stem}.png", *cells))


def test_a_manifest_is_known_by_its_name_or_by_being_given(write, tmp_path):
    folder = write([line("a")])
    (folder / "other.CSV").write_text("image,mask\nscans/b.png,truth/b.png\n")
    assert LAYOUT.recognise(folder)
    assert LAYOUT.recognise(folder / "other.CSV")
    assert names(LAYOUT.read(folder)) == ["a"]
    assert names(LAYOUT.read(folder / "other.CSV")) == ["b"]
    assert not LAYOUT.recognise(folder / "scans")
    assert not LAYOUT.recognise(folder / "scans" / "a.png")
    assert not LAYOUT.recognise(tmp_path / "absent.csv")


def test_a_whole_manifest_is_listed_in_its_order(write):
    header = "name;image;mask;group;split;fov;age"
    lines = ["late;scans/b.png;truth/b.png;p1;Train;truth/d.png;50", "early;scans/a.png;truth/a.png;;;truth/d.png;61"]
    folder = write(lines, header)
    listing = LAYOUT.read(folder)
    assert listing.findings == ()
    late, early = listing.cases
    assert (late.name, late.group, late.part) == ("late", "p1", "train")
    assert (late.images, late.masks) == ((folder / "scans/b.png",), (folder / "truth/b.png",))
    assert late.field_of_view == folder / "truth/d.png"
    assert late.columns["age"] == "50"
    assert (early.name, early.group, early.part) == ("early", "", "")


def test_cases_of_one_file_name_are_named_by_their_path(tmp_path):
    plant(tmp_path, [f"{p}/{part}.png" for p in ("p1", "p2") for part in ("image", "mask")])
    plant(tmp_path, ["manifest.csv"], b"image,mask\np1/image.png,p1/mask.png\n./p2/image.png,p2/mask.png\n")
    assert names(LAYOUT.read(tmp_path)) == ["p1_image", "p2_image"]


def test_labels_are_those_of_the_table_beside_it_or_of_the_volumes(write, tmp_path):
    folder = write([line("a")])
    assert LAYOUT.read(folder).coding == MaskCoding()
    plant(folder, ["labels.csv"], b"label,value\nlesion,7\n")
    assert LAYOUT.read(folder).coding.values == {7: 1, 0: 0}
    plant(tmp_path / "v", "a.nii.gz\nb.nii.gz")
    plant(tmp_path / "v", ["manifest.csv"], b"image,mask\na.nii.gz,b.nii.gz\n")
    assert LAYOUT.read(tmp_path / "v").coding.labels is None


@pytest.mark.parametrize(
    ("wrong", "kind", "found"),
    [
        ("scans/x.png,truth/b.png", "no_image", "names scans/x.png as image in line 3, which is not there"),
        ("scans/b.png,truth/x.png", "no_mask", "names truth/x.png as mask in line 3, which is not there"),
        (",truth/b.png", "no_image", "names no image in line 3"),
        ("scans/b.png,", "no_mask", "names no mask in line 3"),
        ("../data/scans/b.png,truth/b.png", "outside",
         "names ../data/scans/b.png as image in line 3, which leads out of the folder"),
        ("scans/b.png,/etc/passwd", "outside", "names /etc/passwd as mask in line 3, which leads out of the folder"),
        ("C:/b.png,truth/b.png", "outside", "names C:/b.png as image in line 3, which leads out of the folder"),
        ("leaves.png,truth/b.png", "outside", "names leaves.png as image in line 3, a link out of the folder"),
        ("away/b.png,truth/b.png", "outside", "names away/b.png as image in line 3, a link out of the folder"),
        ("dead.png,truth/b.png", "dead_link", "is a link to nothing, or in a circle"),
        ("circle.png,truth/b.png", "dead_link", "is a link to nothing, or in a circle"),
        ("scans,truth/b.png", "not_a_file", "is a folder"),
        ("scan.dcm,truth/b.png", "not_supported", "is a .dcm file"),
        ("scans/a.png,truth/b.png", "two_files", "names one file, a.png, in the lines 2, 3"),
        ("scans/b.png,truth/a.png", "two_files", "names one file, a.png, in the lines 2, 3"),
        ("scans/b.png,scans/b.png", "two_files", "names one file, b.png, as image and mask in line 3"),
        ("again.png,truth/b.png", "two_files", "names one file, a.png, in the lines 2, 3"),
        ("scans\\b.png,truth/b.png", "no_image", "names scans\\b.png as image in line 3, which is not there"),
        ("s\u202e.png,truth/b.png", "no_image", "names 's\\u202e.png' as image in line 3, which is not there"),
        ("x" * 5000 + ",truth/b.png", "no_image", "names " + "x" * 80 + "... as image in line 3, which is not there"),
    ],
)  # fmt: skip
def test_a_line_at_fault_is_told_once_and_left_out(write, tmp_path, wrong, kind, found):
    folder = write([line("a"), wrong, line("c")])
    plant(tmp_path / "away", "b.png")
    (folder / "leaves.png").symlink_to(tmp_path / "away" / "b.png")
    (folder / "away").symlink_to(tmp_path / "away")
    (folder / "dead.png").symlink_to("gone.png")
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "again.png").symlink_to("scans/a.png")
    plant(folder, "scan.dcm")
    listing = LAYOUT.read(folder)
    assert [(finding.kind, finding.found) for finding in listing.findings] == [(kind, found)]
    assert names(listing) == (["c"] if kind == "two_files" and "lines" in found else ["a", "c"])


def test_a_backslash_that_is_meant_as_a_slash_is_mended_by_a_slash(write):
    [finding] = LAYOUT.read(write(["scans\\b.png,truth/b.png"])).findings
    assert finding.mend == "Write / between folders."


def test_a_group_on_two_sides_is_told_with_both_lines(write):
    folder = write([line("a", "p1", "train"), line("b", "p1", "test"), line("c", "p2", "test")], "image,mask,group,split")
    listing = LAYOUT.read(folder)
    assert names(listing) == ["c"]
    assert said(listing, folder) == [
        "manifest.csv: has the group p1 in train in line 2 and in test in line 3; expected a group on one side. "
        "Move one to the other's side or take it out."
    ]


def test_a_group_may_be_partly_free(write):
    folder = write([line("a", "p1", "train"), line("b", "p1", "")], "image,mask,group,split")
    assert [case.part for case in LAYOUT.read(folder).cases] == ["train", ""]


@pytest.mark.parametrize("word", ["training", "val", "0", "TESTS"])
def test_another_word_for_a_side_is_refused(write, word):
    folder = write([line("a", word)], "image,mask,split")
    assert said(LAYOUT.read(folder), folder) == [
        f"manifest.csv: has the split {word} in line 2; expected train, validation, test or an empty cell. Mend the line."
    ]


@pytest.mark.parametrize("name", ["../a", "a/b", "a\\b", ".", "..", "x" * 201, "a\u202eb"])
def test_a_name_that_files_may_not_have_is_refused(write, name):
    listing = LAYOUT.read(write([line("a", name)], "image,mask,name"))
    assert (names(listing), kinds(listing)) == ([], ["bad_table"])


def test_two_cases_of_one_name_are_told(write):
    folder = write([line("a", "one"), line("b", "One"), line("c", "")], "image,mask,name")
    listing = LAYOUT.read(folder)
    assert names(listing) == ["c"]
    assert said(listing, folder) == [
        "manifest.csv: has the name one in the lines 2, 3; expected names that differ in every file system. "
        "Give them different names in a column name."
    ]


def test_a_missing_field_of_view_is_told_and_an_empty_cell_is_none(write):
    folder = write([line("a", "truth/x.png"), line("b", "")], "image,mask,fov")
    listing = LAYOUT.read(folder)
    assert (names(listing), kinds(listing)) == (["b"], ["no_mask"])
    assert "names truth/x.png as fov in line 2, which is not there" in str(listing.findings[0])


def test_thousands_of_lines_take_seconds(tmp_path):
    plant(tmp_path, [f"{part}/{number}.png" for part in ("scans", "truth") for number in range(2000)])
    lines = "".join(f"scans/{number}.png,truth/{number}.png\n" for number in range(2000))
    plant(tmp_path, ["whole.csv"], f"image,mask\n{lines}".encode())
    plant(tmp_path, ["twice.csv"], f"image,mask\n{lines * 5}".encode())
    start = time.process_time()
    assert len(LAYOUT.read(tmp_path / "whole.csv").cases) == 2000
    assert kinds(LAYOUT.read(tmp_path / "twice.csv")) == ["two_files"] * 2000
    assert time.process_time() - start < 10, "0.7 s where this was written"
