"""The files of a case beside one another: pages, channels and masks that do not belong together, and mends that work."""

import json

import numpy as np
import pytest

from focalseg.errors import DataError
from focalseg.imagesets.opening import open_dataset
from imagesets.corpus import pictures, volumes
from imagesets.corpus.pictures import black_and_white, draw_image, draw_mask, encode, encode_mask
from imagesets.corpus.tiff_faults import grey, write_tiff


@pytest.fixture
def read(tmp_path):
    def read_case(image, mask, suffixes=(".tif", ".tif")):
        for part, content, suffix in zip(("images", "masks"), (image, mask), suffixes, strict=True):
            (tmp_path / part).mkdir(exist_ok=True)
            for old in (tmp_path / part).iterdir():
                old.unlink()
            (tmp_path / part / f"a{suffix}").write_bytes(content)
        return open_dataset(str(tmp_path)).read_case(0)

    return read_case


def refuse(call):
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


def two_masks():
    """Masks of two classes, of 0 and 255."""
    return np.stack([black_and_white(0), np.roll(black_and_white(0), 12, axis=1)])


def test_a_mask_of_two_pages_beside_one_picture_is_refused_with_a_mend_that_works(read, tmp_path):
    two, image = two_masks(), encode(draw_image(0), "TIFF")
    assert refuse(lambda: read(image, write_tiff(two))) == (
        f"{tmp_path / 'masks/a.tif'}: has 2 pages and its image is one picture; expected one picture of label numbers. If each "
        "page is the mask of a class or of an object, join them into one picture of label numbers (0, 1, 2 ...); if they are "
        "slices, the image needs as many."
    )
    (tmp_path / "labels.csv").write_text("label,value\nlesion,1\nduct,2\n")
    joined = np.where(two[1] > 0, 2, two[0] // 255).astype(np.uint8)
    assert np.array_equal(read(image, write_tiff(joined)).mask, joined)


def test_pages_that_do_not_say_what_they_are_beside_a_mask_of_one_are_refused_with_a_mend_that_works(read, tmp_path):
    assert refuse(lambda: read(write_tiff(grey(2)), encode_mask(0), (".tif", ".png"))) == (
        f"{tmp_path / 'images/a.tif'}: has 2 pages that do not say what they are, and its mask is one picture; expected one "
        "picture, or pages that say that they are channels. Say it in the file: in ImageJ by Image > Properties (channels, "
        "slices), in Python by tifffile.imwrite with imagej=True and metadata={'axes': 'CYX'} for channels or 'ZYX' for slices."
    )
    case = read(write_tiff(grey(2), imagej=True, metadata={"axes": "CYX"}), encode_mask(0), (".tif", ".png"))
    assert np.array_equal(case.image, grey(2))
    assert np.array_equal(case.mask, draw_mask(0))
    assert case.notes == ()


def test_two_channels_and_a_mask_of_two_pages_are_never_a_volume(read, tmp_path):
    told = refuse(lambda: read(write_tiff(grey(2), imagej=True, metadata={"axes": "CYX"}), write_tiff(two_masks())))
    assert told.startswith(f"{tmp_path / 'masks/a.tif'}: has 2 pages and its image is one picture;")


@pytest.mark.parametrize("options", [{"imagej": True, "metadata": {"axes": "CYX"}}, {"planarconfig": "separate"}])
def test_a_mask_of_two_channels_is_refused_with_its_mend(read, tmp_path, options):
    told = refuse(lambda: read(encode(draw_image(0), "TIFF"), write_tiff(two_masks(), **options)))
    assert told == (
        f"{tmp_path / 'masks/a.tif'}: has 2 channels; expected one channel of label numbers. If each channel is the mask of a "
        "class, join them into one picture of label numbers (0, 1, 2 ...)."
    )


@pytest.mark.parametrize("value", [1, 255, 65535])
def test_a_mask_of_16_bits_saved_in_colour_is_read_as_grey(read, value):
    mask = np.stack([draw_mask(0).astype(np.uint16) * value] * 3, axis=-1)
    for content, suffix in ((pictures.encode_png(mask, depth=16), ".png"), (write_tiff(mask, photometric="rgb"), ".tif")):
        case = read(encode(draw_image(0), "TIFF"), content, (".tif", suffix))
        assert np.array_equal(case.mask, draw_mask(0))
        assert [note.kind for note in case.notes] == ["colour_mask"]


def test_slices_with_as_many_masks_are_a_volume_with_a_note_where_nothing_says_so(read):
    masks = np.stack([black_and_white(number) for number in range(9)])
    case = read(write_tiff(grey(9)), write_tiff(masks))
    assert case.image.shape == (1, 9, 32, 40)
    assert np.array_equal(case.mask, masks // 255)
    assert [note.kind for note in case.notes] == ["unmarked_pages"]
    told = {"imagej": True, "metadata": {"axes": "ZYX"}}
    assert read(write_tiff(grey(9), **told), write_tiff(masks)).notes == ()


def write_nnunet(folder, channels, *pixels):
    """A case of nnU-Net in PNGs, a file for each of the pictures, whose table has that many channels."""
    volumes.write_raw(folder, 1, channels, {"file_ending": ".png", "labels": {"background": 0, "box": 1}})
    for path in [*(folder / "imagesTr").iterdir(), *(folder / "labelsTr").iterdir()]:
        path.unlink()
    for number, picture in enumerate(pixels):
        (folder / "imagesTr" / f"case_0_{number:04d}.png").write_bytes(pictures.encode(picture))
    (folder / "labelsTr" / "case_0.png").write_bytes(pictures.encode(draw_mask(0).astype(np.uint8)))
    return folder


def test_channels_that_are_not_declared_are_refused_with_mends_that_work(tmp_path):
    folder = write_nnunet(tmp_path / "set", 1, draw_image(0))
    assert refuse(lambda: open_dataset(str(folder)).read_case(0)) == (
        f"{folder / 'imagesTr/case_0_0000.png'}: has 3 channels where dataset.json declares 1; expected 1 channel. Convert the "
        "image, or name the channels that it has in dataset.json."
    )
    converted = write_nnunet(tmp_path / "converted", 1, draw_image(0)[..., 0])
    assert open_dataset(str(converted)).read_case(0).image.shape == (1, 32, 40)
    table = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**table, "channel_names": {"0": "R", "1": "G", "2": "B"}}))
    assert open_dataset(str(folder)).read_case(0).image.shape == (3, 32, 40)


def test_each_file_of_several_channels_holds_one(tmp_path):
    folder = write_nnunet(tmp_path / "set", 2, draw_image(0)[..., 0], draw_image(0))
    assert refuse(lambda: open_dataset(str(folder)).read_case(0)) == (
        f"{folder / 'imagesTr/case_0_0001.png'}: has 3 channels where dataset.json declares 2; expected 1 channel in each of "
        "its 2 files. Convert the image, or name the channels that it has in dataset.json."
    )
    good = write_nnunet(tmp_path / "good", 2, draw_image(0)[..., 0], draw_image(0)[..., 1])
    assert np.array_equal(open_dataset(str(good)).read_case(0).image, draw_image(0)[..., :2].transpose(2, 0, 1))
