"""Cases decoded once: in memory while they fit, in one memory-mapped file beyond that, each in its own number type."""

import errno
import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from focalseg.errors import MachineError, ShapeError
from focalseg.files import open_to_append

PREFIX, SUFFIX = "cases-", ".cache"
_ALIGNMENT = 64
"""Arrays start at multiples of this many bytes in the file, so that any number type can be read where it lies."""


class CaseStore:
    """Images (C, *spatial) and masks (*spatial) by number, read-only. Close it, or use it in a `with` statement.

    bytes_in_memory, bytes_on_disk: what the arrays take. path: of the file, None where all is in memory; closing the store, or
    the end of the program, removes it.
    """

    def __init__(self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray], overflow: "_Overflow") -> None:
        self._images, self._masks = list(images), list(masks)
        self.path, self.bytes_on_disk = overflow.path, overflow.bytes_held
        self.bytes_in_memory = sum(array.nbytes for array in (*images, *masks)) - overflow.bytes_held
        self._finish = weakref.finalize(self, overflow.discard)

    @classmethod
    def build(
        cls, count: int, read: Callable[[int], tuple[np.ndarray, np.ndarray]], *, most_bytes: int, folder: Path
    ) -> "CaseStore":
        """Reads image and mask of every number below count once, and keeps them in memory if they still fit in most_bytes.

        The others go to a new file in folder, which is made where it is missing. Raises what `read` raises, and MachineError
        where the file cannot be written; no file is left behind then.
        """
        kept: list[tuple[np.ndarray | _Place, np.ndarray | _Place]] = []
        overflow = _Overflow(folder)
        total = in_memory = 0
        try:
            for number in range(count):
                image, mask = read(number)
                size = image.nbytes + mask.nbytes
                total += size
                if in_memory + size <= most_bytes:
                    in_memory += size
                    kept.append((_own(image), _own(mask)))
                else:
                    # The cases to come are taken to be as large as those before.
                    expected = total * count // (number + 1) - in_memory
                    kept.append((overflow.append(image, expected=expected), overflow.append(mask, expected=expected)))
            images, masks = ([overflow.find(array) for array in part] for part in zip(*kept, strict=True)) if kept else ([], [])
        except BaseException:
            overflow.discard()
            raise
        return cls(images, masks, overflow)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (C, *spatial) and mask (*spatial) of a case, not to be written to, valid until the store is closed."""
        return self._images[number], self._masks[number]

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """The spatial size of every case."""
        return [mask.shape for mask in self._masks]

    def gather(self, numbers: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, *spatial) and masks (B, *spatial) of the cases of these numbers, copies in the store's number types.

        Raises ShapeError for cases of different sizes.
        """
        chosen = numbers.tolist() if isinstance(numbers, Tensor) else numbers
        images, masks = [self._images[number] for number in chosen], [self._masks[number] for number in chosen]
        if len(shapes := {image.shape for image in images}) > 1:
            raise ShapeError(f"The cases are {sorted(shapes)}; expected one size to make a batch of. Cut patches out of them.")
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks))

    def close(self) -> None:
        """Lets go of the arrays and removes the file."""
        self._images, self._masks = [], []
        self._finish()

    def __enter__(self) -> "CaseStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def remove_leftovers(folder: Path) -> None:
    """Removes the files of stores that a killed process could not close. Only for a folder that no other process uses."""
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(OSError):
            path.unlink(missing_ok=True)


class _Place(NamedTuple):
    """The place of an array in a file."""

    path: Path
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype


class _Overflow:
    """A file that is written from its start to its end, then read where it lies. There is none until something is appended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path: Path | None = None
        self.bytes_held = 0
        self._mapped: np.ndarray | None = None

    def append(self, array: np.ndarray, *, expected: int) -> _Place:
        """Writes an array. expected: bytes that the file is likely to need in the end, for the message if there is no room."""
        try:
            if self.path is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                with tempfile.NamedTemporaryFile(dir=self.folder, prefix=PREFIX, suffix=SUFFIX, delete=False) as made:
                    self.path = Path(made.name)
            with open_to_append(self.path) as file:
                start = -(-file.tell() // _ALIGNMENT) * _ALIGNMENT
                file.write(bytes(start - file.tell()))
                file.write(np.ascontiguousarray(array).data)
        except OSError as error:
            mend = "Free that much" if error.errno == errno.ENOSPC else "Check the path and who may write there"
            raise MachineError(
                f"{self.path or self.folder} cannot be written ({error.strerror or error}); the cases that do not fit into "
                f"memory take about {expected} bytes. {mend}, or allow more memory (data.cache_mib), then run again."
            ) from error
        self.bytes_held += array.nbytes
        return _Place(self.path, start, array.shape, array.dtype)

    def find(self, array: np.ndarray | _Place) -> np.ndarray:
        """An appended array as a view of the whole file; an array that was not appended is returned as it is."""
        if not isinstance(array, _Place):
            return array
        if self._mapped is None:
            self._mapped = np.memmap(array.path, dtype=np.uint8, mode="r")
        size = int(np.prod(array.shape)) * array.dtype.itemsize
        found: np.ndarray = self._mapped[array.start : array.start + size].view(array.dtype).reshape(array.shape)
        return found

    def discard(self) -> None:
        """Removes the file. Arrays that somebody still holds stay readable where the system allows it."""
        self._mapped = None
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


def _own(array: np.ndarray) -> np.ndarray:
    """A contiguous, read-only copy: what was read may be a view of something larger."""
    copy = np.array(array, order="C")
    copy.flags.writeable = False
    return copy
