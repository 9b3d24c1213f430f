"""Networks of MONAI, each planned from channels a level. MONAI is imported here alone, when one is built."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from torch import nn

from focalseg.catalogue import Catalogue
from focalseg.errors import SettingError

BASIC_UNET_LEVELS = 5
Arguments = dict[str, Any]


def plan_unet(widths: Sequence[int]) -> Arguments:
    """UNet with residual units, as MONAI's own examples have it."""
    return {"channels": list(widths), "strides": [2] * (len(widths) - 1), "num_res_units": 2}


def plan_basic_unet(widths: Sequence[int]) -> Arguments:
    """BasicUNet, which has five levels however small the image is; its last features are those of the finest level."""
    base = widths[0]
    return {"features": [*(base << level for level in range(BASIC_UNET_LEVELS)), base]}


def plan_dynunet(widths: Sequence[int]) -> Arguments:
    """DynUNet, the architecture of nnU-Net, with kernels of 3 and strides of 2; it has three levels at least."""
    filters = [*widths, *(widths[-1] << extra for extra in range(1, 4 - len(widths)))]
    down = [2] * (len(filters) - 1)
    return {"filters": filters, "kernel_size": [3] * len(filters), "strides": [1, *down], "upsample_kernel_size": down}


def plan_segresnet(widths: Sequence[int]) -> Arguments:
    """SegResNet, whose channels double from level to level; its group norms want a number of them that their groups divide."""
    groups = next(count for count in (8, 4, 2, 1) if widths[0] % count == 0)
    blocks = [1, *[2] * (len(widths) - 2), 4]
    return {
        "init_filters": widths[0],
        "blocks_down": blocks,
        "blocks_up": [1] * (len(widths) - 1),
        "norm": ["GROUP", {"num_groups": groups}],
    }


def plan_attention_unet(widths: Sequence[int]) -> Arguments:
    """AttentionUnet."""
    return {"channels": list(widths), "strides": [2] * (len(widths) - 1)}


MONAI_NETWORKS = Catalogue(
    "network of MONAI",
    {
        "UNet": plan_unet,
        "BasicUNet": plan_basic_unet,
        "DynUNet": plan_dynunet,
        "SegResNet": plan_segresnet,
        "AttentionUnet": plan_attention_unet,
    },
)


def build_monai(name: str, *, spatial_dims: int, in_channels: int, classes: int, arguments: Mapping[str, Any]) -> nn.Module:
    """monai.networks.nets.NAME with those arguments. Raises SettingError where MONAI is absent or refuses them."""
    MONAI_NETWORKS[name]
    try:
        kind = getattr(import_module("monai.networks.nets"), name)
    except ImportError as error:
        raise SettingError(f"The network monai:{name} needs MONAI; install it with `pip install focalseg[monai]`.") from error
    try:
        network: nn.Module = kind(spatial_dims=spatial_dims, in_channels=in_channels, out_channels=classes, **arguments)
    except Exception as error:
        raise SettingError(
            f"monai:{name} refuses {dict(arguments)}: {str(error).strip()[:160].rstrip('.')}. Mend network.arguments."
        ) from error
    return network
