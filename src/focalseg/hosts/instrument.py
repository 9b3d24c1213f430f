"""Putting focal gates into a network, in place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from focalseg.attention import GATES
from focalseg.attention.focal_site import AnySite, AttentionSite, OwnGateSite, ShutSite
from focalseg.errors import SettingError, SiteError
from focalseg.hosts.attachment import attach, occupied_sites, unwrap_to_fill
from focalseg.hosts.finding import sites
from focalseg.hosts.site import Site, select_sites
from focalseg.records.placement import SHUT

OWN = "own"
"""The name, among kinds of gates, of a gate that the host brought along and that became focal."""


@dataclass(frozen=True, kw_only=True)
class Touched:
    """One site that was changed: its name, and the kind of the gate that was put in, or SHUT."""

    site: str
    gate: str


def instrument(
    network: nn.Module, gates: Sequence[str] = ("se", "ag"), *, candidates: Sequence[Site] | None = None
) -> tuple[Touched, ...]:
    """Puts a focal gate, in place, at every site that a kind fits: kinds with a gating signal on skips, the others on stages.

    candidates: what `sites` gave; for a network of a known family it may be left out. Gates that the host brought along
    become focal whatever kinds are named. Returns the sites that were changed. Every exponent is a parameter named "...gamma"
    and starts at 1. The host's weights are as before. Raises SettingError for an unknown kind or two kinds for one place, and
    SiteError where attention already stands; a call that raises leaves the network as it was.

    >>> import focalseg
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> for touched in focalseg.instrument(network, gates=("se", "ag")):
    ...     print(touched.site, touched.gate)
    encoder.0 se
    bottleneck se
    skip.0 ag
    decoder.0 se
    """
    candidates = sites(network) if candidates is None else candidates
    standing = {name for name, (_, gate) in occupied_sites(network).items() if gate == OWN}
    layout = {name: gate for name, gate in plan_layout(candidates, gates).items() if name not in standing}
    if not layout:
        names = ", ".join(site.name for site in candidates)
        raise SiteError(f"No site takes {' or '.join(gates)}; there are {names}. Name other gates or other places.")
    return fill_sites(network, layout, candidates=candidates)


def plan_layout(candidates: Sequence[Site], gates: Sequence[str]) -> dict[str, str]:
    """The kind of gate by site, for every candidate that one of the kinds fits. Raises SettingError as `instrument` does."""
    if isinstance(gates, str) or not gates:
        raise SettingError(f"gates was {gates!r}; expected one or more of {', '.join(GATES)}, such as ('se', 'ag').")
    fitting: dict[bool, str] = {}
    for name in gates:
        needs_signal = GATES[name].needs_gating_signal
        if needs_signal in fitting:
            place = "skips" if needs_signal else "stages"
            raise SettingError(f"gates names {fitting[needs_signal]!r} and {name!r}, both for {place}; expected one of them.")
        fitting[needs_signal] = name
    by_kind = {"stage": fitting.get(False), "skip": fitting.get(True), "own": OWN}
    return {site.name: gate for site in candidates if (gate := by_kind[site.kind]) is not None}


def fill_sites(
    network: nn.Module,
    layout: Mapping[str, str],
    *,
    candidates: Sequence[Site] | None = None,
    standardise: bool = False,
) -> tuple[Touched, ...]:
    """Puts the named kind of gate at each named site, in place, and returns what was touched. Raises as `instrument` does.

    The kind SHUT shuts a skip for good: the host sees zeros there, or adds nothing where it adds skips.
    standardise: whether the gates bring their logits to mean 0 and variance 1 before the sigmoid (see `Gate`).
    """
    network = unwrap_to_fill(network)
    candidates = sites(network) if candidates is None else candidates
    chosen = select_sites(candidates, layout)
    occupied = [name for name in occupied_sites(network) if name in layout]
    if occupied:
        raise SiteError(f"Attention already stands at {', '.join(occupied)}; take it out first or start from a plain network.")
    for site in chosen:
        for port in site.ports:
            port.resolve(network)
    modules = [build_site(layout[site.name], site, standardise=standardise) for site in chosen]
    added = {site.name: (site, layout[site.name], module) for site, module in zip(chosen, modules, strict=True)}
    attach(network, added, [site.name for site in candidates])
    return tuple(Touched(site=site.name, gate=layout[site.name]) for site in chosen)


def build_site(gate: str, site: Site, *, standardise: bool = False) -> AnySite:
    """The module for a site: one with the gate of that name, made for what passes there, or one that shuts a skip."""
    if gate == SHUT:
        return _build_shut_site(site)
    if (gate == OWN) != (site.kind == "own"):
        holds = "holds a gate of the host's own" if site.kind == "own" else "has no gate of the host's own"
        raise SiteError(f"{site.name} {holds}; the placement has {gate!r} there. Make the placement anew for this network.")
    if gate == OWN:
        return OwnGateSite()
    kind = GATES[gate]
    if kind.needs_gating_signal and not site.signal:
        raise SiteError(f"The gate {gate!r} needs a gating signal, which {site.name} does not have; put it on a skip.")
    built = kind.for_site(site.shape)
    built.standardise = standardise
    return AttentionSite(built)


def _build_shut_site(site: Site) -> ShutSite:
    """The module that shuts a skip. Raises SiteError for any other site, and for an added skip whose sum has no known place."""
    if site.kind != "skip":
        found = "a stage" if site.kind == "stage" else "a gate of the host's own"
        raise SiteError(
            f"{site.name} was to be shut and is {found}; expected a skip, beside which other features reach the output. "
            "Take it out of the placement, or give a kind of gate there."
        )
    if site.added_at and not site.sum_at:
        raise SiteError(
            f"{site.name} was to be shut and does not say where its sum with {site.added_at} passes; expected sum_at. "
            "Find the sites anew with sites(network)."
        )
    return ShutSite()
