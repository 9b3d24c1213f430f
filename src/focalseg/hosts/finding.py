"""The candidate sites of a network: those of its family, or those whose places a person names."""

from collections.abc import Mapping, Sequence

from torch import nn

from focalseg.errors import SiteError
from focalseg.hosts.libraries.drafts import check_coefficients, complete
from focalseg.hosts.libraries.monai import FAMILIES, find_family
from focalseg.hosts.libraries.named import draft_named_sites
from focalseg.hosts.libraries.nnunet import FAMILY, choose_image_shape, draft_nnunet_sites, is_nnunet
from focalseg.hosts.libraries.smp import draft_smp_unet_sites, is_smp_unet
from focalseg.hosts.libraries.unet import draft_unet_sites
from focalseg.hosts.presence.container import CONTAINER
from focalseg.hosts.presence.wrappers import unwrap
from focalseg.hosts.site import Site
from focalseg.networks.unet import UNet


def sites(
    network: nn.Module,
    image_shape: Sequence[int] | None = None,
    *,
    stages: Sequence[str] = (),
    skips: Mapping[str, tuple[str, str]] | None = None,
    own_gates: Mapping[str, str] | None = None,
) -> tuple[Site, ...]:
    """The candidate sites of a network, with the channels and sizes that a dry run on a copy finds.

    Our U-Net, MONAI's UNet, BasicUNet, DynUNet, SegResNet and AttentionUnet, smp's Unet and nnU-Net's PlainConvUNet,
    ResidualEncoderUNet and ResidualUNet are known. In any other network the person names the places (the language is that of
    `focalseg.hosts.ports`; a path may hold `*` for one part of it):
    stages: places whose features are scaled, such as `layer1.*`; each is a site by that name.
    skips: by a name of your own, (place of the skip, place of its gating signal), such as `("up1:1", "up1:0")`.
    own_gates: by a name of your own, the module whose output is the coefficients of a gate that the network has already.
    image_shape: (C, *spatial) of an image, without batch; where it is not given, one that fits the first convolution.

    Raises SiteError for a network of no known family with nothing named, for a name that matches nothing, and for a place
    where attention cannot stand (passed more than once or never, no features, a signal that comes too late).

    >>> import focalseg
    >>> network = focalseg.UNet(in_channels=3, widths=(8, 16))
    >>> for site in focalseg.sites(network, (3, 32, 32)):
    ...     print(site.name, site.kind, site.shape.channels, site.shape.size)
    encoder.0 stage 8 (32, 32)
    bottleneck stage 16 (16, 16)
    skip.0 skip 8 (32, 32)
    decoder.0 stage 8 (32, 32)
    """
    network = unwrap(network)
    if stages or skips or own_gates:
        drafts = draft_named_sites(network, stages, skips or {}, own_gates or {})
    elif isinstance(network, UNet):
        drafts = draft_unet_sites(network)
    elif family := find_family(network):
        drafts = family(network)
    elif is_smp_unet(network):
        drafts = draft_smp_unet_sites(network)
    elif is_nnunet(network):
        drafts, image_shape = draft_nnunet_sites(network), image_shape or choose_image_shape(network)
    else:
        names = [name for name, _ in network.named_children() if name != CONTAINER]
        raise SiteError(
            f"{type(network).__name__} is of no family whose sites are known (focalseg.UNet, smp's Unet, MONAI's "
            f"{', '.join(FAMILIES)}, nnU-Net's {', '.join(FAMILY)}); "
            f"name the places: focalseg.sites(network, stages=['{names[0] if names else 'layer1'}'], skips=...), handed on as "
            f"candidates=..., or --set 'network.stages=[{names[0] if names else 'layer1'}]'. "
            f"It has {', '.join(names[:12]) or 'no modules'}."
        )
    found = complete(network, drafts, image_shape)
    if own_gates:
        check_coefficients(network, found, image_shape)
    return found
