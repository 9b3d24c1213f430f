"""Which file of a folder is a case, which mask is its own, and what is said where that cannot be told: one fault, one line."""

import errno
import os
import socket
import time
import unicodedata

import pytest

from focalseg.imagesets.folders import files as listed_files
from focalseg.imagesets.folders.files import FolderFiles, find_folders, list_files, natural_key
from focalseg.imagesets.folders.pairing import (
    IMAGE_AFFIXES,
    MASK_AFFIXES,
    PLAIN,
    SAME_NAME,
    Affix,
    Nearest,
    attach_files,
    match_pairs,
    pair_folders,
)
from imagesets.corpus.privileges import as_an_ordinary_reader
from imagesets.layouts.trees import plant


def say(findings, folder):
    return [str(finding).replace(f"{folder}/", "").replace(str(folder), "DATA") for finding in findings]


def kinds(result):
    return [finding.kind for finding in result.findings]


def pair(folder, images, masks, **options):
    for part, stems in (("images", images), ("masks", masks)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        plant(folder / part, [stem if "." in stem else f"{stem}.png" for stem in stems])
    return pair_folders(folder, folder / "images", folder / "masks", **options)


def described(result):
    return {name: (image.name, mask.name) for name, (image, mask) in result.pairs.items()}


# Files of a folder


def test_files_come_by_stem_in_natural_order(tmp_path):
    listed = list_files(plant(tmp_path, ["a10.png", "a9.tif", "b2.JPG", "scan.v2.nii.gz", "9.nii", "10.GIF"]))
    assert list(listed.files) == ["9", "10", "a9", "a10", "b2", "scan.v2"]
    assert listed.files["scan.v2"].name == "scan.v2.nii.gz"
    assert listed.findings == ()


def test_names_that_count_alike_still_have_one_order():
    assert sorted(["case_1", "case_01", "case_001"], key=natural_key) == sorted(
        ["case_001", "case_01", "case_1"], key=natural_key
    )


def test_hidden_files_texts_and_sub_folders_are_passed_over(tmp_path):
    silent = [".DS_Store", "._case_1.png", ".case.png", "Thumbs.db", "desktop.ini", "Icon\r", "README", "LICENSE"]
    silent += ["notes.txt", "readme.MD", "cases.csv", "boxes.json", "index.html", "a.xml", "old/case_2.png"]
    plant(tmp_path, ["case_1.png", *silent[:5], *silent[6:]])
    (tmp_path / "Icon\r").write_bytes(b"x")
    listed = list_files(tmp_path)
    assert (list(listed.files), listed.folders) == (["case_1"], ("old",))
    assert list(map(str, listed.findings)) == [
        f"{tmp_path}/old: is a folder inside and holds case_2.png; expected all images in one folder. "
        "Move them up, or list them in a manifest."
    ]


@pytest.mark.parametrize("suffix", ["webp", "jp2", "dcm", "mha", "nrrd", "npy", "mat", "svg", "heic", "img", "gz", "xyz"])
def test_a_format_that_is_not_read_is_told(tmp_path, suffix):
    listed = list_files(plant(tmp_path, ["case_1.png", f"case_2.{suffix}"]))
    assert say(listed.findings, tmp_path) == [
        f"case_2.{suffix}: is a .{suffix} file; expected PNG, JPEG, TIFF, BMP, GIF or NIfTI. Convert the file."
    ]
    assert listed.left_out == {"case_2"}


def test_a_file_without_a_suffix_is_told_as_dicom_often_is_one(tmp_path):
    assert say(list_files(plant(tmp_path, ["IM0001"])).findings, tmp_path) == [
        "IM0001: has no suffix; expected PNG, JPEG, TIFF, BMP, GIF or NIfTI. Convert the file."
    ]


def test_what_a_layout_reads_is_said_where_it_reads_less(tmp_path):
    listed = list_files(plant(tmp_path, ["case_1.png"]), (".nii.gz", ".nii"))
    assert say(listed.findings, tmp_path) == ["case_1.png: is a .png file; expected .nii.gz or .nii. Convert the file."]


def test_a_folder_with_the_suffix_of_an_image_is_no_file(tmp_path):
    (tmp_path / "case_1.png").mkdir()
    listed = list_files(tmp_path)
    assert say(listed.findings, tmp_path) == ["case_1.png: is a folder; expected a file. Replace or remove it."]
    assert listed.left_out == {"case_1"}


def test_pipes_and_sockets_are_no_files_and_are_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.png")
    os.mkfifo("pipe_of_another_use")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.tif")
        listed = list_files(tmp_path)
    assert [finding.kind for finding in listed.findings] == ["not_a_file", "not_a_file"]
    assert {finding.found for finding in listed.findings} == {"is no regular file (a pipe, socket or device)"}


def test_links_to_nothing_and_in_circles_are_told(tmp_path):
    (tmp_path / "a.png").symlink_to("gone.png")
    (tmp_path / "b.png").symlink_to("c.png")
    (tmp_path / "c.png").symlink_to("b.png")
    listed = list_files(tmp_path)
    assert say(listed.findings, tmp_path) == [
        "a.png: is a link to gone.png, which is not there; expected a link to a file. Mend or remove the link.",
        "b.png: is a link in a circle; expected a link to a file. Mend or remove the link.",
        "c.png: is a link in a circle; expected a link to a file. Mend or remove the link.",
    ]


def test_a_link_out_of_the_data_folder_is_read_and_noted(tmp_path):
    plant(tmp_path, ["data/images/a.png", "data/store/b.png", "elsewhere/c.png"])
    images = tmp_path / "data" / "images"
    (images / "b.png").symlink_to(tmp_path / "data" / "store" / "b.png")
    (images / "c.png").symlink_to(tmp_path / "elsewhere" / "c.png")
    listed = list_files(images, root=tmp_path / "data")
    assert list(listed.files) == ["a", "b", "c"]
    assert [(finding.kind, finding.level, finding.file) for finding in listed.findings] == [
        ("link_leaves", "note", str(images / "c.png"))
    ]


def test_a_folder_that_is_a_link_out_is_one_note_for_all_its_files(tmp_path):
    plant(tmp_path, ["elsewhere/a.png", "elsewhere/b.png", "data/masks/a.png"])
    (tmp_path / "data" / "images").symlink_to(tmp_path / "elsewhere")
    listed = list_files(tmp_path / "data" / "images", root=tmp_path / "data")
    assert (list(listed.files), kinds(listed)) == (["a", "b"], ["link_leaves"])


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (os.fsdecode(b"case_\xff.png"), "bytes that are no UTF-8"),
        ("case\n1.png", "a control character"),
        ("case\x1b[31m.png", "a control character"),
        ("case_\u202egnp.png", "a character that turns or breaks the line"),
        ("case\u2028.png", "a character that turns or breaks the line"),
    ],
)
def test_a_name_that_is_no_text_is_told_in_one_line(tmp_path, name, fault):
    (tmp_path / name).write_bytes(b"x")
    [finding] = list_files(tmp_path).findings
    assert (finding.kind, finding.found) == ("name_unreadable", f"has {fault} in its name")
    assert str(finding).isprintable()


def test_unusual_names_are_legal(tmp_path):
    legal = [
        "-rf.png",
        "Müller 1.png",
        "a'b\".png",
        "heart ❤️ 👩‍⚕️.png",
        "שלום.png",
        "$(x).png",
        "<img onerror>.png",
        "x" * 251 + ".png",
    ]
    listed = list_files(plant(tmp_path, legal))
    assert (set(listed.files), listed.findings) == ({name.removesuffix(".png") for name in legal}, ())


def test_two_files_of_one_stem_are_told_once_and_left_out(tmp_path):
    listed = list_files(plant(tmp_path, ["case_1.png", "case_1.tif", "case_1.nii.gz", "case_2.png"]))
    assert list(listed.files) == ["case_2"]
    assert say(listed.findings, tmp_path) == [
        "case_1.png: has the same name as case_1.nii.gz; expected one file a case. Rename or remove one."
    ]
    assert listed.findings[0].others == (str(tmp_path / "case_1.nii.gz"), str(tmp_path / "case_1.tif"))


def test_names_that_differ_in_case_only_clash(tmp_path):
    listed = list_files(plant(tmp_path, ["Case.png", "case.tif", "other.png"]))
    assert (list(listed.files), listed.left_out) == (["other"], {"Case", "case"})
    assert say(listed.findings, tmp_path) == [
        "case.tif: differs from Case.png only in upper and lower case; "
        "expected names that differ in every file system. Rename one."
    ]


def test_names_that_differ_in_unicode_form_only_clash_and_are_shown_apart(tmp_path):
    composed, decomposed = "caf\u00e9.png", "cafe\u0301.png"
    [finding] = list_files(plant(tmp_path, [composed, decomposed])).findings
    assert finding.kind == "names_clash"
    assert finding.found == r"differs from 'cafe\u0301.png' only in how its accents are written"


def test_stems_are_in_composed_form_and_paths_as_the_disk_has_them(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Müller")
    listed = list_files(plant(tmp_path, [f"{decomposed}.png"]))
    assert list(listed.files) == ["Müller"]
    assert listed.files["Müller"].name == f"{decomposed}.png"


def test_a_folder_that_may_not_be_listed_is_told(tmp_path):
    plant(tmp_path, ["images/a.png"])
    (tmp_path / "images").chmod(0)
    with as_an_ordinary_reader() as holds:
        if not holds:
            pytest.skip("permissions do not hold here")
        listed = list_files(tmp_path / "images")
    (tmp_path / "images").chmod(0o700)
    assert say(listed.findings, tmp_path) == [
        "images: may not be listed; expected a folder that you may read. Give read permission (chmod u+rx)."
    ]
    assert not listed.listed


def test_a_folder_whose_files_may_not_be_looked_at_is_told_once(tmp_path):
    plant(tmp_path, ["images/a.png", "images/b.png"])
    (tmp_path / "images").chmod(0o400)
    with as_an_ordinary_reader() as holds:
        if not holds:
            pytest.skip("permissions do not hold here")
        listed = list_files(tmp_path / "images")
    (tmp_path / "images").chmod(0o700)
    assert kinds(listed) == ["no_permission"]


def test_a_disk_that_fails_is_a_finding(tmp_path, monkeypatch):
    def fail(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(listed_files.os, "scandir", fail)
    assert say(list_files(tmp_path).findings, tmp_path) == [
        "DATA: cannot be listed (Input/output error); expected a folder that you may read. Give read permission (chmod u+rx)."
    ]


@pytest.mark.parametrize(("target", "found"), [("images", "in a circle"), ("gone", "to gone, which is not there")])
def test_a_folder_that_is_a_dead_link_is_told_as_one(tmp_path, target, found):
    plant(tmp_path, "masks/a.png")
    (tmp_path / "images").symlink_to(target)
    [images] = find_folders(tmp_path, "images")
    result = pair_folders(tmp_path, images, tmp_path / "masks")
    assert say(result.findings, tmp_path) == [f"images: is a link {found}; expected a link to a file. Mend or remove the link."]


def test_folders_are_found_whatever_their_case_and_never_raise(tmp_path):
    plant(tmp_path, ["Images/a.png", "MASKS/a.png", "labels.png"])
    (tmp_path / "gt").symlink_to("gt")
    assert [path.name for path in find_folders(tmp_path, "masks", "images", "gt", "labels.png")] == ["MASKS", "Images", "gt"]
    assert find_folders(tmp_path / "absent", "images") == []


# Pairs


def test_pairs_are_files_of_one_stem(tmp_path):
    result = pair(tmp_path, ["a", "b.jpg", "c.nii.gz"], ["a", "b.tif", "c.nii"])
    assert described(result) == {"a": ("a.png", "a.png"), "b": ("b.jpg", "b.tif"), "c": ("c.nii.gz", "c.nii")}
    assert result.findings == ()


def test_an_image_and_a_mask_from_systems_that_write_accents_differently_are_a_pair(tmp_path):
    assert list(pair(tmp_path, ["caf\u00e9"], ["cafe\u0301"]).pairs) == ["caf\u00e9"]


@pytest.mark.parametrize("mask_affix", MASK_AFFIXES)
def test_every_known_affix_is_seen_on_either_side(tmp_path, mask_affix):
    stems = ["case_1", "case_2"]
    for number, image_affix in enumerate(IMAGE_AFFIXES):
        result = pair(tmp_path / str(number), map(image_affix.add, stems), map(mask_affix.add, stems))
        assert (list(result.pairs), result.findings) == (stems, ())


def test_affixes_are_seen_in_any_case(tmp_path):
    assert list(pair(tmp_path, ["a", "b"], ["a_GT", "b_Gt"]).pairs) == ["a", "b"]


def test_an_affix_holds_for_the_whole_set(tmp_path):
    result = pair(tmp_path, ["a", "b", "c"], ["a_mask", "b_mask", "c_label"])
    assert list(result.pairs) == ["a", "b"]
    assert kinds(result) == ["no_mask", "no_image"]
    assert "expected c_mask.png there" in str(result.findings[0])


def test_names_that_are_the_same_come_before_any_affix(tmp_path):
    result = pair(tmp_path, ["a_mask", "b_mask"], ["a_mask", "b_mask"])
    assert list(result.pairs) == ["a_mask", "b_mask"]


def test_a_second_mask_is_told_with_the_first_and_the_case_left_out(tmp_path):
    result = pair(tmp_path, ["case_1", "case_2"], ["case_1", "case_1_mask", "case_2"])
    assert list(result.pairs) == ["case_2"]
    assert say(result.findings, tmp_path) == [
        "masks/case_1_mask.png: is a second mask of images/case_1.png, beside case_1.png; "
        "expected one mask an image. Rename or remove one."
    ]
    assert result.findings[0].others == (str(tmp_path / "masks/case_1.png"), str(tmp_path / "images/case_1.png"))


def test_a_second_image_is_told_too(tmp_path):
    result = pair(tmp_path, ["case_1", "case_1_img", "case_2"], ["case_1", "case_2"])
    assert (list(result.pairs), kinds(result)) == (["case_2"], ["two_files"])
    assert result.findings[0].file == str(tmp_path / "images/case_1_img.png")


def test_an_image_without_a_mask_and_a_mask_without_an_image_say_what_was_looked_for(tmp_path):
    result = pair(tmp_path, ["a", "b", "lonely"], ["a", "b", "orphan"])
    assert say(result.findings, tmp_path) == [
        "images/lonely.png: has no mask in masks; expected lonely.png there. Add the mask or take the image out.",
        "masks/orphan.png: has no image in images; expected orphan.png there. Add the image or take the mask out.",
    ]


def test_the_suffix_looked_for_is_that_of_the_others(tmp_path):
    result = pair(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], ["a_mask.tif", "b_mask.tif"])
    assert "expected c_mask.tif there" in str(result.findings[0])


def test_a_name_that_is_nearly_right_is_offered(tmp_path):
    result = pair(tmp_path, ["a", "case_07"], ["a", "Case 7"])
    assert say(result.findings, tmp_path) == [
        "images/case_07.png: has no mask in masks; expected case_07.png there. "
        "Rename Case 7.png if that is its mask; if not, add the mask or take the image out.",
        "masks/Case 7.png: has no image in images; expected Case 7.png there. "
        "Rename case_07.png if that is its image; if not, add the image or take the mask out.",
    ]
    assert result.findings[0].others == (str(tmp_path / "masks/Case 7.png"),)


def test_the_nearest_name_is_offered_only_where_it_is_near():
    nearest = Nearest(["patient_one", "slide_b"])
    assert nearest.find("patient_onne") == "patient_one"
    assert nearest.find("17") is None
    assert Nearest(map(str, range(100, 1100))).find("1") is None
    assert Nearest(["1", *map(str, range(100, 1100))]).find("001") == "1"


def test_where_no_name_fits_at_all_that_is_one_fault(tmp_path):
    result = pair(tmp_path, [f"scan{n}" for n in range(9)], [f"{n}-truth" for n in range(9)])
    assert say(result.findings, tmp_path) == [
        "images: holds no image whose name fits a mask in masks (scan0.png and 0-truth.png, for example); "
        "expected the same names, or names that differ by _mask or the like. "
        "Rename the files, or list them in a manifest.csv with image,mask."
    ]


@pytest.mark.parametrize("broken", ["images", "masks"])
@pytest.mark.parametrize("fault", ["case_2.webp", "case_2.dcm", "case_2.png.part", "folder", "link", "two"])
def test_a_file_at_fault_does_not_make_its_partner_one(tmp_path, broken, fault):
    whole = "masks" if broken == "images" else "images"
    plant(tmp_path, [f"{broken}/case_1.png", f"{whole}/case_1.png", f"{whole}/case_2.png"])
    if fault == "folder":
        (tmp_path / broken / "case_2.png").mkdir()
    elif fault == "link":
        (tmp_path / broken / "case_2.png").symlink_to("gone")
    elif fault == "two":
        plant(tmp_path / broken, ["case_2.png", "case_2.tif"])
    else:
        plant(tmp_path / broken, [fault])
    result = pair_folders(tmp_path, tmp_path / "images", tmp_path / "masks")
    assert (list(result.pairs), len(result.findings)) == (["case_1"], 1)


def test_a_mask_at_fault_with_an_affix_does_not_make_its_image_one(tmp_path):
    result = pair(tmp_path, ["a", "b", "c"], ["a_mask", "b_mask", "c_mask.webp"])
    assert kinds(result) == ["not_supported"]


def test_a_folder_without_images_is_one_fault(tmp_path):
    result = pair(tmp_path, ["a", "b", "c"], ["notes.txt"])
    assert say(result.findings, tmp_path) == [
        "masks: holds no images; expected image files, such as case_1.png. Put them there."
    ]


def test_a_folder_of_folders_says_so(tmp_path):
    plant(tmp_path, ["images/train/a.png", "images/val/b.png", "masks/train/a.png"])
    result = pair_folders(tmp_path, tmp_path / "images", tmp_path / "masks")
    assert say(result.findings, tmp_path)[0] == (
        "images: holds no images, only the folders train, val; expected image files, such as case_1.png. "
        "List the files in a manifest.csv (columns image, mask, and group for what the folders say)."
    )


def test_a_folder_of_files_at_fault_alone_is_not_called_empty(tmp_path):
    assert kinds(pair(tmp_path, ["a.webp", "b.webp"], ["a", "b"])) == ["not_supported", "not_supported"]


def test_files_that_not_every_case_has_are_attached_by_image(tmp_path):
    paired = pair(tmp_path, ["a", "b", "c"], ["a", "b"])
    plant(tmp_path / "second", ["a.png", "c.png", "stray.png"])
    names = {image: name for name, (image, _) in paired.pairs.items()}
    attached, findings = attach_files(names, tmp_path / "second", tmp_path, what="second mask")
    assert {name: file.name for name, file in attached.items()} == {"a": "a.png"}
    assert say(findings, tmp_path) == [
        "second/stray.png: has no image in images; expected stray.png there. Add the image or take the second mask out."
    ]


def test_files_that_every_case_needs_are_missed(tmp_path):
    paired = pair(tmp_path, ["a", "b"], ["a", "b"])
    plant(tmp_path / "fov", ["a.png"])
    names = {image: name for name, (image, _) in paired.pairs.items()}
    _, findings = attach_files(names, tmp_path / "fov", tmp_path, what="field of view", rules=SAME_NAME, required=True)
    assert say(findings, tmp_path) == [
        "images/b.png: has no field of view in fov; expected b.png there. Add the field of view or take the image out."
    ]


def test_an_affix_alone_is_no_name():
    assert Affix(suffix="_mask").remove_from("_mask") is None
    assert PLAIN.remove_from("_mask") == "_mask"
    assert Affix(prefix="mask_", suffix="_gt").remove_from("mask_7_gt") == "7"


def test_thousands_of_files_without_partners_are_told_within_seconds(tmp_path):
    images = FolderFiles(folder=tmp_path, files={f"{n:05d}": tmp_path / f"{n:05d}.png" for n in range(3000)})
    masks = FolderFiles(folder=tmp_path, files={f"{'m' * (n > 0)}{n:05d}": tmp_path / f"m{n:05d}.png" for n in range(3000)})
    start = time.process_time()
    result = match_pairs(images, masks)
    assert len(result.findings) == 2 * 2999
    assert time.process_time() - start < 5, "0.13 s where this was written"
