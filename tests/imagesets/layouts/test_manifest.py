"""A manifest names every file by line; nothing outside of its folder is read."""

import time
from pathlib import Path

import pytest

from focalseg.imagesets.layouts import manifest as LAYOUT
from focalseg.imagesets.masks import MaskCoding
from focalseg.imagesets.opening import open_dataset
from imagesets.layouts.trees import kinds, names, plant, said


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
    assert (late.name, late.group, late.part) == ("late", "group_p1", "train")
    assert (late.images, late.masks) == ((folder / "scans/b.png",), (folder / "truth/b.png",))
    assert late.field_of_view == folder / "truth/d.png"
    assert late.columns["age"] == "50"
    assert (early.name, early.group, early.part) == ("early", "", "")


def test_columns_that_name_further_images_are_noted_and_other_columns_are_not(write):
    folder = write([line("a", "scans/b.png", "anna.png", "7")], "image,mask,image_2,photographer,age")
    (note,) = LAYOUT.read(folder).findings
    assert str(note) == (
        f"{folder / 'manifest.csv'}: names images in the columns image_2, which are not read; expected an image with all of "
        "its channels in one file, and one mask. Join channels into one file (a TIFF that says so, or NIfTI), or nothing need "
        "be done."
    )
    assert (note.kind, note.level) == ("passed_over", "note")


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
        ("scans/b.png,truth/a.png", "two_files", "names one file, a.png, in the lines 2, 3"),
        ("scans/b.png,scans/b.png", "two_files", "names one file, b.png, as image and mask in line 3"),
        ("again.png,truth/b.png", "two_files", "names one image, a.png, in the lines 2, 3"),
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


@pytest.mark.parametrize(
    ("header", "cell", "group"),
    [
        ("patient", "anna", "patient_anna"),
        ("Patient_ID", "patient_anna", "patient_anna"),
        ("subject", "1", "subject_1"),
        ("sequence", "7", "sequence_7"),
        ("video_id", "7", "video_7"),
        ("near_duplicate_group", "7", "near_duplicate_group_7"),
        ("hospital", "7", ""),
    ],
)
def test_cases_are_grouped_by_the_columns_that_a_table_of_cases_may_have(write, header, cell, group):
    folder = write([line("a", cell), line("b", cell), line("c", "")], f"image,mask,{header}")
    listing = LAYOUT.read(folder)
    assert listing.findings == ()
    assert [case.group for case in listing.cases] == [group, group, ""]


def test_a_column_named_group_comes_before_the_others(write):
    listing = LAYOUT.read(write([line("a", "1", "5"), line("b", "2", "5")], "image,mask,patient,group"))
    assert [case.group for case in listing.cases] == ["group_5", "group_5"]


def test_a_lone_case_is_never_joined_with_a_group_of_its_name(write):
    lines = [line("a", "b", ""), line("c", "b", ""), line("b", "", ""), line("d", "", "group_b")]
    dataset = open_dataset(str(write(lines, "image,mask,group,name")))
    first, second, third, fourth = dataset.groups
    assert first == second == "group_b"
    assert len({first, third, fourth}) == 3


@pytest.mark.parametrize("word", ["nan", "None", "N/A"])
def test_what_programs_write_for_no_group_does_not_join_cases(write, word):
    folder = write([line("a", "1"), line("b", word)], "image,mask,patient")
    assert said(LAYOUT.read(folder), folder) == [
        f"manifest.csv: has {word} as patient in line 3; expected a name, or an empty cell for a case that stands alone. "
        "Mend the line."
    ]


def test_a_patient_on_two_sides_is_told_whatever_the_words_for_the_sides(write):
    lines = [line("a", "1", "Training"), line("b", "patient_1", "val"), line("c", "2", "testing")]
    listing = LAYOUT.read(folder := write(lines, "image,mask,patient,split"))
    assert names(listing) == ["c"]
    assert said(listing, folder) == [
        "manifest.csv: has the patient 1 in train in line 2 and in validation in line 3; expected a patient on one side. "
        "Move one to the other's side or take it out."
    ]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("train Train TRAINING training", "train"),
        ("validation val VALID valid dev Val", "validation"),
        ("test Testing TEST testing", "test"),
    ],
)
def test_the_usual_words_for_a_side_are_known_in_any_case(write, words, part):
    lines = [line(stem, word) for stem, word in zip("abcd", words.split(), strict=False)]
    assert {case.part for case in LAYOUT.read(write(lines, "image,mask,split")).cases} == {part}


def test_whole_paths_that_lie_in_the_folder_are_read_as_the_others(write, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    lines = [f"{folder}/scans/a.png,{folder}/truth/a.png", line("b")]
    monkeypatch.chdir(tmp_path)
    for place in (write(lines), Path("data")):
        listing = LAYOUT.read(place)
        assert (names(listing), listing.findings) == (["a", "b"], ())
        assert listing.cases[0].images == (place / "scans" / "a.png",)


def test_a_whole_path_and_a_short_one_to_one_file_are_one_file(write, tmp_path):
    folder = write([line("a"), f"{tmp_path}/data/scans/b.png,truth/a.png"])
    assert kinds(LAYOUT.read(folder)) == ["two_files"]
    folder = write([line("a"), f"{tmp_path}/data/scans/a.png,truth/b.png"])
    assert [[mask.name for mask in case.masks] for case in LAYOUT.read(folder).cases] == [["a.png", "b.png"]]


# Several lines of one image


def test_the_masks_of_several_lines_of_one_image_are_joined(write):
    lines = ["scans/a.png,truth/a.png,p1", line("b", "p1"), "scans/a.png,truth/c.png,p1"]
    listing = LAYOUT.read(write(lines, "image,mask,patient"))
    assert listing.findings == ()
    assert [(case.name, case.group) for case in listing.cases] == [("a", "patient_p1"), ("b", "patient_p1")]
    assert [[mask.name for mask in case.masks] for case in listing.cases] == [["a.png", "c.png"], ["b.png"]]
    assert (listing.labels, {case.mask_labels for case in listing.cases}) == ((), {()})


@pytest.mark.parametrize(
    ("header", "one", "other"),
    [
        ("patient", "p1", "p2"),
        ("split", "train", "test"),
        ("fov", "truth/c.png", "truth/d.png"),
        ("name", "x", "y"),
        ("observer", "anna", "bob"),
    ],
)
def test_lines_of_one_image_that_differ_in_more_than_their_masks_are_refused(write, header, one, other):
    lines = [f"scans/a.png,truth/a.png,{one}", f"scans/a.png,truth/b.png,{other}"]
    listing = LAYOUT.read(folder := write(lines, f"image,mask,{header}"))
    assert (names(listing), kinds(listing)) == ([], ["two_files"])
    assert said(listing, folder) == [
        "manifest.csv: names one image, a.png, in the lines 2, 3; expected lines of one image that differ in their masks "
        "alone, not in name, group, split, fov or observer. Mend the lines, or name the right file."
    ]


def test_an_image_of_several_lines_of_which_one_is_at_fault_is_left_out(write):
    listing = LAYOUT.read(write(["scans/a.png,truth/a.png", "scans/a.png,truth/gone.png", line("b")]))
    assert (names(listing), kinds(listing)) == (["b"], ["no_mask"])


@pytest.mark.parametrize("header", ["label", "Label", "mask_label"])
def test_a_column_of_labels_says_what_each_mask_is_of(write, header):
    lines = ["scans/a.png,truth/a.png,lesion", "scans/a.png,truth/b.png,duct", "scans/b.png,truth/c.png,lesion"]
    listing = LAYOUT.read(write(lines, f"image,mask,{header}"))
    assert (listing.labels, listing.findings) == (("duct", "lesion"), ())
    assert [(case.name, case.mask_labels) for case in listing.cases] == [("a", ("lesion", "duct")), ("b", ("lesion",))]


def test_one_label_an_image_may_be_a_diagnosis_and_is_refused_with_a_mend_that_works(write):
    lines = [line("a", "benign"), line("b", "malignant")]
    listing = LAYOUT.read(folder := write(lines, "image,mask,label"))
    assert said(listing, folder) == [
        "manifest.csv: has 2 values in its column label, and no image has masks of two; expected a column mask_label for what "
        "masks are of, and another name for what whole images show. Call it mask_label if it is of the masks; if not, "
        "diagnosis or the like."
    ]
    diagnosed = LAYOUT.read(write(lines, "image,mask,diagnosis"))
    assert (diagnosed.labels, diagnosed.findings, names(diagnosed)) == ((), (), ["a", "b"])
    labelled = LAYOUT.read(write(lines, "image,mask,mask_label"))
    assert (labelled.labels, labelled.findings, names(labelled)) == (("benign", "malignant"), (), ["a", "b"])


def test_a_table_of_labels_orders_those_of_the_column(write):
    lines = ["scans/a.png,truth/a.png,lesion", "scans/a.png,truth/b.png,duct"]
    folder = write(lines, "image,mask,label")
    plant(folder, ["labels.csv"], b"label,folder\nlesion,lesion\nduct,duct\n")
    assert LAYOUT.read(folder).labels == ("lesion", "duct")
    plant(folder, ["labels.csv"], b"label,value\nlesion,255\nduct,128\n")
    listing = LAYOUT.read(folder)
    assert (listing.cases, kinds(listing)) == ((), ["bad_table"])


def test_a_line_without_a_label_among_others_is_told(write):
    lines = ["scans/a.png,truth/a.png,lesion", "scans/a.png,truth/b.png,duct", line("c", "")]
    listing = LAYOUT.read(write(lines, "image,mask,label"))
    assert (names(listing), kinds(listing)) == (["a"], ["bad_table"])


def test_whole_paths_of_one_file_name_give_names_without_what_stands_above(tmp_path):
    plant(tmp_path, [f"{p}/{part}.png" for p in ("p1", "p2") for part in ("image", "mask")])
    lines = "".join(f"{tmp_path}/{p}/image.png,{tmp_path}/{p}/mask.png\n" for p in ("p1", "p2"))
    plant(tmp_path, ["manifest.csv"], f"image,mask\n{lines}".encode())
    assert names(LAYOUT.read(tmp_path)) == ["p1_image", "p2_image"]


def test_a_folder_that_is_a_link_may_be_named_by_either_path(write, tmp_path):
    folder = write([f"{tmp_path}/data/scans/a.png,{tmp_path}/link/truth/a.png"])
    (tmp_path / "link").symlink_to(folder)
    listing = LAYOUT.read(tmp_path / "link")
    assert (names(listing), listing.findings) == (["a"], ())


def test_a_group_may_be_partly_free(write):
    folder = write([line("a", "p1", "train"), line("b", "p1", "")], "image,mask,group,split")
    assert [case.part for case in LAYOUT.read(folder).cases] == ["train", ""]


@pytest.mark.parametrize("word", ["training-ish", "fold 1", "0", "TESTS"])
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


@pytest.mark.slow
def test_thousands_of_lines_take_seconds(tmp_path):
    plant(tmp_path, [f"{part}/{number}.png" for part in ("scans", "truth") for number in range(2000)])
    lines = "".join(f"scans/{number}.png,truth/{number}.png\n" for number in range(2000))
    plant(tmp_path, ["whole.csv"], f"image,mask\n{lines}".encode())
    plant(tmp_path, ["twice.csv"], f"image,mask\n{lines * 5}".encode())
    start = time.process_time()
    assert len(LAYOUT.read(tmp_path / "whole.csv").cases) == 2000
    assert kinds(LAYOUT.read(tmp_path / "twice.csv")) == ["two_files"] * 2000
    assert time.process_time() - start < 10, "0.7 s where this was written"
