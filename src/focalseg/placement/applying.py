"""Doing what a placement says: a lean copy of a network, with attention at the kept sites alone."""

import warnings
from collections.abc import Iterable, Sequence

from torch import nn

from focalseg.errors import FocalsegError, SiteError
from focalseg.hosts.attachment import detach, occupied_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import fill_sites
from focalseg.hosts.ports import Port
from focalseg.hosts.presence.container import find_container
from focalseg.hosts.presence.wrappers import unwrap
from focalseg.hosts.pruning import open_own_gates
from focalseg.hosts.site import BOTTLENECK, Site, count_levels, select_sites
from focalseg.hosts.tracing import copy_network
from focalseg.records.placement import SHUT, Placement


class PlacementWarning(UserWarning):
    """A placement is put into a network of another depth than it was decided on."""


def apply_placement(
    network: nn.Module, placement: Placement, *, candidates: Sequence[Site] | None = None, standardise: bool = False
) -> nn.Module:
    """A copy of the network with attention at the kept sites and nowhere else; the network itself is left as it was.

    Kept sites that already hold attention keep it, weights and gamma; kept sites that are empty get a fresh gate; all other
    attention is gone, that of the host's own gates included, and nothing passes the skips that the placement shuts. Where no
    skip is shut and the gammas of the removed sites are 0, the outputs are the same to the bit. candidates: what `sites`
    gave; it may be left out where the network is of a known family or where every site of the placement's layout is filled.
    Warns (PlacementWarning) where the network has other levels than that which the placement was decided on. Raises SiteError
    for a site that the network does not have or that holds another kind of gate than is kept there.

    >>> import focalseg, torch
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network, gates=("se",))
    >>> evidence = focalseg.gather_evidence(network, [(torch.rand(2, 3, 8, 8), torch.rand(2, 8, 8) > 0.5)])
    >>> placement = focalseg.decide(evidence, policy="none")
    >>> lean = focalseg.apply_placement(network, placement)
    >>> list(focalseg.read_gammas(network)), list(focalseg.read_gammas(lean))
    (['encoder.0', 'bottleneck', 'decoder.0'], [])
    """
    network = unwrap(network)
    filled = occupied_sites(network)
    if candidates is None:
        candidates = _find_candidates(network, filled, placement)
    select_sites(candidates, placement.layout)
    for name, (_, gate) in filled.items():
        planned = placement.layout.get(name)
        if planned not in (None, SHUT, gate):
            raise SiteError(f"{name} holds {gate!r} where the placement has {planned!r}; start from a plain network.")
    _check_kept(candidates, placement)
    lean = copy_network(network)
    for name, (_, gate) in filled.items():
        if placement.layout.get(name) != gate:
            detach(lean, name)
    empty = {name: gate for name, gate in placement.layout.items() if name not in occupied_sites(lean)}
    fill_sites(lean, empty, candidates=candidates, standardise=standardise)
    open_own_gates(lean, candidates, kept=placement.layout)
    if (container := find_container(lean)) is not None:
        container.trained_under = ""  # it is no probe: its sites are there to stay
    if remark := compare_levels(placement, [site.name for site in candidates]):
        warnings.warn(remark, PlacementWarning, stacklevel=2)
    return lean


def compare_levels(placement: Placement, names: Iterable[str]) -> str:
    """Says where a network of these sites has more or fewer levels than the one that the placement was decided on; empty where
    it has as many, or sites are not named by levels. Names count from the finest level, so that the bottleneck is elsewhere."""
    decided, here = count_levels(placement.examined), count_levels(names)
    if decided is None or here is None or decided == here:
        return ""
    moved = " Its bottleneck is another place here." if BOTTLENECK in placement.layout else ""
    return (
        f"The placement was decided on a network of {decided} levels and this one has {here}; sites are counted from the "
        f"finest level.{moved} What another depth needs was not asked: decide anew with `focalseg place` to know."
    )


def _check_kept(candidates: Sequence[Site], placement: Placement) -> None:
    """Raises SiteError for a kept site that lies inside a gate of the host's own which the placement takes away."""
    kept = {site.name: Port.parse(site.features).path for site in candidates if site.name in placement.layout}
    taken = [site for site in candidates if site.kind == "own" and site.name not in kept]
    opened = [Port.parse(site.opens_to or site.features).path for site in taken]
    for name, path in kept.items():
        inside = next((outer for outer in opened if path == outer or path.startswith(f"{outer}.")), None)
        if inside is not None:
            raise SiteError(f"{name} stands inside of {inside}, a gate of the host's own that the placement takes away.")


def _find_candidates(network: nn.Module, filled: dict[str, tuple[Site, str]], placement: Placement) -> Sequence[Site]:
    """The sites of the network's family and those that are filled; only the filled ones where the family is not known."""
    named = {name: site for name, (site, _) in filled.items()}
    try:
        family = sites(network)
    except FocalsegError:
        if not named or not named.keys() >= placement.layout.keys():
            raise
        return tuple(named.values())
    places = {site.features for site in named.values()}
    others = {site.name: site for site in family if site.name in named or site.features not in places}
    return tuple({**others, **named}.values())
