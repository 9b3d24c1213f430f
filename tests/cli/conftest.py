"""The command line, called as from a shell but in this process."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from focalseg.cli.main import main
from focalseg.study.running.stopping import STOP, STOP_SIGNALS


@dataclass(frozen=True)
class Outcome:
    """What a call left: its exit status and both streams."""

    status: int
    out: str
    err: str


@pytest.fixture
def focalseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Outcome]]:
    """Calls `focalseg` with those arguments; signal handlers are put back afterwards."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["focalseg", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        put_back()  # else the next call finds a hang-up ignored, as under nohup, and so do the processes that it starts
        streams = capsys.readouterr()
        return Outcome(int(caught.value.code or 0), streams.out, streams.err)

    def put_back() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    yield call
    STOP.install()  # it forgets the signal of a test
    STOP.retire()
    put_back()
