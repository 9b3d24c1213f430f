"""Folders that a person gives to be predicted: where in one the images lie, and which of its files are masks."""

from collections.abc import Iterator
from pathlib import Path

from focalseg.errors import SettingError
from focalseg.findings import show_path
from focalseg.imagesets.folders.files import find_folders, list_files, list_folders, list_images_in
from focalseg.imagesets.kinds import IMAGE_FORMATS, list_names
from focalseg.imagesets.layouts import one_folder, plain

_IMAGE_FOLDERS = (*plain.IMAGE_FOLDERS, "imagesTs", "imagesTr")
_MOST_DEPTH, _MOST_LOOKED = 3, 500
"""How far down, and into how many folders a level, it is looked for images where the given one has none."""


def choose_folder(given: Path) -> Path:
    """The folder that holds the images: the given one, or within a set that of its images.

    Raises SettingError where neither holds any, or several within do.
    """
    listed = list_files(given)
    if listed.files or listed.left_out or not listed.listed:
        return given
    usual = [folder for folder in find_folders(given, *_IMAGE_FOLDERS) if list_images_in(folder)]
    if len(usual) == 1:
        return usual[0]
    inner = usual or list(_find_inner(given))
    shown, expected = show_path(given), f"a folder of {IMAGE_FORMATS} files"
    if not inner:
        raise SettingError(f"{shown} holds no images, nor do the folders in it; expected {expected}. Check the path.")
    names = list_names([folder.relative_to(given).as_posix() for folder in inner])
    raise SettingError(
        f"{shown} holds no images itself, and folders in it do: {names}; expected {expected}. Give those that you mean, such "
        f"as {show_path(inner[0])}."
    )


def _find_inner(given: Path) -> Iterator[Path]:
    """Folders within that hold images, the nearest first, as far as it is worth looking; links are not followed."""
    level = [given]
    for _ in range(_MOST_DEPTH):
        level = [folder for place in level for folder in list_folders(place) if not folder.is_symlink()][:_MOST_LOOKED]
        yield from (folder for folder in level if list_images_in(folder))


def find_masks(folder: Path) -> frozenset[Path]:
    """Files in the folder that are masks of others by their names, as `case_1_mask.png` beside `case_1.png`."""
    if not one_folder.recognise(folder):
        return frozenset()
    cases = one_folder.read(folder).cases
    return frozenset(mask for case in cases for mask in case.masks if mask.parent == folder)
