"""One NIfTI file: its bytes, its header, and its numbers as they are stored.

NIfTI-1 and -2 in one file, gzipped or not, of either byte order. Everything that the header says is checked before a voxel is
decoded. A gzipped file has a checksum, which is verified; a plain one has none: every cut of it is found, but an altered voxel
cannot be. Source: nifti1.h and nifti2.h of https://nifti.nimh.nih.gov.
"""

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO

import nibabel.nifti1
import nibabel.nifti2
import numpy as np

from focalseg.errors import DataError
from focalseg.findings import Finding
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.pictures.files import open_file
from focalseg.imagesets.volumes.orientation import Orientation, Place, decide_orientation, read_place

MOST_VOXELS = 100_000_000
"""The most voxels of a file, channels included, that are decoded."""
_MOST_HEADER_BYTES = 2**26
"""Where the voxels start at the latest: extensions are small."""
MOST_PADDING_BYTES = 512
"""Zeros after the last voxel, or after the end of gzip, that some writers add to fill a block."""
_DENSEST = 1032
"""Bytes that a byte of gzip can stand for at most (RFC 1951: 258 of them for two bits)."""
_CHUNK_BYTES = 2**18
_GZIP_MAGIC = b"\x1f\x8b"
EXTENDER_BYTES = 4
"""Bytes after the header, of which the first says whether extensions follow."""
_RECORDS = {348: nibabel.nifti1.header_dtype, 540: nibabel.nifti2.header_dtype}
"""NIfTI-1 and -2 by the size of the header, its first field."""
MAGIC = {348: b"n+1", 540: b"n+2"}
_PAIR_MAGIC = {348: b"ni1", 540: b"ni2"}
LINE_ENDS = (13, 10, 26, 10)
"""Bytes of NIfTI-2 that a transfer as text alters."""
_REAL = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_NOT_REAL = dict.fromkeys((32, 1792, 2048), "complex numbers") | {128: "colours (RGB)", 2304: "colours (RGBA)"}
_NOT_SUPPORTED = {1: "single bits", 1536: "floats of 128 bits"}


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeHeader:
    """What a file says before its voxels are decoded. shape: along the file's axes in space, 2 or 3.

    dtype: of the numbers as stored; a voxel is slope times that plus intercept. start: of the voxels, in bytes. record: every
    field, as nibabel names them.
    """

    shape: tuple[int, ...]
    channels: int
    dtype: np.dtype[Any]
    slope: float
    intercept: float
    start: int
    record: Any
    place: Place
    notes: tuple[Finding, ...]

    @cached_property
    def orientation(self) -> Orientation:
        """The order and direction in which the file's axes become canonical ones."""
        return decide_orientation(self.place.affine, len(self.shape))

    @property
    def canonical_shape(self) -> tuple[int, ...]:
        """(D, H, W) or (H, W): of a mask as it is read."""
        return tuple(self.shape[axis] for axis in self.orientation.order)

    @property
    def scaled(self) -> bool:
        """Whether voxels are other numbers than those stored."""
        return (self.slope, self.intercept) != (1.0, 0.0)


class Content:
    """The bytes of a file from its start, decompressed where it is gzip; each is handed out once. size: of the file."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.size = size
        self.gzipped = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        file.seek(0)
        self._chunks = _decompress(path, file) if self.gzipped else iter(partial(file.read, _CHUNK_BYTES), b"")
        self._rest = memoryview(b"")

    def fill(self, target: memoryview) -> int:
        """Fills target as far as there are bytes, and says how far."""
        filled = 0
        while filled < len(target):
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    break
            count = min(len(self._rest), len(target) - filled)
            target[filled : filled + count] = self._rest[:count]
            self._rest = self._rest[count:]
            filled += count
        return filled

    def read(self, count: int) -> bytes:
        """The next so many bytes, or fewer at the end."""
        target = bytearray(count)
        return bytes(target[: self.fill(memoryview(target))])


@contextmanager
def open_content(path: Path) -> Iterator[Content]:
    """The content of a file. Whatever goes wrong with the file while it is open becomes a DataError that names it."""
    try:
        with open_file(path) as (file, size):
            if size == 0:
                raise DataError(KINDS["empty_file"].at(path, "has no bytes"))
            yield Content(path, file, size)
    except zlib.error as error:
        reason = str(error).rpartition(": ")[2]
        raise _damaged(path, f"cannot be decompressed ({reason})") from error


def parse_header(path: Path, content: Content) -> VolumeHeader:
    """What the first bytes of a file say. Raises DataError for what cannot be used, whether or not its voxels are sound."""
    record = _read_record(path, content)
    sides = _read_sides(path, record)
    dtype = _read_dtype(path, record)
    if math.prod(sides) > MOST_VOXELS:
        found = f"has {' x '.join(map(str, sides))} voxels by its header"
        raise DataError(KINDS["too_large"].at(path, found, expected=f"at most {MOST_VOXELS:,}"))
    start = _read_start(path, record)
    _check_size(path, content, start + math.prod(sides) * dtype.itemsize)
    slope, intercept = _read_slope(path, record)
    shape = sides[:2] if sides[2:3] == (1,) else sides[:3]
    place = read_place(path, record, shape)
    return VolumeHeader(
        shape=shape,
        channels=math.prod(sides[3:]),
        dtype=dtype,
        slope=slope,
        intercept=intercept,
        start=start,
        record=record,
        place=place,
        notes=(*_note(path, content, record), *place.notes),
    )


def parse_voxels(path: Path, content: Content, header: VolumeHeader) -> np.ndarray:
    """(N,) the numbers as stored, in the file's order and the machine's byte order, from a content after parse_header.

    It is read to its end, which is where gzip keeps its checksum. Raises DataError where it is cut short or goes on.
    """
    _skip_extensions(path, content, header)
    stored = np.empty(math.prod(header.shape) * header.channels, header.dtype)
    filled = content.fill(stored.view(np.uint8).data)
    if filled < stored.nbytes:
        raise _damaged(path, f"is cut short: {filled:,} of {stored.nbytes:,} bytes of voxels are there")
    padding = content.read(MOST_PADDING_BYTES + 1)
    if len(padding) > MOST_PADDING_BYTES or any(padding):
        raise _damaged(path, "goes on after its last voxel")
    return stored if header.dtype.isnative else stored.byteswap(inplace=True).view(header.dtype.newbyteorder("="))


def _decompress(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Every member of a gzip file in pieces, none of them empty; zlib verifies the sum and length of each at its end."""
    packed = file.read(_CHUNK_BYTES // 64)
    while packed:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        while not member.eof:
            piece = member.decompress(packed, _CHUNK_BYTES)
            packed = member.unconsumed_tail
            if piece:
                yield piece
            if not packed and not member.eof:
                packed = file.read(_CHUNK_BYTES)
                if not packed and not piece:
                    raise _damaged(path, "is cut short: its gzip stream has no end")
        packed = member.unused_data or file.read(_CHUNK_BYTES)
        if not _GZIP_MAGIC.startswith(packed[: len(_GZIP_MAGIC)]):
            packed += file.read(MOST_PADDING_BYTES + 1)
            if len(packed) > MOST_PADDING_BYTES or any(packed):
                raise _damaged(path, "goes on after the end of its gzip stream")
            return


def _read_record(path: Path, content: Content) -> Any:
    """The fields of the header, in the file's byte order."""
    first = content.read(4)
    kinds = [kind for given in _RECORDS.values() for kind in (given, given.newbyteorder())]
    kind = next((kind for kind in kinds if first == np.array(kind.itemsize, kind["sizeof_hdr"]).tobytes()), None)
    if kind is None:
        raise DataError(_name_other(path, content, first))
    head = first + content.read(kind.itemsize - len(first))
    if len(head) < kind.itemsize:
        raise _damaged(path, f"is cut short: {len(head)} of {kind.itemsize} bytes of its header are there")
    record = np.frombuffer(head, kind)[0]
    magic = bytes(record["magic"])
    if magic == _PAIR_MAGIC[kind.itemsize]:
        found = "is the header of a pair (.hdr and .img)"
        raise DataError(KINDS["not_supported"].at(path, found, expected="a volume in one file, .nii or .nii.gz"))
    if not magic:
        found = "is an Analyze volume, or a NIfTI volume that has lost its mark"
        raise DataError(KINDS["not_supported"].at(path, found, expected="NIfTI"))
    if magic != MAGIC[kind.itemsize]:
        raise _damaged(path, f"has the mark {magic!r}", f"the mark of a NIfTI volume, {MAGIC[kind.itemsize]!r}")
    if "eol_check" in (kind.names or ()) and tuple(record["eol_check"].tolist()) not in (LINE_ENDS, (0, 0, 0, 0)):
        raise _damaged(path, "has altered line ends, as by a transfer as text", mend="Transfer it as binary.")
    return record


def _name_other(path: Path, content: Content, first: bytes) -> Finding:
    """The finding for a file that does not start as NIfTI does."""
    head = first + content.read(min(_RECORDS) - len(first))
    if not head:
        return KINDS["empty_file"].at(path, "has no bytes when unpacked")
    if head[-4:-1] in (MAGIC[348], _PAIR_MAGIC[348]) or head[4:7] in (MAGIC[540], _PAIR_MAGIC[540]):
        found = f"says that its header has {int.from_bytes(first, 'little'):,} bytes"
        return KINDS["damaged"].at(path, found, expected="348 or 540")
    packed = ", when unpacked," if content.gzipped else ""
    return KINDS["not_an_image"].at(path, f"is no NIfTI volume: it starts{packed} with {head[:8]!r}")


def _read_sides(path: Path, record: Any) -> tuple[int, ...]:
    """Sizes along 2 to 4 axes. Axes of length 1 after the third are dropped."""
    axes = int(record["dim"][0])
    if not 1 <= axes <= 7:
        raise _damaged(path, f"has {axes} axes by its header", "3 axes, or 4 with the channels last")
    sides = tuple(record["dim"][1 : axes + 1].tolist())
    shown = " x ".join(map(str, sides))
    if min(sides) < 1:
        raise _damaged(path, f"has the shape {shown} by its header", "sides of at least 1")
    while len(sides) > 3 and sides[-1] == 1:
        sides = sides[:-1]
    if not 2 <= len(sides) <= 4:
        raise DataError(KINDS["wrong_axes"].at(path, f"has the shape {shown}"))
    return sides


def _read_dtype(path: Path, record: Any) -> np.dtype[Any]:
    code, bits = int(record["datatype"]), int(record["bitpix"])
    if code in _NOT_REAL:
        raise DataError(KINDS["not_real"].at(path, f"holds {_NOT_REAL[code]}"))
    if code in _NOT_SUPPORTED:
        expected = "whole numbers or floats of 8 to 64 bits"
        raise DataError(KINDS["not_supported"].at(path, f"holds {_NOT_SUPPORTED[code]}", expected=expected))
    if code not in _REAL:
        raise _damaged(path, f"has voxels of the type {code}, which there is not", "a type that NIfTI names")
    dtype = np.dtype(_REAL[code])
    if bits not in (0, 8 * dtype.itemsize):
        raise _damaged(path, f"has voxels of {bits} bits by one field and of {8 * dtype.itemsize} by another", "one size")
    return dtype if record.dtype["sizeof_hdr"].isnative else dtype.newbyteorder()


def _read_start(path: Path, record: Any) -> int:
    start, least = float(record["vox_offset"]), record.dtype.itemsize + EXTENDER_BYTES
    if not (least <= start <= _MOST_HEADER_BYTES and start.is_integer()):
        raise _damaged(path, f"has its voxels start at byte {start:.10g}", f"{least} or soon after")
    return int(start)


def _check_size(path: Path, content: Content, needed: int) -> None:
    """Raises DataError for a file that cannot hold so many bytes, or that is plain and holds others."""
    most = content.size * _DENSEST if content.gzipped else content.size
    if most < needed:
        of = "at most " if content.gzipped else ""
        raise _damaged(path, f"is cut short: it holds {of}{most:,} of {needed:,} bytes")
    if not content.gzipped and most > needed + MOST_PADDING_BYTES:
        raise _damaged(path, f"goes on after its last voxel: it holds {most:,} bytes instead of {needed:,}")


def _read_slope(path: Path, record: Any) -> tuple[float, float]:
    """Slope and intercept; a slope of 0, or of NaN as nibabel writes it, is none."""
    slope, intercept = float(record["scl_slope"]), float(record["scl_inter"])
    if slope == 0 or math.isnan(slope):
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise _damaged(path, f"has the slope {slope:g} and the intercept {intercept:g}", "finite numbers")
    return slope, intercept


def _note(path: Path, content: Content, record: Any) -> Iterator[Finding]:
    """What is legal and noteworthy of the name and the axes."""
    if content.gzipped is not path.name.lower().endswith(".gz"):
        found = "is gzipped though its name does not say so" if content.gzipped else "is not gzipped though its name says so"
        yield KINDS["wrong_suffix"].at(path, found, expected=f"a name in {'.nii.gz' if content.gzipped else '.nii'}")
    sides = record["dim"][1 : record["dim"][0] + 1].tolist()
    if len(sides) > 3 and sides[-1] == 1:
        yield KINDS["fourth_axis"].at(path, f"has the shape {' x '.join(map(str, sides))}")


def _skip_extensions(path: Path, content: Content, header: VolumeHeader) -> None:
    """Reads on to the first voxel. Raises DataError for extensions that do not fit before them."""
    size = header.record.dtype.itemsize
    between = content.read(header.start - size)
    if not between[:1].strip(b"\0"):
        return
    place = EXTENDER_BYTES
    while place + 8 <= len(between):
        length = int(np.frombuffer(between, header.record.dtype["sizeof_hdr"], 1, place)[0])
        if not 8 <= length <= len(between) - place:
            found = f"has an extension of {length:,} bytes in its header, where {len(between) - place:,} are left"
            raise _damaged(path, found, "extensions that fit before the voxels")
        place += length


def _damaged(path: Path, found: str, expected: str = "", mend: str = "") -> DataError:
    return DataError(KINDS["damaged"].at(path, found, expected=expected, mend=mend))
