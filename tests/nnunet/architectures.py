"""nnU-Net's architectures as its plans hold them, small, and nnU-Net's own way from plans to a network."""

import copy
import pydoc
from collections.abc import Mapping
from typing import Any

from torch import nn

MODULE = "dynamic_network_architectures.architectures.unet"
LAYERS = ("conv_op", "norm_op", "dropout_op", "nonlin")
STRIDES = {2: [[1, 1], [2, 2], [2, 2], [2, 1]], 3: [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 1]]}
KERNELS = {2: [[3, 3], [3, 3], [3, 3], [3, 1]], 3: [[1, 3, 3], [1, 3, 3], [3, 3, 3], [3, 3, 3]]}
SIZES = {2: (16, 8), 3: (8, 8, 8)}
"""Spatial shapes of images, by the number of axes; anisotropic kernels and strides, four levels."""
KINDS = ("PlainConvUNet", "ResidualEncoderUNet", "ResidualUNet")


def describe(kind: str, axes: int, *, levels: int = 4, **changes: Any) -> dict[str, Any]:
    """The value of `architecture` in a configuration of plans."""
    blocks = "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"
    arguments = {
        "n_stages": levels,
        "features_per_stage": [4, 6, 8, 8, 8, 8, 8][:levels],
        "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
        "kernel_sizes": [*KERNELS[axes], *[[3] * axes] * 3][:levels],
        "strides": [*STRIDES[axes], *[[2] * axes] * 3][:levels],
        blocks: [2] * levels,
        "n_conv_per_stage_decoder": [1] * (levels - 1),
        "conv_bias": True,
        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return {
        "network_class_name": f"{MODULE}.{kind}",
        "arch_kwargs": {**arguments, **changes},
        "_kw_requires_import": list(LAYERS),
    }


def build_as_nnunet(
    architecture: Mapping[str, Any],
    *,
    inputs: int = 2,
    outputs: int = 3,
    deep_supervision: bool | None = None,
    start: bool = True,
) -> nn.Module:
    """What nnunetv2.utilities.get_network_from_plans does with an architecture, line by line (release 2.8.1)."""
    arguments = copy.deepcopy(dict(architecture["arch_kwargs"]))
    for name in architecture["_kw_requires_import"]:
        if arguments[name] is not None:
            arguments[name] = pydoc.locate(arguments[name])
    kind: Any = pydoc.locate(architecture["network_class_name"])
    if deep_supervision is not None:
        arguments["deep_supervision"] = deep_supervision
    network: nn.Module = kind(input_channels=inputs, num_classes=outputs, **arguments)
    if hasattr(network, "initialize") and start:
        network.apply(network.initialize)
    return network
