"""What a trained, instrumented network says about each of its sites: gamma, spread and what removal costs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from focalseg.attention.focal_site import ALL_PASSES, NOTHING_PASSES, FocalSite
from focalseg.counting import Advance, ignore
from focalseg.errors import SettingError, SiteError
from focalseg.evaluation.scoring import Batch, score_batches
from focalseg.hosts.attachment import attention_sites, filled_sites
from focalseg.hosts.norms import estimate_norms
from focalseg.hosts.presence.container import find_container
from focalseg.hosts.presence.wrappers import unwrap
from focalseg.placement.batches import ReadBatches, WatchedLogits, find_logits
from focalseg.placement.exponents import REGIMES
from focalseg.placement.site_dropout import refuse_negative_gammas
from focalseg.records.evidence import Evidence, SiteEvidence
from focalseg.windows import predict_in_windows


def gather_evidence(
    network: nn.Module,
    batches: Iterable[Any],
    *,
    norm_batches: Iterable[Any] | None = None,
    window: tuple[int, ...] | None = None,
    exponents: str | None = None,
    ignore_index: int | None = None,
    predict: Callable[[Tensor], Any] | None = None,
    progress: Advance = ignore,
) -> Evidence:
    """Gathers evidence on validation batches: images (B, C, *spatial) as the network takes them, masks (B, *spatial) bool.

    A batch is a pair (images, masks), a mapping such as {"image": ..., "label": ...}, or a list of mappings, one a case
    (see `batches.ReadBatches`). Masks may also be labels, have one channel, or be one-hot of the logits' shape. Batches go
    through the network many times: a sequence may make each when it is asked for, always the same; a loader is read once and
    all of it kept in memory, so that it may shuffle. Images are moved to the network's device.

    window: the size that the network sees at a time of larger images, which then need norm_batches of that size. exponents: the
    regime that they trained under, one of `REGIMES`; by default what the network remembers, which is dropout after
    `SiteDropout` and else free. ignore_index: the label of pixels that do not count in scores, as it did not in the loss.
    Before every scoring the running statistics of batch norms are estimated anew on norm_batches (some batches of training
    images; by default the validation images), so that the difference is due to the site alone. predict: images -> logits by way
    of the network, where it is not simply called or returns several outputs, such as `lambda images: network(images)[0]`.
    progress(done, total): called after every batch, as this may take minutes; the total is about right until all is done, when
    both are the same.

    The network comes back as it was, to the bit. Raises SiteError where no attention stands, SettingError for no batches, for
    some that cannot be read, for an unknown regime, for exponents below 0 and after a `SiteDropout` whose steps were
    miscounted; DataError for masks that do not fit the logits.

    >>> import focalseg, torch
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network, gates=("se",))
    >>> evidence = focalseg.gather_evidence(network, [(torch.rand(2, 3, 8, 8), torch.rand(2, 8, 8) > 0.5)])
    >>> [(one.site, one.gamma, len(one.case_costs)) for one in evidence.sites]
    [('encoder.0', 1.0, 2), ('bottleneck', 1.0, 2), ('decoder.0', 1.0, 2)]
    """
    network = unwrap(network)
    container = find_container(network)
    if container and container.untrained and exponents is None:
        raise SettingError(container.untrained)
    exponents = exponents or (container.trained_under if container else "") or "free"
    REGIMES.check(exponents)
    validation = ReadBatches(batches, network=network, name="batches")
    _check_request(network, validation, window=window, norms_given=norm_batches is not None)
    norms = validation if norm_batches is None else ReadBatches(norm_batches, network=network, name="norm_batches")

    def score(course: Iterable[Batch]) -> Tensor:
        return score_cases(network, course, norms.images, window=window, ignore_index=ignore_index, predict=predict)

    with kept_as_it_was(network):
        estimate_norms(network, norms.images, predict=predict)
        evidence = _measure(network, validation, score, exponents=exponents, window=window, predict=predict, progress=progress)
    return replace(evidence, with_object=find_objects(validation, ignore_index=ignore_index))


def _measure(
    network: nn.Module,
    validation: Sequence[Batch],
    score_all: Callable[[Iterable[Batch]], Tensor],
    *,
    exponents: str,
    window: tuple[int, ...] | None,
    predict: Callable[[Tensor], Any] | None,
    progress: Advance,
) -> Evidence:
    """Evidence of a network whose norms are settled. score_all: the Dice of every case of the batches, norms estimated anew."""
    filled, kinds = attention_sites(network), filled_sites(network)
    skips = [name for name, (site, _) in kinds.items() if site.kind == "skip"]
    course = _Course(validation, count_passes(len(filled), skips=len(skips)), progress)
    watched = WatchedLogits(predict or network)
    means, spreads = measure_coefficients(filled, watched, course, window=window)
    watched.refuse_probabilities()

    def score(stand_ins: Mapping[str, Tensor]) -> Tensor:
        for name, site in filled.items():
            site.stand_in = stand_ins.get(name)
        return score_all(course)

    whole = score({})
    constants = means if REGIMES[exponents].replacement == "mean" else dict.fromkeys(filled, ALL_PASSES)

    def price_others(name: str) -> tuple[float, ...]:
        filled[name].borrows = True
        try:
            return price((name,))  # a case that is a batch by itself has nobody to borrow from: the constant stands in
        finally:
            filled[name].borrows = False

    def price(gone: tuple[str, ...], stand_ins: Mapping[str, Tensor] = constants) -> tuple[float, ...]:
        return tuple((whole - score({name: stand_ins[name] for name in gone})).tolist())

    alone = {name: price((name,)) for name in filled}
    others = {name: price_others(name) for name in filled}
    jointly = take_away_one_by_one(alone, price)
    shut = {name: price((name,), {name: NOTHING_PASSES}) for name in skips}
    course.end()
    records = (
        _record_site(
            name,
            kinds[name][1],
            site,
            spread=spreads[name],
            costs=(alone[name], jointly[name], shut.get(name, ()), others[name]),
        )
        for name, site in filled.items()
    )
    return Evidence(sites=tuple(records), case_scores=tuple(whole.tolist()), exponents=exponents)


def find_objects(batches: Iterable[Batch], *, ignore_index: int | None = None) -> tuple[bool, ...]:
    """Whether each case holds any of the object, of a label other than the background and that which does not count."""
    found: list[bool] = []
    for images, masks in batches:
        labelled = masks[:, 1:] if masks.ndim == images.ndim and masks.shape[1] > 1 else masks  # one-hot, background first
        counted = labelled != 0 if ignore_index is None else (labelled != 0) & (labelled != ignore_index)
        found += counted.flatten(1).any(dim=1).tolist()
    return tuple(found)


def _record_site(name: str, gate: str, site: FocalSite, *, spread: float, costs: tuple[tuple[float, ...], ...]) -> SiteEvidence:
    """The evidence on one site. costs: of its removal by itself, with those that went before it, of shutting it, and of the
    coefficients of other cases."""
    alone, jointly, shut, others = costs
    return SiteEvidence(
        site=name,
        gate=gate,
        gamma=float(site.gamma.detach()),
        spread=spread,
        case_costs=alone,
        joint_case_costs=jointly,
        shut_case_costs=shut,
        other_case_costs=others,
    )


def count_passes(sites: int, *, skips: int) -> int:
    """About how many times the validation cases go through a network while evidence on so many sites is gathered: once for the
    coefficients, once for the whole, three or four times a site (`take_away_one_by_one`), and once more a skip."""
    return 2 + 7 * sites // 2 + skips


class _Course:
    """The validation batches, to be gone through again and again; tells after each how many of how many there have been."""

    def __init__(self, batches: Sequence[Batch], passes: int, tell: Advance) -> None:
        self.batches, self.tell = batches, tell
        self.done, self.total = 0, passes * len(batches)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            yield batch
            self.done += 1
            self.tell(self.done, max(self.total, self.done + 1))

    def end(self) -> None:
        """Tells that there are no more."""
        self.tell(self.done, self.done)


def _check_request(
    network: nn.Module, validation: Sequence[Batch], *, window: tuple[int, ...] | None, norms_given: bool
) -> None:
    """Raises SiteError or SettingError where no evidence can be gathered from such a network and such batches."""
    filled = attention_sites(network)
    if not filled:
        raise SiteError("The network has no attention to gather evidence on; call instrument(network) and train it first.")
    disabled = [name for name, site in filled.items() if not site.enabled]
    if disabled:
        raise SiteError(f"Attention is disabled at {', '.join(disabled)}; call enable_attention(network) first.")
    refuse_negative_gammas(network)
    if not validation:
        raise SettingError("No validation batches were given; evidence needs at least one.")
    if window is not None and not norms_given:
        raise SettingError("window was given without norm_batches; expected batches of that size to estimate the norms on.")


def take_away_one_by_one(
    alone: Mapping[str, tuple[float, ...]], price: Callable[[tuple[str, ...]], tuple[float, ...]]
) -> dict[str, tuple[float, ...]]:
    """What each site costs together with those that went before it; the order is that in which they go.

    Each time the site goes that costs least in the mean over cases. alone: what each costs by itself. price: what several cost
    together. Source: accelerated greedy selection, Minoux 1978.
    """
    # A site is priced anew only while its last known price makes it the next to go. Prices grow as other sites go, so this
    # finds the same order as pricing all of them anew would, with about two prices per site.
    known = dict(alone)
    gone: tuple[str, ...] = ()
    jointly: dict[str, tuple[float, ...]] = {}
    while known:
        fresh = set(known) if not gone else set()
        while (cheapest := min(known, key=lambda name: fmean(known[name]))) not in fresh:
            known[cheapest] = price((*gone, cheapest))
            fresh.add(cheapest)
        gone = (*gone, cheapest)
        jointly[cheapest] = known.pop(cheapest)
    return jointly


@torch.no_grad()
def measure_coefficients(
    filled: dict[str, FocalSite],
    predict: Callable[[Tensor], Tensor],
    batches: Iterable[Batch],
    *,
    window: tuple[int, ...] | None = None,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """By site: the mean of the applied coefficients, (1, C or 1, 1, ...) float32, and their spread about it.

    There is one mean per channel, since a constant factor per channel is what the next convolution can absorb. predict: images
    -> logits by way of the network. Raises SettingError where it did not reach a site.
    """
    sums: dict[str, list[Tensor]] = {name: [] for name in filled}

    def observe(name: str, site: FocalSite, arguments: tuple[Tensor, ...]) -> None:
        coefficients = site.compute_coefficients(*arguments).cpu().double().transpose(0, 1).flatten(1)
        count = torch.full_like(coefficients[:, 0], coefficients.shape[1])
        sums[name].append(torch.stack([coefficients.sum(dim=1), coefficients.square().sum(dim=1), count]))

    handles = [site.register_forward_pre_hook(partial(observe, name)) for name, site in filled.items()]
    spatial = 0
    try:
        for images, _ in batches:
            spatial = images.ndim - 2
            predict_in_windows(predict, images, window)
    finally:
        for handle in handles:
            handle.remove()
    means, spreads = {}, {}
    if missed := [name for name, parts in sums.items() if not parts]:
        raise SettingError(
            f"predict did not reach {', '.join(missed)}; expected a function that calls the network that was given."
        )
    for name, parts in sums.items():
        total, squares, count = torch.stack(parts).sum(dim=0)
        mean = total / count
        spreads[name] = float((squares / count - mean.square()).clamp(min=0).mean().sqrt())
        means[name] = mean.float().reshape(1, -1, *(1,) * spatial)
    return means, spreads


@torch.no_grad()
def score_cases(
    network: nn.Module,
    batches: Iterable[Batch],
    statistics_images: Sequence[Tensor],
    *,
    window: tuple[int, ...] | None = None,
    ignore_index: int | None = None,
    predict: Callable[[Tensor], Any] | None = None,
) -> Tensor:
    """The Dice of every case, the mean over the labels that it has, (cases,) float64 in [0, 1], after estimating the norms
    anew."""
    estimate_norms(network, statistics_images, predict=predict)
    call = network if predict is None else predict
    scores = score_batches(
        lambda images: find_logits(call(images), images), batches, window=window, ignore_index=ignore_index, lacking=False
    )
    return torch.tensor(scores, dtype=torch.float64)


@contextmanager
def kept_as_it_was(network: nn.Module) -> Iterator[None]:
    """Puts a network into evaluation mode inside the `with`, with every site acting.

    Modes, buffers and stand-ins are put back whatever happens.
    """
    modes = {module: module.training for module in network.modules()}
    stand_ins = {site: (site.stand_in, site.borrows) for site in attention_sites(network).values()}
    for site in stand_ins:
        site.stand_in, site.borrows = None, False
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network.eval()
    try:
        yield
    finally:
        for name, buffer in network.named_buffers():
            buffer.copy_(buffers[name])
        for site, before in stand_ins.items():
            site.stand_in, site.borrows = before
        for module, mode in modes.items():
            module.training = mode
