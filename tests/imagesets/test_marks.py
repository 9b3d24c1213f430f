"""What stands for labels in a set's masks, and masks written in the same way, read back by the reader of masks."""

import numpy as np
import pytest
from PIL import Image

from focalseg.errors import SettingError
from focalseg.imagesets.layouts.label_table import read_label_table
from focalseg.imagesets.marks import choose_marks, code_colours, code_values, list_marks, read_values
from focalseg.imagesets.masks import MaskCoding
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.pictures.masks import read_mask
from focalseg.imagesets.pictures.writing import write_png
from focalseg.imagesets.survey.survey import survey_dataset

LABELS = np.arange(3, dtype=np.uint8).repeat(32).reshape(8, 12)


@pytest.mark.parametrize(
    ("table", "marks"),
    [
        ("label,value\nvein,7\nartery,300\n", ("0", "7", "300")),
        ("label,value\nbackground,9\nvein,0\nartery,2\n", ("9", "0", "2")),
        ("label,value\nvein,2\nartery,1\nvoid,255\n", ("0", "2", "1")),
        ("label,colour\nvein,#0000FF\nartery,#FF0000\n", ("#000000", "#0000FF", "#FF0000")),
        ("label,color\nbackground,#FFFFFF\nvein,#0000FF\nartery,#00FF00\n", ("#FFFFFF", "#0000FF", "#00FF00")),
    ],
)
def test_a_mask_written_by_what_a_table_declares_reads_back_as_the_same_labels(table, marks, tmp_path):
    (tmp_path / "labels.csv").write_text(table)
    coding = read_label_table(tmp_path / "labels.csv")
    assert list_marks(coding, 2) == marks
    write_png(tmp_path / "mask.png", code_colours(LABELS, marks) if marks[0][0] == "#" else code_values(LABELS, marks))
    assert np.array_equal(read_mask(tmp_path / "mask.png", coding).labels, LABELS)


def test_of_several_values_for_one_label_the_first_declared_is_written():
    coding = MaskCoding(labels=("vein",), values={3: 1, 4: 1, 0: 0})
    assert list_marks(coding, 1) == ("0", "3")
    assert list_marks(MaskCoding(), 1) == ()
    assert list_marks(coding, 2) == ()  # not all are declared


@pytest.mark.parametrize(
    ("found", "labels", "volumes", "marks"),
    [
        ([("255",), ("1",), ("255",)], 1, False, ("0", "255")),
        ([("1",), ()], 1, False, ("0", "1")),
        ([("#FF0000",)], 1, False, ("#000000", "#FF0000")),
        ([("lesion: 200",)], 1, False, ("0", "200")),
        ([()], 1, False, ("0", "255")),
        ([()], 1, True, ("0", "1")),
        ([("vein: 255", "artery: 255")], 2, False, ("0", "1", "2")),
    ],
)
def test_without_a_table_masks_are_written_as_most_are(found, labels, volumes, marks):
    assert choose_marks((), labels, found, volumes=volumes) == marks
    assert choose_marks(("0", "9"), 1, found, volumes=volumes) == ("0", "9")


def test_without_marks_labels_keep_their_numbers_and_colours_are_no_values():
    assert np.array_equal(code_values(LABELS, ()), LABELS)
    assert np.array_equal(code_values(LABELS, ("#000000", "#FF0000", "#00FF00")), LABELS)
    assert code_values(LABELS, ("0", "7", "300")).dtype == np.uint16
    assert code_values(LABELS, ("0", "7", "255")).dtype == np.uint8


@pytest.mark.parametrize("marks", [("0", "red"), ("0", "0"), ("0", "#FF0000"), ("0", "70000"), ("0", "-1")])
def test_marks_that_mean_nothing_are_refused(marks):
    with pytest.raises(SettingError, match="expected values"):
        read_values(marks)


def test_a_mask_with_more_labels_than_marks_is_refused():
    with pytest.raises(SettingError, match="holds label 2, and there are 2 marks"):
        code_values(LABELS, ("0", "255"))


@pytest.mark.parametrize(("foreground", "mark"), [(255, "255"), (1, "1"), (77, "77")])
def test_a_survey_tells_how_a_set_writes_its_masks(foreground, mark, make_folder):
    assert survey_dataset(open_dataset(str(make_folder(foreground=foreground)))).marks == ("0", mark)


def test_a_survey_tells_the_colour_of_masks_in_colour(make_folder):
    folder = make_folder()
    for path in (folder / "masks").iterdir():
        mask = np.asarray(Image.open(path)) > 0
        Image.fromarray((mask[..., None] * np.array([0, 128, 255])).astype(np.uint8)).save(path)
    assert survey_dataset(open_dataset(str(folder))).marks == ("#000000", "#0080FF")
