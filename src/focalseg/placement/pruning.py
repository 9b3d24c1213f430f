"""Doing what a placement says, and undoing what was added."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from focalseg.attention.site import AnySite
from focalseg.errors import FocalsegError, SiteError
from focalseg.placement.attachment import detach, find_container, unwrap
from focalseg.placement.decision import Placement
from focalseg.placement.instrument import fill_sites
from focalseg.placement.ports import Port
from focalseg.placement.sites import SHUT, Site, occupied_sites, select_sites, sites
from focalseg.placement.tracing import copy_network


class Open(nn.Module):
    """Stands where a gate of the host's own stood: open for good. argument: what it hands through; None: it gives ones."""

    def __init__(self, argument: Port | None) -> None:
        super().__init__()
        self.argument = argument

    def forward(self, *arguments: Any, **keywords: Any) -> Tensor:
        """The argument (B, C, *spatial), or coefficients 1 that broadcast to what the gate was called with."""
        if self.argument is not None:
            return self.argument.read(arguments, keywords, None)
        first: Tensor = next(iter([*arguments, *keywords.values()]))
        return first.new_ones((1,) * first.ndim)


def apply_placement(
    network: nn.Module, placement: Placement, *, candidates: Sequence[Site] | None = None, standardise: bool = False
) -> nn.Module:
    """A copy of the network with attention at the kept sites and nowhere else; the network itself is left as it was.

    Kept sites that already hold attention keep it, weights and gamma; kept sites that are empty get a fresh gate; all other
    attention is gone, that of the host's own gates included, and nothing passes the skips that the placement shuts. Where no
    skip is shut and the gammas of the sites taken away are 0, the outputs are the same to the bit. candidates: what `sites`
    gave; it may be left out where the network is of a known family or where every site of the placement's layout is filled.
    Raises SiteError for a site that the network does not have or that holds another kind of gate than is kept there.
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
    return lean


def _check_kept(candidates: Sequence[Site], placement: Placement) -> None:
    """Raises SiteError for a kept site inside of a gate of the host's own that would be opened."""
    kept = {site.name: Port.parse(site.features).path for site in candidates if site.name in placement.layout}
    taken = [site for site in candidates if site.kind == "own" and site.name not in kept]
    opened = [Port.parse(site.opens_to or site.features).path for site in taken]
    for name, path in kept.items():
        inside = next((outer for outer in opened if path == outer or path.startswith(f"{outer}.")), None)
        if inside is not None:
            raise SiteError(f"{name} stands inside of {inside}, a gate of the host's own that the placement takes away.")


def _find_candidates(network: nn.Module, filled: dict[str, tuple[Site, str]], placement: Placement) -> Sequence[Site]:
    """The sites of the network's family, and the filled ones; those alone where the family is not known."""
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


def open_own_gates(network: nn.Module, candidates: Sequence[Site], *, kept: Collection[str] = ()) -> None:
    """Opens, in place and for good, every gate that the host brought along but those kept: no coefficients, no cost."""
    for site in candidates:
        if site.kind == "own" and site.name not in kept:
            through = Port.parse(site.opens_to).resolve(network) if site.opens_to else None
            network.set_submodule(through.path if through else site.features, Open(through))


def remove_attention(network: nn.Module) -> None:
    """Takes out everything that was added, in place: the host is back, to the bit. Raises SiteError where nothing was added."""
    network = unwrap(network)
    names = list(occupied_sites(network))
    if not names:
        raise SiteError("The network has no attention to remove; call instrument(network) first.")
    for name in names:
        detach(network, name)


def disable_attention(network: nn.Module) -> None:
    """From now on every site lets everything through as if it were not there, until `enable_attention`. In place."""
    _switch(network, enabled=False)


def enable_attention(network: nn.Module) -> None:
    """Every site acts again. In place."""
    _switch(network, enabled=True)


@contextmanager
def without_attention(network: nn.Module) -> Iterator[None]:
    """Inside, the network is the host; afterwards every site is enabled or not as it was before."""
    before = {site: site.enabled for site in _find_standing(network)}
    disable_attention(network)
    try:
        yield
    finally:
        for site, enabled in before.items():
            site.enabled = enabled


def _switch(network: nn.Module, *, enabled: bool) -> None:
    standing = _find_standing(network)
    if not standing:
        raise SiteError("The network has no attention to enable or disable; call instrument(network) first.")
    for site in standing:
        site.enabled = enabled


def _find_standing(network: nn.Module) -> list[AnySite]:
    container = find_container(network)
    return [] if container is None else list(container.standing().values())
