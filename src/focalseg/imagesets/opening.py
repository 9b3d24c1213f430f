"""Opens the data set that a person names: `phantom:NAME`, a folder whose layout is recognised, or a manifest."""

from pathlib import Path

from focalseg.catalogue import Catalogue
from focalseg.errors import DataError, SettingError
from focalseg.findings import show_path
from focalseg.imagesets.case import Dataset
from focalseg.imagesets.dataset import FileDataset
from focalseg.imagesets.folders.files import list_folders
from focalseg.imagesets.folders.listing import FolderLayout
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.layouts import (
    busi,
    chase_db1,
    cvc_clinicdb,
    decathlon,
    drive,
    kvasir_seg,
    manifest,
    nnunet,
    one_folder,
    plain,
    split_folders,
    udiat,
)
from focalseg.imagesets.phantoms.dataset import PHANTOMS, PREFIX, open_phantom

_MOST_INNER = 20
"""Folders inside that are looked at where the given one has no known layout."""
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_MODULES: tuple[FolderLayout, ...] = (
    *(manifest, nnunet, decathlon, drive, cvc_clinicdb, kvasir_seg, udiat, busi, chase_db1),
    *(plain, split_folders, one_folder),
)
LAYOUTS = Catalogue("layout", {module.__name__.rpartition(".")[2]: module for module in _MODULES})
"""The folder layouts in the order in which they are tried: the most clearly marked first."""


def open_dataset(source: str) -> Dataset:
    """The data set with its cases listed; nothing is decoded, and what is wrong with it stands in its findings.

    Raises SettingError for a source that is not there, DataError for a folder of no known layout.
    """
    if source.startswith(PREFIX):
        return open_phantom(source)
    folder = Path(source)
    if not folder.exists():
        known = ", ".join(PREFIX + name for name in PHANTOMS)
        raise SettingError(f"No folder {folder}; expected a folder with images/ and masks/, or built-in images: {known}.")
    for layout in LAYOUTS.values():
        if layout.recognise(folder):
            return FileDataset(source, layout.TITLE, layout.read(folder))
    if not folder.is_dir():
        raise SettingError(
            f"{folder} is a file; expected a folder with images/ and masks/, or a manifest in CSV (columns image, mask). "
            f"{'Unpack it and give' if folder.suffix in _ARCHIVES else 'Give'} the folder that holds the images."
        )
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    others = ", ".join(layout.TITLE for name, layout in LAYOUTS.items() if name != "plain")
    found = f"holds {list_names(entries, 6) or 'nothing'}"
    expected = f"{plain.EXPECTED}, or another known layout ({others})"
    raise DataError(KINDS["layout"].at(folder, found, expected=expected, mend=_find_inner(folder)))


def _find_inner(folder: Path) -> str:
    """The mend where a folder inside is laid out in a known way; empty where none of the first few is."""
    for inner in list_folders(folder)[:_MOST_INNER]:
        if any(layout.recognise(inner) for layout in LAYOUTS.values()):
            return f"Give {show_path(inner)}, which is laid out in a known way, or list the files in a manifest.csv."
    return ""


def refuse_inside(folder: Path, source: str, option: str) -> None:
    """Raises SettingError for a folder to fill that lies within the set, or is it: data is never written to."""
    data = Path(source)
    if data.exists():
        data = data.resolve() if data.is_dir() else data.resolve().parent
        place = folder.resolve()
        if place == data or data in place.parents:
            raise SettingError(f"{folder} lies in {data}, which is never written to; give a folder outside of it as {option}.")
