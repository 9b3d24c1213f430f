"""Files that are the channels of one image: `case_0000.nii.gz`, `case_0001.nii.gz`, as nnU-Net has them."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from focalseg.errors import DataError
from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.dataset import is_volume, read_image
from focalseg.imagesets.folders.files import cut_suffix
from focalseg.imagesets.pictures.headers import COLOUR_MODES, read_header
from focalseg.imagesets.volumes import reading as volumes

_NUMBERED = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class NamedImage:
    """The files of an image, one or one per channel, and its name without a suffix."""

    name: str
    images: tuple[Path, ...]


def join_channels(files: Sequence[Path], channels: int) -> tuple[list[NamedImage], list[str | Finding], list[str]]:
    """The images that files of one folder make for a model of so many channels, faults, and what a person should know.

    Numbers at the end of names may as well be those of frames: files are joined only where each has one channel and the model
    takes several. Where each has the number 0000 and none another, as in nnU-Net for one channel or colour pictures, the
    number is left out of the name of the mask.
    """
    numbered: dict[tuple[str, str], dict[int, Path]] = defaultdict(dict)
    for file in files:
        stem, suffix = cut_suffix(file.name)
        if match := _NUMBERED.fullmatch(stem):
            numbered[match["case"], suffix.lower()][int(match["channel"])] = file
    if _are_first_channels(numbered, len(files)) and not (channels > 1 and _count_first(numbered) == 1):
        named = [NamedImage(name=case, images=(group[0],)) for (case, _), group in numbered.items()]
        return named, [], ["names of masks are without _0000, which tells the channel, as in nnU-Net."]
    joined = {key: group for key, group in numbered.items() if channels > 1 and _count_channels(group) == 1}
    taken = {file: key for key, group in joined.items() for file in group.values()}
    images: list[NamedImage] = []
    faults: list[str | Finding] = []
    for file in files:
        key = taken.get(file)
        if key is None:
            images.append(NamedImage(name=cut_suffix(file.name)[0], images=(file,)))
        elif group := joined.pop(key, None):
            if sorted(group) == list(range(channels)):
                images.append(NamedImage(name=key[0], images=tuple(group[number] for number in sorted(group))))
            else:
                faults.append(_describe_group(key, group, channels))
    count = sum(len(image.images) > 1 for image in images)
    notes = [f"{count * channels} files were joined as the channels of {counted(count, 'image')}."] if count else []
    return images, faults, notes


def _are_first_channels(numbered: Mapping[tuple[str, str], Mapping[int, Path]], files: int) -> bool:
    """Whether all files have the number 0000. A picture alone may be the first frame of a film."""
    if not numbered or len(numbered) < files or any(set(group) != {0} for group in numbered.values()):
        return False
    return files > 1 or is_volume(next(iter(numbered.values()))[0])


def _count_first(numbered: Mapping[tuple[str, str], Mapping[int, Path]]) -> int | None:
    return _count_channels(next(iter(numbered.values())))


def _count_channels(group: Mapping[int, Path]) -> int | None:
    """The channels of the first file of a group that tells; None where none does."""
    for _, file in sorted(group.items()):
        with suppress(DataError):
            if is_volume(file):
                return volumes.read_header(file).channels
            header = read_header(file)
            if header.format == "TIFF":
                return len(read_image(file)[0].image)
            return 3 if header.mode in COLOUR_MODES else 1
    return None


def _describe_group(key: tuple[str, str], group: Mapping[int, Path], channels: int) -> str:
    """What keeps numbered files from being the channels of an image."""
    case, suffix = key
    first = show_path(group[min(group)])
    wanted = f"{show_path(case)}_0000{suffix} to {show_path(case)}_{channels - 1:04d}{suffix}"
    has = f"has one channel and is one of {counted(len(group), 'file')} numbered like it"
    absent = [f"{number:04d}" for number in range(channels) if number not in group]
    what = f"{has}, without {' and '.join(absent[:6])}" if absent else has
    return f"{first}: {what}; expected {channels} channels, in one file or as {wanted}. Add what is missing, or take it out."
