"""The candidate sites of a network: where attention may stand, and how it is put there and taken away."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from focalseg.attention.site import AttentionSite
from focalseg.catalogue import unknown_name_message
from focalseg.errors import SiteError

SiteKind = Literal["stage", "skip"]


@dataclass(frozen=True, kw_only=True)
class Site:
    """A place for attention. `path` is the submodule that an AttentionSite replaces, `kind` what passes there.

    A stage has features alone; a skip has a gating signal of `gating_channels` besides, from the level below.
    """

    name: str
    kind: SiteKind
    path: str
    channels: int
    gating_channels: int
    spatial_dims: int


def sites(network: nn.Module) -> tuple[Site, ...]:
    """The candidate sites of a network, finest encoder stage first. Raises SiteError for a network of no known family."""
    from focalseg.placement.hosts import find_sites  # the hosts build on this module

    return find_sites(network)


def attention_sites(network: nn.Module) -> dict[str, AttentionSite]:
    """The filled sites by name, in the order of `sites`."""
    filled = {site.name: network.get_submodule(site.path) for site in sites(network)}
    return {name: module for name, module in filled.items() if isinstance(module, AttentionSite)}


def select_sites(network: nn.Module, names: Iterable[str]) -> tuple[Site, ...]:
    """The sites of those names. Raises SiteError for the first that the network does not have."""
    known = {site.name: site for site in sites(network)}
    for name in names:
        if name not in known:
            raise SiteError(unknown_name_message("site", name, known))
    return tuple(known[name] for name in names)
