"""Switching attention off and on, and taking it out."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from focalseg.attention.focal_site import AnySite
from focalseg.errors import SiteError
from focalseg.hosts.attachment import detach, occupied_sites
from focalseg.hosts.ports import Port
from focalseg.hosts.presence.container import find_container
from focalseg.hosts.presence.strays import remove_strays
from focalseg.hosts.presence.wrappers import unwrap
from focalseg.hosts.site import Site


class Open(nn.Module):
    """Stands, open for good, where a gate of the host's own stood. argument: what it hands through; None: it gives ones."""

    def __init__(self, argument: Port | None) -> None:
        super().__init__()
        self.argument = argument

    def forward(self, *arguments: Any, **keywords: Any) -> Tensor:
        """Returns the argument (B, C, *spatial), or coefficients 1 that broadcast to what the gate was called with."""
        if self.argument is not None:
            return self.argument.read(arguments, keywords, None)
        first: Tensor = next(iter([*arguments, *keywords.values()]))
        return first.new_ones((1,) * first.ndim)


def open_own_gates(network: nn.Module, candidates: Sequence[Site], *, kept: Collection[str] = ()) -> None:
    """Opens, in place and for good, every gate that the host brought along and that is not kept; its weights are gone."""
    for site in candidates:
        if site.kind == "own" and site.name not in kept:
            through = Port.parse(site.opens_to).resolve(network) if site.opens_to else None
            network.set_submodule(through.path if through else site.features, Open(through))


def remove_attention(network: nn.Module) -> None:
    """Takes out everything that was added, in place: the host is back, to the bit. Raises SiteError where nothing was added.

    >>> import focalseg, torch
    >>> network, image = focalseg.UNet(widths=(8, 16)).eval(), torch.rand(1, 3, 8, 8)
    >>> host = network(image)
    >>> touched = focalseg.instrument(network)
    >>> focalseg.remove_attention(network)
    >>> focalseg.read_gammas(network), torch.equal(network(image), host)
    ({}, True)
    """
    network = unwrap(network)
    names = list(occupied_sites(network))
    if not names:
        raise SiteError("The network has no attention to remove; call instrument(network) first.")
    for name in names:
        detach(network, name)
    remove_strays(network)


def disable_attention(network: nn.Module) -> None:
    """Switches all sites off, in place: the network is the host, to the bit, until `enable_attention`. Weights and gammas stay.

    Raises SiteError where no attention stands.

    >>> import focalseg, torch
    >>> network, image = focalseg.UNet(widths=(8, 16)).eval(), torch.rand(1, 3, 8, 8)
    >>> host = network(image)
    >>> touched = focalseg.instrument(network)
    >>> focalseg.disable_attention(network)
    >>> torch.equal(network(image), host)
    True
    """
    _switch(network, enabled=False)


def enable_attention(network: nn.Module) -> None:
    """Switches all sites on again, in place. Raises SiteError where no attention stands.

    >>> import focalseg, torch
    >>> network, image = focalseg.UNet(widths=(8, 16)).eval(), torch.rand(1, 3, 8, 8)
    >>> host = network(image)
    >>> touched = focalseg.instrument(network)
    >>> focalseg.disable_attention(network)
    >>> focalseg.enable_attention(network)
    >>> torch.equal(network(image), host)
    False
    """
    _switch(network, enabled=True)


@contextmanager
def without_attention(network: nn.Module) -> Iterator[None]:
    """Inside the `with` the network is the host, to the bit; afterwards every site is enabled or not as it was before.

    Raises SiteError where no attention stands.

    >>> import focalseg, torch
    >>> network, image = focalseg.UNet(widths=(8, 16)).eval(), torch.rand(1, 3, 8, 8)
    >>> host = network(image)
    >>> touched = focalseg.instrument(network)
    >>> with focalseg.without_attention(network):
    ...     torch.equal(network(image), host)
    True
    >>> torch.equal(network(image), host)
    False
    """
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
