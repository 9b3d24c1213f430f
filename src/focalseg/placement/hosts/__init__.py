"""One file a family of networks, each finding the sites of its own."""

from torch import nn

from focalseg.errors import SiteError
from focalseg.networks.unet import UNet
from focalseg.placement.hosts.unet import find_unet_sites
from focalseg.placement.sites import Site


def find_sites(network: nn.Module) -> tuple[Site, ...]:
    """The sites of a network of a known family."""
    if isinstance(network, UNet):
        return find_unet_sites(network)
    raise SiteError(f"{type(network).__name__} is of no family whose sites are known; expected a focalseg.UNet.")
