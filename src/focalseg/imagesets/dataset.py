"""A folder's cases, decoded when asked for: pictures and volumes alike, every fault of a case at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from focalseg.errors import DataError
from focalseg.findings import Finding, counted
from focalseg.imagesets.case import Case, CaseFiles, Dataset
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.joined_mask import JoinedMask
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.layouts.dataset_json import TABLE
from focalseg.imagesets.marks import list_marks
from focalseg.imagesets.masks import VOID, MaskCoding, find_foreground, leave_void, names_void
from focalseg.imagesets.pictures import masks
from focalseg.imagesets.pictures import reading as pictures
from focalseg.imagesets.pictures.masks import CodedMask
from focalseg.imagesets.pictures.stacks import refuse_mask_pages, refuse_unmarked
from focalseg.imagesets.volumes import reading as volumes
from focalseg.imagesets.volumes.nifti import VolumeHeader

_LEAST_SIDE = 8
"""Pixels along the shorter side of a picture below which there is nothing to segment."""
_MOST_OUTSIDE = 0.5
"""Share of a mask's foreground outside of the field of view beyond which one of the two is doubtful."""
_VIEW_CODING = MaskCoding(threshold=True)
"""Fields of view are thresholded, since they come with stray values."""
_CHANNELS_MEND = f"Convert the image, or name the channels that it has in {TABLE}."
_ONE_LABEL_MEND = "Give every further label masks of its own; what nobody judged too, as a label called void."
_ALONE_MENDS = {
    "turned": "Save it upright.",
    "transparent": "Save it without transparency, on its background.",
    "too_small": "Leave it out.",
    "not_finite": "Mend it, or leave it out.",
}
"""Mends of an image by kind of finding where there is no mask, nor a set that `check --repair` could copy."""
_Given = ParamSpec("_Given")
_Content = TypeVar("_Content")


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """image (C, *spatial) of one file, and what a volume says of its place in space.

    unmarked: its pages were taken for slices, and nothing says that they are.
    """

    image: np.ndarray
    unmarked: bool = False
    spacing_mm: tuple[float, ...] | None = None
    header: VolumeHeader | None = None


class FileDataset(Dataset):
    """The cases that a layout lists in a folder."""

    def __init__(self, source: str, layout: str, listing: Listing) -> None:
        self.source, self.layout, self.listing = source, layout, listing
        self.names = tuple(case.name for case in listing.cases)
        given = {case.group for case in listing.cases}
        # A case that stands alone is a group of its own, whatever the other groups are called.
        self.groups = tuple(case.group or (f"{case.name}*" if case.name in given else case.name) for case in listing.cases)
        self.parts = tuple(case.part for case in listing.cases) if any(case.part for case in listing.cases) else ()
        self.labels = leave_void(listing.labels) or listing.coding.labels
        self.findings = listing.findings
        self.label_table = listing.table or listing.coding.table
        self.void = (*listing.coding.void, *filter(names_void, listing.labels))
        self.void_values = listing.coding.void_values
        # Labels that folders name have a mask each, of two values: what stands for one of them stands for all.
        self.marks = () if leave_void(listing.labels) else list_marks(listing.coding, len(listing.coding.labels or ()))

    def files(self, number: int) -> CaseFiles:
        return self.listing.cases[number]

    def read_case(self, number: int) -> Case:
        files, reading = self.listing.cases[number], _Reading()
        view = files.field_of_view
        images = [decoded for path in files.images if (decoded := reading.take(read_image, path))]
        masks = self._read_masks(files, reading)
        seen = None if view is None else reading.take(read_mask, view, _VIEW_CODING)
        if self.listing.channels and len(images) == len(files.images):
            reading.faults += _compare_channels(files, images, self.listing.channels)
        if len(images) == len(files.images) and len(masks.sizes) == len(files.masks):
            reading.faults += _compare(files, images, masks.sizes, None if seen is None else seen.labels)
        if not reading.faults:
            if view and seen:
                reading.note_view(view, seen.labels > 0, files.masks[0], find_foreground(masks.labels))
            if self.void:
                reading.find_judged(masks.labels, None if seen is None else seen.labels > 0, files.masks[0], self.void)
        if reading.faults:
            raise DataError(reading.faults)
        reading.notes += masks.describe(files)
        return Case(
            name=files.name,
            group=self.groups[number],
            image=np.concatenate([decoded.image for decoded in images]) if len(images) > 1 else images[0].image,
            mask=masks.labels,
            spacing_mm=images[0].spacing_mm,
            field_of_view=None if seen is None else seen.labels > 0,
            marks=tuple(masks.marks),
            notes=tuple(reading.notes),
        )

    def _read_masks(self, files: CaseFiles, reading: "_Reading") -> JoinedMask:
        """All masks of a case as one, read and joined one after the other."""
        joined = JoinedMask((*(self.labels or ()), *self.void))
        for number, path in enumerate(files.masks):
            mask = reading.take(read_mask, path, self.listing.coding)
            if mask is not None:
                reading.faults += joined.add(path, mask, files.mask_labels[number] if files.mask_labels else "")
        if files.mask_labels:
            reading.faults = [_expect_one_label(fault) for fault in reading.faults]
        return joined

    def read_second_mask(self, number: int) -> np.ndarray | None:
        """(*spatial) uint8 labels by the second observer, where the set has them. Raises DataError as read_case does."""
        path = self.listing.cases[number].second_observer
        return None if path is None else read_mask(path, self.listing.coding)[0].labels


class _Reading:
    """Collects the faults and notes of all the files of a case, so that one broken file does not hide another."""

    def __init__(self) -> None:
        self.faults: list[str | Finding] = []
        self.notes: list[Finding] = []

    def take(
        self, read: Callable[_Given, tuple[_Content, tuple[Finding, ...]]], *given: _Given.args, **named: _Given.kwargs
    ) -> _Content | None:
        """What read gives, its notes kept; None where it raises, its faults kept."""
        try:
            content, notes = read(*given, **named)
        except DataError as error:
            self.faults += error.findings or error.faults
            return None
        self.notes += notes
        return content

    def note_view(self, path: Path, view: np.ndarray, mask_path: Path, mask: np.ndarray) -> None:
        """Adds a finding where a field of view is empty, or leaves out most of the foreground."""
        if not view.any():
            self.faults.append(KINDS["empty_view"].at(path, "has no pixel"))
        elif np.count_nonzero(mask & ~view) > _MOST_OUTSIDE * np.count_nonzero(mask):
            share = np.count_nonzero(mask & ~view) / np.count_nonzero(mask)
            found = f"lies outside of the field of view with {share:.0%} of its foreground"
            self.notes.append(KINDS["outside_view"].at(mask_path, found, others=[path]))

    def find_judged(self, mask: np.ndarray, view: np.ndarray | None, path: Path, void: Sequence[str]) -> None:
        """Adds a fault where nobody judged any pixel of a mask, or any within its field of view."""
        judged = mask != VOID
        if not (judged if view is None else judged & view).any():
            where = " in all of its field of view" if view is not None and judged.any() else " all over"
            found = f"is {list_names(void)}{where}"
            self.faults.append(KINDS["nothing_judged"].at(path, found))


def is_volume(path: Path) -> bool:
    """Whether a file's name says NIfTI."""
    return path.name.lower().endswith(volumes.SUFFIXES)


def read_image(path: Path) -> tuple[Decoded, tuple[Finding, ...]]:
    """The image of a file of any format, and its notes. Raises DataError."""
    if is_volume(path):
        volume = volumes.read_volume(path)
        return Decoded(image=volume.image, spacing_mm=volume.spacing_mm, header=volume.header), volume.notes
    image, notes = pictures.read_image(path)
    return Decoded(image=image, unmarked=any(note.kind == "unmarked_pages" for note in notes)), notes


def read_alone(paths: Sequence[Path]) -> tuple[Decoded, tuple[Finding, ...]]:
    """The image of a case without a mask, from one file or a file per channel, and all notes.

    Raises DataError with every fault that would keep it from being trained on.
    """
    reading = _Reading()
    images = [decoded for path in paths if (decoded := reading.take(read_image, path))]
    if len(images) == len(paths):
        size = images[0].image.shape[1:]
        if sorted(size)[-2:][0] < _LEAST_SIDE:
            reading.faults.append(KINDS["too_small"].at(paths[0], f"is {_show(size)} pixels"))
        reading.faults += _compare_images(paths, images)
    if reading.faults:
        raise DataError([_mend_alone(fault) for fault in reading.faults])
    joined = images[0].image if len(images) == 1 else np.concatenate([decoded.image for decoded in images])
    return replace(images[0], image=joined), tuple(reading.notes)


def _mend_alone(fault: str | Finding) -> str | Finding:
    """A fault of an image with a mend that works where there is that image alone."""
    if isinstance(fault, str) or fault.kind not in _ALONE_MENDS:
        return fault
    return replace(fault, mend=_ALONE_MENDS[fault.kind])


def read_mask(path: Path, coding: MaskCoding) -> tuple[CodedMask, tuple[Finding, ...]]:
    """The labels of a file of any format, and its notes. Raises DataError."""
    mask = CodedMask(*volumes.read_labels(path, coding)) if is_volume(path) else masks.read_mask(path, coding)
    return mask, mask.notes


def _expect_one_label(fault: str | Finding) -> str | Finding:
    """The fault of a mask that is of one label, where a table of values is no way out."""
    if isinstance(fault, str) or fault.kind != "not_declared" or "table" not in f"{fault.expected} {fault.mend}":
        return fault
    return replace(fault, expected="0 and one other value, since the mask is of one label", mend=_ONE_LABEL_MEND)


def _compare_channels(files: CaseFiles, images: list[Decoded], declared: int) -> list[Finding]:
    """What the files of a case hold beside the channels that the table of the set declares: all in one file, or one a file."""
    held = [len(decoded.image) for decoded in images]
    wanted = declared if len(held) == 1 else 1
    if sum(held) == declared and len(set(held)) == 1:
        return []
    each = f"{counted(wanted, 'channel')} in each of its {len(held)} files" if len(held) > 1 else counted(wanted, "channel")
    return [
        KINDS["undeclared_channels"].at(
            path, f"has {counted(count, 'channel')} where {TABLE} declares {declared}", expected=each, mend=_CHANNELS_MEND
        )
        for path, count in zip(files.images, held, strict=True)
        if count != wanted
    ]


def _compare(files: CaseFiles, images: list[Decoded], masks: list[tuple[int, ...]], seen: np.ndarray | None) -> list[Finding]:
    """What keeps the decoded files of a case from being laid over one another."""
    first, size = images[0], images[0].image.shape[1:]
    if sorted(size)[-2:][0] < _LEAST_SIDE:
        return [KINDS["too_small"].at(files.images[0], f"is {_show(size)} pixels")]
    faults = _compare_images(files.images, images)
    beside = [*zip(files.masks, masks, strict=True)]
    if files.field_of_view is not None and seen is not None:
        beside.append((files.field_of_view, seen.shape))
    for path, shape in beside:
        if first.header is not None and is_volume(path):
            faults += volumes.compare_headers(first.header, volumes.read_header(path), files.images[0], path)
        elif len(shape) > len(size):
            faults.append(refuse_mask_pages(path, shape[0], files.images[0]))
        elif first.unmarked and len(shape) < len(size):
            faults.append(refuse_unmarked(files.images[0], size[0], path))
        elif shape != size:
            found = f"is {_show(shape)} pixels but its image is {_show(size)}"
            turned = sorted(shape) == sorted(size)
            mend = "Turn the mask: its sides are those of the image in another order." if turned else ""
            faults.append(KINDS["sizes_differ"].at(path, found, mend=mend))
    return faults


def _compare_images(paths: Sequence[Path], images: Sequence[Decoded]) -> list[Finding]:
    """What keeps the files of an image from being its channels: another size, type or place than the first one's."""
    first, faults = images[0], list[Finding]()
    for path, decoded in zip(paths[1:], images[1:], strict=True):
        if first.header is not None and decoded.header is not None:
            if decoded.header.channels > 1:  # of which `_compare_channels` tells, or the table is at fault
                continue
            faults += volumes.compare_headers(first.header, decoded.header, paths[0], path, labels=False)
        elif decoded.image.shape[1:] != first.image.shape[1:] or decoded.image.dtype != first.image.dtype:
            found = f"is {_describe(decoded.image)} but {paths[0].name} is {_describe(first.image)}"
            expected, mend = "channels of one size and type", "Export the channels of a case alike."
            faults.append(KINDS["sizes_differ"].at(path, found, expected=expected, mend=mend))
    return faults


def _show(size: tuple[int, ...]) -> str:
    """The size in words, width first as people say it."""
    return " x ".join(map(str, reversed(size)))


def _describe(image: np.ndarray) -> str:
    return f"{_show(image.shape[1:])} of {image.dtype}"
