"""What the files of a folder say of a network's sites: their names, the evidence, what they cost, which were dead."""

import re
from collections.abc import Collection, Mapping, Sequence

from focalseg.attention import GATES
from focalseg.errors import SettingError
from focalseg.evaluation.statistics import Estimate
from focalseg.hosts.building import UNET, NetworkConfig
from focalseg.hosts.costs import CostTable, SiteCost
from focalseg.hosts.instrument import OWN
from focalseg.networks.unet import UNetConfig
from focalseg.report.lettering import show_characters
from focalseg.report.placement.contents import SiteFinding
from focalseg.report.placement.record import MEND, Record

LONGEST_NAME, MOST_LEVELS = 120, 20
ROUNDING = 1e-9
"""By so much a mean of several numbers may lie outside the mean of their bounds."""
UNET_SITE = re.compile(r"bottleneck|(encoder|skip|decoder)\.([0-9]|[1-9][0-9])")
"""A site of our U-Net and of the families that share its names."""


def has_unet_sites(network: NetworkConfig | None, names: Collection[str]) -> bool:
    """Whether these sites are those of a U-Net. Places that a person named are not, whatever they are called: modules called
    `encoder.0` need not stand in one. network: None where no run is there to tell."""
    named = network is not None and is_named(network)
    return not named and all(UNET_SITE.fullmatch(name) for name in names)


def is_named(network: NetworkConfig) -> bool:
    """Whether a person named the places of attention."""
    return bool(network.stages or network.skips or network.own_gates)


def read_findings(records: Sequence[Record], *, decided: bool = True) -> tuple[SiteFinding, ...]:
    """The evidence, site by site. decided: whether the records say what was kept and why."""
    findings: dict[str, SiteFinding] = {}
    for record in records:
        name = read_name(record)
        if name in findings:
            raise SettingError(f"{record.place} has the site {name!r} once more; expected each site once. {MEND}")
        findings[name] = SiteFinding(
            site=name,
            gate=_read_gate(record),
            gamma=record.number("gamma"),
            removal_cost=record.number("removal_cost"),
            spread=record.number("spread"),
            removal=_read_removal(record),
            joint_cost=record.number("joint_cost") if record.holds("joint_cost") else None,
            kept=record.truth("kept") if decided else None,
            shut=decided and _read_shut(record),
            why=show_characters(record.text("why")) if decided else "",
        )
    return tuple(findings.values())


def check_widths(network: NetworkConfig, place: str) -> None:
    """Raises SettingError where the channels of our U-Net, which a file may hold as anything, are no such list."""
    widths = network.arguments.get("widths", UNetConfig.widths) if network.name == UNET else UNetConfig.widths
    fits = isinstance(widths, list | tuple) and 2 <= len(widths) <= MOST_LEVELS
    if not fits or not all(isinstance(width, int) and not isinstance(width, bool) and width >= 1 for width in widths):
        raise SettingError(
            f"{place}: network.arguments.widths is {repr(widths)[:40]}; expected 2 to {MOST_LEVELS} numbers of channels. {MEND}"
        )


def check_levels(findings: Sequence[SiteFinding], network: NetworkConfig, place: str) -> None:
    """Raises SettingError for a site that our U-Net of that depth does not have. Other networks name theirs as they like."""
    if network.name != UNET or is_named(network):
        return
    deepest = len(network.widths) - 2
    for finding in findings:
        name = finding.site
        if not UNET_SITE.fullmatch(name) or (name != "bottleneck" and int(name.partition(".")[2]) > deepest):
            raise SettingError(f"{place} has the site {name!r}; the runs' U-Net has levels 0 to {deepest}. {MEND}")


def read_costs(record: Record, findings: Sequence[SiteFinding]) -> CostTable:
    """What every site costs and the network with all of them. Raises SettingError where a site of the evidence has no cost."""
    costs = CostTable(
        sites=tuple(
            SiteCost(
                site=read_name(site),
                gate=_read_gate(site),
                parameters=site.count("parameters"),
                flops=site.count("flops"),
                seconds=site.amount("seconds"),
            )
            for site in record.records("sites")
        ),
        parameters=record.count("parameters"),
        flops=record.count("flops"),
        seconds=record.amount("seconds"),
    )
    known = {cost.site for cost in costs.sites}
    for finding in findings:
        if finding.site not in known:
            raise SettingError(f"{record.place}: sites has no cost of {finding.site!r}; expected one of every site. {MEND}")
    return costs


def read_dead_sites(record: Record) -> Mapping[str, str]:
    """The sites left out before training, with the reason."""
    return {read_name(Record({"site": name}, record.place)): show_characters(record.text(name)) for name in record.content}


def read_name(record: Record) -> str:
    """The name of a site: any text, what cannot be seen of it replaced."""
    name = record.text("site")
    if not name.strip() or len(name) > LONGEST_NAME:
        found = f"of {len(name)} characters" if name.strip() else repr(name[:LONGEST_NAME])
        raise SettingError(f"{record.place}: site is a text {found}; expected a name of 1 to {LONGEST_NAME} characters. {MEND}")
    return show_characters(name)


def _read_removal(record: Record) -> Estimate | None:
    """The cost of removal with its interval, None where it has none."""
    if not (record.holds("removal_low") or record.holds("removal_high")):
        return None
    mean, low, high = (record.number(name) for name in ("removal_cost", "removal_low", "removal_high"))
    if not low - ROUNDING <= mean <= high + ROUNDING:
        raise SettingError(
            f"{record.place}: removal_cost is {mean}, from removal_low {low} to removal_high {high}; "
            f"expected a mean within its interval. {MEND}"
        )
    return Estimate(mean=mean, low=low, high=high)


def _read_shut(record: Record) -> bool:
    shut = "shut" in record.content and record.truth("shut")
    if shut and record.truth("kept"):
        raise SettingError(f"{record.place} is both kept and shut; expected one of the two. {MEND}")
    return shut


def _read_gate(record: Record) -> str:
    gate, known = record.text("gate"), [*GATES, OWN]
    if gate not in known:
        raise SettingError(f"{record.place}: gate is {gate[:40]!r}; expected {', '.join(known)}. {MEND}")
    return gate
