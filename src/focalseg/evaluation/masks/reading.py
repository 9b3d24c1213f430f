"""Masks as they are decoded: by a table that declares their values, or by the values themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from focalseg.errors import DataError
from focalseg.evaluation.masks.folders import MaskFolder
from focalseg.findings import Finding, show_name, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.dataset import is_volume, read_mask
from focalseg.imagesets.joined_mask import JoinedMask
from focalseg.imagesets.masks import VOID, MaskCoding
from focalseg.imagesets.volumes.nifti import VolumeHeader
from focalseg.imagesets.volumes.reading import read_header

Value = int | str
"""A value in a mask, or a colour such as #FF0000."""
RAW = MaskCoding(labels=None, values={number: number for number in range(VOID + 1)})
"""Every value of a byte stands for itself."""
LARGEST_NUMBER = 31
"""Values up to this are numbers of labels, as the readers of pictures have it; larger ones stand for yes, or are greys."""
_UNDECLARED = ("not_declared", "in_between", "photograph")
_DECLARE = (
    "Where they are labels, declare them: --label NAME=VALUE for each, or a table labels.csv with label,value in the folder of "
    "the true masks; what nobody judged by --ignore VALUE. Where they are probabilities, cut them first, at 0.5."
)
_DECLARE_LARGE = f"Declare values above {VOID} in a table labels.csv with label,value in the folder of the true masks."


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskPixels:
    """A decoded mask. array (*spatial) uint8: numbers where `numbered`, else 1 where there is something. values: what is in the
    file beside 0; header: of a volume. note: what was taken for the one label of a set, where its table has another value."""

    array: np.ndarray
    values: frozenset[Value]
    numbered: bool
    note: str = ""
    header: VolumeHeader | None = None

    @property
    def spacing_mm(self) -> tuple[float, ...] | None:
        """The size of a voxel along every axis of the array; None for a picture."""
        if self.header is None:
            return None
        return tuple(self.header.place.spacing_mm[axis] for axis in self.header.orientation.order)


@dataclass(frozen=True, kw_only=True)
class MaskReader:
    """How the masks of a side are decoded.

    coding: what declares them, None where their values speak for themselves. names: of labels and of what nobody judged, where
    each file is of one. lenient: whether a mask of one label may have any value for it. ignore: the value of what nobody
    judged, where no table says it. declared: values that the caller names as labels.
    """

    coding: MaskCoding | None
    names: tuple[str, ...] = ()
    lenient: bool = False
    ignore: int | None = None
    declared: frozenset[int] = frozenset()

    def read(self, files: CaseFiles) -> MaskPixels:
        """The mask of a case, from all its files. Raises DataError with every fault of theirs."""
        if files.mask_labels or len(files.masks) > 1:
            return self._join(files)
        path = files.masks[0]
        header = read_header(path) if is_volume(path) else None
        if self.coding is None:
            return replace(self._read_values(files), header=header)
        return replace(self._read_declared(files), header=header)

    def _join(self, files: CaseFiles) -> MaskPixels:
        joined, faults = JoinedMask(self.names), list[str | Finding]()
        for number, path in enumerate(files.masks):
            try:
                mask, _ = read_mask(path, self.coding or MaskCoding())
            except DataError as error:
                faults += error.findings or error.faults
                continue
            faults += joined.add(path, mask, files.mask_labels[number] if files.mask_labels else "")
            if mask.labels.shape != joined.sizes[0]:
                faults.append(
                    f"{show_path(path)}: is {show_sides(mask.labels.shape)} pixels but {show_path(files.masks[0].name)} is "
                    f"{show_sides(joined.sizes[0])}; expected one size for all masks of a case. Export it again."
                )
        if faults:
            raise DataError(faults)
        header = read_header(files.masks[0]) if is_volume(files.masks[0]) else None
        array = joined.labels
        return MaskPixels(array=array, values=_list_values(array), numbered=True, header=header)

    def _read_declared(self, files: CaseFiles) -> MaskPixels:
        path, coding = files.masks[0], self.coding or RAW
        try:
            array = read_mask(path, coding)[0].labels
        except DataError:
            if not self.lenient:
                raise
            free = self._read_values(files)
            if len(free.values) > 1 or any(isinstance(value, int) and value <= LARGEST_NUMBER for value in free.values):
                raise
            array = (free.array != 0).view(np.uint8)
            note = "".join(map(str, free.values))
            return MaskPixels(array=array, values=_list_values(array), numbered=True, note=note)
        return MaskPixels(array=array, values=_list_values(array), numbered=True)

    def _read_values(self, files: CaseFiles) -> MaskPixels:
        """A mask that nothing declares: one label of any value or colour, or numbers of labels."""
        path = files.masks[0]
        if is_volume(path) or self.ignore is not None or self.declared:
            return self._read_raw(files)
        try:
            mask, _ = read_mask(path, MaskCoding())
        except DataError as error:
            if not any(fault.kind == "not_declared" for fault in error.findings):
                raise DataError(_mend_values(error)) from error
            try:
                return self._read_raw(files)
            except DataError:
                raise DataError(_mend_values(error)) from error
        values: frozenset[Value] = frozenset()
        if mask.mark:
            values = frozenset([mask.mark if mask.mark.startswith("#") else int(mask.mark)])
        return MaskPixels(array=mask.labels, values=values, numbered=False)

    def _read_raw(self, files: CaseFiles) -> MaskPixels:
        path = files.masks[0]
        try:
            array = read_mask(path, RAW)[0].labels
        except DataError as error:
            raise DataError(_mend_values(error, _DECLARE_LARGE)) from error
        values = _list_values(array)
        others = [int(value) for value in values - self.declared - {self.ignore}]
        greys = len(others) > 1 or bool(self.declared)
        if not is_volume(path) and greys and max(others, default=0) > LARGEST_NUMBER:
            try:
                read_mask(path, MaskCoding())  # for what it says of greys, photographs and edges
            except DataError as error:
                raise DataError(_mend_values(error)) from error
        return MaskPixels(array=array, values=values, numbered=True)


def _list_values(array: np.ndarray) -> frozenset[Value]:
    held = np.bincount(array.reshape(-1), minlength=1) if array.size < 1 << 16 else _count(array)
    return frozenset(int(value) for value in np.flatnonzero(held) if value)


def _count(array: np.ndarray) -> np.ndarray:
    """How often each value of a byte occurs, in parts: bincount makes eight bytes of each."""
    flat, counts = array.reshape(-1), np.zeros(VOID + 1, np.int64)
    for start in range(0, flat.size, 1 << 20):
        counts += np.bincount(flat[start : start + (1 << 20)], minlength=VOID + 1)
    return counts


def _mend_values(error: DataError, mend: str = _DECLARE) -> Sequence[str | Finding]:
    """The faults with a mend that works where two folders are scored, and no copy is made."""
    return [replace(fault, mend=mend) if fault.kind in _UNDECLARED else fault for fault in error.findings] or error.faults


def build_readers(
    predicted: MaskFolder, reference: MaskFolder, *, ignore: int | None, named: frozenset[int]
) -> tuple[MaskReader, MaskReader, tuple[str, ...]]:
    """The readers of both sides, and the names of the labels, in the order of their numbers; none where nothing names them.

    named: values that the caller calls labels. The table of the reference rules, else that of the predictions. Predictions
    that are no set of their own are written as the masks of the reference are, or with the numbers of its labels.
    """
    declared = reference if reference.coding is not None else predicted
    coding = declared.coding
    if coding is None:
        reader = MaskReader(coding=None, ignore=ignore, declared=named)
        return reader, reader, ()
    _refuse_other_labels(predicted, reference)
    names = (*declared.labels, *declared.void)
    one = len(declared.labels) == 1
    own = MaskReader(coding=coding, names=names)
    if declared is predicted or (predicted.is_set and predicted.coding is not None):
        theirs = MaskReader(coding=predicted.coding, names=(*predicted.labels, *predicted.void))
    elif coding.colours or (coding.values and not one):
        theirs = own
    elif one:
        theirs = MaskReader(coding=coding if coding.values else MaskCoding(), lenient=True)
    else:
        numbers = {number: number for number in range(len(declared.labels) + 1)}
        theirs = MaskReader(coding=MaskCoding(labels=declared.labels, values=numbers))
    if declared is predicted:
        return theirs, MaskReader(coding=coding, names=names, lenient=one), declared.labels
    return theirs, own, declared.labels


def _refuse_other_labels(predicted: MaskFolder, reference: MaskFolder) -> None:
    """Raises DataError where both sides are sets that name their labels, and not the same ones in the same order."""
    sides = (predicted, reference)
    if predicted.is_set and all(len(side.labels) > 1 for side in sides) and predicted.labels != reference.labels:
        found, expected = (", ".join(map(show_name, side.labels)) for side in sides)
        raise DataError(
            f"{show_path(predicted.path)}: has the labels {found}; expected those of {show_path(reference.path)}, {expected}, "
            "in that order. Give the folder of the predicted masks alone, or name its labels alike."
        )


def show_sides(shape: Sequence[int]) -> str:
    """A size in words, width first as people say it."""
    return " x ".join(map(str, reversed(shape)))
