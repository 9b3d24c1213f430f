"""Sites where attention could do nothing, found before anything is trained."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from focalseg.attention import GATES
from focalseg.placement.attachment import hook
from focalseg.placement.sites import Site
from focalseg.placement.tracing import plain_copy

SMALLEST_EFFECT = 1e-3
"""Of scaling the features, as a share of what scaling every element apart could do. A norm leaves what its epsilon lets by."""
IMAGES = 2


def find_dead_sites(
    network: nn.Module, candidates: Sequence[Site], layout: Mapping[str, str], image_shape: Sequence[int]
) -> dict[str, str]:
    """The planned sites (kind of gate by site) whose attention would do nothing, with the reason.

    A site is dead where its features never reach the output, and where the coefficients of its gate are cancelled: a norm
    over each channel's pixels right behind it undoes whatever factor a channel gate gives. Found by the slope of a random
    function of the output in the coefficients, on a copy in training mode, in float64, with noise for images.
    """
    chosen = [site for site in candidates if site.name in layout and site.kind != "own"]
    if not chosen:
        return {}
    probe = plain_copy(network).double().train().requires_grad_(True)
    probes = {site.name: Probe() for site in chosen}
    for site in chosen:
        hook(probe, site, probes[site.name])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weight = next(probe.parameters())
        images = torch.randn(IMAGES, *image_shape, device=weight.device, dtype=torch.float64)
        with torch.enable_grad():
            outputs = list(find_tensors(probe(images)))
            sum((output * torch.randn_like(output)).sum() for output in outputs).backward()  # type: ignore[union-attr]
    reasons = {}
    for site in chosen:
        reason = probes[site.name].judge(GATES[layout[site.name]].varies_over)
        if reason:
            reasons[site.name] = reason
    return reasons


class Probe(nn.Module):
    """Stands where a site would, and sees the features and the slope in them."""

    def __init__(self) -> None:
        super().__init__()
        self.features: Tensor | None = None

    def forward(self, features: Tensor, _gating_signal: Tensor | None = None) -> Tensor:
        """The features, as a tensor whose gradient is kept."""
        self.features = features.clone()
        if self.features.requires_grad:
            self.features.retain_grad()
        return self.features

    def judge(self, varies_over: str) -> str:
        """Why a gate that varies so would do nothing here, empty where it would do something."""
        if self.features is None or self.features.grad is None or not self.features.grad.any():
            return "its features never reach the output"
        slope = (self.features * self.features.grad).detach()
        channel, pixel = slope.flatten(2).sum(dim=2), slope.sum(dim=1)
        per_channel = channel.abs().max() / slope.flatten(2).abs().sum(dim=2).max()
        per_pixel = pixel.abs().max() / slope.abs().sum(dim=1).max()
        if varies_over == "channels" and per_channel < SMALLEST_EFFECT:
            return "a norm right behind it cancels any factor that a channel is given"
        if varies_over == "space" and per_pixel < SMALLEST_EFFECT:
            return "a norm right behind it cancels any factor that a pixel is given"
        if max(per_channel, per_pixel) < SMALLEST_EFFECT:
            return "a norm right behind it cancels its factors"
        return ""


def find_tensors(output: Any) -> Iterable[Tensor]:
    """Every tensor with a gradient in what a network returns: a tensor, or sequences and mappings of them."""
    if isinstance(output, Tensor):
        if output.requires_grad:
            yield output
    elif isinstance(output, Mapping):
        for part in output.values():
            yield from find_tensors(part)
    elif isinstance(output, list | tuple):
        for part in output:
            yield from find_tensors(part)
