"""A corrected copy: what is mended and how, what is copied, what is left out, what is refused, and that the source stays."""

import contextlib
import csv
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from focalseg.errors import DataError, SettingError
from focalseg.imagesets.case import Case
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.phantoms.dataset import PhantomDataset
from focalseg.imagesets.repair.copying import Repair, repair_dataset
from focalseg.imagesets.survey.survey import survey_dataset
from imagesets.corpus.catalogue import FAULTS
from imagesets.corpus.fault import fingerprint
from imagesets.corpus.pictures import (
    COUNT,
    PLANTED,
    black_and_white,
    draw_image,
    draw_mask,
    encode,
    encode_mask,
    replace,
    write_pictures,
)
from imagesets.corpus.volumes import write_decathlon

NAME = f"case_{PLANTED}"
BY_HAND = {"bad_table", "wrong_count", "outside"}
"""Kinds at tables: only a person can know what should stand there."""
REPAIRED = {kind for kind in KINDS if KINDS[kind].repair}
OTHERS = [fault for fault in FAULTS if not fault.kinds & REPAIRED]
TRIED = [*(fault for fault in FAULTS if fault.kinds & REPAIRED), *OTHERS[::5]]


def repair(source: Path, folder: Path) -> Repair:
    dataset = open_dataset(str(source))
    return repair_dataset(dataset, survey_dataset(dataset), folder)


def read_log(repaired: Repair) -> list[tuple[str, str, str]]:
    with repaired.log.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert header == ["file", "kind", "done"]
    return [(line[0], line[1], line[2]) for line in lines]


def read_case(folder: Path, name: str = NAME) -> Case:
    dataset = open_dataset(str(folder))
    return dataset.read_case(list(dataset.names).index(name))


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("fault", TRIED, ids=lambda fault: fault.name)
def test_the_copy_of_any_faulty_set_is_free_of_errors_but_in_tables_and_the_set_stays_as_it_was(fault, tmp_path):
    source, copy = tmp_path / "data", tmp_path / "copy"
    fault.make(source)
    before = fingerprint(source)
    try:
        dataset = open_dataset(str(source))
    except DataError:
        pytest.skip("of no known layout")
    survey = survey_dataset(dataset)
    hopeless = rf"^{source}: has no case that can be copied or mended; [^\n]*$"
    with contextlib.nullcontext() if survey.cases else pytest.raises(DataError, match=hopeless):
        repaired = repair_dataset(dataset, survey, copy)
        assert {finding.kind for finding in repaired.survey.errors} <= BY_HAND
        assert len(repaired.survey.cases) == len(dataset) - len(repaired.left_out) > 0
        logged = {kind for _, kind, _ in read_log(repaired)}
        assert logged >= {finding.kind for finding in survey.errors} - {"turned"}  # it may be left out for its size
    assert copy.exists() == bool(survey.cases)
    assert fingerprint(source) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kind", sorted(REPAIRED))
def test_every_kind_with_a_repair_in_the_catalogue_has_a_fault_in_the_corpus(kind):
    assert any(kind in fault.kinds for fault in FAULTS)


def test_good_files_are_copied_byte_for_byte_and_tables_with_them(tmp_path):
    source = write_pictures(tmp_path / "data")
    (source / "cases.csv").write_text("case,patient\r\n" + "".join(f"case_{n},{n // 2}\r\n" for n in range(COUNT)))
    (source / "README.md").write_text("where it is from")
    repaired = repair(source, tmp_path / "copy")
    assert (repaired.mended, repaired.copied, repaired.left_out) == (0, 2 * COUNT, ())
    assert names_in(tmp_path / "copy") == {*names_in(source), "repair.csv"}
    for name in names_in(source):
        assert (tmp_path / "copy" / name).read_bytes() == (source / name).read_bytes()
    assert read_log(repaired) == []
    assert list(open_dataset(str(tmp_path / "copy")).groups) == list(open_dataset(str(source)).groups)


def test_a_picture_stored_turned_is_turned_as_its_note_says(tmp_path):
    source = write_pictures(tmp_path / "data")
    turned = Image.fromarray(draw_image(PLANTED)[::-1, ::-1])  # EXIF 3: turned by half a turn
    exif = Image.Exif()
    exif[0x0112] = 3
    replace(source, "images", encode(turned, exif=exif.tobytes()))
    repaired = repair(source, tmp_path / "copy")
    assert np.array_equal(read_case(tmp_path / "copy").image, draw_image(PLANTED).transpose(2, 0, 1))
    assert read_log(repaired) == [(str(source / "images" / f"{NAME}.png"), "turned", "turned upright")]


def test_a_picture_that_does_not_fit_its_mask_once_upright_is_left_out(tmp_path):
    source = write_pictures(tmp_path / "data")
    exif = Image.Exif()
    exif[0x0112] = 6
    path = replace(source, "images", encode(draw_image(PLANTED), exif=exif.tobytes()))
    repaired = repair(source, tmp_path / "copy")
    assert names_in(tmp_path / "copy") == {*names_in(source), "repair.csv"} - {f"images/{NAME}.png", f"masks/{NAME}.png"}
    done = f"left out, with its case {NAME}: is 40 x 32 pixels but its image is 32 x 40"
    assert read_log(repaired) == [(str(source / "masks" / path.name), "sizes_differ", done)]


@pytest.mark.parametrize(("mode", "done"), [("RGBA", "alpha channel left out"), ("CMYK", "converted to RGB")])
def test_an_image_of_another_mode_becomes_rgb(tmp_path, mode, done):
    source = write_pictures(tmp_path / "data")
    file_format, suffix = ("TIFF", ".tif") if mode == "CMYK" else ("PNG", ".png")
    path = replace(source, "images", encode(Image.fromarray(draw_image(PLANTED)).convert(mode), file_format), suffix=suffix)
    repaired = repair(source, tmp_path / "copy")
    with Image.open(tmp_path / "copy" / "images" / path.name) as file:
        assert file.mode == "RGB"
        assert np.array_equal(np.asarray(file), draw_image(PLANTED))  # Pillow's CMYK is 255 - RGB, which is exact
    assert [line[2] for line in read_log(repaired)] == [done]


def test_a_file_whose_name_tells_another_format_keeps_its_bytes_under_the_right_name(tmp_path):
    source = write_pictures(tmp_path / "data")
    content = encode(draw_image(PLANTED), "JPEG", quality=90)
    replace(source, "images", content)
    repaired = repair(source, tmp_path / "copy")
    assert (tmp_path / "copy" / "images" / f"{NAME}.jpg").read_bytes() == content
    assert not (tmp_path / "copy" / "images" / f"{NAME}.png").exists()
    assert [line[1:] for line in read_log(repaired)] == [
        ("wrong_suffix", f"named by its content, JPEG; now images/{NAME}.jpg")
    ]  # fmt: skip


def test_what_a_link_leads_to_is_copied(tmp_path):
    source = write_pictures(tmp_path / "data")
    path, elsewhere = source / "masks" / f"{NAME}.png", tmp_path / "elsewhere.png"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    repaired = repair(source, tmp_path / "copy")
    copied = tmp_path / "copy" / "masks" / f"{NAME}.png"
    assert not copied.is_symlink()
    assert copied.read_bytes() == encode_mask(PLANTED)
    assert read_log(repaired) == [(str(path), "link_leaves", "copied what the link leads to")]


def test_a_mask_through_jpeg_is_cut_at_half(tmp_path):
    source = write_pictures(tmp_path / "data")
    content = encode(black_and_white(PLANTED), "JPEG", quality=80)
    path = replace(source, "masks", content, suffix=".jpg")
    repaired = repair(source, tmp_path / "copy")
    with Image.open(path) as file:
        expected = np.asarray(file) > 127
    assert np.array_equal(read_case(tmp_path / "copy").mask, expected)
    assert (expected == draw_mask(PLANTED)).mean() > 0.99
    assert read_log(repaired)[0][1:] == ("in_between", f"set to 255 above half, to 0 below; now masks/{NAME}.png")


def test_a_mask_that_looks_like_an_image_is_not_cut_but_left_out(tmp_path):
    source = write_pictures(tmp_path / "data")
    replace(source, "masks", encode(draw_image(PLANTED).mean(axis=2).astype(np.uint8)))
    repaired = repair(source, tmp_path / "copy")
    assert len(repaired.left_out) == 1
    assert read_log(repaired)[0][1] == "photograph"


def test_a_value_between_several_labels_is_not_guessed(tmp_path):
    source = write_pictures(tmp_path / "data")
    (source / "labels.csv").write_text("label,value\nlesion,255\nduct,128\n")
    replace(source, "masks", encode(black_and_white(PLANTED), "JPEG", quality=50), suffix=".jpg")
    assert len(repair(source, tmp_path / "copy").left_out) == 1


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (draw_image(PLANTED)[..., 0], np.repeat(draw_image(PLANTED)[None, ..., 0], 3, axis=0)),
        (draw_image(PLANTED)[..., 0].astype(np.uint16) * 257, np.repeat(draw_image(PLANTED)[None, ..., 0], 3, axis=0)),
    ],
    ids=["grey", "grey of 16 bits"],
)
def test_an_image_unlike_the_others_is_converted_to_what_most_are(tmp_path, stored, expected):
    source = write_pictures(tmp_path / "data")
    replace(source, "images", encode(stored))
    repaired = repair(source, tmp_path / "copy")
    assert np.array_equal(read_case(tmp_path / "copy").image, expected)
    assert repaired.survey.errors == ()


def test_eight_bits_become_sixteen_where_most_have_sixteen(tmp_path):
    source = tmp_path / "data"
    write_pictures(source)
    for number in range(COUNT):
        wide = draw_image(number)[..., 0].astype(np.uint16) * 200
        replace(source, "images", encode(wide if number != PLANTED else draw_image(number)[..., 0]), number=number)
    repaired = repair(source, tmp_path / "copy")
    case = read_case(tmp_path / "copy")
    assert case.image.dtype == np.uint16
    assert np.array_equal(case.image[0], draw_image(PLANTED)[..., 0].astype(np.uint16) * 257)  # 255 * 257 = 65535
    assert [line[2] for line in read_log(repaired)] == ["8 bits converted to 16 (255 becomes 65535)"]


def test_a_colour_image_among_grey_ones_is_converted_only_where_nothing_is_lost(tmp_path):
    source = write_pictures(tmp_path / "data")
    for number in range(COUNT):
        grey = draw_image(number)[..., 0]
        replace(source, "images", encode(grey), number=number)
    replace(source, "images", encode(np.repeat(draw_image(0)[..., :1], 3, axis=2)), number=0)
    replace(source, "images", encode(draw_image(PLANTED)))
    repaired = repair(source, tmp_path / "copy")
    assert np.array_equal(read_case(tmp_path / "copy", "case_0").image, draw_image(0)[None, ..., 0])
    assert [line[2] for line in read_log(repaired)] == [
        "colour without colours converted to grey",
        f"left out, with its case {NAME}: has 3 channels, which do not convert to 1 without loss",
    ]


def test_images_and_masks_without_a_partner_are_left_out(tmp_path):
    source = write_pictures(tmp_path / "data")
    (source / "masks" / f"{NAME}.png").unlink()
    (source / "images" / "case_0.png").unlink()
    repaired = repair(source, tmp_path / "copy")
    assert repaired.left_out == ()
    assert names_in(tmp_path / "copy") & {f"images/{NAME}.png", "masks/case_0.png"} == set()
    assert {line[:2] for line in read_log(repaired)} == {
        (str(source / "images" / f"{NAME}.png"), "no_mask"),
        (str(source / "masks" / "case_0.png"), "no_image"),
    }


def test_a_manifest_of_the_copy_has_its_cases_with_their_new_names(tmp_path):
    source = write_pictures(tmp_path / "data")
    lines = [f"images/case_{n}.png,masks/case_{n}.png,subject {n // 2},{'train' if n < 4 else 'test'}" for n in range(COUNT)]
    (source / "manifest.csv").write_text("\n".join(["image,mask,group,split", *lines]) + "\n")
    (source / "images" / "case_1.png").write_bytes(b"")
    replace(source, "masks", encode(black_and_white(5), "JPEG", quality=80), number=5)  # named .png
    repaired = repair(source, tmp_path / "copy")
    kept = [line for number, line in enumerate(lines) if number != 1]
    assert (tmp_path / "copy" / "manifest.csv").read_text().splitlines() == ["image,mask,group,split", *kept]
    before, after = open_dataset(str(source)), open_dataset(str(tmp_path / "copy"))
    for field in ("names", "groups", "parts"):
        assert list(getattr(after, field)) == [value for number, value in enumerate(getattr(before, field)) if number != 1]
    assert repaired.survey.errors == ()


def test_a_manifest_of_the_copy_is_without_the_masks_of_the_background(tmp_path):
    source = write_pictures(tmp_path / "data", 6)
    (source / "background").mkdir()
    lines = []
    for n in range(6):
        shutil.copyfile(source / "masks" / f"case_{n}.png", source / "background" / f"case_{n}.png")
        lines += [f"images/case_{n}.png,background/case_{n}.png,background", f"images/case_{n}.png,masks/case_{n}.png,lesion"]
    (source / "manifest.csv").write_text("\n".join(["image,mask,mask_label", *lines]) + "\n")
    assert repair(source, tmp_path / "copy").survey.errors == ()
    assert (tmp_path / "copy" / "manifest.csv").read_text().splitlines() == ["image,mask,mask_label", *lines[1::2]]


def test_a_manifest_names_a_file_by_its_new_suffix(tmp_path):
    source = write_pictures(tmp_path / "data", 6)
    replace(source, "images", encode(draw_image(2), "JPEG", quality=90), number=2)
    lines = [f"images/case_{n}.png,masks/case_{n}.png" for n in range(6)]
    (source / "manifest.csv").write_text("\n".join(["image,mask", *lines]) + "\n")
    repair(source, tmp_path / "copy")
    lines[2] = "images/case_2.jpg,masks/case_2.png"
    assert (tmp_path / "copy" / "manifest.csv").read_text().splitlines() == ["image,mask", *lines]


def test_a_volume_with_two_places_keeps_its_sform_and_every_voxel(tmp_path):
    source = write_decathlon(tmp_path / "data")
    path = min((source / "imagesTr").iterdir())
    volume = nibabel.load(path)
    voxels, sform = np.asanyarray(volume.dataobj), volume.get_sform()
    moved = sform.copy()
    moved[:3, 3] += 20
    volume.set_qform(moved, code=1)
    volume.set_sform(sform, code=1)
    nibabel.save(volume, path)
    repaired = repair(source, tmp_path / "copy")
    mended = nibabel.load(tmp_path / "copy" / "imagesTr" / path.name)
    assert np.allclose(mended.get_qform(), sform, atol=1e-3)
    assert np.array_equal(mended.get_sform(), sform)
    assert np.array_equal(np.asanyarray(mended.dataobj), voxels)
    assert read_log(repaired) == [(str(path), "two_places", "qform set to the sform")]


def test_a_fourth_axis_of_one_is_dropped_from_the_header_alone(tmp_path):
    source = write_decathlon(tmp_path / "data")
    path = min((source / "imagesTr").iterdir())
    volume = nibabel.load(path)
    voxels = np.asanyarray(volume.dataobj)
    nibabel.save(nibabel.Nifti1Image(voxels[..., None], volume.affine, volume.header), path)
    repair(source, tmp_path / "copy")
    mended = nibabel.load(tmp_path / "copy" / "imagesTr" / path.name)
    assert mended.shape == voxels.shape
    assert np.array_equal(np.asanyarray(mended.dataobj), voxels)


@pytest.mark.parametrize(("off", "mended"), [(0.009, True), (0.011, False)])
def test_labels_within_a_hundredth_of_a_whole_number_are_rounded_and_others_left_out(tmp_path, off, mended):
    source = write_decathlon(tmp_path / "data")
    path = min((source / "labelsTr").iterdir())
    labels = nibabel.load(path)
    voxels = np.asanyarray(labels.dataobj)
    near = voxels.astype(np.float64) + off * (voxels > 0)
    header = labels.header.copy()
    header.set_data_dtype(np.float64)
    nibabel.save(nibabel.Nifti1Image(near, labels.affine, header), path)
    repaired = repair(source, tmp_path / "copy")
    assert len(repaired.left_out) == (0 if mended else 1)
    if mended:
        assert np.array_equal(np.asanyarray(nibabel.load(tmp_path / "copy" / "labelsTr" / path.name).dataobj), voxels)


def test_the_list_and_the_count_of_a_decathlon_set_are_those_of_the_copy(tmp_path):
    source = write_decathlon(tmp_path / "data")
    path = min((source / "imagesTr").iterdir())
    path.write_bytes(b"")
    repaired = repair(source, tmp_path / "copy")
    before, after = (json.loads((folder / "dataset.json").read_text()) for folder in (source, tmp_path / "copy"))
    assert after["numTraining"] == before["numTraining"] - 1
    assert after["training"] == [entry for entry in before["training"] if not entry["image"].endswith(path.name)]
    assert after["labels"] == before["labels"]
    assert repaired.survey.errors == ()


@pytest.mark.parametrize("place", ["data", "data/copy", "data/images/copy"])
def test_a_copy_within_the_set_is_refused(tmp_path, place):
    source = write_pictures(tmp_path / "data")
    before = fingerprint(source)
    with pytest.raises(SettingError, match=r"which is never written to; give a folder outside of it as --repair\."):
        repair(source, tmp_path / place)
    assert fingerprint(source) == before


@pytest.mark.parametrize("kind", ["file", "other files", "the set within"])
def test_a_folder_that_is_not_free_is_refused_and_left_alone(tmp_path, kind):
    folder = tmp_path / "folder"
    source = write_pictures(folder / "data" if kind == "the set within" else tmp_path / "data")
    if kind == "file":
        folder.write_text("mine")
    elif kind == "other files":
        folder.mkdir()
        (folder / "thesis.txt").write_text("mine")
    before = fingerprint(tmp_path)
    complaint = "is a file" if kind == "file" else "is not empty"
    with pytest.raises(
        SettingError, match=f"{folder} {complaint}; expected a new or an empty folder as --repair\\. Give another"
    ):
        repair(source, folder)
    assert fingerprint(tmp_path) == before


def test_an_empty_folder_is_filled_and_one_through_a_link_into_the_set_refused(tmp_path):
    source = write_pictures(tmp_path / "data")
    (tmp_path / "empty").mkdir()
    assert repair(source, tmp_path / "empty").copied == 2 * COUNT
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(SettingError, match="which is never written to"):
        repair(source, tmp_path / "link" / "copy")


def test_built_in_images_have_nothing_to_repair(tmp_path):
    dataset = PhantomDataset("polyp", count=3)
    with pytest.raises(SettingError, match=r"phantom:polyp is drawn, not read from files; .* Leave --repair out\."):
        repair_dataset(dataset, survey_dataset(dataset), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    source = write_pictures(tmp_path / "data")

    def fail(*_given: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("focalseg.imagesets.repair.copying.copy_tables", fail)
    with pytest.raises(OSError, match=r"copy cannot be written \(No space left on device\); free space or .* again\."):
        repair(source, tmp_path / "copy")
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_tables_of_each_side_go_along_without_the_cases_that_are_left_out(tmp_path):
    source = tmp_path / "source"
    for side in ("train", "test"):
        write_pictures(source / side)
        lines = ["id,patient", *(f"case_{number},{side}{number // 2}" for number in range(COUNT))]
        (source / side / "cases.csv").write_text("\n".join(lines) + "\n")
    for number in range(COUNT):  # what is the same on two sides is a leak
        replace(source / "test", "images", encode(draw_image(number + 50)), number=number)
    (source / "train" / "masks" / f"case_{PLANTED}.png").write_bytes(b"")
    repaired = repair(source, tmp_path / "copy")
    assert repaired.left_out == (f"train/case_{PLANTED}",)
    assert repaired.survey.errors == ()
    before, after = survey_dataset(open_dataset(str(source))), repaired.survey
    assert {name: group for name, group in before.groups.items() if not name.endswith(f"train/case_{PLANTED}")} == after.groups
    assert len(set(after.groups.values())) == COUNT
    assert f"case_{PLANTED}," not in (tmp_path / "copy" / "train" / "cases.csv").read_text()
    assert (tmp_path / "copy" / "test" / "cases.csv").read_bytes() == (source / "test" / "cases.csv").read_bytes()


def test_a_manifest_of_whole_paths_names_the_files_of_the_copy(tmp_path):
    source = write_pictures(tmp_path / "source", images="scans", masks="truth")
    lines = ["image,mask", *(f"{source}/scans/case_{number}.png,{source}/truth/case_{number}.png" for number in range(COUNT))]
    (source / "manifest.csv").write_text("\n".join(lines) + "\n")
    repaired = repair(source, tmp_path / "copy")
    assert len(repaired.survey.cases) == COUNT
    assert repaired.survey.errors == ()
    assert str(source) not in (tmp_path / "copy" / "manifest.csv").read_text()


def test_a_few_pixels_of_a_label_that_other_masks_hold_whole_are_no_blur_to_be_taken_off(tmp_path):
    source = write_pictures(tmp_path / "data")
    masks = sorted((source / "masks").iterdir())
    for number, path in enumerate(masks[:2]):
        values = np.array(Image.open(path).convert("L"))
        values[:2, : (4, 20)[number]] = 128
        values[2:20, :20] = (0, 128)[number]
        Image.fromarray(values).save(path)
    repaired = repair(source, tmp_path / "copy")
    left_out = {Path(file).name: done for file, _, done in read_log(repaired)}
    assert left_out.keys() == {path.name for path in masks[:2]}
    assert all(done.startswith("left out, with its case ") for done in left_out.values())
    assert left_out[masks[0].name].endswith(": holds 0, 128, 255")
