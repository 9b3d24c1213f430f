"""The page of a report: what it says, what it never holds, and what it refuses."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.hosts.building import NetworkConfig
from focalseg.report.placement.page import write_report
from report.page_reader import Reader

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
HOSTILE = "<img src=x onerror=alert(1)></script></style><svg onload=alert(2)>\"'&{{ 7*7 }}"


def read_page(folder: Path) -> str:
    path = write_report(folder)
    assert path == folder / "report" / "index.html"
    return path.read_text(encoding="utf-8")


def test_the_page_of_a_placement_opens_with_the_verdict(make_placement: Make) -> None:
    reader = Reader(read_page(make_placement()))
    assert "Attention helps: 2 attention modules change the test score by +0.324 Dice" in reader.text
    assert len(reader.of_class("helps")) == 2  # the sentence and its interval


def test_every_site_has_one_bar_as_long_as_its_gamma_and_the_kept_ones_stand_out(make_placement: Make) -> None:
    page = read_page(make_placement())
    drawn = re.findall(r'class="site (\w+)" data-site="([\w.]+)".*?<rect class="bar".*?width="([\d.]+)"', page, re.DOTALL)
    assert len(drawn) == 7
    lengths = {site: float(length) for _, site, length in drawn}
    assert {site for state, site, _ in drawn if state == "kept"} == {"encoder.0", "skip.0"}
    assert lengths["decoder.0"] == 0
    assert lengths["encoder.0"] / lengths["bottleneck"] == pytest.approx(2.25 / 2.41, abs=1e-3)


def test_the_number_and_the_gate_stand_beside_every_bar(make_placement: Make) -> None:
    text = Reader(read_page(make_placement())).text
    for site, gate, gamma in (("encoder.0", "SE", "2.25"), ("skip.0", "AG", "1.94"), ("decoder.0", "SE", "0.00")):
        assert re.search(rf"{re.escape(site)} {gate} {gamma}", text)


def test_the_arms_stand_in_rows_with_their_scores_and_costs(make_placement: Make) -> None:
    text = Reader(read_page(make_placement())).text
    for row in ("none 0.658 [0.638, 0.678]", "all 0.963 [0.943, 0.983]", "placed 0.962 [0.942, 0.982]"):
        assert row in text
    assert "0 27 705 49.5 M 12.8 s 2 \N{MULTIPLICATION SIGN} 8" in text
    assert "none 1 and 2 of 16" in text


def test_the_page_says_how_the_verdict_was_reached(make_placement: Make) -> None:
    text = Reader(read_page(make_placement())).text
    assert "24 training, 8 validation and 8 test cases" in text
    assert "with seeds 0 and 1; from its behaviour on validation data alone" in text
    assert "with fresh seeds 2 and 3" in text
    assert "a true difference of" not in text  # a folder without comparisons knows of none
    assert "All \N{MINUS SIGN} none is +0.325 Dice, 95 % interval +0.303 to +0.348" in text


def test_a_placement_that_keeps_nothing_is_reported_as_the_plain_network(make_placement: Make) -> None:
    folder = make_placement()
    path = folder / "placement.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content |= {"verdict": "no_difference_shown", "sentence": "No attention is justified on this data: none is left.",
                "difference": {"dice": 0.0, "low": 0.0, "high": 0.0}}  # fmt: skip
    content["sites"] = [site | {"kept": False} for site in content["sites"]]
    path.write_text(json.dumps(content), encoding="utf-8")
    reader = Reader(read_page(folder))
    assert "the rows none and placed are the same trainings" in reader.text
    assert "0 of 7 sites" in reader.text
    assert "a true difference of" not in reader.text
    assert not reader.of_class("helps")


def test_a_placement_without_its_runs_and_examples_still_has_a_page(make_placement: Make, tmp_path: Path) -> None:
    source, bare = make_placement(), tmp_path / "bare"
    bare.mkdir()
    (bare / "placement.json").write_bytes((source / "placement.json").read_bytes())
    reader = Reader(read_page(bare))
    assert len(reader.of_class("bar")) == 7
    assert not reader.of_class("chart")


@pytest.mark.parametrize("attention", [True, False])
def test_the_page_of_a_run_gives_its_score_and_its_sites(make_run: Make, attention: bool) -> None:
    reader = Reader(read_page(make_run(attention=attention)))
    assert "Test Dice 0.550, 95 % interval" in reader.text  # the mean of 0.3 to 0.8
    assert len(reader.of_class("bar")) == (7 if attention else 0)
    assert len(reader.of_class("chart")) == (5 if attention else 4)
    assert "6 cases in 3 groups" in reader.text


@pytest.mark.parametrize("kind", ["placement", "run"])
def test_hostile_names_are_text_and_nothing_else(request: pytest.FixtureRequest, kind: str) -> None:
    page = read_page(request.getfixturevalue(f"make_{kind}")(HOSTILE))
    reader = Reader(page)
    assert HOSTILE in reader.text
    assert not {tag for tag, _ in reader.elements} & {"script", "img", "iframe", "object"}
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]


HOSTILE_SITES = (
    HOSTILE,
    "W" * 120,
    r"$\frac{1}{$",
    "a \u202e b",
    "\0 and \n",
    "图层",
    "#010101 name-of-site-0- var(--ink)",
)


@pytest.mark.parametrize("kind", ["placement", "run"])
def test_hostile_site_names_are_text_and_nothing_else(request: pytest.FixtureRequest, kind: str, own: dict[str, Any]) -> None:
    own["found"] = dict(zip(HOSTILE_SITES, own["found"].values(), strict=True))
    dead = {"dead_sites": {HOSTILE: HOSTILE}} if kind == "placement" else {}
    page = read_page(request.getfixturevalue(f"make_{kind}")(**own, **dead))
    reader = Reader(page)
    assert not {tag for tag, _ in reader.elements} & {"script", "img", "iframe", "object"}
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    drawn = [attributes["data-site"] for attributes in reader.of_class("site")]
    assert drawn == [HOSTILE, "W" * 120, r"$\frac{1}{$", "a \ufffd b", "\ufffd and \ufffd", *HOSTILE_SITES[5:]]
    charts = re.findall(r'<svg class="chart".*?</svg>', page, re.DOTALL)
    named = [chart for chart in charts if ">gamma</text>" in chart]
    assert named
    for chart in named:
        assert chart.count("<text") == chart.count("</text>")
        for name in ("1 …", "2 …WWWWWW", r"$\frac{1}{$", "a \ufffd b", "\ufffd and \ufffd", "图层", "7 …"):
            assert f">{name}" in chart
    assert not set("\u202e\0") & set(page.split("<details>")[0])


def test_half_a_character_in_a_file_is_no_traceback(make_placement: Make) -> None:
    assert "half \ufffd" in Reader(read_page(make_placement(sentence="half \ud800"))).text


@pytest.mark.parametrize("kind", ["placement", "run"])
def test_the_page_refers_to_nothing_outside_itself(request: pytest.FixtureRequest, kind: str) -> None:
    page = read_page(request.getfixturevalue(f"make_{kind}")())
    assert set(re.findall(r"\bhttps?://[^\s\"']*", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    for _, attributes in Reader(page).elements:
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert "default-src 'none'" in page


@pytest.mark.parametrize("kind", ["placement", "run"])
def test_no_two_elements_share_an_id_and_every_reference_has_its_target(request: pytest.FixtureRequest, kind: str) -> None:
    page = read_page(request.getfixturevalue(f"make_{kind}")())
    ids = [attributes["id"] for _, attributes in Reader(page).elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:url\(#|href="#)([^)"]+)', page)
    assert set(references) <= set(ids)


@pytest.mark.parametrize("kind", ["placement", "run"])
def test_the_same_files_give_the_same_bytes(request: pytest.FixtureRequest, kind: str) -> None:
    folder = request.getfixturevalue(f"make_{kind}")()
    assert read_page(folder) == read_page(folder)


def test_every_drawing_is_named_for_who_cannot_see_it(make_placement: Make) -> None:
    drawings = [attributes for tag, attributes in Reader(read_page(make_placement())).elements if tag == "svg"]
    shown = [attributes for attributes in drawings if attributes.get("aria-hidden") != "true"]
    assert shown
    assert all(attributes.get("role") == "img" and attributes.get("aria-label") for attributes in shown)


@pytest.mark.parametrize("kind", ["placement", "run"])
def test_sites_of_a_persons_own_network_are_listed_with_their_bars(
    request: pytest.FixtureRequest, kind: str, own: dict[str, Any]
) -> None:
    page = read_page(request.getfixturevalue(f"make_{kind}")(**own))
    reader = Reader(page)
    assert [attributes["data-site"] for attributes in reader.of_class("site")] == list(own["found"])
    assert [attributes["width"] for attributes in reader.of_class("bar")][5] == "0.0"
    assert "layer1.0 SE 2.25" in reader.text
    assert "mine:build" in reader.text
    assert "Dashes: level" not in reader.text
    for site in ("layer1.0", "up:1", "the neck"):
        assert re.search(rf">{site}</text>", page)  # beside its line in the chart


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (NetworkConfig(in_channels=1, arguments={"widths": [8, 16, 32]}), "U-Net, widths 8, 16, 32"),
        (NetworkConfig(name="monai:DynUNet", in_channels=1), "monai:DynUNet"),
    ],
)
@pytest.mark.parametrize("kind", ["placement", "run"])
def test_the_network_is_named(request: pytest.FixtureRequest, kind: str, network: NetworkConfig, name: str) -> None:
    reader = Reader(read_page(request.getfixturevalue(f"make_{kind}")(network=network)))
    assert name in reader.text
    assert len(reader.of_class("site")) == 7
    assert not reader.of_class("list")


def test_a_run_without_attention_in_a_network_of_unknown_shape_has_no_drawing(make_run: Make, own: dict[str, Any]) -> None:
    reader = Reader(read_page(make_run(**own, attention=False)))
    assert not reader.of_class("network")
    assert "with no attention" in reader.text


@pytest.mark.parametrize("kind", ["placement", "run"])
def test_every_site_shows_what_it_costs_and_its_share_of_the_step(request: pytest.FixtureRequest, kind: str) -> None:
    text = Reader(read_page(request.getfixturevalue(f"make_{kind}")())).text
    assert "Parameters MFLOPs ms (share of the network's step)" in text
    assert "encoder.0 SE 77 0.02 0.25 (2.5 %)" in text  # 0.25 ms of 10 ms
    assert "decoder.1 SE 539 0.14 1.75 (17.5 %)" in text
    assert "its step of one image takes 50.3 MFLOPs forward and 10.00 ms forward and backward" in text


@pytest.mark.parametrize("kind", ["placement", "run"])
def test_a_folder_made_before_costs_were_measured_has_its_page_without_them(request: pytest.FixtureRequest, kind: str) -> None:
    reader = Reader(read_page(request.getfixturevalue(f"make_{kind}")(old=True)))
    assert len(reader.of_class("bar")) == 7
    assert "MFLOPs" not in reader.text
    assert "Left out before training" not in reader.text


def test_dead_sites_are_named_with_their_reason(make_placement: Make) -> None:
    text = Reader(read_page(make_placement(dead_sites={"decoder.2": "a norm cancels it", "skip.2": "never used"}))).text
    assert (
        "Left out before training, since attention could do nothing there: decoder.2 (a norm cancels it); skip.2 (never used)."
        in text
    )


def test_columns_of_the_metrics_that_are_no_site_of_the_placement_are_not_drawn(make_placement: Make) -> None:
    folder = make_placement()
    for path in folder.glob("runs/all/*/*/metrics.csv"):
        path.write_text(path.read_text(encoding="utf-8").replace("gamma/skip.1", "gamma/elsewhere"), encoding="utf-8")
    page = read_page(folder)
    assert "elsewhere" not in page
    assert ">skip.0</text>" in page
    assert ">skip.1</text>" not in page
