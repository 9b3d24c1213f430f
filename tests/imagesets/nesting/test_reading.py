"""Folders inside images/ and masks/: what they stand for is told by where they recur, and never guessed."""

import time

import numpy as np
import pytest
from PIL import Image

from focalseg.findings import Finding
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.opening import LAYOUTS, open_dataset
from focalseg.imagesets.repair.copying import repair_dataset
from focalseg.imagesets.survey.survey import survey_dataset
from imagesets.layouts.trees import kinds, names, plant, said


def read(folder) -> Listing:
    """What the first layout that recognises the folder lists."""
    return next(layout for layout in LAYOUTS.values() if layout.recognise(folder)).read(folder)


def tree(*patterns: str, **values: str) -> list[str]:
    """Every pattern with every combination of the values."""
    paths = list(patterns)
    for key, words in values.items():
        paths = [path.replace(f"<{key}>", word) for path in paths for word in words.split()]
    return list(dict.fromkeys(paths))


def shown(listing: Listing, folder) -> list[tuple[str, str, str, str]]:
    """Name, group, part, and the masks with their labels, of each case."""

    def show(case: CaseFiles) -> str:
        labels = case.mask_labels or ("",) * len(case.masks)
        paths = [mask.relative_to(folder).as_posix() for mask in case.masks]
        return " ".join(f"{label}={path}" if label else path for label, path in zip(labels, paths, strict=True))

    return [(case.name, case.group, case.part, show(case)) for case in listing.cases]


def errors(listing: Listing) -> list[Finding]:
    return [finding for finding in listing.findings if finding.level == "error"]


# Folders that both trees have


@pytest.mark.parametrize(("images", "masks"), [("images", "masks"), ("Images", "GT"), ("imgs", "annotations")])
def test_a_folder_a_patient_in_both_trees_is_a_group(tmp_path, images, masks):
    plant(tmp_path, tree(f"{images}/patient_<p>/x.png", f"{masks}/patient_<p>/x_mask.png", p="1 2 10"))
    listing = read(tmp_path)
    assert shown(listing, tmp_path) == [
        (f"patient_{p}/x", f"folder_patient_{p}", "", f"{masks}/patient_{p}/x_mask.png") for p in (1, 2, 10)
    ]
    assert said(listing, tmp_path) == [
        f"{images}: has the folders patient_1, patient_2, patient_10, which are taken for groups that stay together; expected "
        "folders whose meaning is clear. Nothing need be done if that is so; else list the files in a manifest.csv with "
        "image,mask,group."
    ]


def test_names_that_do_not_recur_stay_as_they_are_and_the_folders_are_a_column(tmp_path):
    plant(tmp_path, ["images/a/x.png", "masks/a/x.png", "images/b/y.png", "masks/b/y.png"])
    listing = read(tmp_path)
    assert names(listing) == ["x", "y"]
    assert [case.columns for case in listing.cases] == [{"folder": "a"}, {"folder": "b"}]


def test_of_a_patients_visits_the_patient_is_the_group(tmp_path):
    plant(tmp_path, tree("images/<p>/<v>/x.png", "masks/<p>/<v>/x.png", p="p1 p2", v="v1 v2"))
    assert [(name, group) for name, group, *_ in shown(read(tmp_path), tmp_path)] == [
        (f"{p}/{v}/x", f"folder_{p}") for p in ("p1", "p2") for v in ("v1", "v2")
    ]


def test_one_patient_stays_one_group(tmp_path):
    plant(tmp_path, ["images/patient_1/x.png", "masks/patient_1/x_mask.png"])
    assert shown(read(tmp_path), tmp_path) == [("x", "folder_patient_1", "", "masks/patient_1/x_mask.png")]


@pytest.mark.parametrize(("images", "masks"), [("img", "mask"), ("0", "0"), ("images", "images"), ("scans", "annotated")])
def test_one_folder_of_everything_says_nothing(tmp_path, images, masks):
    plant(tmp_path, tree(f"images/{images}/<n>.png", f"masks/{masks}/<n>.png", n="1 2"))
    listing = read(tmp_path)
    assert shown(listing, tmp_path) == [(n, "", "", f"masks/{masks}/{n}.png") for n in "12"]
    assert listing.findings == ()


def test_folders_named_by_diagnoses_are_neither_labels_nor_groups(tmp_path):
    plant(tmp_path, tree("images/<d>/<d>_<n>.png", "masks/<d>/<d>_<n>_mask.png", d="benign malignant normal", n="1 2"))
    listing = read(tmp_path)
    assert {case.group for case in listing.cases} == {""}
    assert {(case.columns["class"], case.mask_labels) for case in listing.cases} == {
        (word, ()) for word in ("benign", "malignant", "normal")
    }
    assert kinds(listing) == ["folders_read"]


def test_sides_of_a_split_inside_the_trees_are_the_official_split(tmp_path):
    plant(tmp_path, tree("images/<s>/x.png", "labels/<s>/x.png", s="train val test"))
    assert [(name, group, part) for name, group, part, _ in shown(read(tmp_path), tmp_path)] == [
        ("test/x", "", "test"),
        ("train/x", "", "train"),
        ("val/x", "", "validation"),
    ]
    assert read(tmp_path).findings == ()


def test_patients_inside_of_sides_are_groups(tmp_path):
    plant(tmp_path, tree("images/<s>/<s>_<p>/x.png", "masks/<s>/<s>_<p>/x.png", s="train test", p="1 2"))
    assert [(group, part) for _, group, part, _ in shown(read(tmp_path), tmp_path)] == [
        ("folder_test_1", "test"),
        ("folder_test_2", "test"),
        ("folder_train_1", "train"),
        ("folder_train_2", "train"),
    ]


def test_images_to_test_on_without_masks_are_noted_and_others_are_free(tmp_path):
    plant(tmp_path, [*tree("images/<s>/x.png", "masks/<s>/x.png", s="train val"), "images/test/x.png"])
    listing = read(tmp_path)
    assert (kinds(listing), {case.part for case in listing.cases}) == (["unlabelled"], {""})


def test_a_folder_that_one_tree_alone_has_is_told(tmp_path):
    plant(tmp_path, tree("images/<p>/x.png", p="a b c") + tree("masks/<p>/x.png", p="a b d"))
    listing = read(tmp_path)
    assert names(listing) == ["a/x", "b/x"]
    assert [str(finding).replace(f"{tmp_path}/", "") for finding in errors(listing)] == [
        "images/c: holds images: x.png; expected masks in masks/c. Add the masks or take the folder out.",
        "masks/d: holds masks: x.png; expected images in images/d. Add the images or take the folder out.",
    ]


def test_folders_that_differ_in_case_between_the_trees_are_the_same_and_within_one_are_told(tmp_path):
    plant(tmp_path, ["images/P1/x.png", "masks/p1/x.png", "images/P2/x.png", "masks/p2/x.png"])
    assert names(read(tmp_path)) == ["P1/x", "P2/x"]
    plant(tmp_path, ["images/p2/y.png"])
    assert [finding.kind for finding in errors(read(tmp_path))] == ["names_clash"]


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        ("images/<p>/<p>_x.png", "masks/<p>_x.png", "masks/{p}_x.png"),
        ("images/<p>/x.png", "masks/<p>_x.png", "masks/{p}_x.png"),
        ("images/<p>_x.png", "masks/<p>/x.png", "masks/{p}/x.png"),
    ],
)
def test_patients_of_one_tree_are_groups_where_names_pair_the_files(tmp_path, images, masks, expected):
    plant(tmp_path, tree(images, masks, p="p1 p2"))
    listing = read(tmp_path)
    assert shown(listing, tmp_path) == [(f"{p}_x", f"folder_{p}", "", expected.format(p=p)) for p in ("p1", "p2")]
    assert errors(listing) == []


def test_a_mask_that_is_lacking_among_flat_ones_is_told_at_its_image(tmp_path):
    plant(tmp_path, ["images/p1/a.png", "images/p1/b.png", "images/p2/c.png", "masks/a.png", "masks/c.png"])
    listing = read(tmp_path)
    assert [(case.name, case.group) for case in listing.cases] == [("a", "folder_p1"), ("c", "folder_p2")]
    assert [(finding.kind, finding.file) for finding in errors(listing)] == [("no_mask", str(tmp_path / "images/p1/b.png"))]


# Folders that are labels


def test_folders_of_masks_in_which_an_image_recurs_are_labels(tmp_path):
    plant(tmp_path, [*tree("images/<n>.png", "masks/lesion/<n>.png", n="x y z"), "masks/duct/x.png", "masks/duct/y.png"])
    listing = read(tmp_path)
    assert listing.labels == ("duct", "lesion")
    assert shown(listing, tmp_path) == [
        ("x", "", "", "duct=masks/duct/x.png lesion=masks/lesion/x.png"),
        ("y", "", "", "duct=masks/duct/y.png lesion=masks/lesion/y.png"),
        ("z", "", "", "lesion=masks/lesion/z.png"),
    ]
    assert said(listing, tmp_path) == [
        "masks/duct: has no file for 1 image, which has none of the label duct then; expected a mask of every label for every "
        "image. Look whether that is so; an empty mask would say it for certain.",
        "masks: has the folders duct, lesion, which are taken for labels; expected folders whose meaning is clear. "
        "Nothing need be done if that is so; else list the files in a manifest.csv with image,mask,group.",
    ]


@pytest.mark.parametrize("label", ["0", "lesion"])
def test_one_folder_of_masks_beside_flat_images_is_a_label(tmp_path, label):
    plant(tmp_path, tree("images/<n>.png", f"masks/{label}/<n>.png", n="x y"))
    listing = read(tmp_path)
    assert (listing.labels, names(listing), errors(listing)) == ((label,), ["x", "y"], [])


@pytest.mark.parametrize("pattern", ["<c>/<n>.png", "<c>/<n>_<c>.png", "<c>/<c>_<n>.png", "<c>/<n>_mask.png"])
def test_labels_by_number_and_masks_named_after_their_folder_are_known(tmp_path, pattern):
    plant(tmp_path, tree("images/<n>.png", n="7 8") + tree(f"labels/{pattern}", n="7 8", c="2 10"))
    listing = read(tmp_path)
    assert (listing.labels, names(listing), errors(listing)) == (("2", "10"), ["7", "8"], [])


def test_masks_with_an_end_that_all_of_their_folder_have_are_known(tmp_path):
    plant(tmp_path, tree("images/I_<n>.jpg", "masks/1. Haemorrhages/I_<n>_HE.tif", "masks/2. Discs/I_<n>_OD.tif", n="01 02"))
    listing = read(tmp_path)
    assert listing.labels == ("1. Haemorrhages", "2. Discs")
    assert [len(case.masks) for case in listing.cases] == [2, 2]


@pytest.mark.parametrize("mask", ["masks/<p>/<c>/x.png", "masks/<c>/<p>/x.png"])
def test_labels_within_patients_and_patients_within_labels_are_told_apart(tmp_path, mask):
    plant(tmp_path, tree("images/<p>/x.png", mask, p="p1 p2", c="lesion duct"))
    listing = read(tmp_path)
    assert listing.labels == ("duct", "lesion")
    assert [(case.name, case.group, case.mask_labels) for case in listing.cases] == [
        (f"{p}/x", f"folder_{p}", ("duct", "lesion")) for p in ("p1", "p2")
    ]


@pytest.mark.parametrize("pattern", ["<s>/images/<s>.png <s>/masks/<c>/<s>.png", "images/<s>/<s>.png masks/<s>/<c>/<s>.png"])
def test_labels_on_either_side_of_a_split_are_read(tmp_path, pattern):
    plant(tmp_path, tree(*pattern.split(), s="train test", c="a b"))
    listing = read(tmp_path)
    assert listing.labels == ("a", "b")
    assert {(case.name, case.part, len(case.masks)) for case in listing.cases} == {
        ("train/train", "train", 2),
        ("test/test", "test", 2),
    }


def test_a_folder_named_background_is_no_label(tmp_path):
    plant(tmp_path, tree("images/<n>.png", "masks/background/<n>.png", "masks/lesion/<n>.png", n="x y"))
    listing = read(tmp_path)
    assert (listing.labels, [len(case.masks) for case in listing.cases]) == (("lesion",), [1, 1])


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images/<i>.png", "masks/<c>/<i>.png"),
        ("images/<i>/<i>.png", "masks/<i>/<c>.png"),
        ("<i>/<i>.png", "<i>/masks/<c>.png"),
    ],
)
def test_an_image_of_which_only_the_background_has_a_mask_is_told(tmp_path, images, masks):
    plant(tmp_path, tree(images, i="x7 x8 x9") + tree(masks, i="x7 x8", c="lesion background"))
    plant(tmp_path, tree(masks, i="x9", c="background"))
    listing = read(tmp_path)
    assert [(case.mask_labels, len(case.masks)) for case in listing.cases] == [(("lesion",), 1)] * 2
    [fault] = errors(listing)
    assert (fault.kind, fault.found) == ("no_mask", "has no mask but that of the background")


@pytest.mark.parametrize("table", [None, b"label,folder\nlesion,lesion\nDUCT,duct\nBackground,bg\n"])
def test_a_label_is_one_whatever_the_case_of_its_letters_and_background_is_none(tmp_path, table):
    plant(tmp_path, tree("images/<p>/x.png", p="a b") + tree("masks/a/<c>/x.png", c="Lesion duct bg"))
    plant(tmp_path, tree("masks/b/<c>/x.png", c="lesion Duct BG"))
    lines = [f"images/a/x.png,masks/a/{label}/x.png,{label}" for label in ("Lesion", "duct", "bg")]
    lines += [f"images/b/x.png,masks/b/{label}/x.png,{label}" for label in ("lesion", "Duct", "BG")]
    if table:
        plant(tmp_path, ["labels.csv"], table)
    expected = ("lesion", "DUCT") if table else ("Lesion", "duct")
    for manifest in (False, True):
        if manifest:
            plant(tmp_path, ["manifest.csv"], "\n".join(["image,mask,mask_label", *lines]).encode())
        listing = read(tmp_path)
        assert (listing.labels, errors(listing)) == (expected, [])
        assert [sorted(case.mask_labels) for case in listing.cases] == [sorted(expected)] * 2
        assert not [finding for finding in listing.findings if finding.kind == "label_without_file"]


def test_a_table_says_in_which_order_labels_are_and_what_they_are_called(tmp_path):
    plant(tmp_path, tree("images/<n>.png", "masks/<c>/<n>.png", n="x y", c="lesion duct"))
    plant(tmp_path, ["labels.csv"], b"label,folder\nmass,lesion\nmilk duct,duct\n")
    listing = read(tmp_path)
    assert (listing.labels, listing.table) == (("mass", "milk duct"), str(tmp_path / "labels.csv"))
    assert listing.cases[0].mask_labels == ("mass", "milk duct")
    plant(tmp_path, ["labels.csv"], b"label,folder\nmass,lesion\n")
    assert (read(tmp_path).cases, [finding.kind for finding in errors(read(tmp_path))]) == ((), ["bad_table"])


def test_values_beside_folders_that_are_labels_are_refused(tmp_path):
    plant(tmp_path, tree("images/<n>.png", "masks/<c>/<n>.png", n="x y", c="lesion duct"))
    for table in (b"label,value\nlesion,255\nduct,128\n", b"label,folder,value\nlesion,lesion,255\nduct,duct,128\n"):
        plant(tmp_path, ["labels.csv"], table)
        assert (read(tmp_path).cases, [finding.kind for finding in errors(read(tmp_path))]) == ((), ["bad_table"])


def test_an_image_without_any_mask_is_told_and_one_of_whose_masks_is_at_fault_is_left_out(tmp_path):
    plant(tmp_path, tree("images/<n>.png", "masks/<c>/<n>.png", n="x y", c="lesion duct"))
    plant(tmp_path, ["images/w.png", "images/z.png", "masks/lesion/z.png", "masks/duct/z.webp", "masks/duct/stray.png"])
    listing = read(tmp_path)
    assert names(listing) == ["x", "y"]
    assert [finding.kind for finding in errors(listing)] == ["not_supported", "no_image", "no_mask"]


def test_two_masks_of_one_label_for_one_image_are_told(tmp_path):
    plant(tmp_path, tree("images/<n>.png", "masks/<c>/<n>.png", n="x y", c="lesion duct"))
    plant(tmp_path, ["masks/duct/y_mask.png"])
    listing = read(tmp_path)
    assert (names(listing), [finding.kind for finding in errors(listing)]) == (["x"], ["two_files"])


UNCLEAR = ["images/x.png", "images/y.png", "masks/a/x.png", "masks/b/y.png"]


def test_folders_that_may_be_labels_or_patients_are_refused_with_mends_that_work(tmp_path):
    plant(tmp_path, UNCLEAR)
    listing = read(tmp_path)
    assert said(listing, tmp_path) == [
        "masks: has the folders a, b: each image has its mask in one of them alone, so they may be labels or patients; "
        "expected folders that images/ has as well, for patients and the like, or labels with masks of the same names. "
        "If they are labels, write labels.csv with label,folder into the folder of the set; if they are patients, "
        "list the files in a manifest.csv with image,mask,group."
    ]
    assert listing.cases == ()
    plant(tmp_path / "labels", UNCLEAR)
    plant(tmp_path / "labels", ["labels.csv"], b"label,folder\na,a\nb,b\n")
    assert [case.mask_labels for case in read(tmp_path / "labels").cases] == [("a",), ("b",)]
    plant(tmp_path / "patients", UNCLEAR)
    plant(
        tmp_path / "patients",
        ["manifest.csv"],
        b"image,mask,group\nimages/x.png,masks/a/x.png,a\nimages/y.png,masks/b/y.png,b\n",
    )
    assert [case.group for case in read(tmp_path / "patients").cases] == ["group_a", "group_b"]


def test_labels_told_by_values_overlap_as_those_told_by_folders_do(tmp_path):
    lesion, duct, unjudged = square(2, 2, 6), square(5, 5, 6), square(0, 0, 3)
    one, other = np.where(unjudged, 255, lesion), duct * 2
    write_pictures(tmp_path, {"x.png": None, "1.png": one / 255, "2.png": other / 255})
    (tmp_path / "manifest.csv").write_text("image,mask\nx.png,2.png\nx.png,1.png\n")
    (tmp_path / "labels.csv").write_text("label,value\nlesion,1\nduct,2\nvoid,255\n")
    case = open_dataset(str(tmp_path)).read_case(0)
    assert np.array_equal(case.mask, np.where(unjudged, 255, np.where(duct, 2, lesion)))
    overlap, _ = case.notes
    assert overlap.found == f"has {int((lesion & duct).sum())} pixels of both lesion and duct, taken for duct"
    write_pictures(tmp_path, {"1.png": square(6, 6, 3) / 255})
    inner = open_dataset(str(tmp_path)).read_case(0)
    assert np.array_equal(inner.mask, np.where(square(6, 6, 3), 1, duct * 2))
    assert inner.notes[0].found == "has 9 pixels of both lesion and duct, taken for lesion, which lies inside"


@pytest.mark.parametrize(
    "paths",
    [
        ["images/a/x.png", "masks/b/y.png", "masks/c/z.png"],
        ["images/a/x.png", "images/b/y.png", "masks/c/1.png", "masks/d/2.png"],
        tree("images/<n>.png", "masks/<m>/<n>.png", n="0 1", m="0 1"),
    ],
)
def test_folders_that_fit_nothing_or_two_things_are_refused_with_a_mend_that_keeps_them(tmp_path, paths):
    listing = read(plant(tmp_path, paths))
    assert listing.cases == ()
    assert [finding.kind for finding in errors(listing)] == ["folders_unclear"]
    assert "List the files in a manifest.csv" in errors(listing)[0].mend


# Many masks of one image


@pytest.mark.parametrize(
    ("images", "masks", "group"),
    [
        ("<i>/images/<i>.png", "<i>/masks/<m><i>.png", "folder_<i>"),
        ("<i>/<i>.png", "<i>/masks/<m>.png", "folder_<i>"),
        ("images/<i>.png", "masks/<i>/<m>.png", ""),
        ("images/<i>/<i>.png", "masks/<i>/<m>.png", "folder_<i>"),
        ("images/<i>.png", "masks/<i>_masks/<i>_mask_<m>.png", ""),
    ],
)
def test_the_masks_of_a_folder_that_belongs_to_one_image_are_joined(tmp_path, images, masks, group):
    hashes = ("0ab8f3c2d15e4f6789abcdef01234567", "f1e2d3c4b5a697887766554433221100", "3")
    plant(
        tmp_path, tree(images, i="cell7 cell9") + tree(masks, i="cell7", m=" ".join(hashes)) + tree(masks, i="cell9", m="4 5")
    )
    listing = read(tmp_path)
    assert [(case.name, case.group, len(case.masks), case.mask_labels) for case in listing.cases] == [
        ("cell7", group.replace("<i>", "cell7"), 3, ()),
        ("cell9", group.replace("<i>", "cell9"), 2, ()),
    ]
    assert listing.findings == ()


def test_an_image_of_which_a_mask_is_at_fault_or_that_has_none_is_left_out(tmp_path):
    plant(tmp_path, tree("<i>/images/<i>.png", i="a b c d") + tree("<i>/masks/<m>.png", i="a b", m="1 2"))
    plant(tmp_path, ["b/masks/3.webp", "e/masks/1.png"])
    (tmp_path / "c" / "masks").mkdir()
    (tmp_path / "d" / "masks").mkdir()
    (tmp_path / "e" / "images").mkdir()
    listing = read(tmp_path)
    assert names(listing) == ["a"]
    assert sorted(finding.kind for finding in errors(listing)) == ["no_image", "no_mask", "no_mask", "not_supported"]


@pytest.mark.parametrize(
    ("images", "masks"), [("<i>/images/<i>.png", "<i>/masks/<m>.png"), ("images/<i>.png", "masks/<i>/<i>_<m>.png")]
)
def test_words_that_recur_from_image_to_image_are_labels(tmp_path, images, masks):
    plant(tmp_path, tree(images, masks, i="x7 x9", m="lesion_1 lesion_2 duct background"))
    listing = read(tmp_path)
    assert listing.labels == ("duct", "lesion")
    assert [case.mask_labels for case in listing.cases] == [("duct", "lesion", "lesion")] * 2


def test_words_that_do_not_recur_are_refused_with_a_mend_that_works(tmp_path):
    plant(tmp_path, ["i0/images/i0.png", "i0/masks/lesion.png", "i1/images/i1.png", "i1/masks/duct.png"])
    listing = read(tmp_path)
    assert (listing.cases, kinds(listing)) == ((), ["folders_unclear"])
    lines = "i0/images/i0.png,i0/masks/lesion.png,lesion\ni1/images/i1.png,i1/masks/duct.png,duct\n"
    plant(tmp_path, ["manifest.csv"], f"image,mask,mask_label\n{lines}".encode())
    assert [case.mask_labels for case in read(tmp_path).cases] == [("lesion",), ("duct",)]


def test_a_misnamed_mask_among_patients_of_one_image_is_not_taken_for_the_images_own(tmp_path):
    plant(tmp_path, ["p1/images/a.png", "p1/masks/a.png", "p2/images/b.png", "p2/masks/c.png"])
    listing = read(tmp_path)
    assert (names(listing), sorted(kinds(listing))) == (["a"], ["no_image", "no_mask"])


# Patients first


@pytest.mark.parametrize(
    "pattern",
    ["<p>/<v>/images/x.png <p>/<v>/masks/x.png", "<p>/<v>/x.png <p>/<v>/x_mask.png", "<p>/<v>/x.png <p>/<v>/masks/x.png"],
)
def test_visits_within_patients_are_kept_together(tmp_path, pattern):
    plant(tmp_path, tree(*pattern.split(), p="p1 p2", v="v1 v2"))
    assert [(name, group) for name, group, *_ in shown(read(tmp_path), tmp_path)] == [
        (f"{p}/{v}/x", f"folder_{p}") for p in ("p1", "p2") for v in ("v1", "v2")
    ]


def test_images_beside_a_patients_visits_are_noted(tmp_path):
    plant(tmp_path, [*tree("<p>/<v>/x.png", "<p>/<v>/x_mask.png", p="p1 p2", v="v1 v2"), "p1/overview.png"])
    [finding] = read(tmp_path).findings
    assert (finding.kind, finding.file) == ("passed_over", str(tmp_path / "p1"))


# What lies beside, and what is hostile


def test_fields_of_view_and_second_observers_lie_in_the_same_folders(tmp_path):
    plant(tmp_path, tree("images/<p>/x.png", "masks/<p>/x.png", "fov/<p>/x.png", p="p1 p2"))
    plant(tmp_path, ["masks_2nd_observer/p2/x.png"])
    listing = read(tmp_path)
    assert [case.field_of_view for case in listing.cases] == [tmp_path / "fov" / p / "x.png" for p in ("p1", "p2")]
    assert [case.second_observer for case in listing.cases] == [None, tmp_path / "masks_2nd_observer" / "p2" / "x.png"]


def test_a_table_of_cases_groups_otherwise_than_the_folders(tmp_path):
    plant(tmp_path, tree("images/<p>/x.png", "masks/<p>/x.png", p="day_1 day_2 day_3"))
    plant(tmp_path, ["cases.csv"], b"image,patient\nday_1/x.png,anna\nday_2/x.png,anna\nday_3/x.png,\n")
    assert [case.group for case in read(tmp_path).cases] == ["patient_anna", "patient_anna", ""]


def test_links_that_leave_are_noted_and_links_in_a_circle_are_told(tmp_path):
    plant(tmp_path / "data", tree("images/<p>/x.png", "masks/<p>/x.png", p="p1 p2"))
    plant(tmp_path / "away", ["x.png"])
    for part in ("images", "masks"):
        (tmp_path / "data" / part / "p3").symlink_to(tmp_path / "away")
        (tmp_path / "data" / part / "loop").symlink_to(tmp_path / "data" / part)
        (tmp_path / "data" / part / "again").symlink_to(tmp_path / "data" / part / "p1")
    listing = read(tmp_path / "data")
    assert names(listing) == ["p1/x", "p2/x", "p3/x"]
    assert sorted(kinds(listing)) == ["dead_link"] * 4 + ["folders_read"] + ["link_leaves"] * 2


def test_folders_whose_names_are_no_text_or_too_deep_are_told(tmp_path):
    plant(tmp_path, tree("images/<p>/x.png", "masks/<p>/x.png", p="a b c\u202ed 1/2/3/4/5/6/7"))
    listing = read(tmp_path)
    assert names(listing) == ["a/x", "b/x"]
    assert sorted(set(kinds(listing))) == ["folders_read", "name_unreadable", "passed_over"]


@pytest.mark.slow
def test_thousands_of_folders_take_seconds(tmp_path):
    plant(tmp_path, tree("images/<p>/x.png", "masks/<p>/x.png", p=" ".join(f"p{number}" for number in range(2000))))
    start = time.process_time()
    assert len(read(tmp_path).cases) == 2000
    assert time.process_time() - start < 10, "2 s where this was written"


# Pixels, and a copy


def write_pictures(folder, masks):
    """Images of noise and masks (path: array of truth) of 16 x 16 pixels."""
    random = np.random.default_rng(0)
    for path, content in masks.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (16, 16)) if content is None else content * 255
        Image.fromarray(pixels.astype(np.uint8)).save(target)
    return folder


def square(top, left, side=4):
    mask = np.zeros((16, 16), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def test_overlapping_labels_go_to_the_later_one_and_a_note_says_so(tmp_path):
    lesion, duct = square(2, 2, 6), square(5, 5, 6)
    write_pictures(tmp_path, {"images/x.png": None, "masks/lesion/x.png": lesion, "masks/duct/x.png": duct})
    dataset = open_dataset(str(tmp_path))
    case = dataset.read_case(0)
    assert dataset.labels == ("duct", "lesion")
    assert np.array_equal(case.mask, np.where(lesion, 2, np.where(duct, 1, 0)))
    [note] = case.notes
    overlap = int((lesion & duct).sum())
    assert (note.kind, note.file) == ("labels_overlap", str(tmp_path / "masks" / "lesion" / "x.png"))
    assert note.found == f"has {overlap} pixels of both duct and lesion, taken for lesion"
    (tmp_path / "labels.csv").write_text("label,folder\nlesion,lesion\nduct,duct\n")
    turned = open_dataset(str(tmp_path)).read_case(0)
    assert np.array_equal(turned.mask, np.where(duct, 2, np.where(lesion, 1, 0)))


@pytest.mark.parametrize(("inner", "outer"), [("cup", "disc"), ("nodule", "lung")])
def test_a_label_inside_of_another_keeps_its_pixels_in_either_order(tmp_path, inner, outer):
    disc, cup = square(2, 2, 10), square(4, 4, 5)
    write_pictures(tmp_path, {"images/x.png": None, f"masks/{inner}/x.png": cup, f"masks/{outer}/x.png": disc})
    dataset = open_dataset(str(tmp_path))
    case = dataset.read_case(0)
    numbers = {label: number for number, label in enumerate(dataset.labels, start=1)}
    assert np.array_equal(case.mask, np.where(cup, numbers[inner], np.where(disc, numbers[outer], 0)))
    [note] = case.notes
    first, second = dataset.labels
    assert note.found == f"has 25 pixels of both {first} and {second}, taken for {inner}, which lies inside"
    assert note.quiet


@pytest.mark.parametrize(
    "paths",
    [
        tree("images/<n>.png", "masks/observer_<o>/<n>.png", n="x y", o="1 2"),
        tree("<n>/images/<n>.png", "<n>/masks/<n>_reader<o>.png", n="x7 y7", o="1 2"),
        tree("images/<n>.png", "masks/<n>/Rater <o>.png", n="x7 y7", o="A B"),
    ],
)
def test_masks_of_several_observers_are_neither_labels_nor_objects(tmp_path, paths):
    plant(tmp_path, paths)
    listing = read(tmp_path)
    assert (listing.cases, kinds(listing)) == ((), ["folders_unclear"])


def test_objects_are_united(tmp_path):
    ones = [square(1, 1), square(3, 3), square(10, 10)]
    files = {f"i{n}/masks/{k}.png": mask for n in (0, 1) for k, mask in enumerate(ones)}
    write_pictures(tmp_path, {"i0/images/i0.png": None, "i1/images/i1.png": None, **files})
    case = open_dataset(str(tmp_path)).read_case(1)
    assert np.array_equal(case.mask, np.maximum.reduce(ones))
    assert [note.kind for note in case.notes] == ["several_masks"]


def test_a_mask_of_one_label_with_two_values_is_refused(tmp_path):
    both = square(1, 1) + 0.5 * square(8, 8)
    write_pictures(tmp_path, {"images/x.png": None, "masks/lesion/x.png": both})
    assert [finding.kind for finding in survey_dataset(open_dataset(str(tmp_path))).errors] == ["not_declared"]


def test_what_nobody_judged_among_masks_of_one_label_each_is_told_with_a_mend_that_works(tmp_path):
    lesion, unjudged = square(1, 1), square(8, 8)
    write_pictures(tmp_path, {f"images/{n}.png": None for n in "xy"})
    write_pictures(tmp_path, {f"masks/lesion/{n}.png": (lesion + 255 * unjudged) / 255 for n in "xy"})
    write_pictures(tmp_path, {f"masks/duct/{n}.png": square(7, 7, 3) for n in "xy"})
    fault, _ = survey_dataset(open_dataset(str(tmp_path))).errors
    assert fault.expected == "0 and one other value, since the mask is of one label"
    assert fault.mend == "Give every further label masks of its own; what nobody judged too, as a label called void."
    write_pictures(tmp_path, {f"masks/lesion/{n}.png": lesion for n in "xy"})
    write_pictures(tmp_path, {f"masks/void/{n}.png": unjudged for n in "xy"})
    dataset = open_dataset(str(tmp_path))
    case = dataset.read_case(0)
    assert dataset.labels == ("duct", "lesion")
    assert np.array_equal(case.mask, np.where(unjudged, 255, np.where(lesion, 2, square(7, 7, 3))))
    assert [(note.kind, note.quiet) for note in case.notes] == [("labels_overlap", True)]


def test_a_label_that_is_written_with_two_values_is_refused_and_another_label_may_differ(tmp_path):
    write_pictures(tmp_path, {f"images/{n}.png": None for n in "abc"})
    write_pictures(tmp_path, {f"masks/lesion/{n}.png": square(1, 1) for n in "abc"})
    write_pictures(tmp_path, {f"masks/duct/{n}.png": square(9, 9) * 0.5 for n in "abc"})
    assert survey_dataset(open_dataset(str(tmp_path))).errors == ()
    write_pictures(tmp_path, {"masks/duct/c.png": square(9, 9)})
    assert [finding.kind for finding in survey_dataset(open_dataset(str(tmp_path))).errors] == ["not_declared"]


LAYS = {
    "patients": ("images/<p>/x.png", ["masks/<p>/x_mask.png"]),
    "labels": ("images/<p>.png", ["masks/lesion/<p>.png", "masks/duct/<p>.png"]),
    "patients of labels": ("images/<p>/x.png", ["masks/<p>/lesion/x.png", "masks/<p>/duct/x.png"]),
    "one label": ("images/<p>.png", ["masks/0/<p>.png"]),
    "objects": ("<p>/images/<p>.png", ["<p>/masks/1.png", "<p>/masks/2.png"]),
    "objects in a tree": ("images/<p>.png", ["masks/<p>/1.png", "masks/<p>/2.png"]),
    "patients first": ("<p>/v1/images/x.png", ["<p>/v1/masks/x.png"]),
    "labels by file": ("<p>/images/<p>.png", ["<p>/masks/lesion.png", "<p>/masks/duct.png"]),
}


@pytest.mark.parametrize("lay", LAYS)
@pytest.mark.parametrize("broken", [(), ("p1",), ("p1", "p2")], ids=["whole", "one left out", "one left"])
def test_a_copy_reads_back_as_the_same_cases(tmp_path, lay, broken):
    image, masks = LAYS[lay]
    files = {}
    for number, patient in enumerate(("p1", "p2", "p3")):
        files[image.replace("<p>", patient)] = None
        files |= {mask.replace("<p>", patient): square(number, 3 + 6 * k) for k, mask in enumerate(masks)}
    if len(broken) == 2 and image.startswith("<p>"):
        pytest.skip("one folder is not taken for a folder of patients")
    source = write_pictures(tmp_path / "data", files)
    for patient in broken:
        (source / image.replace("<p>", patient)).write_bytes(b"")
    dataset = open_dataset(str(source))
    repaired = repair_dataset(dataset, survey_dataset(dataset), tmp_path / "copy")
    copy = open_dataset(str(tmp_path / "copy"))
    assert repaired.survey.errors == ()
    kept = [number for number, group in enumerate(dataset.listing.cases) if not any(p in str(group.images[0]) for p in broken)]
    assert (copy.labels, len(copy)) == (dataset.labels, len(kept))
    for new, old in enumerate(kept):
        assert copy.names[new].split("/")[-1] == dataset.names[old].split("/")[-1]
        assert copy.groups[new].split("/")[0] == dataset.groups[old].split("/")[0]
        assert np.array_equal(copy.read_case(new).mask, dataset.read_case(old).mask)
