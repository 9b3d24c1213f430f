"""For tests that run as root, whom no permission stops: without those privileges for a while."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

OVERRIDE = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of Linux (capabilities(7))."""
VERSION_3 = 0x20080522


@contextmanager
def as_an_ordinary_reader() -> Iterator[bool]:
    """Permissions hold for this thread and those it starts. Gives whether they do."""
    if os.geteuid() != 0:
        yield True
        return
    before = _get()
    if before is None:
        yield False
        return
    _set([before[0] & ~OVERRIDE, *before[1:]])
    try:
        yield True
    finally:
        _set(before)


def _get() -> list[int] | None:
    try:
        library = ctypes.CDLL(None, use_errno=True)
        header, data = (ctypes.c_uint32 * 2)(VERSION_3, 0), (ctypes.c_uint32 * 6)()
        return list(data) if library.capget(header, data) == 0 else None
    except (OSError, AttributeError):
        return None


def _set(words: list[int]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.capset((ctypes.c_uint32 * 2)(VERSION_3, 0), (ctypes.c_uint32 * 6)(*words)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
