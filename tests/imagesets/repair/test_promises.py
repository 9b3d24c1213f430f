"""What a check promises of a corrected copy is what the copy then has: no more mended, no less, and no label melted."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from focalseg.errors import DataError
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.repair.copying import repair_dataset
from focalseg.imagesets.survey.survey import survey_dataset
from focalseg.report.check.wording import count_mendable
from imagesets.corpus.catalogue import FAULTS
from imagesets.corpus.pictures import COUNT, black_and_white, draw_image, encode, write_pictures

REPAIRED = {kind for kind in KINDS if KINDS[kind].repair and KINDS[kind].level == "error"}
PROMISED = [fault for fault in FAULTS if fault.kinds & REPAIRED]
SIDE = 80


def follow(source: Path, folder: Path):
    """The errors of a set that are promised to be mended, and those that are by the log of the copy."""
    dataset = open_dataset(str(source))
    survey = survey_dataset(dataset)
    promised = {(error.file, error.kind) for error in survey.errors if error.repairable}
    assert count_mendable(survey.errors) == sum(error.repairable for error in survey.errors)
    try:
        repaired = repair_dataset(dataset, survey, folder)
    except DataError:
        return survey, None, promised, set()
    with repaired.log.open(newline="") as file:
        lines = list(csv.reader(file))[1:]
    undone = ("left out", "not repaired")
    mended = {(file, kind) for file, kind, done in lines if kind in REPAIRED and not done.startswith(undone)}
    return survey, repaired, promised, mended


@pytest.mark.slow
@pytest.mark.parametrize("fault", PROMISED, ids=lambda fault: fault.name)
def test_what_is_promised_is_mended(fault, tmp_path):
    fault.make(tmp_path / "data")
    try:
        _, _, promised, mended = follow(tmp_path / "data", tmp_path / "copy")
    except DataError:
        return  # of no known layout
    assert promised <= mended
    assert {error for error in mended if error[1] in ("in_between", "not_whole", "unlike")} <= promised


def write_masks(folder: Path, draw, *, suffix: str = ".png", count: int = 6, **options) -> Path:
    """Grey images of noise and the masks that `draw` gives by their number."""
    random = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        mask = draw(number)
        picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
        size = (picture.height, picture.width)
        Image.fromarray(random.integers(0, 255, size).astype(np.uint8)).save(folder / "images" / f"c{number}.png")
        picture.save(folder / "masks" / f"c{number}{suffix}", **options)
    return folder


def draw_areas(number: int, *, low: int = 128, dtype: type = np.uint8, high: int = 255) -> np.ndarray:
    """A disc of `high` and one of `low`, which overlap."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), dtype)
    mask[(rows - 40) ** 2 + (columns - 30 - number) ** 2 <= 400] = high
    mask[(rows - 45) ** 2 + (columns - 50) ** 2 <= 196] = low
    return mask


def enlarge(mask: np.ndarray, way: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
    return Image.fromarray(mask).resize((SIDE * 3 // 2, SIDE * 3 // 2), way)


def enlarge_wide(mask: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(mask.astype(np.float32))
    return np.rint(np.asarray(picture.resize((SIDE * 3 // 2, SIDE * 3 // 2), Image.Resampling.BILINEAR))).astype(np.uint16)


def enlarge_colours(labels: np.ndarray, *colours: tuple[int, int, int]) -> Image.Image:
    return Image.fromarray(np.array(colours, np.uint8)[labels]).resize((120, 120), Image.Resampling.BICUBIC)


SEVERAL = {
    "bilinear": (lambda n: enlarge(draw_areas(n)), {}),
    "lanczos": (lambda n: enlarge(draw_areas(n), Image.Resampling.LANCZOS), {}),
    "shrunk": (lambda n: Image.fromarray(draw_areas(n)).resize((56, 56), Image.Resampling.BILINEAR), {}),
    "JPEG": (draw_areas, {"suffix": ".jpg", "quality": 80}),
    "resized, then JPEG": (lambda n: enlarge(draw_areas(n)), {"suffix": ".jpg", "quality": 80}),
    "16 bits": (lambda n: enlarge_wide(draw_areas(n, low=30_000, dtype=np.uint16, high=65_535)), {"suffix": ".tif"}),
    "grey in colour": (lambda n: enlarge(draw_areas(n)).convert("RGB"), {}),
    "palette": (lambda n: enlarge(draw_areas(n)).convert("RGB").quantize(200), {}),
    "near the top": (lambda n: enlarge(draw_areas(n, low=200)), {}),
    "near the bottom": (lambda n: enlarge(draw_areas(n, low=50)), {}),
    "no edges": (draw_areas, {}),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_labels_are_never_melted_into_one(name, tmp_path):
    draw, options = SEVERAL[name]
    survey, repaired, promised, mended = follow(write_masks(tmp_path / "data", draw, **options), tmp_path / "copy")
    assert {error.kind for error in survey.errors} <= {"not_declared", "blended", "colours_unknown"}
    assert len(survey.errors) == 6
    assert not promised
    assert not mended
    assert repaired is None  # none of the cases can be copied
    assert all("labels.csv" in error.expected + error.mend for error in survey.errors)


def test_one_mask_of_several_labels_keeps_the_others_from_being_cut(tmp_path):
    """The second label may be no more than a few blurred pixels in another mask."""
    source = write_pictures(tmp_path / "data")
    for number, mask in ((1, draw_areas(1)), (2, np.where(draw_areas(2) > 200, 255, 0).astype(np.uint8))):
        picture = Image.fromarray(mask).resize((60, 48), Image.Resampling.BILINEAR)
        picture.save(source / "masks" / f"case_{number}.png")
        Image.fromarray(draw_image(number)).resize(picture.size).save(source / "images" / f"case_{number}.png")
    survey, repaired, promised, mended = follow(source, tmp_path / "copy")
    assert sorted(error.kind for error in survey.errors) == ["in_between", "not_declared"]
    assert (promised, mended, repaired.left_out) == (set(), set(), ("case_1", "case_2"))


@pytest.mark.parametrize("layout", ["thresholded release", "field of view"])
def test_a_threshold_melts_no_label(layout, tmp_path):
    def draw(number):
        blurred = enlarge(draw_areas(number, low=128 if number == 2 else 255))
        return blurred if number == 2 else blurred.point(lambda value: 255 * (value > 127))

    source = write_masks(tmp_path / "data", draw)
    if layout == "thresholded release":
        (source / "kavsir_bboxes.json").write_text("{}")  # Kvasir-SEG, whose masks are JPEG
    else:
        (source / "masks").rename(source / "fov")
        write_pictures(tmp_path / "other")
        (source / "masks").mkdir()
        for number in range(6):
            Image.fromarray(np.eye(120, dtype=np.uint8) * 255).save(source / "masks" / f"c{number}.png")
    [error] = survey_dataset(open_dataset(str(source))).errors
    assert (error.kind, Path(error.file).name) == ("not_declared", "c2.png")
    assert error.found.startswith("holds areas of 0, 128")


@pytest.mark.parametrize("quality", [50, 75, 90])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_masks_of_one_label_that_are_jpeg_are_said_to_be_and_mended(mode, quality, tmp_path):
    def draw(number):
        return Image.fromarray(draw_areas(number, low=255)).convert(mode)

    source = write_masks(tmp_path / "data", draw, suffix=".jpg", quality=quality)
    survey, repaired, promised, mended = follow(source, tmp_path / "copy")
    assert {error.kind for error in survey.errors} == {"in_between"}
    assert all(error.found.startswith("is a JPEG mask: ") for error in survey.errors)
    assert promised == mended
    assert len(mended) == len(survey.errors) == 6
    assert repaired.survey.errors == ()
    for number, case in enumerate(repaired.survey.cases):
        with Image.open(source / "masks" / f"c{number}.jpg") as file:
            expected = np.asarray(file.convert("L")) > 127
        assert case.label_pixels[1] == expected.sum()


def test_photographs_in_the_place_of_masks_are_promised_nothing(tmp_path):
    source = write_pictures(tmp_path / "data")
    for number in range(0, COUNT, 2):
        (source / "masks" / f"case_{number}.png").write_bytes(encode(draw_image(number)))
    survey, repaired, promised, mended = follow(source, tmp_path / "copy")
    assert {error.kind for error in survey.errors} == {"photograph"}
    assert not promised
    assert not mended
    assert len(repaired.left_out) == len(survey.errors) == len(range(0, COUNT, 2))


def test_a_real_photograph_is_promised_nothing(real_data, tmp_path):
    folder = real_data("cvc_clinicdb")
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for number, path in enumerate(sorted((folder / "images").iterdir())[::200]):
        for part in ("images", "masks"):
            with Image.open(path) as file:
                (file if part == "images" else file.convert("L")).save(tmp_path / "data" / part / f"c{number}.png")
    survey = survey_dataset(open_dataset(str(tmp_path / "data")))
    assert {error.kind for error in survey.errors} == {"photograph"}
    assert count_mendable(survey.errors) == 0


COLOURS = "label,colour\nlesion,#FF0000\nduct,#00FF00\n"


@pytest.mark.parametrize("table", [COLOURS, ""], ids=["declared", "undeclared"])
@pytest.mark.parametrize("form", ["resized", "JPEG"])
def test_colours_between_those_of_labels_are_said_to_be_blended_with_a_mend_that_works(table, form, tmp_path):
    def draw_labels(number):
        return (draw_areas(number, low=2, high=1)).astype(int)

    palette = ((0, 0, 0), (255, 0, 0), (0, 255, 0))

    def draw(number):
        whole = Image.fromarray(np.array(palette, np.uint8)[draw_labels(number)])
        return enlarge_colours(draw_labels(number), *palette) if form == "resized" else whole

    options = {"suffix": ".jpg", "quality": 90} if form == "JPEG" else {}
    source = write_masks(tmp_path / "data", draw, **options)
    if table:
        (source / "labels.csv").write_text(table)
    survey, _, promised, _ = follow(source, tmp_path / "copy")
    assert {error.kind for error in survey.errors} == {"blended"}
    assert not promised
    assert all("as of" in error.found and "nearest pixel" in error.mend for error in survey.errors)
    for number in range(6):  # the mend: by the nearest pixel, as PNG, and the table where there was none
        (source / "masks" / f"c{number}{options.get('suffix', '.png')}").unlink()
        nearest = Image.fromarray(np.array(palette, np.uint8)[draw_labels(number)])
        if form == "resized":
            nearest = nearest.resize((120, 120), Image.Resampling.NEAREST)
        nearest.save(source / "masks" / f"c{number}.png")
    (source / "labels.csv").write_text(COLOURS)
    assert survey_dataset(open_dataset(str(source))).errors == ()


def test_values_between_declared_ones_are_said_to_be_blended(tmp_path):
    source = write_masks(tmp_path / "data", lambda number: enlarge(draw_areas(number)))
    (source / "labels.csv").write_text("label,value\nlesion,255\nduct,128\n")
    survey, _, promised, _ = follow(source, tmp_path / "copy")
    assert {error.kind for error in survey.errors} == {"blended"}
    assert not promised
    for number in range(6):
        enlarge(draw_areas(number), Image.Resampling.NEAREST).save(source / "masks" / f"c{number}.png")
    assert survey_dataset(open_dataset(str(source))).errors == ()


def test_a_label_that_is_not_declared_is_not_said_to_be_blended(tmp_path):
    source = write_masks(tmp_path / "data", lambda number: enlarge(draw_areas(number), Image.Resampling.NEAREST))
    (source / "labels.csv").write_text("label,value\nlesion,255\nduct,40\n")
    assert {error.kind for error in survey_dataset(open_dataset(str(source))).errors} == {"not_declared"}


@pytest.mark.parametrize(("dtype", "kinds"), [(np.float32, {"not_whole"}), (np.uint8, {"blended"})])
def test_interpolated_volumes_are_promised_nothing(dtype, kinds, tmp_path):
    from scipy import ndimage

    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(4):
        labels = np.stack([draw_areas(number, low=100, high=200)[::2, ::2]] * 6, axis=-1).astype(np.float32)
        resized = ndimage.zoom(labels, (1.3, 1.3, 1), order=1)
        resized = np.rint(resized).astype(dtype) if dtype is np.uint8 else resized.astype(dtype)
        image = random.normal(0, 1, resized.shape).astype(np.float32)
        for part, voxels in (("images", image), ("masks", resized)):
            nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "data" / part / f"c{number}.nii.gz")
    (tmp_path / "data" / "labels.csv").write_text("label,value\nlesion,200\nduct,100\n")
    survey, repaired, promised, mended = follow(tmp_path / "data", tmp_path / "copy")
    assert {error.kind for error in survey.errors} == kinds
    assert (repaired, promised, mended) == (None, set(), set())


def test_black_and_white_of_the_corpus_is_mended(tmp_path):
    """The law behind: a mask of one label that was resized is cut at half, to the pixel."""
    source = write_pictures(tmp_path / "data")
    masks = {}
    for number in range(COUNT):
        picture = Image.fromarray(black_and_white(number))
        resized = picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BILINEAR)
        masks[f"case_{number}"] = np.asarray(resized) > 127
        resized.save(source / "masks" / f"case_{number}.png")
        Image.fromarray(draw_image(number)).resize(resized.size).save(source / "images" / f"case_{number}.png")
    _, repaired, promised, mended = follow(source, tmp_path / "copy")
    assert promised == mended
    assert len(mended) == COUNT
    dataset = open_dataset(str(repaired.folder))
    for number, name in enumerate(dataset.names):
        assert np.array_equal(dataset.read_case(number).mask, masks[name])


def test_a_stack_of_another_number_type_is_not_promised_to_be_converted(tmp_path):
    random = np.random.default_rng(0)
    for number in range(5):
        image = random.integers(0, 255, (4, 24, 32)).astype(np.uint16 if number == 2 else np.uint8)
        for part, planes in (("images", image), ("masks", (image > 200).astype(np.uint8) * np.uint8(255))):
            (tmp_path / "data" / part).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / "data" / part / f"{number}.tif", planes, metadata={"axes": "ZYX"}, imagej=True)
    survey, repaired, promised, mended = follow(tmp_path / "data", tmp_path / "copy")
    assert [error.kind for error in survey.errors] == ["unlike"]
    assert (promised, mended, repaired.left_out) == (set(), set(), ("2",))
