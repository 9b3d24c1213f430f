"""Sites that act in a network with weights that are not its own, found and taken out."""

from typing import Any

from torch import nn

from focalseg.errors import SiteError
from focalseg.hosts.capture import Capture
from focalseg.hosts.presence.container import CONTAINER, AttentionSites, find_container
from focalseg.hosts.presence.hooking import SiteHook
from focalseg.hosts.presence.wrappers import unwrap


def find_checked_container(network: nn.Module) -> AttentionSites | None:
    """The container of what was added, or None. Raises SiteError where a site no longer acts, or acts with weights that are not
    the network's: where a part of it has attention of its own, or was taken from another network with its hooks."""
    container, network = find_container(network), unwrap(network)
    if container is not None:
        container.check(network)
        return container
    modules = dict(network.named_modules())
    kind = type(network).__name__
    for path, module in modules.items():
        part, _, name = path.rpartition(".")
        if isinstance(module, AttentionSites) and name == CONTAINER:
            raise SiteError(
                f"Attention stands in a part of this {kind}, {part}, and not in it; give that part, network.{part}."
            )
    for path, module in modules.items():
        for hook in _list_hooks(module):
            raise SiteError(
                f"The site {hook.name} acts at {path or 'this module'}, but its weights are not in this {kind} "
                f"(network.{CONTAINER}), so that they are neither trained nor saved with it. "
                "Give the whole network that attention was put into, or put attention into this one."
            )
    return None


def _list_hooks(module: nn.Module) -> "list[SiteHook]":
    """The hooks of sites that a module has."""
    hooks = [*vars(module)["_forward_pre_hooks"].values(), *vars(module)["_forward_hooks"].values()]
    owners = [getattr(hook, "__self__", None) for hook in hooks]
    return [owner for owner in owners if isinstance(owner, SiteHook) and owner.passes is not None]


def remove_strays(network: nn.Module) -> None:
    """Takes every hook of a site out of a network, in place, wherever fusing, converting or copying modules has put it.

    Hooks of parts that have attention of their own stay.
    """
    whole = find_container(network)
    parts = [module for module in network.modules() if isinstance(module, AttentionSites) and module is not whole]
    theirs = {id(hook) for part in parts for captures in part.captures.values() for hook in captures}
    theirs |= {id(part.passes) for part in parts}
    for module in network.modules():
        for kind in ("_forward_pre_hooks", "_forward_hooks"):
            hooks: dict[int, Any] = vars(module)[kind]
            for number, hook in [*hooks.items()]:
                owner = getattr(hook, "__self__", None)
                ours = isinstance(owner, Capture) or (isinstance(owner, SiteHook) and owner.passes is not None)
                if ours and id(owner) not in theirs and id(getattr(owner, "passes", None)) not in theirs:
                    del hooks[number]
                    for marks in (f"{kind}_with_kwargs", f"{kind}_always_called"):
                        vars(module).get(marks, {}).pop(number, None)
