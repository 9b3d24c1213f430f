"""A candidate site: a place of a network where attention may stand."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from focalseg.attention.gate import SiteShape
from focalseg.catalogue import unknown_name_message
from focalseg.configuration import CheckedConfig
from focalseg.errors import SiteError
from focalseg.hosts.ports import Port

SiteKind = Literal["stage", "skip", "own"]
BOTTLENECK = "bottleneck"
_LEVEL = re.compile(r"(?:encoder|skip|decoder)\.([0-9]{1,3})", re.ASCII)
"""The name of a site that says its level, 0 the finest; the bottleneck is one level below the last of them."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a family or a person says that attention may stand, before a dry run has shown what passes there.

    The ports are in the language of `focalseg.hosts.ports`. kind: a stage has features alone, a skip a gating signal besides;
    own is a gate that the host brought along, whose coefficients pass at `features`. signal: where the gating signal passes.
    added_at: where the host adds the skip to other features instead of handing it to a module, the place of those; empty where
    it does not. sum_at: where that sum passes next. opens_to: for an own gate, the argument that its module hands through once
    the gate is taken away, such as `attention:x`; empty where its coefficients become 1 instead. shape: what passes, if known.
    """

    name: str
    kind: SiteKind
    features: str
    shape: SiteShape | None = None
    signal: str = ""
    added_at: str = ""
    sum_at: str = ""
    opens_to: str = ""


@dataclass(frozen=True, kw_only=True)
class Site(Place, CheckedConfig):
    """A candidate site: a place, and the shape of what passes there, as a dry run showed it."""

    shape: SiteShape = field()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.name or "/" in self.name:
            raise SiteError(f"A site was named {self.name!r}; expected a name, without a slash. Name it anew.")

    @property
    def ports(self) -> tuple[Port, ...]:
        """The port of every place that the site reads or writes, that of the features first."""
        return tuple(Port.parse(text) for text in (self.features, self.signal, self.added_at, self.sum_at) if text)

    @property
    def when_shut(self) -> Self:
        """The site as a `ShutSite` stands there: at what the consumer of the skip is called with, beside the others that the
        skip was added to."""
        if self.added_at:
            return replace(self, features=self.sum_at, signal=self.added_at, added_at="", sum_at="")
        return replace(self, signal="")


def select_sites(candidates: Iterable[Site], names: Iterable[str]) -> tuple[Site, ...]:
    """The candidates of those names. Raises SiteError for the first name that no candidate has."""
    known = {site.name: site for site in candidates}
    chosen = list(names)
    for name in chosen:
        if name not in known:
            raise SiteError(unknown_name_message("site", name, known))
    return tuple(known[name] for name in chosen)


def count_levels(names: Iterable[str]) -> int | None:
    """The levels of a network by the names of its sites, the bottleneck's included; None where these do not tell, as where no
    bottleneck is among them: a placement made by hand may list a few sites alone."""
    listed = list(names)
    numbers = [int(found[1]) for name in listed if (found := _LEVEL.fullmatch(name))]
    return max(numbers) + 2 if numbers and BOTTLENECK in listed else None
