"""A network whose evidence can be worked out by hand, and what to work it out with."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.instrument import instrument
from focalseg.networks.unet import UNet

Batch = tuple[torch.Tensor, torch.Tensor]


def build_network_by_hand() -> UNet:
    """A 1-D network whose logit is the image times what the first encoder gate lets through, minus 1.5.

    Convolutions hand the image on, norms do nothing, the path through the bottleneck is shut. The first gate is open (exactly
    1) where the mean of the image is above 2.5 and shut (0 in float32) below; every other gate is a constant.
    """
    network = UNet(spatial_dims=1, in_channels=1, widths=(1, 1))
    for stage in (*network.encoder, network.bottleneck, *network.decoder):
        stage.layers[1], stage.layers[4] = nn.Identity(), nn.Identity()
    instrument(network)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 0:
                weight.zero_()
        for stage in (network.encoder[0], network.decoder[0]):
            stage.layers[0].weight[0, 0, 1] = 1
            stage.layers[3].weight[0, 0, 1] = 1
        network.head.weight.fill_(2)
        network.head.bias.fill_(-1.5)
        first = attention_sites(network)["encoder.0"].gate
        first.squeeze.weight[0] = 100
        first.squeeze.bias[0] = -200
        first.excite.weight[0, 0] = 4
        first.excite.bias[0] = -200
        attention_sites(network)["bottleneck"].gate.excite.bias.fill_(0.3)
        attention_sites(network)["skip.0"].gate.score.bias.fill_(200)  # open
        attention_sites(network)["decoder.0"].gate.excite.bias.fill_(0)  # one half, which the head's weight of 2 undoes
    return network


def draw_cases_by_hand() -> list[Batch]:
    """Two batches of one case: a bright image with foreground, a dim one without."""
    bright, dim = torch.tensor([[[6.0, 6.0, 2.0, 0.0]]]), torch.tensor([[[4.0, 0.0, 0.0, 0.0]]])
    return [(bright, torch.tensor([[True, True, False, False]])), (dim, torch.zeros(1, 4, dtype=torch.bool))]


def put_constant(network: UNet, name: str, factor: torch.Tensor) -> Callable[[], None]:
    """From now on the features at a place of our U-Net are multiplied by a number a channel, where a site stood; undone by
    the call that comes back."""
    site = attention_sites(network)[name]
    site.enabled = False
    handle = network.get_submodule(name).register_forward_hook(lambda _module, _arguments, features: features * factor)

    def undo() -> None:
        site.enabled = True
        handle.remove()

    return undo


def dice(network: nn.Module, batches: list[Batch]) -> np.ndarray:
    """Of every case, 1 where both masks are empty."""
    scores = []
    for images, masks in batches:
        for logits, mask in zip(network(images).detach().double().numpy()[:, 0], masks.numpy(), strict=True):
            predicted = 1 / (1 + np.exp(-logits)) > 0.5
            whole = predicted.sum() + mask.sum()
            scores.append(2 * (predicted & mask).sum() / whole if whole else 1.0)
    return np.array(scores)
