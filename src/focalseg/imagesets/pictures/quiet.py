"""Decoders that say nothing by themselves: what they warn of is checked here, and told as a finding."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

_STANDARD_ERROR = 2
_WARNINGS = threading.Lock()


@contextmanager
def quietly(*, deaf: bool = False) -> Iterator[None]:
    """Lets nothing warn, log or, where deaf, write to the standard error: what Pillow says there is checked here.

    One thread at a time, since all of these belong to the process. deaf is for libtiff, whose messages no setting stops.
    """
    loggers = [logging.getLogger(name) for name in ("PIL.TiffImagePlugin", "tifffile")]
    with _WARNINGS, warnings.catch_warnings(), _closed_ears() if deaf else nullcontext():
        warnings.simplefilter("ignore")
        before = [logger.disabled for logger in loggers]
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        finally:
            for logger, disabled in zip(loggers, before, strict=True):
                logger.disabled = disabled


@contextmanager
def _closed_ears() -> Iterator[None]:
    try:
        kept = os.dup(_STANDARD_ERROR)
    except OSError:
        # There is none, as in a service: nothing can be heard.
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, _STANDARD_ERROR)
        yield
    finally:
        os.dup2(kept, _STANDARD_ERROR)
        os.close(kept)
        os.close(nothing)
