"""From what a person types to a data set: `phantom:NAME` or a folder whose layout is recognised."""

from pathlib import Path

from focalseg.data import cvc_clinicdb
from focalseg.data.case import Dataset
from focalseg.data.decathlon import DecathlonDataset, is_decathlon
from focalseg.data.folder import FolderDataset, find_pairs
from focalseg.data.phantoms.dataset import PHANTOMS, PREFIX, PhantomDataset
from focalseg.errors import DataError, SettingError


def read_dataset(source: str) -> Dataset:
    """The data set, every file's header checked.

    Raises SettingError for a source that is not there or not known, DataError with a line for each fault in it.
    """
    if source.startswith(PREFIX):
        return PhantomDataset(source.removeprefix(PREFIX))
    dataset = recognise_folder(Path(source))
    dataset.check_headers()
    return dataset


def recognise_folder(folder: Path) -> FolderDataset | DecathlonDataset:
    """The folder by its layout."""
    if not folder.exists():
        known = ", ".join(PREFIX + name for name in PHANTOMS)
        raise SettingError(f"No folder {folder}; expected a folder with images/ and masks/, or built-in images: {known}.")
    if not folder.is_dir():
        raise SettingError(f"{folder} is a file; expected a folder with images/ and masks/. Give the folder that holds them.")
    if cvc_clinicdb.is_official_release(folder):
        return cvc_clinicdb.read_official_release(folder)
    if cvc_clinicdb.is_plain_with_sequences(folder):
        return cvc_clinicdb.read_plain_with_sequences(folder)
    if is_decathlon(folder):
        return DecathlonDataset(folder)
    absent = [name for name in ("images", "masks") if not (folder / name).is_dir()]
    if absent:
        raise DataError(
            f"{folder}: has no {' and no '.join(f'{name}/' for name in absent)}; expected images/ and masks/ with files of the "
            "same names (case_1.png in both), or imagesTr/ and labelsTr/ with volumes (case_1.nii.gz). "
            "Make the folders or give another path."
        )
    pairs = find_pairs(folder / "images", folder / "masks")
    return FolderDataset(str(folder), pairs, {name: name for name in pairs})
