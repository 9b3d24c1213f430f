"""Colours that a table does not declare and that lie between those it does: what interpolation makes of a mask in colours."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from focalseg.findings import Finding, show_path
from focalseg.imagesets.areas import find_areas
from focalseg.imagesets.kinds import KINDS

FEWEST_BLENDED = 3
"""Interpolation leaves more colours than that; one or two are slips."""
_MOST_LOOKED_AT, _MOST_DECLARED = 500, 40
"""The most frequent strange colours that are looked at, and the most declared ones whose pairs they may lie between."""
_NEAR = 24
"""How far, of 255 in a channel, a blended colour may be from the line between two declared ones: JPEG moves it as well."""
_MOSTLY = 0.9
_MOST_COLOURS = 100
_MOST_MAIN = 3
"""Near so few colours lie most pixels of a mask in colours through JPEG; an image has more."""


def explain_strange_colours(
    path: Path, colours: np.ndarray, strange: Mapping[int, int], known: Sequence[int], table: str
) -> Finding | None:
    """The finding where colours that are not declared are an image's, or were blended of those that are; else None.

    colours: (*spatial) as 0xRRGGBB. strange: pixels by colour that is not declared. known: the declared ones.
    """
    pixels = sum(strange.values())
    declared = f", as {show_path(table)} says" if table else ""
    if len(strange) < FEWEST_BLENDED:
        return None
    most = sorted(strange, key=lambda colour: -strange[colour])[:_MOST_LOOKED_AT]
    blended = _lie_between(most, list(known)[:_MOST_DECLARED])
    counts = np.array([strange[colour] for colour in most])
    if counts[blended].sum() < _MOSTLY * counts.sum():
        if len(strange) <= _MOST_COLOURS or 2 * pixels <= colours.size:
            return None
        said = f"holds {len(strange):,} different colours and looks like a photograph"
        return KINDS["photograph"].at(path, said, expected="the declared colours alone" + declared)
    areas = find_areas(colours, np.isin(colours, list(strange)))
    if not all(_is_near(colour, known) for colour in areas):
        return None  # a label that is not declared, and happens to lie between two that are
    share = f"{pixels:,} of {colours.size:,} pixels ({pixels / colours.size:.2%})"
    said = f"has {share} of {len(strange):,} colours between the declared ones, as of resizing or JPEG"
    return KINDS["blended"].at(path, said, expected="the declared colours alone" + declared)


def _lie_between(colours: Sequence[int], known: Sequence[int]) -> np.ndarray:
    """Whether each colour is near the line between two of the known ones, (N,) bool."""
    points, ends = _split(colours), _split(known)
    between = np.zeros(len(points), bool)
    for one in range(len(ends)):
        for other in range(one + 1, len(ends)):
            line = ends[other] - ends[one]
            along = np.clip((points - ends[one]) @ line / max(float(line @ line), 1.0), 0, 1)
            off = np.abs(points - ends[one] - along[:, None] * line).max(axis=1)
            between |= off <= _NEAR
    return between


def find_main_colours(counts: Mapping[int, int]) -> tuple[list[int], int]:
    """The few most frequent colours far from one another, and the pixels near one of them. counts: pixels by colour."""
    colours, pixels = _split(list(counts)), np.array(list(counts.values()))
    main: list[int] = []
    left = np.ones(len(pixels), bool)
    while left.any() and len(main) < _MOST_MAIN:
        chosen = int(np.where(left, pixels, -1).argmax())
        main.append(list(counts)[chosen])
        left &= np.abs(colours - colours[chosen]).max(axis=1) > _NEAR
    return main, int(pixels[~left].sum())


def _is_near(colour: int, known: Sequence[int]) -> bool:
    """Whether a colour differs from one of the known ones by no more than JPEG makes it."""
    return bool((np.abs(_split(known) - _split([colour])).max(axis=1) <= _NEAR).any())


def _split(colours: Sequence[int]) -> np.ndarray:
    """0xRRGGBB -> (N, 3) float64."""
    numbers = np.array(colours, np.int64)
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=1).astype(float)
