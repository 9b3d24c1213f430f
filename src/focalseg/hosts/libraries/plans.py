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


_RESIDUAL_BLOCKS = (1, 3, 4)
"""Blocks of the finest stages of nnU-Net's residual encoder, "nnU-Net revisited" (Isensee et al. 2024); all others have six."""


def _plan_nnunet(widths: Sequence[int]) -> Arguments:
    """What both of nnU-Net's networks have: kernels of 3 and strides of 2."""
    levels = len(widths)
    return {
        "n_stages": levels,
        "features_per_stage": list(widths),
        "kernel_sizes": [3] * levels,
        "strides": [1, *[2] * (levels - 1)],
    }


def _plan_plain_conv_unet(widths: Sequence[int]) -> Arguments:
    """Arguments of PlainConvUNet, with two convolutions a stage as nnU-Net plans them."""
    levels = len(widths)
    return {**_plan_nnunet(widths), "n_conv_per_stage": [2] * levels, "n_conv_per_stage_decoder": [2] * (levels - 1)}


def _plan_residual_encoder_unet(widths: Sequence[int]) -> Arguments:
    """Arguments of ResidualEncoderUNet, with as many blocks a stage as nnU-Net plans, and one convolution in the decoder."""
    levels = len(widths)
    blocks = [*_RESIDUAL_BLOCKS, *[6] * (levels - len(_RESIDUAL_BLOCKS))][:levels]
    return {**_plan_nnunet(widths), "n_blocks_per_stage": blocks, "n_conv_per_stage_decoder": [1] * (levels - 1)}


NNUNET_NETWORKS = Catalogue(
    "network of nnU-Net",
    {"PlainConvUNet": _plan_plain_conv_unet, "ResidualEncoderUNet": _plan_residual_encoder_unet},
)
