"""What passes at one place and is needed at another, kept for the length of a forward pass."""

import threading
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import TensorWeakRef

from focalseg.errors import SiteError
from focalseg.hosts.ports import Arguments, Keywords, Port


class Capture:
    """Keeps what passes at a port until the forward pass of the network ends, separately for the pass of each thread.

    After the pass it holds the tensor weakly, for as long as its graph does, because gradient checkpointing runs parts of a
    pass again during the backward pass (on a GPU in another thread). What passes in such a repetition is kept until the next
    pass begins. When the graphs of several passes are alive, nothing tells which of them is repeated, and `recall` raises.
    Copies of a network and files hold the port alone.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.current: dict[int, Tensor] = {}
        self.passing: set[int] = set()
        self.ended: list[TensorWeakRef] = []
        self.traced: Tensor | None = None

    def keep(self, _module: nn.Module, arguments: Arguments, keywords: Keywords, output: Any = None) -> None:
        """A hook before or after the module, on the side where the port is: keeps the tensor that passes there."""
        tensor = self.port.read(arguments, keywords, output)
        if torch.compiler.is_compiling():  # the compiler can follow an attribute, but no thread's identity
            self.traced = tensor
        else:
            self.current[threading.get_ident()] = tensor

    def forget(self) -> None:
        """At the start of a pass, drops what an interrupted pass left behind and what was repeated outside of any pass."""
        if torch.compiler.is_compiling():
            self.traced = None
            return
        # This thread begins anew, so whatever it kept is old; what other threads keep is old unless they are within a pass.
        self.passing.discard(threading.get_ident())
        for thread in [*self.current]:
            if thread not in self.passing:
                self.current.pop(thread, None)
        self.passing.add(threading.get_ident())

    def end(self) -> None:
        """At the end of a pass, holds its tensor only weakly, and only where a backward pass may repeat it."""
        if torch.compiler.is_compiling():
            self.traced = None
            return
        self.passing.discard(threading.get_ident())
        tensor = self.current.pop(threading.get_ident(), None)
        if tensor is not None and tensor.requires_grad:
            self.ended = [ended for ended in self.ended if ended() is not None] + [TensorWeakRef(tensor)]

    def recall(self, place: Port) -> Tensor:
        """Returns what passed in this pass, for a site at that place. Raises SiteError where nothing did or it is ambiguous."""
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

    def __getstate__(self) -> dict[str, Any]:
        return {"port": self.port, "current": {}, "passing": set(), "ended": [], "traced": None}
