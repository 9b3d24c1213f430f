"""Putting focal gates into a network, in place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from focalseg.attention import GATES
from focalseg.attention.gate import Gate
from focalseg.attention.site import AttentionSite
from focalseg.errors import SettingError, SiteError
from focalseg.placement.sites import Site, attention_sites, select_sites, sites


@dataclass(frozen=True, kw_only=True)
class Touched:
    """One gate that was put in: where, and of which kind."""

    site: str
    gate: str


def instrument(network: nn.Module, gates: Sequence[str] = ("se", "ag")) -> tuple[Touched, ...]:
    """Puts a focal gate, in place, at every site that one of those kinds fits: with a gating signal on skips, else on stages.

    Returns what was touched. Every exponent is a parameter named "...gamma". The host's weights and its output up to the
    first gate are as before. Raises SettingError for an unknown kind and SiteError where attention already stands; a call
    that raises leaves the network as it was.
    """
    return fill_sites(network, plan_layout(network, gates))


def plan_layout(network: nn.Module, gates: Sequence[str]) -> dict[str, str]:
    """Kind of gate by site, for every site that one of the kinds fits."""
    if isinstance(gates, str) or not gates:
        raise SettingError(f"gates was {gates!r}; expected one or more of {', '.join(GATES)}, such as ('se', 'ag').")
    chosen = {name: GATES[name] for name in gates}
    return {
        site.name: name
        for site in sites(network)
        for name, gate in chosen.items()
        if gate.needs_gating_signal == (site.kind == "skip")
    }


def fill_sites(network: nn.Module, layout: Mapping[str, str]) -> tuple[Touched, ...]:
    """Puts the named kind of gate at each named site, in place, and returns what was touched. Raises as `instrument` does."""
    chosen = select_sites(network, layout)
    occupied = [name for name in attention_sites(network) if name in layout]
    if occupied:
        raise SiteError(f"Attention already stands at {', '.join(occupied)}; take it out first or start from a plain network.")
    parameter = next(network.parameters())
    filled = [AttentionSite(build_gate(layout[site.name], site)) for site in chosen]
    for site, attention in zip(chosen, filled, strict=True):
        network.set_submodule(site.path, attention.to(device=parameter.device, dtype=parameter.dtype))
    return tuple(Touched(site=site.name, gate=layout[site.name]) for site in chosen)


def build_gate(name: str, site: Site) -> Gate:
    """The gate of that name, for the channels and axes of the site."""
    kind = GATES[name]
    if kind.needs_gating_signal and site.kind != "skip":
        raise SiteError(f"The gate {name!r} needs a gating signal, which {site.name} does not have; put it on a skip.")
    return kind.for_site(channels=site.channels, gating_channels=site.gating_channels, spatial_dims=site.spatial_dims)
