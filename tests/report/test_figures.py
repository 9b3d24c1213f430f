"""Drawings as files: whole, readable by any program that reads SVG, and nothing in them that a file should not hold."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from focalseg.report.figures import Figure, make_standalone, write_figures
from focalseg.report.placement.page import write_report

Make = Callable[..., Path]
SVG = "{http://www.w3.org/2000/svg}"
DRAWING = '<svg viewBox="0 0 40 20" role="img" aria-label="a line"><path stroke="var(--ink)" class="one" d="M0 0H40"/></svg>'


def make(svg: str = DRAWING, name: str = "a.svg", frame: str = "") -> Figure:
    return Figure(name=name, title="A line", svg=svg, frame=frame)


def test_a_drawing_stands_on_white_with_its_margin_its_title_and_colours_of_its_own() -> None:
    root = ET.fromstring(make_standalone(make()))
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox") == "-8 -8 56 36"
    assert (root.get("width"), root.get("height")) == ("56", "36")
    assert root.findtext(f"{SVG}title") == "A line"
    rectangle, path = root.find(f"{SVG}rect"), root.find(f"{SVG}path")
    assert rectangle is not None
    assert path is not None
    assert rectangle.get("fill") == "#ffffff"
    assert path.get("stroke") == "#1b2230"


def test_the_rules_of_what_it_stood_in_go_with_it() -> None:
    text = make_standalone(make(frame="network list"))
    root = ET.fromstring(text)
    style, group = root.findtext(f"{SVG}style"), root.find(f"{SVG}g")
    assert group is not None
    assert group.get("class") == "network list"
    assert style is not None
    assert ".network .one { stroke: #1b2230;" in style
    assert "var(" not in text


def test_characters_that_no_xml_holds_are_marked() -> None:
    text = make_standalone(make(DRAWING.replace("a line", "a \0 \x1f \ufffe line")))
    assert ET.fromstring(text).get("aria-label") == "a \ufffd \ufffd \ufffd line"


def test_files_of_before_go_and_those_of_others_stay(tmp_path: Path) -> None:
    write_figures(tmp_path, {"a.svg": make(), "b.svg": make(name="b.svg")})
    (tmp_path / "figures" / "mine.svg").write_text("<svg/>")
    write_figures(tmp_path, {"a.svg": make()})
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["a.svg", "mine.svg"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["placement", "run"])
def test_every_drawing_of_a_page_is_a_file_that_is_named_there_and_the_same_each_time(
    request: pytest.FixtureRequest, kind: str, add_scores: Callable[..., None]
) -> None:
    folder = request.getfixturevalue(f"make_{kind}")()
    add_scores(folder)
    page = write_report(folder).read_text(encoding="utf-8")
    files = {path.name: path.read_bytes() for path in (folder / "report" / "figures").iterdir()}
    common = {"network.svg", "dice-by-size.svg", "training-loss.svg", "validation-dice.svg", "gamma-1.svg"}
    own = {"placement": {"differences.svg", "gamma-2.svg"}, "run": {"dice-of-the-test-cases.svg"}}
    assert set(files) == common | own[kind]
    for name, content in files.items():
        root = ET.fromstring(content)
        assert f"<code>{name}</code>" in page
        assert root.find(f".//{SVG}text") is not None
        assert b"var(" not in content
        ids = re.findall(rb'\bid="([^"]+)"', content)
        assert set(re.findall(rb'(?:url\(#|href="#)([^)"]+)', content)) <= set(ids)
        assert set(re.findall(rb"https?://[^\s\"']*", content)) <= {
            b"http://www.w3.org/2000/svg",
            b"http://www.w3.org/1999/xlink",
        }
    write_report(folder)
    assert files == {path.name: path.read_bytes() for path in (folder / "report" / "figures").iterdir()}


@pytest.mark.slow
def test_hostile_names_are_text_in_a_file_as_well(make_placement: Make, own: dict[str, Any]) -> None:
    names = ("<script>alert(1)</script>", "\0\x08]]>", "&amp;\"'", "W" * 120, "--> <!--", "\u202e", "图层")
    own["found"] = dict(zip(names, own["found"].values(), strict=True))
    folder = make_placement("<script>", **own)
    write_report(folder)
    files = list((folder / "report" / "figures").glob("*.svg"))
    assert files
    for path in files:
        root = ET.fromstring(path.read_bytes())
        assert not [
            element for element in root.iter() if element.tag.rpartition("}")[2] in ("script", "foreignObject", "image")
        ]
        assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
