"""Stopping by a signal without losing work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from focalseg.errors import Interrupted


class StopSwitch:
    """Turns SIGINT and SIGTERM into Interrupted: at once, or where saving comes first, when that code asks."""

    def __init__(self) -> None:
        self.requested = 0
        self._deferring = False
        self._worker = False

    def install(self, *, worker: bool = False) -> None:
        """From now on this process is stopped through the switch.

        A worker hears of a stop from its parent alone, by SIGTERM, and leaves without a word when it has nothing to save.
        """
        self._worker = worker
        signal.signal(signal.SIGTERM, self._receive)
        signal.signal(signal.SIGINT, signal.SIG_IGN if worker else self._receive)

    def is_requested(self) -> bool:
        """Whether a stop was asked for."""
        return self.requested != 0

    @contextmanager
    def deferring(self) -> Iterator[None]:
        """Inside, a signal only sets `requested`; the code inside saves and raises Interrupted itself."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.requested = number
        if not self._deferring:
            raise SystemExit(128 + number) if self._worker else Interrupted(number)


STOP = StopSwitch()
