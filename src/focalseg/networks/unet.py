"""The U-Net, with a named module for every stage and every skip: the places where attention may stand."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError, ShapeError
from focalseg.layers import BATCH_NORMS, CONVOLUTIONS, DROPOUTS, INSTANCE_NORMS, POOLS

Norm = Literal["batch", "instance", "group"]

_CHANNELS_PER_GROUP = 8


class Skip(nn.Module):
    """Hands the features of a level across. The features from below are given as well: they may steer attention here."""

    def forward(self, features: Tensor, gating_signal: Tensor) -> Tensor:  # noqa: ARG002 - for attention that stands here
        return features


class Stage(nn.Module):
    """Two times (convolution of kernel 3, norm, ReLU), then dropout. Attention stands after it, behind norm and activation."""

    def __init__(self, in_channels: int, out_channels: int, *, spatial_dims: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            layers += [
                CONVOLUTIONS[spatial_dims](channels, out_channels, kernel_size=3, padding=1, bias=False),
                _build_norm(norm, out_channels, spatial_dims),
                nn.ReLU(inplace=True),
            ]
        if dropout:
            layers.append(DROPOUTS[spatial_dims](dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        made: Tensor = self.layers(features)
        return made


@dataclass(frozen=True, kw_only=True)
class UNetConfig(CheckedConfig):
    """Settings of the U-Net. widths: channels per level, finest first; their number is the depth."""

    spatial_dims: Literal[1, 2, 3] = 2
    in_channels: int = setting(3, at_least=1)
    classes: int = setting(1, at_least=1)
    widths: tuple[int, ...] = setting((32, 64, 128, 256, 512), at_least=1)
    norm: Norm = "batch"
    dropout: float = setting(0.0, at_least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) < 2:
            raise SettingError(f"widths was {self.widths}; give at least two numbers of channels, finest level first.")


class UNet(nn.Module):
    """U-Net of Ronneberger et al. 2015 with padded convolutions and norms, for one to three spatial axes.

    Levels are counted from the finest: `encoder.0` and `decoder.0` work at full resolution, `skip.0` joins them, and
    `bottleneck` is the coarsest. widths gives the channels per level, so their number is the depth.
    Any input size works that leaves the bottleneck at least one element, or two with instance norms.

    >>> import focalseg, torch
    >>> network = focalseg.UNet(spatial_dims=2, in_channels=3, classes=1, widths=(8, 16, 32))
    >>> network(torch.zeros(2, 3, 64, 48)).shape
    torch.Size([2, 1, 64, 48])
    """

    def __init__(
        self,
        *,
        spatial_dims: Literal[1, 2, 3] = UNetConfig.spatial_dims,
        in_channels: int = UNetConfig.in_channels,
        classes: int = UNetConfig.classes,
        widths: tuple[int, ...] = UNetConfig.widths,
        norm: Norm = UNetConfig.norm,
        dropout: float = UNetConfig.dropout,
    ) -> None:
        super().__init__()
        self.config = UNetConfig(
            spatial_dims=spatial_dims,
            in_channels=in_channels,
            classes=classes,
            widths=tuple(widths),
            norm=norm,
            dropout=dropout,
        )
        widths = self.config.widths

        def stage(channels_in: int, channels_out: int) -> Stage:
            return Stage(channels_in, channels_out, spatial_dims=spatial_dims, norm=norm, dropout=dropout)

        convolution = CONVOLUTIONS[spatial_dims]
        *finer, coarsest = widths
        levels = range(len(finer))
        self.encoder = nn.ModuleList(stage(c, width) for c, width in zip([in_channels, *finer], finer, strict=False))
        self.pool = POOLS[spatial_dims](kernel_size=2)
        self.bottleneck = stage(finer[-1], coarsest)
        self.skip = nn.ModuleList(Skip() for _ in levels)
        self.up = nn.ModuleList(convolution(widths[i + 1], widths[i], kernel_size=1) for i in levels)
        self.decoder = nn.ModuleList(stage(2 * width, width) for width in finer)
        self.head = convolution(widths[0], classes, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """image (B, C, *spatial) -> logits (B, K, *spatial). Raises ShapeError for an image that does not fit the network."""
        self.check_image(image)
        skips: list[Tensor] = []
        features = image
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
            features = self.pool(features)
        features = self.bottleneck(features)
        for level in reversed(range(len(skips))):
            skip = self.skip[level](skips[level], features)
            # The 1 x 1 convolution commutes with nearest upsampling and is four times cheaper before it.
            raised = F.interpolate(self.up[level](features), size=skip.shape[2:], mode="nearest-exact")
            features = self.decoder[level](torch.cat([skip, raised], dim=1))
        logits: Tensor = self.head(features)
        return logits

    def check_image(self, image: Tensor) -> None:
        """Raises ShapeError for an image with other axes or channels than the network takes, and for one that is too small."""
        if image.ndim != self.config.spatial_dims + 2 or image.shape[1] != self.config.in_channels:
            axes = ", ".join("DHW"[-self.config.spatial_dims :])
            expected = f"(B, {self.config.in_channels}, {axes})"
            raise ShapeError(f"The image has shape {tuple(image.shape)}; this U-Net takes {expected}.")
        levels, size = len(self.encoder), tuple(image.shape[2:])
        if min(size) < 2**levels:
            raise ShapeError(
                f"The image has spatial shape {size}; a U-Net of {levels + 1} levels needs at least {2**levels} along each "
                "axis. Give a larger image, or a U-Net of fewer levels (fewer widths)."
            )
        if self.config.norm == "instance" and max(size) < 2 ** (levels + 1):
            raise ShapeError(
                f"The image has spatial shape {size}, one element in the bottleneck, where an instance norm needs two; "
                f"give at least {2 ** (levels + 1)} along one axis, fewer widths or another norm."
            )


def _build_norm(norm: Norm, channels: int, spatial_dims: int) -> nn.Module:
    """The norm layer of that name for that many channels, with learnable scale and shift."""
    if norm == "batch":
        return BATCH_NORMS[spatial_dims](channels)
    if norm == "instance":
        return INSTANCE_NORMS[spatial_dims](channels, affine=True)
    most_groups = max(channels // _CHANNELS_PER_GROUP, 1)
    groups = next(count for count in range(most_groups, 0, -1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)
