"""Plain folders: what is read, and what is refused by name."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalseg.data.folder import natural_key
from focalseg.data.reading import read_dataset
from focalseg.errors import DataError, SettingError


def test_cases_come_in_natural_order_with_their_pixels(make_folder):
    dataset = read_dataset(str(make_folder(count=12)))
    assert dataset.names == tuple(f"case_{number}" for number in range(12))
    case = dataset.read_case(10)
    assert case.image.shape == (3, 24, 24)
    assert case.image.dtype == np.uint8
    assert case.mask.dtype == np.uint8
    assert case.mask.sum() == 64
    assert (case.image[:, case.mask == 1] == 220).all()


@pytest.mark.parametrize("foreground", [1, 255])
def test_masks_of_0_and_1_are_read_like_masks_of_0_and_255(make_folder, foreground):
    case = read_dataset(str(make_folder(foreground=foreground))).read_case(0)
    assert case.mask.sum() == 64


def test_stray_low_values_of_a_mask_are_background(make_folder):
    folder = make_folder()
    mask = np.full((24, 24), 90, np.uint8)
    mask[:4, :4] = 255
    Image.fromarray(mask).save(folder / "masks" / "case_0.png")
    assert read_dataset(str(folder)).read_case(0).mask.sum() == 16


def test_a_mask_that_is_empty_is_legal(make_folder):
    folder = make_folder()
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(folder / "masks" / "case_3.png")
    assert not read_dataset(str(folder)).read_case(3).mask.any()


@pytest.mark.parametrize(
    ("mode", "pixels", "channels"),
    [("L", np.full((24, 24), 7, np.uint8), 1), ("RGBA", np.full((24, 24, 4), 7, np.uint8), 3)],
)
def test_grey_stays_grey_and_transparency_is_dropped(make_folder, mode, pixels, channels):
    folder = make_folder()
    Image.fromarray(pixels, mode=None).convert(mode).save(folder / "images" / "case_0.png")
    assert read_dataset(str(folder)).read_case(0).image.shape == (channels, 24, 24)


def test_sixteen_bits_are_kept(make_folder):
    folder = make_folder()
    Image.fromarray(np.full((24, 24), 40_000, np.uint16)).save(folder / "images" / "case_0.png")
    image = read_dataset(str(folder)).read_case(0).image
    assert image.dtype == np.uint16
    assert (image == 40_000).all()


def save_mask(folder, mask, name="case_0.png", **options):
    mask.save(folder / "masks" / name, **options)
    return read_dataset(str(folder)).read_case(0).mask


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 200, 0), (255, 255, 255, 255)])
def test_a_coloured_mask_is_foreground_where_it_has_colour(make_folder, colour):
    pixels = np.zeros((24, 24, len(colour)), np.uint8)
    pixels[3:9, 3:9] = colour
    assert save_mask(make_folder(), Image.fromarray(pixels)).sum() == 36


def test_transparent_pixels_of_a_mask_are_background(make_folder):
    pixels = np.full((24, 24, 4), 255, np.uint8)
    pixels[:, 12:, 3] = 0
    assert save_mask(make_folder(), Image.fromarray(pixels)).sum() == 288


def test_a_palette_is_read_by_its_colours_and_not_by_its_indices(make_folder):
    mask = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 12, axis=1).repeat(24, axis=0), mode="P")
    mask.putpalette([255, 255, 255, 0, 0, 0])
    assert save_mask(make_folder(), mask)[:, :12].all()


@pytest.mark.parametrize("label", [2, 100])
def test_one_label_other_than_1_is_foreground(make_folder, label):
    pixels = np.zeros((24, 24), np.uint8)
    pixels[:2] = label
    assert save_mask(make_folder(), Image.fromarray(pixels)).sum() == 48


def test_a_mask_of_several_labels_is_refused_with_its_values(make_folder):
    folder = make_folder()
    pixels = np.zeros((24, 24), np.uint8)
    pixels[0], pixels[1] = 1, 2
    with pytest.raises(DataError) as caught:
        save_mask(folder, Image.fromarray(pixels))
    assert str(caught.value) == (
        f"{folder}/masks/case_0.png: holds the values 0, 1, 2; expected 0 and 255, or 0 and one other. Keep one label."
    )


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bits_are_kept_in_either_byte_order(make_folder, order):
    folder = make_folder()
    (folder / "images" / "case_0.png").unlink()
    Image.fromarray(np.full((24, 24), 40_000, order)).save(folder / "images" / "case_0.tif")
    image = read_dataset(str(folder)).read_case(0).image
    assert image.dtype == np.uint16
    assert (image == 40_000).all()


def test_floating_point_images_keep_their_values_and_must_be_finite(make_folder):
    folder = make_folder()
    (folder / "images" / "case_0.png").unlink()
    pixels = np.full((24, 24), 0.25, np.float32)
    Image.fromarray(pixels).save(folder / "images" / "case_0.tif")
    assert (read_dataset(str(folder)).read_case(0).image == 0.25).all()
    pixels[3, 3] = np.nan
    Image.fromarray(pixels).save(folder / "images" / "case_0.tif")
    with pytest.raises(DataError, match=r"case_0\.tif: has pixels that are no finite numbers"):
        read_dataset(str(folder)).read_case(0)


def test_several_pages_and_a_note_to_turn_the_image_are_refused(make_folder):
    folder = make_folder()
    pages = [Image.fromarray(np.zeros((24, 24), np.uint8))] * 2
    (folder / "images" / "case_0.png").unlink()
    pages[0].save(folder / "images" / "case_0.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match=r"case_0\.tif: has 2 pages; expected one image a file"):
        read_dataset(str(folder)).read_case(0)
    turned = Image.fromarray(np.zeros((24, 24, 3), np.uint8))
    turned.getexif()[0x0112] = 6
    turned.save(folder / "images" / "case_1.png", exif=turned.getexif())
    with pytest.raises(DataError, match=r"case_1\.png: is stored turned"):
        read_dataset(str(folder)).read_case(1)


def test_every_file_without_a_partner_is_named(make_folder):
    folder = make_folder()
    (folder / "masks" / "case_4.png").unlink()
    (folder / "images" / "case_7.png").unlink()
    with pytest.raises(DataError) as caught:
        read_dataset(str(folder))
    assert caught.value.faults == (
        f"{folder}/images/case_4.png: no mask of that name in {folder}/masks/; expected case_4.png or the like. "
        "Add the mask or take the image out.",
        f"{folder}/masks/case_7.png: no image of that name in {folder}/images/; expected case_7.png or the like. "
        "Add the image or take the mask out.",
    )


def test_a_mask_of_another_size_is_named_with_both_sizes(make_folder):
    folder = make_folder()
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(folder / "masks" / "case_2.png")
    with pytest.raises(DataError) as caught:
        read_dataset(str(folder))
    assert str(caught.value) == (
        f"{folder}/masks/case_2.png: is 30 x 20 pixels but its image is 24 x 24; "
        "expected the same size. Export the mask again at the image's size."
    )


def test_text_renamed_as_an_image_and_a_damaged_file_are_named(make_folder):
    folder = make_folder()
    (folder / "images" / "case_0.png").write_text("not an image")
    with pytest.raises(DataError, match=re.escape(f"{folder}/images/case_0.png: is not a PNG, JPEG, TIFF or BMP image")):
        read_dataset(str(folder))


def test_a_file_cut_short_is_named_when_it_is_read(make_folder):
    folder = make_folder()
    path = folder / "images" / "case_0.png"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=re.escape(f"{path}: cannot be decoded")):
        read_dataset(str(folder)).read_case(0)


def test_two_files_for_one_case_are_refused(make_folder):
    folder = make_folder()
    Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(folder / "images" / "case_0.bmp")
    with pytest.raises(DataError, match=r"case_0\.png: has the same name as case_0\.bmp; expected one file a case"):
        read_dataset(str(folder))


def test_a_folder_that_is_not_there_or_has_no_images_says_what_was_expected(tmp_path: Path):
    with pytest.raises(
        SettingError, match="No folder .*; expected a folder with images/ and masks/, or built-in images: phantom:polyp"
    ):
        read_dataset(str(tmp_path / "absent"))
    with pytest.raises(DataError, match="has no images/ and no masks/; expected images/ and masks/"):
        read_dataset(str(tmp_path))
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    with pytest.raises(DataError, match="holds no images; expected files such as case_1.png"):
        read_dataset(str(tmp_path))


def test_an_unknown_phantom_is_refused_with_the_nearest():
    with pytest.raises(SettingError) as caught:
        read_dataset("phantom:polyps")
    assert str(caught.value) == (
        "No phantom named 'polyps'; known are polyp, vessel, ultrasound, local, global-cue, context. Did you mean 'polyp'?"
    )


def test_natural_order_counts_numbers_as_numbers():
    assert sorted(["b2", "a10", "a9", "10", "9"], key=natural_key) == ["9", "10", "a9", "a10", "b2"]
