"""Which files of those that a person names are predicted, as what, and what their masks are called."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from focalseg.errors import SettingError
from focalseg.inference.cases.inputs import list_inputs


def touch(folder, *names):
    """Files of those names that nothing is read of."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"?")
    return folder


def draw(folder, *names, channels=1, size=(9, 9)):
    """Pictures and volumes of so many channels."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if ".nii" in name:
            nibabel.save(nibabel.Nifti1Image(np.zeros((*size, 9), np.int16), np.eye(4)), folder / name)
        else:
            Image.fromarray(np.zeros((*size, channels), np.uint8).squeeze()).save(folder / name)
    return folder


def name_masks(given, *, channels=3, axes=2):
    """What the masks are called, by the names of the files they are of."""
    given = [given] if isinstance(given, Path) else given
    cases = list_inputs(given, channels=channels, axes=axes).cases
    return {case.mask: [path.name for path in case.images] for case in cases}


def test_a_folder_gives_its_images_in_natural_order_and_nothing_below(tmp_path):
    touch(tmp_path, "case_10.png", "case_2.JPG", "case_1.tif", "notes.txt", ".hidden.png", "Thumbs.db", "scan.nii")
    touch(tmp_path / "below", "other.png")
    assert list(name_masks(tmp_path)) == ["case_1.png", "case_2.png", "case_10.png", "scan.nii.gz"]
    assert list(name_masks(tmp_path, axes=3)) == ["case_1.tif", "case_2.tif", "case_10.tif", "scan.nii.gz"]


def test_files_and_folders_come_in_the_order_given_and_once(tmp_path):
    one, two = touch(tmp_path / "one", "b.png", "a.png"), touch(tmp_path / "two", "d.bmp", "c.gif")
    assert list(name_masks([two / "d.bmp", one, two, one / "a.png"])) == ["d.png", "c.png", "a.png", "b.png"]


@pytest.mark.parametrize("names", [("a.png", "a.jpg"), ("a.png", "A.bmp"), ("a.nii", "a.nii.gz"), ("a.png", "a.nii.gz")])
@pytest.mark.parametrize("singly", [True, False])
def test_two_images_with_one_mask_are_refused(names, singly, tmp_path):
    folder = touch(tmp_path, *names)
    with pytest.raises(SettingError, match=r"[Nn]othing was predicted"):
        name_masks([folder / name for name in names] if singly else folder)


def test_the_same_name_in_two_folders_is_refused_with_both_named(tmp_path):
    folders = [touch(tmp_path / name, "x.png", "y.png") for name in ("a", "b")]
    with pytest.raises(SettingError) as caught:
        name_masks(folders)
    assert str(caught.value) == (
        f"{folders[0] / 'x.png'} and {folders[1] / 'x.png'} would both have the mask x.png; expected a name of its own "
        "for each. So would 1 other pair. Nothing was predicted. Rename one, or predict them by two commands, each with an "
        "--out of its own."
    )
    assert list(name_masks(folders[0])) == list(name_masks(folders[1]))  # the mend


@pytest.mark.parametrize("suffix", [".nii.gz", ".png"])
def test_a_file_per_channel_is_joined_for_a_model_of_several(suffix, tmp_path):
    names = [f"{case}_{channel:04d}{suffix}" for case in ("a", "b") for channel in (1, 0)]
    folder = draw(tmp_path, *names)
    inputs = list_inputs([folder], channels=2, axes=2)
    assert [[path.name for path in case.images] for case in inputs.cases] == [
        [f"{case}_0000{suffix}", f"{case}_0001{suffix}"] for case in ("a", "b")
    ]
    assert [case.mask for case in inputs.cases] == [f"a{suffix}", f"b{suffix}"]
    assert inputs.notes == ("4 files were joined as the channels of 2 images.",)


def test_a_missing_channel_is_named_and_the_others_are_predicted(tmp_path):
    folder = draw(tmp_path, "a_0000.nii.gz", "a_0001.nii.gz", "b_0001.nii.gz")
    inputs = list_inputs([folder], channels=2, axes=3)
    assert [case.mask for case in inputs.cases] == ["a.nii.gz"]
    assert inputs.faults == (
        f"{folder / 'b_0001.nii.gz'}: has one channel and is one of 1 file numbered like it, without 0000; expected 2 "
        "channels, in one file or as b_0000.nii.gz to b_0001.nii.gz. Add what is missing, or take it out.",
    )


def test_frames_of_a_film_are_not_taken_for_channels(tmp_path):
    names = [f"film_{number:04d}.png" for number in range(3)]
    folder = draw(tmp_path, *names, channels=3)
    assert name_masks(folder) == {name: [name] for name in names}
    grey = draw(tmp_path / "grey", *names)
    assert name_masks(grey, channels=1) == {name: [name] for name in names}


def test_one_channel_as_nnunet_names_it_gives_masks_as_nnunet_names_them(tmp_path):
    volumes = draw(tmp_path / "volumes", "a_0000.nii.gz", "b_0000.nii.gz")
    assert list(name_masks(volumes, channels=1, axes=3)) == ["a.nii.gz", "b.nii.gz"]
    colour = draw(tmp_path / "colour", "a_0000.png", "b_0000.png", channels=3)
    assert list(name_masks(colour)) == ["a.png", "b.png"]
    alone = draw(tmp_path / "alone", "film_0000.png", channels=3)  # which may be a frame
    assert list(name_masks(alone)) == ["film_0000.png"]


@pytest.mark.parametrize("inner", ["images", "imagesTs", "Images"])
def test_of_a_set_its_folder_of_images_is_taken_and_told(inner, tmp_path):
    touch(tmp_path / inner, "a.png")
    touch(tmp_path / "masks", "a.png")
    inputs = list_inputs([tmp_path], channels=3, axes=2)
    assert [case.images for case in inputs.cases] == [(tmp_path / inner / "a.png",)]
    assert inputs.notes == (f"{tmp_path} holds no images itself; those in {tmp_path / inner} are predicted.",)


def test_masks_beside_images_are_not_predicted_and_that_is_told(tmp_path):
    folder = touch(tmp_path, "a.png", "a_mask.png", "b.png", "b_mask.png", "c.png")
    inputs = list_inputs([folder], channels=3, axes=2)
    assert [case.mask for case in inputs.cases] == ["a.png", "b.png", "c.png"]
    assert inputs.notes == (
        f"2 files in {folder} (a_mask.png, b_mask.png) are masks of others by their names, and are not predicted.",
    )


def test_a_folder_of_folders_is_told_what_to_give(tmp_path):
    touch(tmp_path / "in" / "monday" / "left", "a.png")
    touch(tmp_path / "in" / "tuesday", "b.png")
    with pytest.raises(SettingError) as caught:
        name_masks(tmp_path / "in")
    assert str(caught.value) == (
        f"{tmp_path / 'in'} holds no images itself, and folders in it do: tuesday, monday/left; expected a folder of PNG, "
        f"JPEG, TIFF, BMP, GIF or NIfTI files. Give those that you mean, such as {tmp_path / 'in' / 'tuesday'}."
    )
    assert list(name_masks(tmp_path / "in" / "tuesday")) == ["b.png"]  # the mend
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(SettingError, match="holds no images, nor do the folders in it"):
        name_masks(tmp_path / "empty")


def test_what_cannot_be_an_image_is_a_fault_and_the_others_are_cases(tmp_path):
    folder = touch(tmp_path, "a.png", "b.webp", "c.dcm")
    (folder / "dead.png").symlink_to(folder / "nowhere.png")
    inputs = list_inputs([folder], channels=3, axes=2)
    assert [case.mask for case in inputs.cases] == ["a.png"]
    assert sorted(Path(str(fault).partition(": ")[0]).name for fault in inputs.faults) == ["b.webp", "c.dcm", "dead.png"]
    singly = list_inputs([folder / name for name in ("a.png", "b.webp", "dead.png")], channels=3, axes=2)
    assert [case.mask for case in singly.cases] == ["a.png"]
    assert len(singly.faults) == 2
