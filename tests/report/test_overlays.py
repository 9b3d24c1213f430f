"""Outlines and pictures of predictions."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from focalseg.report.overlays import encode_image, trace_outline
from focalseg.report.placement.contents import Example
from focalseg.report.placement.examples import draw_examples


def fill_outline(path: str, shape: tuple[int, int]) -> np.ndarray:
    """The mask within an outline, from its vertical edges alone: inside after an odd number of them."""
    crossings = np.zeros((shape[0], shape[1] + 1), dtype=int)
    for x, y, length in re.findall(r"M(\d+) (\d+)v(\d+)", path):
        crossings[int(y) : int(y) + int(length), int(x)] += 1
    return np.asarray(crossings.cumsum(axis=1) % 2 == 1)[:, :-1]


def test_an_outline_encloses_exactly_its_mask() -> None:
    mask = np.random.default_rng(3).random((17, 23)) < 0.4
    assert np.array_equal(fill_outline(trace_outline(mask), mask.shape), mask)


def test_the_outline_of_a_rectangle_is_its_four_sides() -> None:
    mask = np.zeros((6, 8), dtype=bool)
    mask[1:4, 2:7] = True
    assert trace_outline(mask) == "M2 1h5M2 4h5M2 1v3M7 1v3"


def test_an_empty_mask_has_no_outline() -> None:
    assert trace_outline(np.zeros((4, 4), dtype=bool)) == ""


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_any_image_becomes_a_picture(channels: int, dtype: type) -> None:
    image: np.ndarray = (np.random.default_rng(0).random((channels, 9, 12)) * 200).astype(dtype)
    data = encode_image(image, (12, 9))
    picture = Image.open(io.BytesIO(base64.b64decode(data.removeprefix("data:image/png;base64,"))))
    assert picture.size == (12, 9)
    assert picture.mode == ("RGB" if channels == 3 else "L")


def test_an_image_with_pixels_that_are_no_numbers_becomes_a_picture() -> None:
    image = np.full((1, 5, 5), np.nan, dtype=np.float32)
    image[0, 0, 0] = np.inf
    assert encode_image(image, (5, 5)).startswith("data:image/png;base64,")


def test_a_large_case_is_shrunk() -> None:
    mask = np.zeros((600, 900), dtype=np.uint8)
    mask[:, :1] = 1
    image = np.zeros((1, 600, 900), np.uint8)
    picture = draw_examples([Example(name="a", image=image, mask=mask, predictions={"none": mask}, dice={"none": 1.0})])[0]
    assert (picture.width, picture.height) == (384, 256)
    assert picture.panels[0].dice == 1


def test_every_label_has_an_outline_of_its_own_and_the_dice_is_that_of_the_whole_case() -> None:
    mask = np.random.default_rng(5).integers(0, 4, (11, 13)).astype(np.uint8)
    predicted = np.where(mask == 2, 0, mask).astype(np.uint8)
    image = np.zeros((1, 11, 13), np.float32)
    example = Example(name="a", image=image, mask=mask, predictions={"run": predicted}, dice={"run": 0.25}, slices=(4, 9))
    picture = draw_examples([example], labels=3)[0]
    panel = picture.panels[0]
    for label in (1, 2, 3):
        assert np.array_equal(fill_outline(panel.outlines[label - 1], mask.shape), predicted == label)
    assert (panel.outlines[1], panel.dice, picture.slices) == ("", 0.25, (4, 9))
    assert picture.truth == "".join(trace_outline(mask == label) for label in (1, 2, 3))
