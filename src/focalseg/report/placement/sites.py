"""What a page asks of the sites of a network: names and gates that can be shown, and places that the network has."""

import re
from collections.abc import Collection, Sequence

from focalseg.attention import GATES
from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.instrument import OWN
from focalseg.hosts.libraries.choice import UNET
from focalseg.networks.unet import UNetConfig
from focalseg.records.costs import SiteCost
from focalseg.records.evidence import SiteEvidence
from focalseg.records.record import MEND
from focalseg.records.site_decision import SiteDecision

LONGEST_NAME, MOST_LEVELS = 120, 20
UNET_SITE = re.compile(r"bottleneck|(encoder|skip|decoder)\.([0-9]|[1-9][0-9])")
"""A site of our U-Net and of the families that share its names."""


def has_unet_sites(network: NetworkConfig | None, names: Collection[str]) -> bool:
    """Whether these sites are those of a U-Net. Places that a person named are not, whatever they are called: modules called
    `encoder.0` need not stand in one. network: None where no run is there to tell."""
    named = network is not None and _is_named(network)
    return not named and all(UNET_SITE.fullmatch(name) for name in names)


def _is_named(network: NetworkConfig) -> bool:
    """Whether a person named the places of attention."""
    return bool(network.stages or network.skips or network.own_gates)


def check_sites(sites: Sequence[SiteDecision | SiteEvidence | SiteCost], place: str) -> None:
    """Raises SettingError for a site with a name or a gate that no page can show, and for one that is there twice."""
    known = [*GATES, OWN]
    for number, site in enumerate(sites):
        check_name(site.site, f"{place}[{number}].site")
        if site.gate not in known:
            raise SettingError(f"{place}[{number}].gate was {site.gate[:40]!r}; expected {', '.join(known)}. {MEND}")
        if site.site in (before.site for before in sites[:number]):
            raise SettingError(f"{place}[{number}].site was {site.site!r} once more; expected each site once. {MEND}")


def check_name(name: str, place: str) -> None:
    """Raises SettingError for a name of a site that is empty, or too long to show."""
    if not name.strip() or len(name) > LONGEST_NAME:
        found = f"of {len(name)} characters" if name.strip() else repr(name[:LONGEST_NAME])
        raise SettingError(f"{place} was a text {found}; expected a name of 1 to {LONGEST_NAME} characters. {MEND}")


def check_widths(network: NetworkConfig, place: str) -> None:
    """Raises SettingError where the channels of our U-Net, which a file may hold as anything, are no such list."""
    widths = network.arguments.get("widths", UNetConfig.widths) if network.name == UNET else UNetConfig.widths
    fits = isinstance(widths, list | tuple) and 2 <= len(widths) <= MOST_LEVELS
    if not fits or not all(isinstance(width, int) and not isinstance(width, bool) and width >= 1 for width in widths):
        raise SettingError(
            f"{place}: network.arguments.widths is {repr(widths)[:40]}; expected 2 to {MOST_LEVELS} numbers of channels. {MEND}"
        )


def check_levels(sites: Sequence[SiteDecision], network: NetworkConfig, place: str) -> None:
    """Raises SettingError for a site that our U-Net of that depth does not have. Other networks name theirs as they like."""
    if network.name != UNET or _is_named(network):
        return
    deepest = len(network.widths) - 2
    for name in (decision.site for decision in sites):
        if not UNET_SITE.fullmatch(name) or (name != "bottleneck" and int(name.partition(".")[2]) > deepest):
            raise SettingError(f"{place} has the site {name!r}; the runs' U-Net has levels 0 to {deepest}. {MEND}")
