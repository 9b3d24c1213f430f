"""Sites where attention could do nothing, found before anything is trained."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from focalseg.attention import GATES
from focalseg.errors import ShapeError
from focalseg.hosts.attachment import filled_sites, first_weight
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import plan_layout
from focalseg.hosts.presence.hooking import hook
from focalseg.hosts.presence.wrappers import unwrap
from focalseg.hosts.site import Site
from focalseg.hosts.tracing import plain_copy, try_images

_SMALLEST_EFFECT = 1e-3
"""The least effect of scaling features together, as a share of the effect of scaling every element by itself, that counts.
Behind a norm the effect is not exactly 0, since the norm adds an epsilon to the variance."""
_IMAGES = 2


def find_dead_sites(
    network: nn.Module,
    gates: Sequence[str] = ("se", "ag"),
    *,
    candidates: Sequence[Site] | None = None,
    image_shape: Sequence[int] | None = None,
) -> dict[str, str]:
    """The sites where a gate that `instrument(network, gates)` would put in could do nothing, with the reason.

    A site is dead where its features never reach the output, and where the coefficients of its gate are cancelled: a norm
    over each channel's pixels right behind it undoes whatever factor a channel gate gives. The test is the slope, in the
    coefficients, of a random function of the output, on a copy in training mode, with noise for images and for weights that
    start at 0. candidates: what `sites` gave; by default the sites that hold attention, or else those of a known family.
    image_shape: (C, *spatial) of an image. Returns the reason by the name of the site; empty where no site is dead.
    Raises ShapeError where the network cannot be run so.

    >>> import focalseg
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 1))
    >>> focalseg.find_dead_sites(network, ["se"], candidates=focalseg.sites(network, stages=["0", "2"]))
    {'0': 'a norm right behind it cancels any factor that a channel is given'}
    """
    if candidates is None:
        filled = [site for site, _ in filled_sites(network).values()]
        candidates = filled or sites(network, image_shape)
    layout = plan_layout(candidates, gates)
    chosen = [site for site in candidates if site.name in layout and site.kind != "own"]
    if not chosen:
        return {}
    network = unwrap(network)
    probes = try_images(network, image_shape, lambda shape: _measure_slopes(network, chosen, shape))
    reasons = {site.name: probes[site.name].judge(GATES[layout[site.name]].varies_over) for site in chosen}
    return {name: reason for name, reason in reasons.items() if reason}


def _measure_slopes(network: nn.Module, chosen: Sequence[Site], image_shape: Sequence[int]) -> "dict[str, Probe]":
    """The probe of every site after one backward pass, in float64 or, where the network cannot, in its own dtype."""
    for dtype in (torch.float64, None):
        probe = plain_copy(network).train()
        probes = {site.name: Probe() for site in chosen}
        generator = torch.Generator().manual_seed(0)
        try:
            probe = probe if dtype is None else probe.to(dtype)
            _prepare_weights(probe, generator)
            for site in chosen:
                hook(probe, site, probes[site.name])
            images = torch.randn(_IMAGES, *image_shape, generator=generator).to(first_weight(probe))
            with torch.enable_grad(), torch.random.fork_rng(devices=[]):
                total = sum(_measure(output, generator) for output in find_tensors(probe(images)))
            torch.autograd.backward(cast(Tensor, total))
        except Exception as error:
            if dtype is None:
                raise ShapeError(
                    f"{type(network).__name__} could not be run on noise ({type(error).__name__}: {str(error)[:100]}); "
                    "dead sites were not looked for."
                ) from error
        else:
            break
    return probes


def _measure(output: Tensor, generator: torch.Generator) -> Tensor:
    """A scalar function of an output that changes with any change of it."""
    # The square has slopes that do not average out over many pixels; the random sum serves outputs that are normalised.
    return output.square().sum() + (output * torch.randn(output.shape, generator=generator).to(output)).sum()


@torch.no_grad()
def _prepare_weights(probe: nn.Module, generator: torch.Generator) -> None:
    """Lets every weight take a gradient, and makes noise of weights that start at 0 and so let nothing through. In place."""
    for weight in probe.parameters():
        if weight.is_floating_point():
            weight.requires_grad_(True)
            if weight.ndim > 1 and not weight.any():
                weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))


class Probe(nn.Module):
    """Stands where a site would, and keeps the features and the slope of the output in them."""

    def __init__(self) -> None:
        super().__init__()
        self.features: Tensor | None = None

    def forward(self, features: Tensor, _gating_signal: Tensor | None = None) -> Tensor:
        """Returns the features, as a tensor whose gradient is kept."""
        self.features = features.clone()
        if self.features.requires_grad:
            self.features.retain_grad()
        return self.features

    def judge(self, varies_over: str) -> str:
        """The reason why a gate that varies over this would do nothing here; empty where it would do something."""
        if self.features is None or self.features.grad is None or not self.features.grad.any():
            return "its features never reach the output"
        slope = (self.features * self.features.grad).detach()
        channel, pixel = slope.flatten(2).sum(dim=2), slope.sum(dim=1)
        per_channel = channel.abs().max() / slope.flatten(2).abs().sum(dim=2).max()
        per_pixel = pixel.abs().max() / slope.abs().sum(dim=1).max()
        if varies_over == "channels" and per_channel < _SMALLEST_EFFECT:
            return "a norm right behind it cancels any factor that a channel is given"
        if varies_over == "space" and per_pixel < _SMALLEST_EFFECT:
            return "a norm right behind it cancels any factor that a pixel is given"
        if max(per_channel, per_pixel) < _SMALLEST_EFFECT:
            return "a norm right behind it cancels its factors"
        return ""


def find_tensors(output: Any) -> list[Tensor]:
    """Every tensor with a gradient in what a network returns: a tensor, or sequences and mappings of them."""
    if isinstance(output, Tensor):
        return [output] if output.requires_grad else []
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, list | tuple) else ()
    return [tensor for part in parts for tensor in find_tensors(part)]
