"""The networks of libraries by name, and how the arguments of each are planned from channels per level, finest first."""

from collections.abc import Sequence
from typing import Any

from focalseg.catalogue import Catalogue

_BASIC_UNET_LEVELS = 5
Arguments = dict[str, Any]


def _plan_monai_unet(widths: Sequence[int]) -> Arguments:
    """Arguments of UNet, with residual units as in MONAI's own examples."""
    return {"channels": list(widths), "strides": [2] * (len(widths) - 1), "num_res_units": 2}


def _plan_basic_unet(widths: Sequence[int]) -> Arguments:
    """Arguments of BasicUNet, which has five levels however small the image is; its last features are of the finest level."""
    base = widths[0]
    return {"features": [*(base << level for level in range(_BASIC_UNET_LEVELS)), base]}


def _plan_dynunet(widths: Sequence[int]) -> Arguments:
    """Arguments of DynUNet, the architecture of nnU-Net, with kernels of 3 and strides of 2; it has at least three levels."""
    filters = [*widths, *(widths[-1] << extra for extra in range(1, 4 - len(widths)))]
    down = [2] * (len(filters) - 1)
    return {"filters": filters, "kernel_size": [3] * len(filters), "strides": [1, *down], "upsample_kernel_size": down}


def _plan_segresnet(widths: Sequence[int]) -> Arguments:
    """Arguments of SegResNet, whose channels double per level; its group norms need a number of groups that divides them."""
    groups = next(count for count in (8, 4, 2, 1) if widths[0] % count == 0)
    blocks = [1, *[2] * (len(widths) - 2), 4]
    return {
        "init_filters": widths[0],
        "blocks_down": blocks,
        "blocks_up": [1] * (len(widths) - 1),
        "norm": ["GROUP", {"num_groups": groups}],
    }


def _plan_attention_unet(widths: Sequence[int]) -> Arguments:
    """Arguments of AttentionUnet."""
    return {"channels": list(widths), "strides": [2] * (len(widths) - 1)}


MONAI_NETWORKS = Catalogue(
    "network of MONAI",
    {
        "UNet": _plan_monai_unet,
        "BasicUNet": _plan_basic_unet,
        "DynUNet": _plan_dynunet,
        "SegResNet": _plan_segresnet,
        "AttentionUnet": _plan_attention_unet,
    },
)


def _plan_smp_unet(widths: Sequence[int]) -> Arguments:  # noqa: ARG001 - its encoder has widths of its own
    """Arguments of a Unet on a ResNet-18; pretrained weights are asked for by name, network.arguments.encoder_weights."""
    return {"encoder_name": "resnet18", "encoder_weights": None}


SMP_NETWORKS = Catalogue("network of segmentation_models_pytorch", {"Unet": _plan_smp_unet})
