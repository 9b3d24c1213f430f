"""Small U-Nets and a way to tell whether a network was touched."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from focalseg.networks.unet import UNet

SIZES = {1: (11,), 2: (9, 10), 3: (8, 5, 9)}


@pytest.fixture
def build_unet() -> Callable[..., UNet]:
    """A U-Net of three levels for two-channel images, with batch norms that have seen data."""

    def build(spatial_dims: int = 2, *, seed: int = 0, **settings: Any) -> UNet:
        torch.manual_seed(seed)
        network = UNet(**{"spatial_dims": spatial_dims, "in_channels": 2, "widths": (4, 6, 8), **settings})
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                    module.running_mean.uniform_(-0.3, 0.3)
                    module.running_var.uniform_(0.5, 2.0)
        return network

    return build


@pytest.fixture
def draw_images() -> Callable[..., torch.Tensor]:
    """Images of an odd size, for a number of axes."""

    def draw(spatial_dims: int = 2, *, count: int = 2, seed: int = 1) -> torch.Tensor:
        return torch.randn(count, 2, *SIZES[spatial_dims], generator=torch.Generator().manual_seed(seed))

    return draw


@pytest.fixture
def look_at() -> Callable[[nn.Module], Any]:
    """All there is to a network, in a form that two looks can be compared by: tensors, modules, modes and hooks."""

    def look(network: nn.Module) -> Any:
        return {
            "state": {name: (tensor.dtype, digest(tensor)) for name, tensor in network.state_dict().items()},
            "tensors": {name: tensor.data_ptr() for name, tensor in network.state_dict().items()},
            "modules": {name: (id(module), module.training, vars(module).get("momentum")) for name, module in modules(network)},
            "hooks": {name: (len(module._forward_hooks), len(module._forward_pre_hooks)) for name, module in modules(network)},
            "stand_in": [name for name, module in modules(network) if getattr(module, "stand_in", None) is not None],
            "trainable": {name: weight.requires_grad for name, weight in network.named_parameters()},
        }

    def digest(tensor: torch.Tensor) -> str:
        return hashlib.sha256(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()

    def modules(network: nn.Module) -> list[tuple[str, nn.Module]]:
        return list(network.named_modules())

    return look
