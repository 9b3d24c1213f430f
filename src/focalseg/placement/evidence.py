"""What a trained, instrumented network says about each of its sites: gamma, spread and what removal costs."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from focalseg.attention.site import FocalSite
from focalseg.errors import SettingError, SiteError
from focalseg.evaluation.scoring import Batch, score_batches
from focalseg.layers import RUNNING_NORMS
from focalseg.placement.attachment import unwrap
from focalseg.placement.sites import attention_sites, filled_sites
from focalseg.windows import predict_in_windows


@dataclass(frozen=True, kw_only=True)
class SiteEvidence:
    """Evidence on one site.

    gamma: the learned exponent. spread: how much the applied coefficients vary about their mean (root mean square over cases,
    channels and space, in [0, 1]); 0 means a constant, which is no attention. case_costs: Dice lost by each validation case
    when the coefficients are replaced by that mean (positive: the site was of use); removal_cost is their mean. joint_cost:
    mean Dice lost when all sites that cost less are replaced as well, which shows sites that stand in for one another.
    """

    site: str
    gate: str
    gamma: float
    spread: float
    case_costs: tuple[float, ...]
    joint_cost: float = 0.0

    @property
    def removal_cost(self) -> float:
        """Mean Dice lost over the cases."""
        return sum(self.case_costs) / len(self.case_costs)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Evidence of one training on all its sites, over the same cases in the same order."""

    sites: tuple[SiteEvidence, ...]


def gather_evidence(
    network: nn.Module,
    batches: Iterable[Batch],
    *,
    norm_batches: Iterable[Batch] | None = None,
    window: tuple[int, ...] | None = None,
) -> Evidence:
    """Evidence from validation batches: images (B, C, *spatial) as the network takes them, masks (B, *spatial) bool.

    A sequence of batches may make each anew when it is asked for. window: what the network sees at a time of larger images,
    which are predicted in overlapping windows; norm_batches are then of that size, and needed.

    Before each scoring the running statistics of batch norms are estimated anew, on norm_batches (training images; the
    validation images where none are given), for the network as it is too, so that the difference is the site's alone.
    The network comes back as it was, to the bit. Raises SiteError where no attention stands, SettingError for no batches.
    """
    network = unwrap(network)
    filled = attention_sites(network)
    if not filled:
        raise SiteError("The network has no attention to gather evidence on; call instrument(network) and train it first.")
    disabled = [name for name, site in filled.items() if not site.enabled]
    if disabled:
        raise SiteError(f"Attention is disabled at {', '.join(disabled)}; call enable_attention(network) first.")
    validation = batches if isinstance(batches, Sequence) else list(batches)
    if not validation:
        raise SettingError("No validation batches were given; evidence needs at least one.")
    if window is not None and norm_batches is None:
        raise SettingError("window was given without norm_batches; expected batches of that size to estimate the norms on.")
    statistics_images = [images for images, _ in (validation if norm_batches is None else norm_batches)]
    score = partial(score_cases, network, validation, statistics_images, window=window)
    kinds = {name: gate for name, (_, gate) in filled_sites(network).items()}
    with kept_as_it_was(network):
        estimate_norms(network, statistics_images)
        constants, spreads = measure_coefficients(filled, network, validation, window=window)
        whole = score()
        records = []
        for name, site in filled.items():
            site.removed = constants[name]
            without = score()
            site.removed = None
            records.append(
                SiteEvidence(
                    site=name,
                    gate=kinds[name],
                    gamma=float(site.gamma.detach()),
                    spread=spreads[name],
                    case_costs=tuple((whole - without).tolist()),
                )
            )
        joint_costs = {}
        for record in sorted(records, key=lambda record: record.removal_cost):
            filled[record.site].removed = constants[record.site]
            without = score()
            joint_costs[record.site] = float((whole - without).mean())
    return Evidence(sites=tuple(replace(record, joint_cost=joint_costs[record.site]) for record in records))


@torch.no_grad()
def measure_coefficients(
    filled: dict[str, FocalSite], network: nn.Module, batches: Sequence[Batch], *, window: tuple[int, ...] | None = None
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """By site: the mean of the applied coefficients, (1, C or 1, 1, ...) float32, and their spread about it.

    The mean keeps the channels apart and nothing else: a constant factor a channel is what the next convolution can absorb.
    """
    sums: dict[str, list[Tensor]] = {name: [] for name in filled}

    def observe(name: str, site: FocalSite, arguments: tuple[Tensor, ...]) -> None:
        coefficients = site.compute_coefficients(*arguments).cpu().double().transpose(0, 1).flatten(1)
        count = torch.full_like(coefficients[:, 0], coefficients.shape[1])
        sums[name].append(torch.stack([coefficients.sum(dim=1), coefficients.square().sum(dim=1), count]))

    handles = [
        site.register_forward_pre_hook(lambda module, arguments, name=name: observe(name, module, arguments))
        for name, site in filled.items()
    ]
    try:
        for images, _ in batches:
            predict_in_windows(network, images, window)
    finally:
        for handle in handles:
            handle.remove()
    means, spreads = {}, {}
    for name, parts in sums.items():
        total, squares, count = torch.stack(parts).sum(dim=0)
        mean = total / count
        spreads[name] = float((squares / count - mean.square()).clamp(min=0).mean().sqrt())
        spatial = batches[0][0].ndim - 2
        means[name] = mean.float().reshape(1, -1, *(1,) * spatial)
    return means, spreads


@torch.no_grad()
def score_cases(
    network: nn.Module,
    batches: Sequence[Batch],
    statistics_images: Sequence[Tensor],
    *,
    window: tuple[int, ...] | None = None,
) -> Tensor:
    """Dice of every case, (cases,) float64, after estimating the norms anew."""
    estimate_norms(network, statistics_images)
    return torch.tensor(score_batches(network, batches, window=window), dtype=torch.float64)


@torch.no_grad()
def estimate_norms(network: nn.Module, images: Sequence[Tensor]) -> None:
    """Running mean and variance of every batch norm as the plain average over these batches, in place."""
    norms = [module for module in network.modules() if isinstance(module, RUNNING_NORMS)]
    norms = [norm for norm in norms if norm.track_running_stats]
    if not norms or not images:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        for batch in images:
            network(batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


@contextmanager
def kept_as_it_was(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; modes, buffers and replaced coefficients are put back whatever happens."""
    modes = {module: module.training for module in network.modules()}
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network.eval()
    try:
        yield
    finally:
        for name, buffer in network.named_buffers():
            buffer.copy_(buffers[name])
        for site in attention_sites(network).values():
            site.removed = None
        for module, mode in modes.items():
            module.training = mode
