"""The candidate sites of a network: where attention may stand, and what stands there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from torch import nn

from focalseg.attention.gate import SiteShape
from focalseg.attention.site import FocalSite
from focalseg.catalogue import unknown_name_message
from focalseg.configuration import CheckedConfig
from focalseg.errors import SiteError
from focalseg.placement.attachment import find_container
from focalseg.placement.ports import Port

SiteKind = Literal["stage", "skip", "own"]

SHUT = "shut"
"""Stands for the kind of a gate where nothing is to pass a skip. It is no attention: it has no weights and no gamma."""


@dataclass(frozen=True, kw_only=True)
class Site(CheckedConfig):
    """A place for attention, its ports in the language of `focalseg.placement.ports`.

    kind: a stage has features alone, a skip a gating signal besides; own is a gate that the host brought along, whose
    coefficients pass at `features`. signal: where the gating signal passes. added_at: where the host adds the skip to other
    features instead of handing it to a module, the place of those; empty where it does not. sum_at: where that sum passes
    next. opens_to: for an own gate, the argument that its module hands through once the gate is taken away, such as
    `attention:x`; empty where its coefficients become 1 instead. shape: what passes, as an example showed.
    """

    name: str
    kind: SiteKind
    features: str
    shape: SiteShape
    signal: str = ""
    added_at: str = ""
    sum_at: str = ""
    opens_to: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.name or "/" in self.name:
            raise SiteError(f"A site was named {self.name!r}; expected a name, without a slash. Name it anew.")

    @property
    def ports(self) -> tuple[Port, ...]:
        """Every place that the site reads or writes, that of the features first."""
        return tuple(Port.parse(text) for text in (self.features, self.signal, self.added_at, self.sum_at) if text)

    @property
    def when_shut(self) -> Self:
        """The same place as a `ShutSite` stands there: at what the consumer of the skip is called with, beside the others that
        it was added to."""
        if self.added_at:
            return replace(self, features=self.sum_at, signal=self.added_at, added_at="", sum_at="")
        return replace(self, signal="")


def sites(
    network: nn.Module,
    image_shape: Sequence[int] | None = None,
    *,
    stages: Sequence[str] = (),
    skips: Mapping[str, tuple[str, str]] | None = None,
    own_gates: Mapping[str, str] | None = None,
) -> tuple[Site, ...]:
    """The candidate sites of a network, with the channels and sizes that a dry run on a copy finds.

    Our U-Net and MONAI's UNet, BasicUNet, DynUNet, SegResNet and AttentionUnet are known. In any other network the person
    names the places (the language is that of `focalseg.placement.ports`; a path may hold `*` for one part of it):
    stages: places whose features are scaled, such as `layer1.*`; each is a site by that name.
    skips: by a name of your own, (place of the skip, place of its gating signal), such as `("up1:1", "up1:0")`.
    own_gates: by a name of your own, the module whose output is the coefficients of a gate that the network has already.
    image_shape: (C, *spatial) of an image, without batch; where it is not given, one that fits the first convolution.

    Raises SiteError for a network of no known family with nothing named, for a name that matches nothing, and for a place
    where attention cannot stand (passed more than once or never, no features, a signal that comes too late).
    """
    from focalseg.placement.hosts import find_sites  # the hosts build on this module

    return find_sites(network, image_shape, stages=stages, skips=skips or {}, own_gates=own_gates or {})


def attention_sites(network: nn.Module) -> dict[str, FocalSite]:
    """The filled sites by name, in the order they were found in. A skip that is shut is none of them."""
    container = find_container(network)
    standing = {} if container is None else container.standing()
    return {name: site for name, site in standing.items() if isinstance(site, FocalSite)}


def filled_sites(network: nn.Module) -> dict[str, tuple[Site, str]]:
    """Site and kind of gate by name, of those that `attention_sites` gives."""
    return {name: (site, kind) for name, (site, kind) in occupied_sites(network).items() if kind != SHUT}


def occupied_sites(network: nn.Module) -> dict[str, tuple[Site, str]]:
    """Site and kind by name of all that was added: the kind of a gate, or SHUT."""
    container = find_container(network)
    return {} if container is None else {name: (container.sites[name], gate) for name, gate in container.gates.items()}


def select_sites(candidates: Iterable[Site], names: Iterable[str]) -> tuple[Site, ...]:
    """The candidates of those names. Raises SiteError for the first that is not among them."""
    known = {site.name: site for site in candidates}
    chosen = list(names)
    for name in chosen:
        if name not in known:
            raise SiteError(unknown_name_message("site", name, known))
    return tuple(known[name] for name in chosen)
