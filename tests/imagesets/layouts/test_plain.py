"""images/ and masks/ under their usual names, with what may lie beside them."""

import pytest

from focalseg.imagesets.layouts import plain as LAYOUT
from focalseg.imagesets.masks import MaskCoding
from imagesets.layouts.trees import kinds, names, plant, said

PAIRS = "images/a.png\nimages/b.png\nimages/c.png\nmasks/a.png\nmasks/b.png\nmasks/c.png"


@pytest.fixture
def folder(tmp_path):
    return plant(tmp_path, PAIRS)


def groups(listing):
    return {case.name: case.group for case in listing.cases}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        *((images, "masks") for images in ("images", "imgs", "image", "img", "Images", "IMGS")),
        *(("images", masks) for masks in (
            "labels", "mask", "label", "gt", "GT", "Labels", "ground_truth", "GroundTruth", "segmentations",
            "segmentation", "segs", "annotations", "Annotation",
        )),
    ],
)  # fmt: skip
def test_the_usual_names_of_folders_are_known_in_any_case(tmp_path, images, masks):
    plant(tmp_path, [f"{images}/a.png", f"{masks}/a_mask.png"])
    assert LAYOUT.recognise(tmp_path)
    [case] = LAYOUT.read(tmp_path).cases
    assert (case.name, case.images, case.masks) == ("a", (tmp_path / images / "a.png",), (tmp_path / masks / "a_mask.png",))


@pytest.mark.parametrize("tree", ["images/a.png", "masks/a.png", "image.png\nmasks/a.png", "slides/a.png\nmasks/a.png"])
def test_without_one_of_the_folders_it_is_another_layout(tmp_path, tree):
    assert not LAYOUT.recognise(plant(tmp_path, tree))


def test_two_folders_of_masks_are_told(folder):
    plant(folder, "gt/a.png\nImgs/a.png")
    listing = LAYOUT.read(folder)
    assert said(listing, folder) == [
        "Imgs: stands beside images; expected one such folder. Rename or remove one.",
        "gt: stands beside masks; expected one such folder. Rename or remove one.",
    ]


def test_outlines_as_texts_beside_the_masks_are_no_second_folder_of_masks(folder):
    plant(folder, "annotations/a.json\nlabels/a.txt")
    assert LAYOUT.read(folder).findings == ()
    for path in (folder / "masks").iterdir():
        path.rename(folder / "annotations" / path.name)
    listing = LAYOUT.read(folder)
    assert (names(listing), listing.findings) == (["a", "b", "c"], ())
    assert listing.cases[0].masks == (folder / "annotations" / "a.png",)


def test_pictures_have_one_label_and_volumes_those_of_their_masks(tmp_path, folder):
    assert LAYOUT.read(folder).coding == MaskCoding()
    plant(tmp_path / "volumes", "images/a.nii.gz\nimages/b.nii\nlabels/a.nii.gz\nlabels/b.NII")
    assert LAYOUT.read(tmp_path / "volumes").coding == MaskCoding(labels=None)
    plant(tmp_path / "both", "images/a.nii.gz\nimages/b.png\nlabels/a.nii.gz\nlabels/b.png")
    assert LAYOUT.read(tmp_path / "both").coding == MaskCoding()


# labels.csv


def test_labels_are_numbered_in_the_order_of_their_lines(folder):
    plant(folder, ["labels.csv"], b"label,value\nbackground,0\nlesion,255\norgan,128\n")
    coding = LAYOUT.read(folder).coding
    assert (coding.labels, coding.values, coding.colours) == (("lesion", "organ"), {0: 0, 255: 1, 128: 2}, {})
    assert coding.table == str(folder / "labels.csv")


def test_the_table_of_labels_may_lie_with_the_masks_and_that_of_the_folder_wins(folder):
    plant(folder, ["masks/labels.csv"], b"label,value\nlesion,7\n")
    assert LAYOUT.read(folder).coding.values == {7: 1, 0: 0}
    assert LAYOUT.read(folder).coding.table == str(folder / "masks" / "labels.csv")
    plant(folder, ["labels.csv"], b"label,value\nlesion,9\n")
    assert LAYOUT.read(folder).coding.values == {9: 1, 0: 0}


@pytest.mark.parametrize("column", ["colour", "color", "Colour"])
def test_labels_by_colour_leave_black_to_the_background(folder, column):
    plant(folder, ["labels.csv"], f"label;{column}\nlesion;#FF0000\nskin;#00fF7f\n".encode())
    coding = LAYOUT.read(folder).coding
    assert coding.colours == {(255, 0, 0): 1, (0, 255, 127): 2, (0, 0, 0): 0}
    assert coding.values == {}


def test_several_values_may_be_background_and_zero_may_be_a_label(folder):
    plant(folder, ["labels.csv"], b"label,value\nlesion,0\nbackground,255\nbackground,7\n")
    assert LAYOUT.read(folder).coding.values == {0: 1, 255: 0, 7: 0}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a,-1", "has the value '-1', which is no whole number from 0 to 65535, in line 3"),
        ("a,65536", "has the value '65536', which is no whole number from 0 to 65535, in line 3"),
        ("a,1.0", "has the value '1.0', which is no whole number from 0 to 65535, in line 3"),
        ("a,٣", "has the value '٣', which is no whole number from 0 to 65535, in line 3"),
        ("a,", "has no value and no colour for a in line 3"),
        (",2", "has no printable label in line 3"),
        ("a\u202e,2", "has no printable label in line 3"),
        ("b,2", "names the label b again in line 3"),
        ("a,1", "gives 1 a second label in line 3"),
    ],
)
def test_a_line_of_labels_at_fault_is_told(folder, line, found):
    plant(folder, ["labels.csv"], f"label,value\nb,1\n{line}\n".encode())
    assert said(LAYOUT.read(folder), folder) == [
        f"labels.csv: {found}; expected lines such as lesion,255 below label,value, or lesion,#FF0000 below label,colour. "
        "Mend the line or remove the file."
    ]


@pytest.mark.parametrize("colour", ["FF0000", "#FF00", "#GG0000", "red", "#FF0000FF"])
def test_a_colour_that_is_none_is_told(folder, colour):
    plant(folder, ["labels.csv"], f"label,colour\nb,{colour}\n".encode())
    [finding] = LAYOUT.read(folder).findings
    assert finding.found == f"has the colour {colour!r}, which is not #RRGGBB, in line 2"


def test_more_labels_than_a_mask_holds_are_told(folder):
    for count, fault in ((254, []), (255, ["bad_table"])):
        lines = "".join(f"l{n},{n}\n" for n in range(1, count + 1))
        plant(folder, ["labels.csv"], f"label,value\n{lines}".encode())
        assert kinds(LAYOUT.read(folder)) == fault


def test_labels_of_the_background_alone_are_told(folder):
    plant(folder, ["labels.csv"], b"label,value\nbackground,0\n")
    assert "names 0 labels besides the background" in said(LAYOUT.read(folder), folder)[0]


def test_masks_are_not_blamed_for_a_table_of_labels_at_fault(folder):
    plant(folder, ["labels.csv"], b"label,value\nlesion,one\n")
    listing = LAYOUT.read(folder)
    assert (listing.cases, kinds(listing)) == ((), ["bad_table"])


# Tables of cases


def test_frames_are_grouped_by_their_sequence(folder):
    plant(folder, ["sequences.csv"], b"frame,sequence,extra\na,3,x\nb,3,y\nc,4,z\nabsent,5,z\n")
    listing = LAYOUT.read(folder)
    assert groups(listing) == {"a": "sequence_3", "b": "sequence_3", "c": "sequence_4"}
    assert listing.cases[1].columns == {"frame": "b", "sequence": "3", "extra": "y"}
    assert listing.findings == ()


@pytest.mark.parametrize("identifier", ["id", "case", "image", "name", "frame", "ID", "Case"])
def test_cases_are_found_by_any_usual_column(folder, identifier):
    plant(folder, ["cases.csv"], f"{identifier},subject\na,1\nb,1\nc,2\n".encode())
    assert groups(LAYOUT.read(folder)) == {"a": "subject_1", "b": "subject_1", "c": "subject_2"}


def test_cases_may_be_named_by_their_files(folder):
    plant(folder, ["cases.csv"], b"image,subject\nimages/a.png,1\nb.png,1\nc,2\n")
    assert groups(LAYOUT.read(folder)) == {"a": "subject_1", "b": "subject_1", "c": "subject_2"}


@pytest.mark.parametrize(
    ("columns", "group"),
    [
        ("near_duplicate_group,video,sequence,patient,subject,group", "group_6"),
        ("near_duplicate_group,video,sequence,patient,subject", "subject_5"),
        ("near_duplicate_group,video,sequence,patient", "patient_4"),
        ("near_duplicate_group,video,sequence", "sequence_3"),
        ("near_duplicate_group,video", "video_2"),
        ("near_duplicate_group", "near_duplicate_group_1"),
        ("Patient_ID", "patient_1"),
        ("age", ""),
    ],
)
def test_the_first_known_column_groups_and_stands_before_the_name(folder, columns, group):
    cells = ",".join(str(number + 1) for number in range(columns.count(",") + 1))
    plant(folder, ["cases.csv"], f"id,{columns}\na,{cells}\nb,{cells}\nc,{cells}\n".encode())
    assert groups(LAYOUT.read(folder)) == dict.fromkeys("abc", group)


def test_a_group_that_has_the_column_in_its_name_gets_it_once(folder):
    plant(folder, ["cases.csv"], b"id,subject\na,subject_1\nb,1\nc,\n")
    assert groups(LAYOUT.read(folder)) == {"a": "subject_1", "b": "subject_1", "c": ""}


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "null", "N/A"])
def test_what_programs_write_for_no_group_does_not_join_cases(folder, word):
    plant(folder, ["cases.csv"], f"id,subject\na,1\nb,{word}\nc,2\n".encode())
    assert said(LAYOUT.read(folder), folder) == [
        f"cases.csv: has {word} as subject in line 3; expected a name, or an empty cell for a case that stands alone. "
        "Mend the line."
    ]


def test_a_case_that_the_table_does_not_name_is_told_and_left_out(folder):
    plant(folder, ["sequences.csv"], b"frame,sequence\na,1\nb,1\n")
    listing = LAYOUT.read(folder)
    assert names(listing) == ["a", "b"]
    assert said(listing, folder) == [
        "images/c.png: is not in sequences.csv; expected a line with its frame and sequence. Add the line."
    ]


def test_numbers_whose_zeros_a_spreadsheet_took_are_offered(tmp_path):
    plant(tmp_path, "images/001.png\nimages/002.png\nmasks/001.png\nmasks/002.png")
    plant(tmp_path, ["cases.csv"], b"id,patient\n1,p\n2,p\n")
    assert said(LAYOUT.read(tmp_path), tmp_path)[0] == (
        "images/001.png: is not in cases.csv; expected a line with its id and patient. "
        "Write 001 where the table has 1, if that is it."
    )


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("sequences.csv", "frame,sequence\na,1\nb,\n",
         "has an empty cell in line 3; expected a frame and its sequence. Complete the line."),
        ("cases.csv", "id,group\na,1\n,2\n", "has an empty cell in line 3; expected the name of a case. Complete the line."),
        ("cases.csv", "id,group\na,1\na,2\n",
         "has a in line 2 and another in line 3; expected one line a case. Take one out."),
        ("cases.csv", "x,group\na,1\n",
         "has no column for the cases; expected a column id, case, image, name or frame. Add it or remove the file."),
        ("Sequences.CSV", "id,group\na,1\n",
         "has no column frame and no column sequence (it has id, group); "
         "expected the columns frame, sequence. Add it or rename one."),
    ],
)  # fmt: skip
def test_a_table_of_cases_at_fault_is_told(folder, table, content, message):
    plant(folder, [table], content.encode())
    assert said(LAYOUT.read(folder), folder) == [f"{table}: {message}"]


def test_a_line_that_is_there_twice_is_one_line(folder):
    plant(folder, ["cases.csv"], b"id,group\na,1\na,1\nb,1\nc,1\n")
    assert kinds(LAYOUT.read(folder)) == []


def test_two_tables_of_cases_are_told(folder):
    plant(folder, ["cases.csv"], b"id\na\nb\nc\n")
    plant(folder, ["sequences.csv"], b"frame,sequence\na,1\nb,1\nc,1\n")
    assert said(LAYOUT.read(folder), folder) == [
        "cases.csv: stands beside sequences.csv; expected one table of cases. Rename or remove one."
    ]


def test_a_table_that_is_a_dead_link_is_not_passed_over(folder):
    (folder / "cases.csv").symlink_to("gone.csv")
    assert kinds(LAYOUT.read(folder)) == ["bad_table"]


# Second observers and fields of view


def test_second_observers_are_listed_where_there_are_any(folder):
    plant(folder, "masks_2nd_observer/b.tif")
    listing = LAYOUT.read(folder)
    assert [case.second_observer for case in listing.cases] == [None, folder / "masks_2nd_observer" / "b.tif", None]
    assert listing.findings == ()


def test_fields_of_view_are_listed_and_missed(folder):
    plant(folder, "fov/a.png\nfov/b_mask.png\nfov/c_fov.png")
    listing = LAYOUT.read(folder)
    assert names(listing) == ["a"]
    assert kinds(listing) == ["no_mask", "no_mask", "no_image", "no_image"]
    (folder / "fov" / "b_mask.png").rename(folder / "fov" / "b.png")
    (folder / "fov" / "c_fov.png").rename(folder / "fov" / "c.png")
    assert [case.field_of_view.name for case in LAYOUT.read(folder).cases] == ["a.png", "b.png", "c.png"]


def test_every_fault_of_a_folder_is_told_at_once(folder):
    plant(folder, "images/d.png\nmasks/e.png\nimages/f.webp\nmasks/f.png\nmasks/a_mask.png")
    plant(folder, ["labels.csv"], b"label\nx\n")
    listing = LAYOUT.read(folder)
    assert listing.cases == ()
    assert kinds(listing) == ["not_supported", "two_files", "no_mask", "no_image", "bad_table"]


# Real sets


def test_busi_has_the_groups_of_its_table(real_data):
    listing = LAYOUT.read(real_data("busi"))
    assert (len(listing.cases), listing.findings) == (310, ())
    by_group = {}
    for case in listing.cases:
        assert case.group == (f"near_duplicate_group_{case.columns['near_duplicate_group']}" if case.group else "")
        assert (case.group == "") == (case.columns["near_duplicate_group"] == "")
        by_group.setdefault(case.group, []).append(case.name)
    assert {case.columns["class"] for case in listing.cases} == {"benign", "malignant", "normal"}
    assert all(len(members) > 1 for group, members in by_group.items() if group)


def test_chase_db1_has_fourteen_subjects_and_two_observers(real_data):
    listing = LAYOUT.read(real_data("chase_db1"))
    assert (len(listing.cases), listing.findings) == (28, ())
    assert {case.group for case in listing.cases} == {f"subject_{number:02d}" for number in range(1, 15)}
    assert all(case.second_observer.name == case.masks[0].name for case in listing.cases)


def test_cvc_clinicdb_has_twenty_nine_sequences(real_data):
    listing = LAYOUT.read(real_data("cvc_clinicdb"))
    assert (len(listing.cases), len({case.group for case in listing.cases}), listing.findings) == (612, 29, ())
    assert names(listing)[::611] == ["001", "612"]
