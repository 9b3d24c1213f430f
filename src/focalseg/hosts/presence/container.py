"""The module that holds everything that was added to a network, and knows whether it still acts."""

import weakref
from typing import Any, Self, cast

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from focalseg.attention.focal_site import AnySite
from focalseg.errors import SiteError
from focalseg.hosts.capture import Capture
from focalseg.hosts.presence.in_step import check_in_step
from focalseg.hosts.presence.passes import Passes
from focalseg.hosts.presence.vanished import Hooked, describe_losses, describe_unreached, find_losses
from focalseg.hosts.presence.wrappers import unwrap
from focalseg.hosts.site import Site

CONTAINER = "focal_attention"
_TRAINED_UNDER = "trained_under/"
"""Begins the name of the entry, in a state dict, that says how a network trained. A slash stands in no name of a weight."""


class Owner:
    """The network that something belongs to, held weakly. In a copy or a file of the network it is the network there."""

    def __init__(self, network: nn.Module | None = None) -> None:
        self.reference = None if network is None else weakref.ref(network)

    def __call__(self) -> nn.Module | None:
        """The network, or None where it is gone or nothing of it was copied."""
        return None if self.reference is None else self.reference()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Owner":
        return Owner(memo.get(id(self())))

    def __reduce__(self) -> tuple[type["Owner"], tuple[nn.Module | None]]:
        return Owner, (self(),)


class AttentionSites(nn.Module):
    """Everything that was added to a network, by the name of the site. gates: the kind of gate that stands there, or SHUT.

    Called as a module it hands its argument through, so that it may stand at the end of an nn.Sequential. hooked, acting: the
    hooks of each site, and the module that they hand features through. optional: sites that a pass may leave out. Whoever
    passes, copies or saves the network is told of a site that no longer acts, since nothing else would show it.
    trained_under: the regime of the exponents where a loop that is not ours trained the network under one; else empty. It
    stays with copies and state dicts of the network, which have an entry more while it is not empty. untrained: why a training
    that was to be under a regime was not; else empty.
    """

    trained_under: str = ""
    untrained: str = ""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.sites: dict[str, Site] = {}
        self.gates: dict[str, str] = {}
        self.hooked: dict[str, list[Hooked]] = {}
        self.acting: dict[str, AnySite] = {}
        self.captures: dict[str, list[Capture]] = {}
        self.optional: set[str] = set()
        self.passes = Passes()
        self.pass_handles: list[RemovableHandle] = []
        self.frozen_host: Any = None
        self.owner = Owner(network)

    def forward(self, features: Any) -> Any:
        """Returns what it is called with."""
        return features

    def standing(self) -> dict[str, AnySite]:
        """Every site that was added, by name, in the order the sites were found in."""
        children = vars(self)["_modules"]
        return {name: cast(AnySite, unwrap(children[escape(name)])) for name in self.gates}

    def check(self, network: nn.Module | None = None) -> None:
        """Raises SiteError that names the sites which no longer act in the network; by default that which it belongs to."""
        owner = self.owner()
        network = owner if network is None else network
        if network is None:
            return
        if owner is None:
            self.owner = Owner(network)
        losses = find_losses(network, self.hooked)
        children = vars(self)["_modules"]
        for name, module in self.acting.items():
            stands = children.get(escape(name))
            if stands is not module and (stands is None or unwrap(stands) is not module):
                losses[name] = f"{CONTAINER}.{escape(name)} was replaced by a new {type(stands).__name__}"
        if losses:
            raise describe_losses(losses)

    def begin_pass(self, network: nn.Module, _arguments: Any) -> None:
        """A forward pre-hook of the network: drops what an earlier pass has left in the captures. Raises as `check` does."""
        if not torch.compiler.is_compiling():
            self._check_pass(network)
        self.passes.begin()
        for captures in self.captures.values():
            for capture in captures:
                capture.forget()

    def end_pass(self, _network: nn.Module, _arguments: Any, _output: Any) -> None:
        """A forward hook of the network: from now on the captures hold what passed only weakly.

        Raises SiteError for a site that is enabled and was not reached.
        """
        for captures in self.captures.values():
            for capture in captures:
                capture.end()
        reached = self.passes.end()
        if reached is None:
            return
        missed = [name for name, site in self.acting.items() if name not in reached and site.enabled]
        missed = [name for name in missed if name not in self.optional]
        if missed:
            raise describe_unreached(missed)

    def train(self, mode: bool = True) -> Self:
        """Sets the mode as every module does, and then puts the norms of a frozen host back to evaluation."""
        super().train(mode)
        if self.frozen_host is not None:
            self.frozen_host.keep_norms(self.owner())
        return self

    def _check_pass(self, network: nn.Module) -> None:
        if getattr(network, "_is_replica", False):
            raise SiteError(
                f"DataParallel copies the network, and the hooks of {', '.join(self.gates)} would use the weights of the first "
                "device; use DistributedDataParallel."
            )
        if getattr(network, CONTAINER, None) is not self:
            raise SiteError(
                f"network.{CONTAINER} was taken away or replaced while the hooks of {', '.join(self.gates)} still act, with "
                "weights that are no longer the network's. Put it back, and take attention out with remove_attention(network)."
            )
        self.check(network)
        check_in_step(network, self.acting)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        self.check()
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.trained_under:
            destination[f"{prefix}{_TRAINED_UNDER}{self.trained_under}"] = torch.ones(())

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        if any(name.startswith(prefix) for name in state_dict):
            self.trained_under = take_trained_under(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def __getstate__(self) -> dict[str, Any]:
        self.check()
        alone: dict[str, Any] = {"hooked": {}, "pass_handles": []} if self.owner() is None else {}
        return {**self.__dict__, **alone}


_RESERVED = frozenset(dir(AttentionSites()))


def escape(name: str) -> str:
    """The name of a submodule for a site's name: it may hold no dot and must not be an attribute of the container."""
    escaped = name.replace(".", "/")
    return f"{escaped}/" if escaped in _RESERVED else escaped


def take_trained_under(state: dict[str, Any], prefix: str) -> str:
    """Takes out of a state dict, in place, what it says of how the network trained, and returns that; empty for nothing."""
    start = prefix + _TRAINED_UNDER
    # A site whose name begins so has weights below it, with a dot.
    names = [name for name in state if name.startswith(start) and "." not in name.removeprefix(start)]
    for name in names:
        del state[name]
    return names[0].removeprefix(start) if names else ""


def find_container(network: nn.Module) -> AttentionSites | None:
    """The container of what was added to a network, or None; whether all of it still acts is not looked at."""
    container = getattr(unwrap(network), CONTAINER, None)
    return container if isinstance(container, AttentionSites) else None
