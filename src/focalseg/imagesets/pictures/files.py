"""Reads the bytes of a picture, and tells whether the file can be read at all and of which format its content is."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from focalseg.errors import DataError
from focalseg.findings import Finding, show_path
from focalseg.imagesets.kinds import KINDS

MOST_BYTES = 500_000_000
"""The largest file on disk that is read: above what MOST_PIXELS take at four bytes each."""
_SIGNATURES = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "GIF": (b"GIF87a", b"GIF89a"),
}
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_OTHERS = (
    (8, b"WEBP", "a WebP image"),
    (4, b"ftyp", "a HEIF or AVIF image or a film"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x1f\x8b", "packed by gzip"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (128, b"DICM", "a DICOM file"),
)
"""Other formats found under a picture's name: offset, bytes, the format in words."""
START = 132


def sniff(content_start: bytes) -> str:
    """PNG, JPEG, TIFF, BMP or GIF by the first bytes; empty for anything else."""
    for name, signatures in _SIGNATURES.items():
        if content_start.startswith(signatures):
            return name
    is_bmp = content_start[:2] == b"BM" and int.from_bytes(content_start[14:18], "little") in _BMP_HEADERS
    return "BMP" if is_bmp else ""


def identify(path: Path, content_start: bytes) -> str:
    """The format by the first bytes. Raises DataError for a file that is empty, of another format or no image."""
    if not content_start:
        raise DataError(KINDS["empty_file"].at(path, "has 0 bytes"))
    if name := sniff(content_start):
        return name
    for offset, signature, words in _OTHERS:
        if content_start[offset:].startswith(signature):
            raise DataError(KINDS["not_supported"].at(path, f"is {words}, by its content"))
    if content_start.startswith(b"version https://git-lfs"):
        found, mend = "is a pointer of Git LFS, whose image is not there", "Run git lfs pull."
    elif _is_text(content_start):
        found, mend = f"is text, whatever its name says, and begins with {content_start[:20].decode()!r}", ""
    else:
        found, mend = f"is no image, whatever its name says, and begins with the bytes {content_start[:8].hex(' ')}", ""
    raise DataError(KINDS["not_an_image"].at(path, found, mend=mend))


def _is_text(content_start: bytes) -> bool:
    """Whether the bytes are plain ASCII text."""
    return content_start.isascii() and all(byte >= 32 or byte in b"\t\r\n" for byte in content_start)


@contextmanager
def open_file(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The file, opened for reading, and its length in bytes. Raises DataError for what is no file or cannot be read."""
    if "\0" in str(path):
        raise DataError(KINDS["not_a_file"].at(path, "has a name that no file can have"))
    try:
        # A pipe would wait for its writer, hence the look before the opening.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise DataError(KINDS["not_a_file"].at(path, "is a folder" if stat.S_ISDIR(mode) else "is a device or a pipe"))
        with path.open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DataError(_explain(path, error)) from error


def read_content(path: Path) -> bytes:
    """All bytes of the file. Raises DataError like open_file, and for a file that is larger than MOST_BYTES."""
    with open_file(path) as (file, size):
        if size > MOST_BYTES:
            found, expected = f"has {size:,} bytes", f"at most {MOST_BYTES:,}"
            raise DataError(KINDS["too_large"].at(path, found, expected=expected))
        return file.read(size)


def _explain(path: Path, error: OSError) -> Finding:
    """The finding for what the system says of a file."""
    if error.errno == errno.ELOOP:
        return KINDS["dead_link"].at(path, "is a link in a circle")
    if error.errno == errno.ENOENT and path.is_symlink():
        return KINDS["dead_link"].at(path, f"is a link to {show_path(path.readlink())}, which is not there")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return KINDS["not_a_file"].at(path, "is not there", mend="Check the path.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return KINDS["no_permission"].at(path, "may not be read")
    return KINDS["damaged"].at(path, f"cannot be read ({error.strerror or error})", mend="Check the disk, or replace the file.")
