"""Masks from pictures: which values and colours are which labels, and which mean nothing."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from focalseg.errors import DataError
from focalseg.imagesets.masks import MaskCoding
from focalseg.imagesets.pictures.masks import read_mask

PLAIN = MaskCoding()
DISC = (np.hypot(*(np.mgrid[:40, :60] - np.array([18, 30])[:, None, None])) < 11).astype(np.uint8)
THREE = np.zeros((40, 60), np.uint8)
THREE[5:20, 5:25], THREE[22:38, 30:50] = 1, 2
BLACK, RED, WHITE = (0, 0, 0), (128, 0, 0), (255, 255, 255)


def paint(labels, *colours):
    return np.array(colours, np.uint8)[labels]


def with_palette(labels, *colours):
    image = Image.fromarray(labels).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([value for colour in colours for value in colour])
    return image


@pytest.fixture
def write(tmp_path):
    def write_mask(pixels, name="mask.png", **options):
        path = tmp_path / name
        (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)
        return path

    return write_mask


def refuse(path, coding=PLAIN):
    with pytest.raises(DataError) as caught:
        read_mask(path, coding)
    (finding,) = caught.value.findings
    assert str(caught.value).startswith(f"{path}: ")
    return finding.kind, str(caught.value).removeprefix(f"{path}: ")


# One label


@pytest.mark.parametrize(
    ("pixels", "name"),
    [
        (DISC, "mask.png"),
        (DISC * 255, "mask.png"),
        (DISC * 7, "mask.bmp"),
        (DISC.astype(np.uint16) * 257, "mask.png"),
        (DISC.astype(np.uint16) * 65535, "mask.tif"),
        (DISC.astype(np.float32), "mask.tif"),
        (DISC.astype(np.int32) * 3, "mask.tif"),
        (Image.fromarray(DISC * 255).convert("1"), "mask.png"),
        (Image.fromarray(DISC * 255).convert("1"), "mask.bmp"),
        (Image.fromarray(DISC * 255), "mask.gif"),
        (with_palette(DISC, BLACK, WHITE), "mask.png"),
        (with_palette(1 - DISC, WHITE, BLACK), "mask.png"),
        (with_palette(DISC, BLACK, (1, 1, 1)), "mask.png"),
    ],
)
def test_nought_and_one_other_value_are_one_label_without_a_note(write, pixels, name):
    mask, notes, _ = read_mask(write(pixels, name), PLAIN)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, DISC)
    assert notes == ()


@pytest.mark.parametrize(("value", "label"), [(0, 0), (1, 1), (255, 1)])
def test_a_single_value_is_all_background_or_all_foreground(write, value, label):
    mask, *_ = read_mask(write(np.full((40, 60), value, np.uint8)), PLAIN)
    assert (mask == label).all()


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (paint(DISC, BLACK, WHITE), "is grey, saved in colour; expected a grey mask. {}it is read as grey."),
        (paint(DISC, BLACK, (1, 1, 1)), "is grey, saved in colour; expected a grey mask. {}it is read as grey."),
        (paint(DISC, BLACK, RED), "is black and #800000; expected a grey mask. {}what is not black is foreground."),
        (with_palette(DISC, BLACK, RED), "is black and #800000; expected a grey mask. {}what is not black is foreground."),
    ],
)
def test_black_and_one_other_colour_are_one_label_with_a_note(write, pixels, found):
    path = write(pixels)
    mask, notes, _ = read_mask(path, PLAIN)
    assert np.array_equal(mask, DISC)
    assert [str(note) for note in notes] == [f"{path}: " + found.format("Nothing need be done: ")]


def test_an_opaque_alpha_channel_of_a_mask_is_dropped_and_a_used_one_refused(write):
    opaque = np.dstack([paint(DISC, BLACK, WHITE), np.full_like(DISC, 255)])
    mask, notes, _ = read_mask(write(opaque), PLAIN)
    assert np.array_equal(mask, DISC)
    assert [note.kind for note in notes] == ["alpha_dropped", "colour_mask"]
    kind, message = refuse(write(np.dstack([paint(DISC * 0 + 1, BLACK, WHITE), DISC * 255])))
    assert kind == "transparent"
    assert message.startswith(f"has {np.count_nonzero(DISC == 0):,} transparent pixels; expected opaque pixels.")


def test_pages_are_a_stack_of_masks(write):
    path = write(Image.fromarray(DISC * 255), "mask.tif", save_all=True, append_images=[Image.fromarray(DISC * 0)])
    mask, *_ = read_mask(path, PLAIN)
    assert mask.shape == (2, 40, 60)
    assert np.array_equal(mask[0], DISC)
    assert not mask[1].any()


def test_label_numbers_without_a_table_are_not_declared(write):
    assert refuse(write(THREE)) == (
        "not_declared",
        "holds 0, 1, 2; expected 0 and one other value, or a table labels.csv. "
        "Write a table labels.csv with label,value beside the masks, or keep one label.",
    )
    assert refuse(write(THREE * 127))[0] == "not_declared"
    assert refuse(write(DISC + 1))[1].startswith("holds 1, 2; expected 0 and one other value")


def resize(mask):
    return Image.fromarray(mask * 255).resize((90, 60), Image.Resampling.BILINEAR)


def test_values_in_between_are_counted(write):
    pixels = np.asarray(resize(DISC))
    count = np.count_nonzero((pixels > 0) & (pixels < 255))
    kind, message = refuse(write(pixels))
    assert kind == "in_between"
    assert message == (
        f"has {count} of 5,400 pixels ({count / 5400:.2%}) between 0 and 255, as of JPEG or resizing; "
        "expected 0 and one other value. Export the mask without resizing or JPEG."
    )


def test_edges_of_one_declared_label_are_not_told_to_lie_between_several(write):
    kind, message = refuse(write(resize(DISC)), MaskCoding(labels=("lesion",), values={0: 0, 255: 1}, table="labels.csv"))
    assert kind == "in_between"
    assert "expected 0, 255, as labels.csv says. Export the mask without resizing or JPEG." in message


def test_a_label_that_the_table_lacks_is_named_and_not_what_resizing_left_beside_it(write):
    mask = DISC * 255
    mask[4:12, 4:16] = 100
    enlarged = Image.fromarray(mask).resize((90, 60), Image.Resampling.BILINEAR)
    kind, message = refuse(write(enlarged), MaskCoding(labels=("lesion",), values={0: 0, 255: 1}, table="labels.csv"))
    assert kind == "not_declared"
    assert message.startswith("holds areas of 100, and ")
    assert "other values at their edges, as of JPEG or resizing; expected 0, 255, as labels.csv says. Declare them" in message


def test_a_photograph_is_called_one_whatever_a_table_declares(write):
    grey = np.random.default_rng(0).integers(1, 255, (40, 60)).astype(np.uint8)
    assert refuse(write(grey), MaskCoding(labels=("lesion",), values={0: 0, 255: 1}, table="labels.csv"))[0] == "photograph"


@pytest.mark.parametrize("factor", [0.5, 2, 3])
def test_a_mask_resized_by_a_whole_factor_is_not_taken_for_labels(write, factor):
    size = int(60 * factor), int(40 * factor)
    kind, _ = refuse(write(Image.fromarray(DISC * 255).resize(size, Image.Resampling.BILINEAR)))
    assert kind == "in_between"


def test_a_mask_saved_as_jpeg_is_refused(write):
    assert refuse(write(DISC * 255, "mask.jpg", quality=60))[0] == "in_between"


def test_a_photograph_in_the_place_of_a_mask_is_called_one(write):
    random = np.random.default_rng(0)
    grey, colour = random.integers(0, 256, (40, 60)).astype(np.uint8), random.integers(0, 256, (40, 60, 3)).astype(np.uint8)
    assert refuse(write(grey)) == (
        "photograph",
        f"holds {len(np.unique(grey))} different values and looks like a photograph; expected 0 and one other value. "
        "Were image and mask swapped? Else export the mask again.",
    )
    assert refuse(write(colour))[1].endswith(
        "different colours and looks like a photograph; expected black and one other colour. "
        "Were image and mask swapped? Else export the mask again."
    )


@pytest.mark.parametrize(("step", "dtype"), [(20, np.uint8), (400, np.uint16)])
def test_numbers_of_objects_are_no_photograph(write, step, dtype):
    objects = np.zeros((60, 60), dtype)
    for number in range(12):
        row, column = divmod(number, 4)
        objects[20 * row + 3 : 20 * row + 12, 15 * column + 2 : 15 * column + 11] = (number + 1) * step
    kind, message = refuse(write(Image.fromarray(objects)))
    assert kind == "not_declared"
    assert message.startswith(
        "holds 13 different values that each form an area, as the numbers of single objects do; expected 0"
    )
    assert "save the mask with 1 for all of them" in message


@pytest.mark.parametrize("make", [paint, with_palette])
def test_several_colours_without_a_table_are_listed(write, make):
    counts = np.bincount(THREE.ravel())
    kind, message = refuse(write(make(THREE, BLACK, RED, (0, 128, 0))))
    assert kind == "colours_unknown"
    assert message == (
        f"holds #000000 ({counts[0]:,} pixels), #008000 ({counts[2]} pixels), #800000 ({counts[1]} pixels); "
        "expected a table of colours, labels.csv with label,colour. Write it into the folder "
        "of the set, beside the folders of images and masks, or export label numbers."
    )


def test_palette_entries_of_the_same_colour_do_not_vanish(write):
    assert refuse(write(with_palette(DISC, BLACK, BLACK))) == (
        "colours_unknown",
        "uses 2 palette entries of 1 colour (#000000); expected a table of colours, labels.csv with label,colour. "
        "Export label numbers, or a colour for each label.",
    )


@pytest.mark.parametrize(
    ("pixels", "kind", "found"),
    [
        (DISC.astype(np.float32) * 0.5, "not_whole", "holds 0.5; expected whole numbers from 0 on. Export the labels again."),
        (-DISC.astype(np.float32), "not_whole", "holds -1; expected whole numbers from 0 on. Export the labels again."),
        (DISC * np.float32(1e38), "not_whole", "holds 1e+38; expected whole numbers from 0 on. Export the labels again."),
        (np.where(DISC, np.float32(np.nan), np.float32(0)), "not_finite",
         f"has {DISC.sum()} pixels that are no finite numbers; expected finite intensities. Mend or remove the case."),
    ],
)  # fmt: skip
def test_a_float_mask_holds_whole_numbers(write, pixels, kind, found):
    assert refuse(write(pixels, "mask.tif")) == (kind, found)


def test_a_mask_is_refused_for_what_an_image_is_refused_for(write):
    exif = Image.Exif()
    exif[274] = 3
    assert refuse(write(DISC, exif=exif))[0] == "turned"
    assert refuse(write(Image.fromarray(DISC), save_all=True, append_images=[Image.fromarray(1 - DISC)]))[0] == "several_pages"


# Tables


VALUES = MaskCoding(labels=("a", "b"), values={0: 0, 1: 1, 2: 2}, table="labels.csv")


@pytest.mark.parametrize(
    "pixels",
    [
        THREE,
        THREE.astype(np.uint16),
        with_palette(THREE, WHITE, RED, BLACK),
        with_palette(THREE, BLACK, BLACK, BLACK),
    ],
)
def test_declared_values_are_labels_and_a_palette_counts_by_its_numbers(write, pixels):
    mask, notes, _ = read_mask(write(pixels), VALUES)
    assert np.array_equal(mask, THREE)
    assert notes == ()


def test_declared_values_in_two_bits_are_what_was_stored(tmp_path):
    path = tmp_path / "mask.png"
    with_palette(THREE, BLACK, RED, WHITE).save(path, bits=2)
    assert np.array_equal(read_mask(path, VALUES)[0], THREE)
    content = bytearray(path.read_bytes())
    # Colour type 0 instead of 3: the same numbers as greys of 2 bits, without their palette.
    start = content.index(b"PLTE") - 4
    del content[start : start + 12 + int.from_bytes(content[start : start + 4], "big")]
    content[25] = 0
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    # Pillow writes three colours in 2 bits and stretches what it reads of them.
    assert np.asarray(Image.open(io.BytesIO(content))).max() == 2 * 255 // 3
    assert np.array_equal(read_mask(path, VALUES)[0], THREE)


def test_one_bit_counts_as_0_and_1(write):
    mask, *_ = read_mask(write(Image.fromarray(DISC * 255).convert("1")), VALUES)
    assert np.array_equal(mask, DISC)


def test_declared_values_saved_in_colour_are_read_with_a_note(write):
    mask, notes, _ = read_mask(write(np.dstack([THREE] * 3)), VALUES)
    assert np.array_equal(mask, THREE)
    assert [note.kind for note in notes] == ["colour_mask"]
    assert refuse(write(paint(THREE, BLACK, RED, WHITE)), VALUES)[0] == "colours_unknown"


def test_a_value_that_is_not_declared_is_named_with_the_mend(write):
    assert refuse(write(DISC * 255), VALUES) == (
        "not_declared",
        "holds 255; expected 0, 1, 2, as labels.csv says. Write 1 where it has 255.",
    )
    assert refuse(write(DISC * np.float32(1.5), "mask.tif"), VALUES)[0] == "not_whole"


COLOURS = MaskCoding(labels=("a", "b"), colours={BLACK: 0, RED: 1, WHITE: 2}, table="labels.csv")


@pytest.mark.parametrize("make", [paint, with_palette])
def test_declared_colours_are_labels(write, make):
    mask, notes, _ = read_mask(write(make(THREE, BLACK, RED, WHITE)), COLOURS)
    assert np.array_equal(mask, THREE)
    assert notes == ()


@pytest.mark.parametrize("pixels", [DISC * 255, Image.fromarray(DISC * 255).convert("1")])
def test_greys_count_as_colours_where_colours_are_declared(write, pixels):
    for name in ("mask.png", "mask.bmp"):
        assert np.array_equal(read_mask(write(pixels, name), COLOURS)[0], DISC * 2)


def test_colours_that_are_not_declared_are_counted(write):
    pixels = paint(THREE, BLACK, RED, (0, 0, 200))
    pixels[0, 0] = 1, 2, 3
    assert refuse(write(pixels), COLOURS) == (
        "not_declared",
        "holds #0000C8 (320 pixels), #010203 (1 pixel); expected #000000, #800000, #FFFFFF, as labels.csv says. "
        "Mend the mask or declare the label.",
    )
    assert refuse(write(DISC.astype(np.uint16)), COLOURS)[1].startswith("holds numbers of more than 8 bits; expected colours")


# Thresholds


THRESHOLD = MaskCoding(threshold=True)


@pytest.mark.parametrize("pixels", [DISC, DISC * 255, DISC.astype(np.uint16) * 65535, Image.fromarray(DISC * 255).convert("1")])
def test_a_threshold_without_stray_values_changes_nothing_and_says_nothing(write, pixels):
    mask, notes, _ = read_mask(write(pixels), THRESHOLD)
    assert np.array_equal(mask, DISC)
    assert notes == ()


def test_stray_values_are_thresholded_at_half_of_the_full_scale_with_a_note(write):
    pixels = DISC * 255
    pixels[0, :4] = 5, 127, 128, 250
    path = write(pixels)
    mask, notes, _ = read_mask(path, THRESHOLD)
    assert np.array_equal(mask, pixels > 127.5)
    assert [str(note) for note in notes] == [
        f"{path}: has 4 pixels that are neither 0 nor 255; expected 0 and 255. Nothing need be done: what is above 127 counts."
    ]
    wide = write(pixels.astype(np.uint16) * 257, "wide.png")
    assert np.array_equal(read_mask(wide, THRESHOLD)[0], mask)


@pytest.mark.parametrize(("name", "number"), [("cvc_clinicdb", 612), ("busi", 310), ("chase_db1", 28)])
def test_every_mask_of_a_real_set_is_what_is_above_half(real_data, name, number):
    paths = sorted((real_data(name) / "masks").iterdir())
    assert len(paths) == number
    for path in paths[::12]:
        mask, notes, _ = read_mask(path, PLAIN)
        with Image.open(path) as image:
            assert np.array_equal(mask, np.asarray(image.convert("L")) > 127)
        assert notes == ()
