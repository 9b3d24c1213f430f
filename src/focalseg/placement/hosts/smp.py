"""Sites of segmentation_models_pytorch's Unet, whose encoders have parts of any name: where the decoder meets them.

The family is told by its class, by name, so that nothing is imported where it is not used.
"""

import inspect
from typing import Any

from torch import nn

from focalseg.placement.hosts.drafts import Draft

MODULE = "segmentation_models_pytorch."


def is_smp_unet(network: nn.Module) -> bool:
    """Whether the network is a Unet of segmentation_models_pytorch, or derived from one."""
    return any(kind.__module__.startswith(MODULE) and kind.__name__ == "Unet" for kind in type(network).__mro__)


def draft_smp_unet_sites(network: Any) -> tuple[Draft, ...]:
    """decoder.0 is the finest block, which has no skip; a skip steered by what its block is called with from below.

    The argument's name is read off the signature: `skip_connection`, and `skip` in older releases.
    """
    blocks = list(network.decoder.blocks)
    names = list(inspect.signature(blocks[0].forward).parameters)
    skip = next(name for name in names if name.startswith("skip"))
    channels = network.encoder.out_channels
    paths = [f"decoder.blocks.{len(blocks) - 1 - level}" for level in range(len(blocks))]
    return (
        Draft(name="bottleneck", kind="stage", features=f"{paths[-1]}:{names[0]}"),
        *(
            Draft(name=f"skip.{level}", kind="skip", features=f"{path}:{skip}", signal=f"{path}:{names[0]}")
            for level, path in enumerate(paths)
            if level > 0 and channels[level]  # some encoders give nothing at a level
        ),
        *(Draft(name=f"decoder.{level}", kind="stage", features=path) for level, path in enumerate(paths)),
    )
