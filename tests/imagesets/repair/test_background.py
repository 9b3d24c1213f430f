"""Transparent pixels: an error, and laid on a colour on request; pages and channels that a copy cannot write anew stay out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.conftest import focalseg  # noqa: F401 - the fixture of the command line's tests
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.repair.copying import Repair, repair_dataset
from focalseg.imagesets.survey.survey import survey_dataset
from imagesets.corpus.pictures import COUNT, PLANTED, draw_image, draw_mask, encode, encode_png, replace, write_pictures
from imagesets.corpus.tiff_faults import write_tiff

NAME = f"case_{PLANTED}"
RIM = 5
"""Rows at the top that are transparent; the row below is half so."""


def repair(source: Path, folder: Path, background: str | None) -> Repair:
    dataset = open_dataset(str(source))
    return repair_dataset(dataset, survey_dataset(dataset), folder, background=background)  # type: ignore[arg-type]


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    dataset = open_dataset(str(folder))
    case = dataset.read_case(dataset.numbers[NAME])
    return case.image, case.mask


def with_rim(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) uint8 -> with an alpha channel of which the top is transparent."""
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[:RIM], alpha[RIM] = 0, 51  # a fifth
    return np.dstack([pixels, alpha])


def seen_on(ground: int) -> np.ndarray:
    """(3, H, W): what is seen of the planted image on that grey, by hand."""
    expected = draw_image(PLANTED).astype(float)
    expected[:RIM] = ground
    expected[RIM] = expected[RIM] / 5 + ground * 4 / 5
    return expected.transpose(2, 0, 1)


@pytest.mark.parametrize(("background", "ground"), [("black", 0), ("white", 255)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_image_with_a_transparent_rim_is_laid_on_the_colour_that_was_asked_for(tmp_path, background, ground, suffix):
    source = write_pictures(tmp_path / "data")
    file_format = "PNG" if suffix == ".png" else "TIFF"
    replace(source, "images", encode(with_rim(draw_image(PLANTED)), file_format), suffix=suffix)
    repaired = repair(source, tmp_path / "copy", background)
    assert repaired.left_out == ()
    assert not repaired.survey.errors
    assert np.abs(read(tmp_path / "copy")[0] - seen_on(ground)).max() <= 1
    assert f"laid on {background}" in repaired.log.read_text()


def test_grey_palettes_and_colours_that_count_as_transparent_are_laid_on_it_too(tmp_path):
    grey = draw_image(PLANTED)[..., 0]
    palette = Image.fromarray(draw_image(PLANTED)).quantize(16)
    shown = np.asarray(palette.convert("RGB"))
    key = int(grey[0, 0])
    for name, content, expected in (
        ("grey", encode(Image.merge("LA", [Image.fromarray(p) for p in with_rim(grey[..., None]).transpose(2, 0, 1)])), None),
        ("palette", encode(palette, transparency=3), np.where((np.asarray(palette) == 3)[..., None], 255, shown)),
        ("key", encode(grey, transparency=key), np.where(grey == key, 255, grey)[..., None]),
    ):
        source = write_pictures(tmp_path / name, 4)
        replace(source, "images", content)
        repair(source, tmp_path / f"{name} copy", "white")
        image = read(tmp_path / f"{name} copy")[0]  # grey is then converted to colour, as most are
        if expected is None:
            whole = np.repeat(grey[RIM + 1 :][None], 3, axis=0)
            assert np.array_equal(image[:, RIM + 1 :], whole)
            assert (image[:, :RIM] == 255).all()
        else:
            assert np.array_equal(image, np.broadcast_to(expected, (*grey.shape, 3)).transpose(2, 0, 1)), name


@pytest.mark.parametrize("background", ["black", "white"])
def test_a_mask_that_is_drawn_on_nothing_is_laid_on_black_whatever_images_are_laid_on(tmp_path, background):
    source = write_pictures(tmp_path / "data")
    mask = draw_mask(PLANTED)
    drawn = np.zeros((*mask.shape, 4), np.uint8)
    drawn[mask] = 255
    drawn[~mask] = 200, 90, 10, 0  # what a painting program leaves below
    replace(source, "masks", encode(drawn))
    repaired = repair(source, tmp_path / "copy", background)
    assert not repaired.survey.errors
    assert np.array_equal(read(tmp_path / "copy")[1], mask)


def test_without_a_background_the_case_is_left_out_and_the_log_says_why(tmp_path):
    source = write_pictures(tmp_path / "data")
    replace(source, "images", encode(with_rim(draw_image(PLANTED))))
    repaired = repair(source, tmp_path / "copy", None)
    assert repaired.left_out == (NAME,)
    assert "no --background black or white was given to lay it on" in repaired.log.read_text()


def test_16_bits_are_not_squeezed_into_8(tmp_path):
    source = write_pictures(tmp_path / "data", 4)
    wide = draw_image(0).astype(np.uint16) * 200
    for number in range(4):
        replace(source, "images", encode_png(wide + number, depth=16), number=number)
    alpha = np.where(np.arange(40) < 4, 0, 65535)[None].repeat(32, 0).astype(np.uint16)
    content = write_tiff(np.dstack([wide, alpha]), photometric="rgb", extrasamples=["unassalpha"])
    replace(source, "images", content, suffix=".tif")
    repaired = repair(source, tmp_path / "copy", "white")
    assert repaired.left_out == (NAME,)
    assert "16 bits a colour, which are not written anew" in repaired.log.read_text()


def test_an_opaque_alpha_beside_16_bits_a_colour_stays_as_it_is(tmp_path):
    source = write_pictures(tmp_path / "data", 4)
    for number in range(4):
        pixels = np.dstack([draw_image(number).astype(np.uint16) * 200 + number, np.full((32, 40), 65535, np.uint16)])
        content = write_tiff(pixels, photometric="rgb", extrasamples=["unassalpha"])
        replace(source, "images", content, number=number, suffix=".tif")
    before = survey_dataset(open_dataset(str(source)))
    copy = repair(source, tmp_path / "copy", "white")
    assert copy.left_out == ()
    assert [case.digest for case in copy.survey.cases] == [case.digest for case in before.cases]


def test_a_big_tiff_in_motorola_order_is_renamed_byte_for_byte(tmp_path):
    source = write_pictures(tmp_path / "data")
    content = write_tiff(draw_image(PLANTED), photometric="rgb", bigtiff=True, byteorder=">")
    replace(source, "images", content)
    copy = repair(source, tmp_path / "copy", None)
    assert copy.left_out == ()
    assert (tmp_path / "copy" / "images" / f"{NAME}.tif").read_bytes() == content


def test_a_stack_is_not_written_anew_as_its_first_page(tmp_path):
    source = tmp_path / "data"
    (source / "images").mkdir(parents=True)
    (source / "masks").mkdir()
    for number in range(3):
        colours = np.stack([draw_image(10 * number + at) for at in range(4)])
        alpha = np.full((*colours.shape[:-1], 1), 255, np.uint8)
        stack = write_tiff(np.concatenate([colours, alpha], -1), photometric="rgb", extrasamples=["unassalpha"])
        (source / "images" / f"case_{number}.tif").write_bytes(stack)
        mask = np.stack([draw_mask(10 * number + at) for at in range(4)]).astype(np.uint8) * 255
        (source / "masks" / f"case_{number}.tif").write_bytes(write_tiff(np.stack([mask] * 3, -1), photometric="rgb"))
    before = survey_dataset(open_dataset(str(source)))
    assert not before.errors
    assert {case.size for case in before.cases} == {(4, 32, 40)}
    copy = repair(source, tmp_path / "copy", None)
    assert {case.size for case in copy.survey.cases} == {(4, 32, 40)}
    assert {case.digest for case in copy.survey.cases} == {case.digest for case in before.cases}


def test_the_mend_of_a_transparent_image_works_as_it_is_typed(tmp_path, focalseg):  # noqa: F811
    source = write_pictures(tmp_path / "data")
    replace(source, "images", encode(with_rim(draw_image(PLANTED))))
    told = focalseg("check", source)
    assert told.status == 3
    assert "let check --repair COPY --background black (or white) do so." in told.err
    assert "--repair DIR" not in told.out  # by itself it would leave the case out
    mended = focalseg("check", source, "--repair", tmp_path / "copy", "--background", "white")
    assert f"{COUNT} cases, no errors" in mended.out
    assert focalseg("check", tmp_path / "copy").status == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--background", "white"), "there is no --repair; add --repair COPY."),
     (("--repair", "copy", "--background", "green"), "--background was 'green'; expected black or white.")],
)  # fmt: skip
def test_a_background_without_a_copy_and_another_colour_are_refused(tmp_path, monkeypatch, focalseg, options, message):  # noqa: F811
    source = write_pictures(tmp_path / "data", 2)
    monkeypatch.chdir(tmp_path)
    outcome = focalseg("check", source, *options)
    assert outcome.status == 2
    assert message in outcome.err
    assert not (tmp_path / "copy").exists()
