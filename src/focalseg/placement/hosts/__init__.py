"""One file a family of networks, each naming the sites of its own, and one for any network whose places a person names."""

from collections.abc import Mapping, Sequence

from torch import nn

from focalseg.errors import SiteError
from focalseg.networks.unet import UNet
from focalseg.placement.attachment import CONTAINER, unwrap
from focalseg.placement.hosts.drafts import check_coefficients, complete
from focalseg.placement.hosts.monai import FAMILIES, find_family
from focalseg.placement.hosts.named import draft_named_sites
from focalseg.placement.hosts.smp import draft_smp_unet_sites, is_smp_unet
from focalseg.placement.hosts.unet import draft_unet_sites
from focalseg.placement.sites import Site


def find_sites(
    network: nn.Module,
    image_shape: Sequence[int] | None,
    *,
    stages: Sequence[str],
    skips: Mapping[str, tuple[str, str]],
    own_gates: Mapping[str, str],
) -> tuple[Site, ...]:
    """The sites that a person names, or else those of the network's family."""
    network = unwrap(network)
    if stages or skips or own_gates:
        drafts = draft_named_sites(network, stages, skips, own_gates)
    elif isinstance(network, UNet):
        drafts = draft_unet_sites(network)
    elif family := find_family(network):
        drafts = family(network)
    elif is_smp_unet(network):
        drafts = draft_smp_unet_sites(network)
    else:
        names = [name for name, _ in network.named_children() if name != CONTAINER]
        raise SiteError(
            f"{type(network).__name__} is of no family whose sites are known (focalseg.UNet, smp's Unet, MONAI's "
            f"{', '.join(FAMILIES)}); "
            f"name the places: focalseg.sites(network, stages=['{names[0] if names else 'layer1'}'], skips=...), handed on as "
            f"candidates=..., or --set 'network.stages=[{names[0] if names else 'layer1'}]'. "
            f"It has {', '.join(names[:12]) or 'no modules'}."
        )
    found = complete(network, drafts, image_shape)
    if own_gates:
        check_coefficients(network, found, image_shape)
    return found
