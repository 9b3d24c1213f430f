"""Drawings of a page as SVG files of their own, which open by themselves and keep their colours where no page rules them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from focalseg.files import refuse_link, write_text
from focalseg.report.rendering import render

FIGURES = "figures"
"""The folder beside a page."""
FONT = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"
MARGIN = 8.0
"""About a drawing, in its own units: a letter may stand over its edge by a little."""
_COLOUR = re.compile(r"--([\w-]+): ([^;]+);")
_PART = re.compile(r'<svg([^>]*)viewBox="([-\d. ]+)"([^>]*)>(.*)</svg>', re.DOTALL)
_LABEL = re.compile(r'aria-label="([^"]*)"')
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SAFE = re.compile(r"[\w-]+\.svg", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing as it stands in a page. name: of its file. title: what it shows, in a few words. frame: the classes of what it
    stands in there, which its rules ask for."""

    name: str
    title: str
    svg: str
    frame: str = ""


def write_figures(folder: Path, figures: Mapping[str, Figure]) -> None:
    """Writes every drawing into a folder of that name in it, by its file's name; those of before that are none of these go.

    The same drawings give the same bytes. Raises MachineError where that cannot be written.
    """
    place = folder / FIGURES
    refuse_link(place)
    for name, figure in figures.items():
        write_text(place / name, make_standalone(figure))
    for path in place.glob("*.svg"):
        if path.name not in figures and _SAFE.fullmatch(path.name) and _is_ours(path):
            path.unlink()


def make_standalone(figure: Figure) -> str:
    """The drawing as a whole SVG file on white, with the colours that the page has in daylight and rules of its own."""
    found = _PART.search(figure.svg)
    if found is None:
        raise AssertionError(f"{figure.name} has no drawing with a view box")
    before, view, after, body = found.groups()
    left, top, width, height = (float(number) for number in view.split())
    left, top, width, height = left - MARGIN, top - MARGIN, width + 2 * MARGIN, height + 2 * MARGIN
    label = _LABEL.search(before + after)
    frame = f"<g class={_quote(figure.frame)}>{body}</g>" if figure.frame else body
    rules = f"<style>\n{render('drawings.css.j2')}\n</style>\n" if figure.frame else ""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"{_MADE}\n"
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left:g} {top:g} {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img"'
        f"{f' {label[0]}' if label else ''}>\n<title>{escape(figure.title)}</title>\n{rules}"
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" fill="#ffffff"/>\n{frame}\n</svg>\n'
    )
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", _resolve(text))


_MADE = "<!-- made by focalseg -->"


def _is_ours(path: Path) -> bool:
    """Whether we wrote that file."""
    with path.open("rb") as file:
        return _MADE.encode() in file.read(200)


def _quote(text: str) -> str:
    return f'"{escape(text)}"'


def _resolve(text: str) -> str:
    """The text with every variable of the page as what it stands for in daylight, and every font as what programs have."""
    for name, value in _read_colours().items():
        text = text.replace(f"var(--{name})", value)
    return re.sub(r"font-family: ('DejaVu Sans'[^;\"]*)", f"font-family: {FONT}", text)


@cache
def _read_colours() -> dict[str, str]:
    """The colours of the page by daylight, and the font of a figure."""
    return dict(_COLOUR.findall(render("colours.css.j2"))) | {"font": FONT}
