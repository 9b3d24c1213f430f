"""Sites of our U-Net: after every stage and on every skip."""

from focalseg.hosts.site import Place
from focalseg.networks.unet import UNet


def draft_unet_sites(network: UNet) -> tuple[Place, ...]:
    """The places encoder.0 ... bottleneck, skip.0 ..., decoder.0 ... of our U-Net; level 0 is the finest."""
    levels = range(len(network.config.widths) - 1)
    stages = [*(f"encoder.{level}" for level in levels), "bottleneck"]
    return (
        *(Place(name=name, kind="stage", features=name) for name in stages),
        *(Place(name=f"skip.{level}", kind="skip", features=f"skip.{level}", signal=f"skip.{level}:1") for level in levels),
        *(Place(name=f"decoder.{level}", kind="stage", features=f"decoder.{level}") for level in levels),
    )
