"""Pictures that we write, read back by our reader and by Pillow and tifffile themselves."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from focalseg.errors import SettingError
from focalseg.imagesets.masks import MaskCoding
from focalseg.imagesets.pictures.masks import read_mask
from focalseg.imagesets.pictures.reading import read_image
from focalseg.imagesets.pictures.writing import write_png, write_tiff

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_of_8_or_16_bits_holds_the_pixels_to_the_bit(dtype, tmp_path):
    pixels = RANDOM.integers(0, np.iinfo(dtype).max, (9, 12)).astype(dtype)
    write_png(tmp_path / "a.png", pixels)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), pixels)
    assert np.array_equal(read_image(tmp_path / "a.png")[0][0], pixels)


def test_a_png_in_colour_holds_the_pixels_and_others_are_refused(tmp_path):
    pixels = RANDOM.integers(0, 255, (9, 12, 3)).astype(np.uint8)
    write_png(tmp_path / "a.png", pixels)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), pixels)
    with pytest.raises(SettingError, match=r"holds \(H, W\) or \(H, W, 3\)"):
        write_png(tmp_path / "b.png", pixels.astype(np.float32))
    with pytest.raises(SettingError, match="names no TIFF"):
        write_tiff(tmp_path / "b.png", pixels, axes="ZYX")
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_mask_of_several_pages_reads_back_as_slices_without_a_note(dtype, tmp_path):
    pages = RANDOM.integers(0, 3, (5, 9, 12)).astype(dtype)
    write_tiff(tmp_path / "a.tif", pages, axes="ZYX")
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), pages)
    mask = read_mask(tmp_path / "a.tif", MaskCoding(labels=("a", "b"), values={0: 0, 1: 1, 2: 2}))
    assert np.array_equal(mask.labels, pages)
    assert mask.notes == ()


def test_a_mask_of_several_pages_in_colour_reads_back(tmp_path):
    labels = RANDOM.integers(0, 2, (5, 9, 12)).astype(np.uint8)
    write_tiff(tmp_path / "a.tif", labels[..., None] * np.array([255, 0, 0], np.uint8), axes="ZYXS")
    coding = MaskCoding(labels=("a",), colours={(0, 0, 0): 0, (255, 0, 0): 1})
    assert np.array_equal(read_mask(tmp_path / "a.tif", coding).labels, labels)


@pytest.mark.parametrize(("axes", "shape"), [("CYX", (3, 9, 12)), ("ZCYX", (4, 3, 9, 12)), ("CYX", (1, 9, 12))])
def test_maps_of_floats_read_back_as_channels(axes, shape, tmp_path):
    maps = RANDOM.random(shape).astype(np.float32)
    write_tiff(tmp_path / "a.tif", maps, axes=axes)
    image = read_image(tmp_path / "a.tif")[0]
    assert image.dtype == np.float32
    assert np.array_equal(image, maps if axes == "CYX" else maps.swapaxes(0, 1))


def test_the_same_pixels_give_the_same_bytes(tmp_path):
    pages = RANDOM.integers(0, 3, (5, 9, 12)).astype(np.uint8)
    for name in ("a", "b"):
        write_tiff(tmp_path / f"{name}.tif", pages, axes="ZYX")
        write_png(tmp_path / f"{name}.png", pages[0])
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
