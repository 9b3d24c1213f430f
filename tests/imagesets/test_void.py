"""What nobody judged: declared by a table under any of its usual names, carried as `VOID`, counted nowhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalseg.errors import DataError
from focalseg.imagesets.layouts import dataset_json
from focalseg.imagesets.layouts.label_table import read_label_table
from focalseg.imagesets.masks import VOID, names_background, names_void
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.repair.copying import repair_dataset
from focalseg.imagesets.survey.survey import survey_dataset

TABLE = "label,value\nlesion,1\nvoid,255\n"


def draw_labels(number: int, side: int = 24) -> np.ndarray:
    """A square of 1 with a rim of 255 two pixels wide, as Pascal VOC draws its objects."""
    labels = np.zeros((side, side), np.uint8)
    start = 3 + number % 5
    labels[start : start + 12, 4:16] = 255
    labels[start + 2 : start + 10, 6:14] = 1
    return labels


def write(folder: Path, table: str = TABLE, *, draw=draw_labels, count: int = 6, masks: str = "masks") -> Path:
    random = np.random.default_rng(0)
    for part in ("images", masks):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        Image.fromarray(random.integers(0, 255, (24, 24)).astype(np.uint8)).save(folder / "images" / f"c{number}.png")
        Image.fromarray(draw(number)).save(folder / masks / f"c{number}.png")
    if table:
        (folder / "labels.csv").write_text(table)
    return folder


def survey(folder: Path):
    return survey_dataset(open_dataset(str(folder)))


@pytest.mark.parametrize(
    "name",
    ["void", "Void", "IGNORE", "ignored", "ignore_index", "__ignore__", "unlabeled", "Unlabelled", "not labelled", "DontCare",
     "don't care", "don\N{RIGHT SINGLE QUOTATION MARK}t care", "do-not-care", "out of roi", "outside_roi", "unannotated",
     "void label", "ignored region", "Ignore-Area", "unlabelled pixels"],
)  # fmt: skip
def test_what_nobody_judged_goes_by_many_names(name, tmp_path):
    assert names_void(name)
    path = tmp_path / "labels.csv"
    path.write_text(f"label,value\nlesion,1\n{name},255\nduct,7\n")
    coding = read_label_table(path)
    assert coding.labels == ("lesion", "duct")
    assert coding.values == {0: 0, 1: 1, 7: 2, 255: VOID}
    assert (coding.void, coding.void_values) == ((name,), {255})


@pytest.mark.parametrize("name", ["voids", "avoid", "lesion", "background", "unknown", "uncertain vessel", "border", ""])
def test_other_names_are_those_of_labels(name):
    assert not names_void(name)


@pytest.mark.parametrize("name", ["_background_", "Background", "bg"])
def test_the_background_may_be_called_as_labelme_calls_it_or_in_short(tmp_path, name):
    assert names_background(name)
    path = tmp_path / "labels.csv"
    path.write_text(f"label,value\n__ignore__,255\n{name},0\nlesion,1\n")
    assert read_label_table(path).values == {0: 0, 1: 1, 255: VOID}


def test_several_values_and_colours_may_be_void_under_one_name_or_several(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("label,value\nvoid,254\nlesion,1\nvoid,255\nignore,9\n")
    coding = read_label_table(path)
    assert (coding.labels, coding.void, coding.void_values) == (("lesion",), ("void", "ignore"), {9, 254, 255})
    path.write_text("label,colour\nlesion,#800000\nvoid,#E0E0C0\n")
    assert read_label_table(path).colours == {(0, 0, 0): 0, (128, 0, 0): 1, (224, 224, 192): VOID}


@pytest.mark.parametrize("lines", ["void,1\nlesion,1\n", "lesion,1\nvoid,1\n"])
def test_a_value_is_void_or_a_label_and_not_both(lines, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(f"label,value\n{lines}")
    with pytest.raises(DataError, match="gives 1 a second label in line 3"):
        read_label_table(path)


def test_one_label_needs_a_background_and_several_do_not(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("label,value\nunlabeled,0\nlesion,1\n")
    with pytest.raises(DataError) as caught:
        read_label_table(path)
    assert str(caught.value) == (
        f"{path}: says that unlabeled is what nobody judged, which leaves lesion without a background; expected a value or "
        "colour for the background of a single label. Call it background if somebody judged that nothing is there."
    )
    path.write_text("label,value\nbackground,0\nlesion,1\n")  # the mend
    assert read_label_table(path).values == {0: 0, 1: 1}
    path.write_text("label,value\noutside_roi,0\ntumour,1\nstroma,2\n")
    assert read_label_table(path).values == {0: VOID, 1: 1, 2: 2}


@pytest.mark.parametrize(
    ("labels", "values", "names"),
    [
        ({"background": 0, "a": 1, "b": 2, "ignore": 3}, {0: 0, 1: 1, 2: 2, 3: VOID}, ("a", "b")),
        ({"background": 0, "a": 1, "ignore": 255}, {0: 0, 1: 1, 255: VOID}, ("a",)),
        ({"background": 0, "Ignore": 1, "a": 2}, {0: 0, 2: 1, 1: VOID}, ("a",)),
        ({"0": "background", "1": "a", "2": "unlabelled"}, {0: 0, 1: 1, 2: VOID}, ("a",)),
        ({"0": "unlabeled", "1": "a", "2": "b"}, {0: VOID, 1: 1, 2: 2}, ("a", "b")),
        ({"0": "background", "1": "a", "254": "void", "255": "void"}, {0: 0, 1: 1, 254: VOID, 255: VOID}, ("a",)),
    ],
)
def test_dataset_json_may_leave_values_open(labels, values, names):
    coding = dataset_json.read_labels({"labels": labels}, Path("dataset.json"))
    assert (coding.values, coding.labels) == (values, names)
    assert coding.void_values == {value for value, number in values.items() if number == VOID}


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"background": 0, "a": 1, "ignore": 1}, "gives the labels 'a' and 'ignore' one number"),
        ({"background": 0, "ignore": 1, "a": 1}, "gives the labels 'a' and 'ignore' one number"),
        ({"background": 0, "a": 1, "ignore": -1}, "gives the label 'ignore' the number -1"),
        ({"background": 0, "a": 1, "ignore": "x"}, "gives the label 'ignore' the number 'x'"),
        ({"background": 0, "a": 2, "ignore": 4}, "has the labels"),
        ({"background": 0, "ignore": 1}, "names 0 labels besides the background"),
        ({"unlabeled": 0, "a": 1}, "says that unlabeled is what nobody judged, which leaves a without a background"),
        ({"background": 0, "a": 1, "ignore": [1, 2]}, "has a region, 'ignore', of several labels"),
    ],
)
def test_a_dataset_json_that_leaves_values_open_wrongly_is_told(labels, found):
    with pytest.raises(DataError) as caught:
        dataset_json.read_labels({"labels": labels}, Path("dataset.json"))
    assert found in str(caught.value)


def test_void_pixels_are_carried_and_counted_apart(tmp_path):
    folder = write(tmp_path / "data")
    dataset, found = open_dataset(str(folder)), survey(folder)
    for number, case in enumerate(found.cases):
        labels = draw_labels(number)
        assert np.array_equal(dataset.read_case(number).mask, np.where(labels == 255, VOID, labels))
        assert case.label_pixels == (int((labels == 0).sum()), 64)
        assert case.void_pixels == 80 == (labels == 255).sum()
        assert case.foreground == 64 / (24 * 24 - 80)
    assert found.labels == ("lesion",)
    assert [(note.kind, note.file, note.found) for note in found.findings] == [
        ("void", str(folder / "labels.csv"), "declares void as judged by nobody: 13.89% of all pixels, in 6 of 6 cases")
    ]


@pytest.mark.parametrize("encoding", ["palette", "colour", "sixteen bits"])
def test_void_is_read_from_every_kind_of_picture(encoding, tmp_path):
    table, folder = "label,value\nlesion,1\nvoid,255\n", tmp_path / "data"
    if encoding == "colour":
        table = "label,colour\nlesion,#800000\nvoid,#E0E0C0\n"
    if encoding == "sixteen bits":
        table = "label,value\nlesion,1\nvoid,65535\n"
    write(folder, table)
    for number in range(6):
        labels = draw_labels(number)
        picture = Image.fromarray(labels)
        if encoding == "palette":  # that of Pascal VOC
            picture.putpalette([0, 0, 0, 128, 0, 0, *[0] * (253 * 3), 224, 224, 192])
        elif encoding == "colour":
            lookup = np.zeros((256, 3), np.uint8)
            lookup[1], lookup[255] = (128, 0, 0), (224, 224, 192)
            picture = Image.fromarray(lookup[labels])
        else:
            picture = Image.fromarray(np.where(labels == 255, np.uint16(65535), labels))
        picture.save(folder / "masks" / f"c{number}.png")
    case = open_dataset(str(folder)).read_case(3)
    assert np.array_equal(case.mask, draw_labels(3))


def test_what_one_of_several_masks_leaves_open_is_open(tmp_path):
    for part in ("benign", "malignant", "normal"):
        (tmp_path / part).mkdir()
    folder = write(tmp_path / "data", masks="masks")
    dataset = open_dataset(str(folder))
    files = dataset.listing.cases[0]
    other = np.zeros((24, 24), np.uint8)
    other[:, 10:] = 1
    Image.fromarray(other).save(tmp_path / "other.png")
    object.__setattr__(files, "masks", (*files.masks, tmp_path / "other.png"))
    expected = np.where(draw_labels(0) == 255, VOID, np.maximum(draw_labels(0), other))
    assert np.array_equal(dataset.read_case(0).mask, expected)


def test_a_case_that_nobody_judged_is_at_fault_and_left_out_of_a_copy(tmp_path):
    folder = write(
        tmp_path / "data", draw=lambda number: np.full((24, 24), 255, np.uint8) if number == 2 else draw_labels(number)
    )
    found = survey(folder)
    assert [str(error) for error in found.errors] == [
        f"{folder / 'masks' / 'c2.png'}: is void all over; expected some judged pixels in every case. Take the case out."
    ]
    repair = repair_dataset(open_dataset(str(folder)), found, tmp_path / "copy")
    assert (repair.left_out, repair.survey.errors) == (("c2",), ())
    assert repair.survey.cases[0].void_pixels == 80  # the table is copied with the masks
    assert (tmp_path / "copy" / "labels.csv").read_text() == TABLE


def test_a_field_of_view_that_nobody_judged_is_at_fault(tmp_path):
    folder = write(tmp_path / "data")
    (folder / "fov").mkdir()
    for number in range(6):
        view = draw_labels(number) == 255 if number == 4 else np.ones((24, 24), bool)
        Image.fromarray((view * 255).astype(np.uint8)).save(folder / "fov" / f"c{number}.png")
    [error] = survey(folder).errors
    assert (error.kind, error.found) == ("nothing_judged", "is void in all of its field of view")


def test_void_beyond_the_field_of_view_is_no_foreground_outside_of_it(tmp_path):
    def draw(number):
        labels = np.full((24, 24), 255, np.uint8)
        labels[6:18, 6:18] = draw_labels(0)[6:18, 6:18]
        return labels

    folder = write(tmp_path / "data", draw=draw)
    (folder / "fov").mkdir()
    view = np.zeros((24, 24), np.uint8)
    view[6:18, 6:18] = 255
    for number in range(6):
        Image.fromarray(view).save(folder / "fov" / f"c{number}.png")
    assert [finding.kind for finding in survey(folder).findings if finding.kind not in ("identical", "near_duplicate")] == [
        "void"
    ]


def test_an_empty_mask_is_empty_where_it_is_judged_and_void_makes_no_full_one(tmp_path):
    def draw(number):
        labels = draw_labels(number)
        return {0: np.where(labels == 1, 0, labels), 1: np.where(labels == 0, 255, labels)}.get(number, labels)

    found = survey(write(tmp_path / "data", draw=draw))
    assert [(note.kind, note.found) for note in found.notes if note.kind != "void"] == [
        ("empty_mask", "is empty where it is judged")
    ]


def test_observers_are_compared_where_both_judged(tmp_path):
    folder = write(tmp_path / "data")
    (folder / "masks_2nd_observer").mkdir()
    agreements = []
    for number in range(6):
        one, other = draw_labels(number), np.roll(draw_labels(number), 1, 0)
        Image.fromarray(other).save(folder / "masks_2nd_observer" / f"c{number}.png")
        judged = (one != 255) & (other != 255)
        first, second = (one == 1)[judged], (other == 1)[judged]
        agreements.append(2 * (first & second).sum() / (first.sum() + second.sum()))
    assert survey(folder).observer_dice == pytest.approx(np.mean(agreements))


def test_void_of_two_classes_that_is_not_declared_is_told_with_a_mend_that_works(tmp_path):
    folder = write(tmp_path / "data", "label,value\nlesion,1\n")
    errors = survey(folder).errors
    assert {(error.kind, error.mend) for error in errors} == {
        (
            "not_declared",
            f"Mend the mask; or, where 255 is what nobody judged, declare it under the name void in {folder / 'labels.csv'}.",
        )
    }
    (folder / "labels.csv").write_text(TABLE)
    assert not survey(folder).errors


def write_nnunet(folder: Path, labels: dict[str, int], values: tuple[int, ...]) -> Path:
    nibabel = pytest.importorskip("nibabel")
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(6):
        drawn = random.choice(values, (12, 12, 8)).astype(np.uint8)
        for part, voxels, end in (("imagesTr", random.normal(0, 1, drawn.shape), "_0000"), ("labelsTr", drawn, "")):
            nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), np.eye(4)), folder / part / f"c{number}{end}.nii.gz")
    content = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 6, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def test_the_ignored_label_of_nnunet_is_void(tmp_path):
    folder = write_nnunet(tmp_path / "data", {"background": 0, "a": 1, "b": 2, "ignore": 3}, (0, 1, 2, 3))
    found = survey(folder)
    assert (found.labels, found.errors, [note.kind for note in found.notes]) == (("a", "b"), (), ["void"])
    nibabel = pytest.importorskip("nibabel")
    for case, name in zip(found.cases, sorted(path.name for path in (folder / "labelsTr").iterdir()), strict=True):
        counts = np.bincount(np.asarray(nibabel.load(folder / "labelsTr" / name).dataobj).astype(int).ravel(), minlength=4)
        assert (*case.label_pixels, case.void_pixels) == tuple(counts)


def test_a_volume_without_a_table_has_no_label_255(tmp_path):
    """As a number of a label it would be taken for what nobody judged."""
    folder = write_nnunet(tmp_path / "data", {"background": 0, "a": 1}, (0, 1, 255))
    (folder / "dataset.json").unlink()
    for path in (folder / "imagesTr").iterdir():
        path.rename(path.with_name(path.name.replace("_0000", "")))
    assert {error.kind for error in survey(folder).errors} == {"not_declared"}
    (folder / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "a", "255": "void"}}))
    assert not survey(folder).errors


@pytest.mark.parametrize("labels", [1, 2, 3])
@pytest.mark.parametrize("resized", [False, True])
def test_small_numbers_and_255_without_a_table_are_labels_and_the_mend_names_void(labels, resized, tmp_path):
    """As Pascal VOC and Endoscapes have them; cut at half, 255 alone would be left."""

    def draw(number):
        mask = np.zeros((96, 96), np.uint8)
        for label in range(1, labels + 1):
            mask[4 + 30 * (label - 1) : 28 + 30 * (label - 1), 8 : 60 + number] = label
        mask[:, 70:74] = 255
        return np.asarray(Image.fromarray(mask).resize((144, 144), Image.Resampling.BILINEAR)) if resized else mask

    folder = tmp_path / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(6):
        mask = draw(number)
        Image.fromarray(random.integers(0, 255, mask.shape).astype(np.uint8)).save(folder / "images" / f"c{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"c{number}.png")
    errors = survey(folder).errors
    assert {error.kind for error in errors} == {"not_declared"}
    assert not any(error.repairable for error in errors)
    if resized:
        return
    assert all("void,255" in error.mend for error in errors)
    lines = "".join(f"part_{label},{label}\n" for label in range(1, labels + 1))
    (folder / "labels.csv").write_text(f"label,value\n{lines}void,255\n")
    assert survey(folder).errors == ()
