"""Puts mutants to a reader, and counts what comes of them."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import numpy as np

from focalseg.errors import FocalsegError
from hostile_text.mutants import alter
from hostile_text.targets import Target

MOST_SECONDS = 2.0
"""Of computing, a mutant."""
LONGEST_LINE = 4000
"""Characters of an error's line."""


class TooSlow(BaseException):
    """Raised into a reader that computes for longer than MOST_SECONDS."""


@dataclass
class Tally:
    """What came of so many mutants. slowest: seconds of computing. strangers: what no reader may raise or say.

    longest: characters of the longest line of an error. examples: a mutant for each stranger.
    """

    mutants: int = 0
    refused: int = 0
    read: int = 0
    slowest: float = 0.0
    longest: int = 0
    strangers: Counter[str] = field(default_factory=Counter)
    examples: dict[str, bytes] = field(default_factory=dict)


def put_mutants(target: Target, count: int, seed: int) -> Tally:
    """So many mutants of the target's file in its place; the good file is put back."""
    tally = Tally()
    random = np.random.default_rng([seed, *target.name.encode()])
    target.path.write_bytes(target.content)
    target.read(target.path)  # else a refusal of every mutant would say nothing
    for _ in range(count):
        content = alter(target.content, random, target.kind)
        target.path.write_bytes(content)
        started = time.process_time()
        stranger = ""
        try:
            with limit_seconds():
                target.read(target.path)
            tally.read += 1
        except FocalsegError as error:
            tally.refused += 1
            stranger = find_fault(str(error))
            tally.longest = max(tally.longest, *map(len, str(error).splitlines()))
        except (Exception, TooSlow) as error:
            stranger = f"{type(error).__name__}: {error}"[:160]
        if stranger:
            tally.strangers[stranger] += 1
            tally.examples.setdefault(stranger, content)
        tally.slowest = max(tally.slowest, time.process_time() - started)
        tally.mutants += 1
    target.path.write_bytes(target.content)
    return tally


def find_fault(message: str) -> str:
    """What is wrong with the message of an error; empty for nothing."""
    lines = message.splitlines()
    if not lines or len(lines) > 25:
        return f"an error of {len(lines)} lines"
    if max(map(len, lines)) > LONGEST_LINE:
        return "an error with a very long line"
    return "" if all(line.isprintable() for line in lines) else f"an error with signs that cannot be seen: {message!r}"[:160]


@contextmanager
def limit_seconds() -> Iterator[None]:
    """Raises TooSlow once this process has computed for MOST_SECONDS in the block."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
