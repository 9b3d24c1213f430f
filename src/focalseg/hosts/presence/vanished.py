"""Sites that were filled and no longer act, because a module was replaced, taken away or lost its hooks."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from focalseg.errors import SiteError
from focalseg.hosts.ports import Port
from focalseg.hosts.presence.wrappers import find_inside


class Hooked:
    """A hook of ours: the port at whose module it was registered, and its handle."""

    def __init__(self, port: Port, handle: RemovableHandle) -> None:
        self.port, self.handle = port, handle
        self.steps = tuple(port.path.split(".")) if port.path else ()
        # Torch keeps the hooks of a module in two dictionaries, and a handle refers to the one that its hook is in.
        self.kept_in = "_forward_hooks" if port.of_output else "_forward_pre_hooks"

    def remove(self) -> None:
        """Takes the hook away; without effect where it is gone already."""
        self.handle.remove()

    def acts(self, module: nn.Module | None) -> bool:
        """Whether it stands in the network, at the very module of its path: what every pass asks of every site."""
        for step in self.steps:
            module = vars(module)["_modules"].get(step)
            if module is None:
                return False
        hooks: dict[int, Any] = vars(module)[self.kept_in]
        return self.handle.hooks_dict_ref() is hooks and self.handle.id in hooks

    def find_loss(self, network: nn.Module) -> str:
        """Why the hook does not act in the network; empty where it does, if need be within wrappers."""
        if self.acts(network):
            return ""
        place, module = self.port.path or "the network", find_inside(network, self.port.path)
        if module is None:
            return f"there is no module {place} any more"
        hooks: dict[int, Any] = vars(module)[self.kept_in]
        if self.handle.hooks_dict_ref() is not hooks:
            return f"{place} was replaced by a new {type(module).__name__}"
        return "" if self.handle.id in hooks else f"the hooks of {place} were taken away"


def find_losses(network: nn.Module, hooked: Mapping[str, Iterable[Hooked]]) -> dict[str, str]:
    """By the name of each site whose hooks no longer act in the network: why."""
    losses = {name: next(filter(None, (hook.find_loss(network) for hook in hooks)), "") for name, hooks in hooked.items()}
    return {name: loss for name, loss in losses.items() if loss}


def describe_losses(losses: Mapping[str, str]) -> SiteError:
    """The error for sites that no longer act, by name with the reason."""
    reasons = "; ".join(f"{name} ({reason})" for name, reason in losses.items())
    return SiteError(
        f"Attention no longer acts at {reasons}. Put it onto the modules that are there now with "
        "focalseg.reattach_attention(network), or take it out with focalseg.remove_attention(network). "
        "Replace, fuse or convert modules before attention is put in."
    )


def describe_unreached(names: Iterable[str]) -> SiteError:
    """The error for sites that a pass of the whole network has not reached."""
    missed = list(names)
    return SiteError(
        f"A forward pass ended without reaching {', '.join(missed)}, where attention stands. "
        "Call modules themselves and not their forward method; where modules were replaced, call "
        "focalseg.reattach_attention(network); where the network leaves them out on purpose, say so: "
        f"focalseg.allow_unreached(network, {missed})."
    )
