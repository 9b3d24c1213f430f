"""What passes at one place and is needed at another, kept for the length of a forward pass."""

import threading
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import TensorWeakRef

from focalseg.errors import SiteError
from focalseg.hosts.ports import Arguments, Keywords, Port


class Capture:
    """Keeps what passes at a port until the forward pass of the network ends, a pass of each thread by itself.

    After that it holds the tensor weakly, for as long as its graph does: gradient checkpointing runs parts of a pass again
    during the backward pass, on a GPU in another thread. What passes then is kept until the next pass begins. Which of several
    passes it runs again cannot be told, so then it raises. It is no part of copies and files.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.current: dict[int, Tensor] = {}
        self.passing: set[int] = set()
        self.ended: list[TensorWeakRef] = []
        self.traced: Tensor | None = None

    def before(self, _module: nn.Module, arguments: Arguments, keywords: Keywords) -> None:
        """A forward pre-hook."""
        self._keep(self.port.read(arguments, keywords, None))

    def after(self, _module: nn.Module, arguments: Arguments, keywords: Keywords, output: Any) -> None:
        """A forward hook."""
        self._keep(self.port.read(arguments, keywords, output))

    def forget(self) -> None:
        """At the start of a pass: what an interrupted one left, and what ran again outside of any."""
        if torch.compiler.is_compiling():
            self.traced = None
            return
        self.passing.discard(threading.get_ident())
        for thread in [*self.current]:
            if thread not in self.passing:
                self.current.pop(thread, None)
        self.passing.add(threading.get_ident())

    def end(self) -> None:
        """At the end of a pass."""
        if torch.compiler.is_compiling():
            self.traced = None
            return
        self.passing.discard(threading.get_ident())
        tensor = self.current.pop(threading.get_ident(), None)
        if tensor is not None and tensor.requires_grad:
            self.ended = [ended for ended in self.ended if ended() is not None] + [TensorWeakRef(tensor)]

    def recall(self, place: Port) -> Tensor:
        """What passed in this pass, for a site at that place. Raises SiteError where nothing did or it cannot be told."""
        compiling = torch.compiler.is_compiling()
        tensor = self.traced if compiling else self.current.get(threading.get_ident())
        if tensor is not None:
            return tensor
        alive = [] if compiling else [tensor for ended in self.ended if (tensor := ended()) is not None]
        if len(alive) > 1:
            raise SiteError(
                f"{place} is run again by gradient checkpointing, and what passed {self.port} is there from {len(alive)} "
                "forward passes; run backward after each forward pass, or checkpoint the network as a whole."
            )
        if not alive:
            raise SiteError(f"Nothing has passed {self.port} before {place}; name a place that comes earlier in every pass.")
        found: Tensor = alive[0]
        return found

    def _keep(self, tensor: Tensor) -> None:
        """A compiler follows an attribute, and knows one thread."""
        if torch.compiler.is_compiling():
            self.traced = tensor
        else:
            self.current[threading.get_ident()] = tensor

    def __getstate__(self) -> dict[str, Any]:
        return {"port": self.port, "current": {}, "passing": set(), "ended": [], "traced": None}
