"""Which sites a pass has reached."""

import threading
from collections.abc import Container
from typing import Any

import torch


class Passes:
    """The names of the sites that the pass of each thread has reached so far. Copies of a network and files start without any.

    Compiled code knows no thread: what it reaches is kept as a tuple of names, which the compiler follows as a constant. Where
    it compiles some parts of a pass and leaves others, a site counts as reached in either way.
    """

    def __init__(self) -> None:
        self.current: dict[int, set[str]] = {}
        self.traced: tuple[str, ...] | None = None

    def begin(self) -> None:
        """At the start of a pass: nothing is reached yet."""
        if torch.compiler.is_compiling():
            self.traced = ()
        else:
            self.current[threading.get_ident()] = set()

    def mark(self, name: str) -> None:
        """At a site: it is reached. Outside of a pass of the whole network this is of no account."""
        if torch.compiler.is_compiling():
            if self.traced is None or name not in self.traced:
                self.traced = (*(self.traced or ()), name)
            return
        reached = self.current.get(threading.get_ident())
        if reached is not None:
            reached.add(name)
        elif self.traced is not None and name not in self.traced:
            self.traced = (*self.traced, name)

    def end(self) -> Container[str] | None:
        """At the end of a pass: the names it has reached; None where its start was not seen."""
        traced, self.traced = self.traced, None
        if torch.compiler.is_compiling():
            return traced
        reached = self.current.pop(threading.get_ident(), None)
        return None if reached is None else reached.union(traced or ())

    def __getstate__(self) -> dict[str, Any]:
        return {"current": {}, "traced": None}
