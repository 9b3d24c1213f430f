"""The U-Net as a drawing: where its blocks, wires and bars stand. The template only puts the ink."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from focalseg.report.contents import SiteFinding
from focalseg.report.wording import describe_gate, signed

WIDTH = 480.0
"""Of the drawing, in its own units. A letter is 12 of them high, and so 9 pixels on a telephone."""
TOP, BOTTOM = 30.0, 6.0
PITCHES = {1: 92.0, 2: 92.0, 3: 80.0}
DEEP_PITCH = 66.0
ENCODER_X, MIDDLE_X, DECODER_X = 146.0, 240.0, 334.0
NARROWEST, WIDEST = 24.0, 54.0
TALLEST, SHRINK = 54.0, 0.82
TRACK = 64.0
MARK_WIDTH, MARK_HEIGHT = 104.0, 32.0
ONE = 1.0
SMALLEST_SCALE = 1.5


@dataclass(frozen=True, kw_only=True)
class Block:
    """A stage: a rectangle about its middle. channels: what it says inside, empty where unknown."""

    x: float
    y: float
    width: float
    height: float
    channels: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A site: its name and, where a gate stands, the bar of its gamma. x, y: the upper left corner."""

    x: float
    y: float
    name: str
    gate: str = ""
    gamma: float = 0.0
    length: float = 0.0
    state: str = "empty"
    tooltip: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """All there is to draw. wires and arrows are SVG paths; one: where gamma = 1 lies along a bar."""

    width: float
    height: float
    track: float
    one: float
    scale: float
    blocks: tuple[Block, ...]
    marks: tuple[Mark, ...]
    arrows: tuple[str, ...]
    image: tuple[float, float]
    mask: tuple[float, float]
    label: str


def draw_network(widths: Sequence[int], findings: Sequence[SiteFinding]) -> Drawing:
    """A U-Net of these channels a level, finest first, with its sites. No widths: as deep as the sites' names tell."""
    levels = len(widths) - 1 if widths else count_levels(findings)
    scale = max([SMALLEST_SCALE, *(finding.gamma for finding in findings)])
    rows = [_row(level, levels) for level in range(levels + 1)]
    columns = [(ENCODER_X, level) for level in range(levels)] + [(MIDDLE_X, levels)]
    columns += [(DECODER_X, level) for level in range(levels)]
    return Drawing(
        width=WIDTH,
        height=rows[levels] + _block_height(levels) / 2 + 8 + MARK_HEIGHT + BOTTOM,
        track=TRACK,
        one=TRACK * ONE / scale,
        scale=scale,
        blocks=tuple(_draw_block(x, level, rows[level], widths) for x, level in columns),
        marks=_draw_marks(findings, rows, scale),
        arrows=_draw_arrows(rows, [_block_width(level, widths) for level in range(levels + 1)], findings),
        image=(ENCODER_X, rows[0] - _block_height(0) / 2),
        mask=(DECODER_X, rows[0] - _block_height(0) / 2),
        label=_describe(levels, findings),
    )


def count_levels(findings: Sequence[SiteFinding]) -> int:
    """Levels above the bottleneck that the names of the sites reach to, at least one."""
    return max([1, *(int(finding.site[-1]) + 1 for finding in findings if finding.site != "bottleneck")])


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


def _draw_block(x: float, level: int, y: float, widths: Sequence[int]) -> Block:
    channels = f"{widths[level]}" if widths else ""
    return Block(x=x, y=y, width=_block_width(level, widths), height=_block_height(level), channels=channels)


def _draw_marks(findings: Sequence[SiteFinding], rows: Sequence[float], scale: float) -> tuple[Mark, ...]:
    found = {finding.site: finding for finding in findings}
    levels, marks = len(rows) - 1, []
    half = MARK_WIDTH / 2
    for level in range(levels):
        y = rows[level] - MARK_HEIGHT / 2
        places = (("encoder", 0.0), ("skip", MIDDLE_X - half), ("decoder", WIDTH - MARK_WIDTH))
        marks += [_draw_mark(f"{part}.{level}", x, y, found, scale) for part, x in places]
    below = rows[levels] + _block_height(levels) / 2 + 8
    return (*marks, _draw_mark("bottleneck", MIDDLE_X - half, below, found, scale))


def _draw_mark(name: str, x: float, y: float, found: dict[str, SiteFinding], scale: float) -> Mark:
    if name not in found:
        return Mark(x=x, y=y, name=name, tooltip=f"{name}: no attention stands here")
    finding = found[name]
    state = {True: "kept", False: "dropped", None: "kept"}[finding.kept]
    return Mark(
        x=x,
        y=y,
        name=name,
        gate=finding.gate.upper(),
        gamma=finding.gamma,
        length=TRACK * max(finding.gamma, 0.0) / scale,
        state=state,
        tooltip=_explain(finding),
    )


def _explain(finding: SiteFinding) -> str:
    decision = "" if finding.kept is None else f"; {'kept' if finding.kept else 'dropped'}: {finding.why}"
    return (
        f"{finding.site}, {describe_gate(finding.gate)}: gamma {finding.gamma:.2f}, "
        f"removal cost {signed(finding.removal_cost)} Dice, spread {finding.spread:.3f}{decision}"
    )


def _draw_arrows(rows: Sequence[float], widths: Sequence[float], findings: Sequence[SiteFinding]) -> tuple[str, ...]:
    """Down the encoder, across the skips (through the gate where one stands), up the decoder."""
    gated = {finding.site for finding in findings}
    last, gap, arrows = len(rows) - 1, 3.0, []
    for level in range(last):
        y, half = rows[level], widths[level] / 2
        left, right = ENCODER_X + half + gap, DECODER_X - half - gap
        if f"skip.{level}" in gated:
            arrows.append(f"M{left:g} {y:g}H{MIDDLE_X - MARK_WIDTH / 2 - gap:g}")
            arrows.append(f"M{MIDDLE_X + MARK_WIDTH / 2 + gap:g} {y:g}H{right:g}")
        else:
            arrows.append(f"M{left:g} {y:g}H{right:g}")
    for level in range(last - 1):
        upper, lower = rows[level] + _block_height(level) / 2 + gap, rows[level + 1] - _block_height(level + 1) / 2 - gap
        arrows += [f"M{ENCODER_X:g} {upper:g}V{lower:g}", f"M{DECODER_X:g} {lower:g}V{upper:g}"]
    upper, y, half = rows[last - 1] + _block_height(last - 1) / 2 + gap, rows[last], widths[last] / 2 + gap
    arrows.append(f"M{ENCODER_X:g} {upper:g}V{y - 10:g}q0 10 10 10H{MIDDLE_X - half:g}")
    arrows.append(f"M{MIDDLE_X + half:g} {y:g}H{DECODER_X - 10:g}q10 0 10 -10V{upper:g}")
    return tuple(arrows)


def _describe(levels: int, findings: Sequence[SiteFinding]) -> str:
    sites = "; ".join(
        f"{finding.site} {finding.gate.upper()} gamma {finding.gamma:.2f}"
        + ("" if finding.kept is None else " kept" if finding.kept else " dropped")
        for finding in findings
    )
    return f"U-Net of {levels + 1} levels with the gamma of every site: {sites or 'no attention'}."
