"""Labels form areas, and what JPEG and resizing leave between two values are edges, however many values there are."""

import io

import numpy as np
import pytest
from PIL import Image

from focalseg.imagesets.areas import explain_between, find_areas

RESAMPLING = Image.Resampling
WAYS = (RESAMPLING.BILINEAR, RESAMPLING.BICUBIC, RESAMPLING.LANCZOS, RESAMPLING.BOX)


def draw_disc(values, centre, radius, value):
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]]
    values[(rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2] = value
    return values


def one_label():
    return draw_disc(draw_disc(np.zeros((120, 160), np.uint8), (50, 60), 30, 255), (90, 130), 12, 255)


def two_labels(value, radius=10):
    return draw_disc(one_label(), (52, 64), radius, value)


def through_jpeg(values, quality):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resize(values, factor, way):
    size = round(values.shape[1] * factor), round(values.shape[0] * factor)
    return np.asarray(Image.fromarray(values).resize(size, way))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("factor", [0.4, 0.7, 2, 3.3])
def test_a_mask_of_one_label_that_was_resized_has_edges_alone(way, factor):
    values = resize(one_label(), factor, way)
    assert len(np.unique(values)) == 2 or explain_between(values).reason == "edges"


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 95])
def test_a_mask_of_one_label_through_jpeg_has_edges_alone(quality):
    between = explain_between(through_jpeg(one_label(), quality))
    assert (between.reason, between.labels) == ("edges", ())
    values = through_jpeg(one_label(), quality).astype(int)
    assert between.near == pytest.approx(((values <= 16) | (values >= 239)).mean())


@pytest.mark.parametrize("value", [40, 85, 128, 170, 215])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("factor", [0.7, 2])
def test_a_label_is_known_behind_what_resizing_left_at_its_rim(value, way, factor):
    between = explain_between(resize(two_labels(value), factor, way))
    assert (between.reason, between.labels) == ("labels", (value,))


@pytest.mark.parametrize("value", [64, 128, 190])
@pytest.mark.parametrize("quality", [50, 75, 95])
def test_a_label_is_known_behind_the_noise_of_jpeg(value, quality):
    between = explain_between(through_jpeg(two_labels(value, radius=14), quality))
    assert between.reason == "labels"
    assert min(abs(label - value) for label in between.labels) <= 4


def test_every_one_of_several_labels_is_told():
    values = two_labels(100)
    draw_disc(values, (20, 120), 9, 50)
    draw_disc(values, (100, 30), 9, 200)
    assert explain_between(values).labels == (50, 100, 200)
    assert explain_between(resize(values, 2, RESAMPLING.BILINEAR)).labels == (50, 100, 200)


def test_a_single_value_between_is_a_label_however_small_it_is():
    values = one_label()
    values[3, 4] = 128
    assert explain_between(values).labels == (128,)


def test_wide_numbers_are_told_as_bytes_are():
    assert explain_between(resize(two_labels(128), 2, RESAMPLING.BILINEAR).astype(np.uint16) * 257).labels == (128 * 257,)
    assert explain_between(resize(one_label(), 2, RESAMPLING.BILINEAR).astype(np.uint16) * 257).reason == "edges"


def test_a_faint_label_in_the_middle_of_a_stack_is_seen():
    planes = np.stack([resize(one_label(), 2, RESAMPLING.BILINEAR)] * 60)
    planes[30:40, 8:60, 220:310] = 4  # a disc's surroundings are 0
    found = explain_between(planes)
    assert (found.reason, 4 in found.labels) == ("labels", True)


def test_a_stack_is_told_by_its_planes():
    planes = np.stack([resize(one_label(), 2, RESAMPLING.BILINEAR)] * 40)
    assert explain_between(planes).reason == "edges"
    planes[7] = resize(two_labels(128), 2, RESAMPLING.BILINEAR)
    assert explain_between(planes).labels == (128,)


def test_smooth_pictures_and_textures_are_images():
    rows, columns = np.mgrid[:120, :160]
    ramp = (255 * columns / 159).astype(np.uint8)
    waves = (127 + 120 * np.sin(rows / 15) * np.cos(columns / 11)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (120, 160)).astype(np.uint8)
    assert [explain_between(values).reason for values in (ramp, waves, noise)] == ["image"] * 3


@pytest.mark.parametrize("name", ["cvc_clinicdb", "busi"])
def test_real_photographs_are_images_and_real_masks_through_jpeg_are_not(real_data, name):
    folder = real_data(name)
    for path in sorted((folder / "images").iterdir())[::60]:
        assert explain_between(np.asarray(Image.open(path).convert("L"))).reason == "image"
    for path in sorted((folder / "masks").iterdir())[::60]:
        mask = (np.asarray(Image.open(path).convert("L")) > 127) * np.uint8(255)
        for values in (through_jpeg(mask, 60), resize(mask, 0.5, RESAMPLING.BILINEAR)):
            if len(np.unique(values)) > 2:
                assert explain_between(values).reason == "edges"


def test_an_edge_along_the_border_of_the_picture_is_no_area():
    values = np.zeros((30, 40), np.uint8)
    values[1:] = 255
    values[0] = 100
    assert find_areas(values, values == 100) == ()
    values[:2] = 100
    assert find_areas(values, values == 100) == (100,)


@pytest.mark.parametrize("values", [(1, 2), (1, 20), (254,), (1, 254)])
@pytest.mark.parametrize("factor", [1, 2])
def test_labels_by_small_numbers_are_known_beside_255(values, factor):
    """As those of Pascal VOC: numbers from 1, and 255 for what nobody judged."""
    mask = one_label()
    for number, value in enumerate(values):
        mask[5 + 60 * number : 45 + 60 * number, 100:150] = value
    between = explain_between(resize(mask, factor, RESAMPLING.BILINEAR))
    assert between.reason == "labels"
    assert set(values) <= set(between.labels)


@pytest.mark.parametrize("quality", [10, 20, 40, 60, 80])
@pytest.mark.parametrize("ends", [(0, 255), (1, 254), (3, 250)])
def test_black_and_white_that_jpeg_moved_are_no_labels(quality, ends):
    mask = np.where(one_label() > 0, *reversed(ends)).astype(np.uint8)
    for lossy in (True, False):
        assert explain_between(through_jpeg(mask, quality), lossy=lossy).reason == "edges"


@pytest.mark.parametrize("lossy", [True, False])
@pytest.mark.parametrize("value", [17, 238])
def test_a_pixel_that_jpeg_took_a_bit_farther_than_all_others_is_no_label(value, lossy):
    values = one_label()
    values[5, 10:22], values[50, 50:60], values[5, 30] = range(1, 13), range(245, 255), value
    assert explain_between(values, lossy=lossy).reason == "edges"
