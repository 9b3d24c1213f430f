"""Sites of our U-Net: after every stage and on every skip."""

from collections.abc import Iterator

from focalseg.networks.unet import UNet
from focalseg.placement.sites import Site, SiteKind


def find_unet_sites(network: UNet) -> tuple[Site, ...]:
    """encoder.0 ... bottleneck, skip.0 ..., decoder.0 ...: level 0 is the finest."""
    return tuple(_walk(network))


def _walk(network: UNet) -> Iterator[Site]:
    def site(name: str, kind: SiteKind, level: int) -> Site:
        return Site(
            name=name,
            kind=kind,
            path=name if kind == "skip" else f"{name}.passage",
            channels=network.config.widths[level],
            gating_channels=network.config.widths[level + 1] if kind == "skip" else 0,
            spatial_dims=network.config.spatial_dims,
        )

    levels = range(len(network.config.widths) - 1)
    yield from (site(f"encoder.{level}", "stage", level) for level in levels)
    yield site("bottleneck", "stage", len(levels))
    yield from (site(f"skip.{level}", "skip", level) for level in levels)
    yield from (site(f"decoder.{level}", "stage", level) for level in levels)
