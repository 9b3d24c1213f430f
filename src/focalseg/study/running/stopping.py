"""Stopping by a signal without losing work, and without an exception in the middle of foreign code."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from focalseg.errors import Interrupted

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
STOP_STATUSES = {128 + number: number for number in STOP_SIGNALS}
"""The exit status of a process that one of these signals stopped, and the signal."""
_POSTPONED_SECONDS = 0.05


class StopSwitch:
    """Turns signals into Interrupted: at once, or where saving comes first, when that code asks.

    The first signal counts. Those that follow change nothing, since `timeout` and schedulers send several: the process is
    ending already, and what it still does is to save.
    """

    def __init__(self) -> None:
        self.requested = 0
        self.keeps = True
        self._deferring = False
        self._ending = False
        self._worker = False
        self._hook: Callable[[Any], object] = sys.unraisablehook

    def install(self, *, worker: bool = False, keeps: bool = True) -> None:
        """From now on this process is stopped through the switch. keeps: whether what it finished serves the next call.

        A worker hears of Ctrl-C from its parent alone, by SIGTERM, and leaves without a word when it has nothing to save.
        """
        self.requested, self._ending, self._worker, self.keeps = 0, False, worker, keeps
        for number in STOP_SIGNALS:
            if number == signal.SIGINT and worker:
                signal.signal(number, signal.SIG_IGN)
            elif number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._receive)  # under nohup a hang-up stays ignored
        if sys.unraisablehook != self._catch_swallowed:
            self._hook, sys.unraisablehook = sys.unraisablehook, self._catch_swallowed

    def retire(self) -> None:
        """From now on this process, which is about to end, ignores signals: ending takes but a moment."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)  # one that was put off comes no more
        if sys.unraisablehook == self._catch_swallowed:
            sys.unraisablehook = self._hook

    def is_requested(self) -> bool:
        """Whether a stop was asked for."""
        return self.requested != 0

    @contextmanager
    def deferring(self) -> Iterator[None]:
        """Inside, a signal only sets `requested`; the code inside may save and raise Interrupted itself, else its end does."""
        before, self._deferring = self._deferring, True
        try:
            yield
            if self.requested:
                raise Interrupted(self.requested)
        except Interrupted:
            self._ending = True
            raise
        finally:
            self._deferring = before

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.requested = self.requested or number
        if self._deferring or self._ending:
            return
        if self._worker:
            os._exit(128 + number)
        if _is_importing(frame):
            self._postpone()
            return
        self._ending = True
        raise Interrupted(self.requested)

    def _postpone(self) -> None:
        """Receives the signal again in a moment."""
        # A timer of the system: a handler that started a thread could wait for a lock that the code it interrupted holds.
        signal.signal(signal.SIGALRM, lambda _number, frame: self._receive(self.requested, frame))
        signal.setitimer(signal.ITIMER_REAL, _POSTPONED_SECONDS)

    def _catch_swallowed(self, unraisable: Any) -> None:
        """Stops again where Python could not raise Interrupted, as in a destructor, and would only print it."""
        if isinstance(unraisable.exc_value, Interrupted) and hasattr(signal, "setitimer"):
            self._ending = False
            self._postpone()
        else:
            self._hook(unraisable)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: an exception there is turned into an ImportError, or aborts a library in C++."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return hasattr(signal, "setitimer")
        frame = frame.f_back
    return False


STOP = StopSwitch()
