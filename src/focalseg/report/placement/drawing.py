"""The network as a drawing: where its blocks, wires and bars stand. The template only puts the ink."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from focalseg.hosts.building import NetworkConfig
from focalseg.records.placement import SHUT
from focalseg.records.site_decision import SiteDecision
from focalseg.report.lettering import estimate_width, shorten
from focalseg.report.placement.contents import UNMEASURED
from focalseg.report.placement.naming import describe_gate, name_gate
from focalseg.report.placement.sites import has_unet_sites
from focalseg.report.wording import signed

WIDTH = 380.0
"""Of the drawing, in its own units. A letter is 13 of them high, and so 13 pixels on a telephone, which is about as wide."""
TOP, BOTTOM = 30.0, 6.0
PITCHES = {1: 92.0, 2: 92.0, 3: 80.0}
DEEP_PITCH = 66.0
ENCODER_X, MIDDLE_X, DECODER_X = 106.0, 190.0, 274.0
NARROWEST, WIDEST = 24.0, 40.0
TALLEST, SHRINK = 54.0, 0.82
TRACK = 80.0
MARK_WIDTH, MARK_HEIGHT = 80.0, 44.0
"""Three lines: the name, the gate with its gamma, the bar."""
DECODER_MARK_X = 300.0
GAP, DEAD_END = 3.0, 8.0
"""Between a wire and what it leads to, and half the bar where a skip is shut."""
ONE = 1.0
SMALLEST_SCALE = 1.5
LETTER = 13.0
"""Units an em, of the text in the drawing."""
LIST_PITCH, LIST_TOP = 48.0, 6.0
MOST_IN_A_COLUMN, COLUMN_GAP = 16, 26.0
NUMBER_SIDE, NUMBER_GAP, GAMMA_ROOM = 26.0, 12.0, 42.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """A rectangle about its middle. inside: what it says, the channels of a stage (empty where unknown) or a site's number."""

    x: float
    y: float
    width: float
    height: float
    inside: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A site: its name and, where a gate stands, the bar of its gamma. x, y: the upper left corner. shown: the name as far
    as there is room for it. state: kept, dropped, shut or empty."""

    x: float
    y: float
    name: str
    shown: str
    gate: str = ""
    gamma: float = 0.0
    length: float = 0.0
    state: str = "empty"
    tooltip: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """All there is to draw. arrows, dead_ends: SVG paths, the latter of skips where nothing passes; one: where gamma = 1 lies
    along a bar; image, mask: where they go in and out.

    listed: whether this is a plain list of sites, which says nothing of what follows what and has no arrows, image or mask.
    """

    width: float
    height: float
    track: float
    one: float
    scale: float
    blocks: tuple[Block, ...]
    marks: tuple[Mark, ...]
    arrows: tuple[str, ...]
    label: str
    image: tuple[float, float] = (0.0, 0.0)
    mask: tuple[float, float] = (0.0, 0.0)
    dead_ends: tuple[str, ...] = ()
    listed: bool = False

    @property
    def states(self) -> set[str]:
        """Those that occur."""
        return {mark.state for mark in self.marks}


def draw_network(
    network: NetworkConfig | None,
    decisions: Sequence[SiteDecision],
    dead_sites: Mapping[str, str] = MappingProxyType({}),
    *,
    shut: Collection[str] = (),
) -> Drawing | None:
    """The network with its sites: a U-Net where it is known to be one, and as deep as its sites tell; else a list of them.

    network: None where no run is there to tell. dead_sites: those left out before training, with the reason. shut: skips that
    are known to be shut besides those that the decisions tell of. None where nothing is known that could be drawn.
    """
    names = [*(decision.site for decision in decisions), *dead_sites, *shut]
    widths = network.widths if network else ()
    if has_unet_sites(network, names) and (widths or _reaches_the_bottom(names)):
        return draw_unet(widths, decisions, dead_sites, shut=shut)
    return draw_list(decisions) if decisions else None


def draw_list(decisions: Sequence[SiteDecision]) -> Drawing:
    """The sites of any network in their order, numbered, in one column or two."""
    columns = 1 if len(decisions) <= MOST_IN_A_COLUMN else 2
    rows = math.ceil(len(decisions) / columns)
    across = (WIDTH + COLUMN_GAP) / columns
    left = NUMBER_SIDE + NUMBER_GAP
    track = across - COLUMN_GAP - left - GAMMA_ROOM
    scale = _find_scale(decisions)
    blocks, marks = [], []
    for place, decision in enumerate(decisions):
        x, y = across * (place // rows), LIST_TOP + LIST_PITCH * (place % rows)
        marks.append(_draw_mark(decision, x + left, y, track=track, scale=scale, room=track + GAMMA_ROOM))
        middle = (x + NUMBER_SIDE / 2, y + MARK_HEIGHT / 2)
        blocks.append(Block(x=middle[0], y=middle[1], width=NUMBER_SIDE, height=NUMBER_SIDE, inside=f"{place + 1}"))
    return Drawing(
        width=WIDTH,
        height=LIST_TOP + LIST_PITCH * (rows - 1) + MARK_HEIGHT + BOTTOM,
        track=track,
        one=track * ONE / scale,
        scale=scale,
        blocks=tuple(blocks),
        marks=tuple(marks),
        arrows=(),
        label=f"The sites of the network with the gamma of each: {_list_gammas(decisions)}.",
        listed=True,
    )


def draw_unet(
    widths: Sequence[int],
    decisions: Sequence[SiteDecision],
    dead_sites: Mapping[str, str] = MappingProxyType({}),
    *,
    shut: Collection[str] = (),
) -> Drawing:
    """A U-Net of these channels a level, finest first, with its sites. No widths: as deep as the sites' names tell.

    dead_sites: those left out before training, with the reason. shut: skips without a decision where nothing passes.
    """
    levels = len(widths) - 1 if widths else _count_levels([*(decision.site for decision in decisions), *dead_sites, *shut])
    channels = [str(width) for width in widths] or [""] * (levels + 1)
    block_widths = [_block_width(level, widths) for level in range(levels + 1)]
    closed = {*shut, *(decision.site for decision in decisions if decision.shut)}
    scale = _find_scale(decisions)
    rows = [_row(level, levels) for level in range(levels + 1)]
    columns = [(ENCODER_X, level) for level in range(levels)] + [(MIDDLE_X, levels)]
    columns += [(DECODER_X, level) for level in range(levels)]
    return Drawing(
        width=WIDTH,
        height=rows[levels] + _block_height(levels) / 2 + 8 + MARK_HEIGHT + BOTTOM,
        track=TRACK,
        one=TRACK * ONE / scale,
        scale=scale,
        blocks=tuple(
            Block(x=x, y=rows[level], width=block_widths[level], height=_block_height(level), inside=channels[level])
            for x, level in columns
        ),
        marks=_draw_marks(decisions, rows, scale, dead_sites, shut),
        arrows=(*_draw_skips(rows, block_widths, decisions, closed), *_draw_sides(rows, block_widths)),
        dead_ends=tuple(_draw_dead_end(rows, block_widths, level) for level in range(levels) if f"skip.{level}" in closed),
        image=(ENCODER_X, rows[0] - _block_height(0) / 2),
        mask=(DECODER_X, rows[0] - _block_height(0) / 2),
        label=f"U-Net of {levels + 1} levels with the gamma of every site: {_list_gammas(decisions)}.",
    )


def _count_levels(names: Sequence[str]) -> int:
    """Levels above the bottleneck that the names of a U-Net's sites reach to, at least one."""
    return max([1, *(int(name.partition(".")[2]) + 1 for name in names if name != "bottleneck")])


def _reaches_the_bottom(names: Collection[str]) -> bool:
    """Whether sites of a U-Net stand at the bottleneck and at every level above the deepest that any of them has."""
    levels = {name.partition(".")[2] for name in names if name != "bottleneck"}
    return "bottleneck" in names and levels == {str(level) for level in range(len(levels))} != set()


def _find_scale(decisions: Sequence[SiteDecision]) -> float:
    """The gamma of a full bar."""
    return max([SMALLEST_SCALE, *(decision.gamma for decision in decisions)])


def _row(level: int, levels: int) -> float:
    pitch = PITCHES.get(levels, DEEP_PITCH)
    below = 10.0 if level == levels else 0.0
    return TOP + TALLEST / 2 + pitch * level + below


def _block_height(level: int) -> float:
    return TALLEST * SHRINK**level


def _block_width(level: int, widths: Sequence[int]) -> float:
    """Wider for more channels, a step a doubling."""
    if not widths or max(widths) == min(widths):
        return (NARROWEST + WIDEST) / 2
    share = math.log(widths[level] / min(widths)) / math.log(max(widths) / min(widths))
    return NARROWEST + (WIDEST - NARROWEST) * share


def _draw_marks(
    decisions: Sequence[SiteDecision],
    rows: Sequence[float],
    scale: float,
    dead_sites: Mapping[str, str],
    shut: Collection[str],
) -> tuple[Mark, ...]:
    found = {decision.site: decision for decision in decisions}
    levels, half = len(rows) - 1, MARK_WIDTH / 2
    columns = (("encoder", 0.0), ("skip", MIDDLE_X - half), ("decoder", DECODER_MARK_X))
    places = [(f"{part}.{level}", x, rows[level] - MARK_HEIGHT / 2) for level in range(levels) for part, x in columns]
    places.append(("bottleneck", MIDDLE_X - half, rows[levels] + _block_height(levels) / 2 + 8))
    marks = []
    for name, x, y in places:
        if name in found:
            marks.append(_draw_mark(found[name], x, y, track=TRACK, scale=scale))
        elif name in shut:
            tooltip = f"{name}: {describe_gate(SHUT)}"
            marks.append(Mark(x=x, y=y, name=name, shown=name, gate=name_gate(SHUT), state=SHUT, tooltip=tooltip))
        else:
            reason = f", left out before training: {dead_sites[name]}" if name in dead_sites else ""
            marks.append(Mark(x=x, y=y, name=name, shown=name, tooltip=f"{name}: no attention stands here{reason}"))
    return tuple(marks)


def _draw_mark(decision: SiteDecision, x: float, y: float, *, track: float, scale: float, room: float | None = None) -> Mark:
    """room: for the name and the gate; None for a name that is known to fit."""
    gate = name_gate(SHUT if decision.shut else decision.gate)
    return Mark(
        x=x,
        y=y,
        name=decision.site,
        shown=decision.site if room is None else shorten(decision.site, room / LETTER - estimate_width(f" {gate}")),
        gate=gate,
        gamma=decision.gamma,
        length=track * max(decision.gamma, 0.0) / scale,
        state=decision.decision,
        tooltip=_explain(decision),
    )


def _explain(decision: SiteDecision) -> str:
    if decision.why == UNMEASURED:
        return f"{decision.site}, {describe_gate(decision.gate)}: gamma {decision.gamma:.2f}; {UNMEASURED}"
    said = f"; {decision.decision}: {decision.why}" if decision.why else ""
    return (
        f"{decision.site}, {describe_gate(decision.gate)}: gamma {decision.gamma:.2f}, "
        f"removal cost {signed(decision.removal_cost)} Dice, spread {decision.spread:.3f}{said}"
    )


def _draw_skips(
    rows: Sequence[float], widths: Sequence[float], decisions: Sequence[SiteDecision], closed: Collection[str]
) -> list[str]:
    """Across the skips that are not closed, through the gate where one stands."""
    gated, arrows = {decision.site for decision in decisions}, []
    for level in range(len(rows) - 1):
        y, half = rows[level], widths[level] / 2
        left, right = ENCODER_X + half + GAP, DECODER_X - half - GAP
        if f"skip.{level}" in closed:
            continue
        if f"skip.{level}" in gated:
            arrows.append(f"M{left:g} {y:g}H{MIDDLE_X - MARK_WIDTH / 2 - 2 * GAP:g}")
            arrows.append(f"M{MIDDLE_X + MARK_WIDTH / 2 + 2 * GAP:g} {y:g}H{right:g}")
        else:
            arrows.append(f"M{left:g} {y:g}H{right:g}")
    return arrows


def _draw_dead_end(rows: Sequence[float], widths: Sequence[float], level: int) -> str:
    """A line out of the encoder that ends at a bar before it reaches the place of the gate."""
    y, left, end = rows[level], ENCODER_X + widths[level] / 2 + GAP, MIDDLE_X - MARK_WIDTH / 2 - 2 * GAP
    return f"M{left:g} {y:g}H{end:g}M{end:g} {y - DEAD_END:g}V{y + DEAD_END:g}"


def _draw_sides(rows: Sequence[float], widths: Sequence[float]) -> tuple[str, ...]:
    """Down the encoder, through the bottleneck, up the decoder."""
    last, arrows = len(rows) - 1, []
    for level in range(last - 1):
        upper, lower = rows[level] + _block_height(level) / 2 + GAP, rows[level + 1] - _block_height(level + 1) / 2 - GAP
        arrows += [f"M{ENCODER_X:g} {upper:g}V{lower:g}", f"M{DECODER_X:g} {lower:g}V{upper:g}"]
    upper, y, half = rows[last - 1] + _block_height(last - 1) / 2 + GAP, rows[last], widths[last] / 2 + GAP
    arrows.append(f"M{ENCODER_X:g} {upper:g}V{y - 10:g}q0 10 10 10H{MIDDLE_X - half:g}")
    arrows.append(f"M{MIDDLE_X + half:g} {y:g}H{DECODER_X - 10:g}q10 0 10 -10V{upper:g}")
    return tuple(arrows)


def _list_gammas(decisions: Sequence[SiteDecision]) -> str:
    sites = (
        f"{decision.site} {name_gate(decision.gate)} gamma {decision.gamma:.2f}"
        + (f" {decision.decision}" if decision.why else "")
        for decision in decisions
    )
    return "; ".join(sites) or "no attention"
