"""The page as a person sees it: in a real browser, on a desktop and on a telephone."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from focalseg.report.placement.page import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install focalseg[dev]")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the path"),
]

MEASURE_TEXTS = """() => [...document.querySelectorAll('svg text')].map(text => {
  const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
  const scale = text.ownerSVGElement.getScreenCTM().a;
  const across = box.left >= frame.left - 1 && box.right <= frame.right + 1;
  const down = box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
  return {text: text.textContent, label: text.classList.contains('label'), inside: across && down,
          drawn: text.closest('.network') !== null,
          size: parseFloat(getComputedStyle(text).fontSize) * scale,
          left: box.left, right: box.right, top: box.top, bottom: box.bottom};
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as session:
        opened = session.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


def open_page(browser: Any, path: Path, width: int) -> tuple[Any, list[str]]:
    """The page at that width, and what it complained of or asked for besides itself."""
    page, faults = browser.new_page(viewport={"width": width, "height": 800}), []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    page.goto(path.resolve().as_uri())
    return page, faults


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("kind", ["placement", "run"])
def test_the_page_fits_and_reads_at_any_width(browser: Any, request: pytest.FixtureRequest, kind: str, width: int) -> None:
    path = write_report(request.getfixturevalue(f"make_{kind}")())
    page, faults = open_page(browser, path, width)
    assert faults == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    texts = page.evaluate(MEASURE_TEXTS)
    assert [text for text in texts if text["size"] < (12.5 if text["drawn"] else 11)] == []
    assert [text for text in texts if not text["inside"]] == []
    labels = [text for text in texts if text["label"]]
    assert len(labels) == 7
    for one, other in itertools.combinations(labels, 2):
        apart = one["right"] <= other["left"] or other["right"] <= one["left"]
        assert apart or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]
    page.close()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("kind", ["placement", "run"])
def test_a_list_of_sites_fits_whatever_their_names(
    browser: Any, request: pytest.FixtureRequest, kind: str, width: int, own: dict[str, Any]
) -> None:
    names = [letter * 119 for letter in "WMi@%x"] + [f"block.{number}" for number in range(12)]
    own["found"] = {name: ("se", 1.0 + number / 6, 0.1, number % 2 == 0) for number, name in enumerate(names)}
    page, faults = open_page(browser, write_report(request.getfixturevalue(f"make_{kind}")(**own)), width)
    assert faults == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    texts = page.evaluate(MEASURE_TEXTS)
    assert [text for text in texts if text["size"] < (12.5 if text["drawn"] else 11)] == []
    assert [text for text in texts if not text["inside"]] == []
    labels = [text for text in texts if text["label"]]
    assert len(labels) == 18
    for one, other in itertools.combinations(labels, 2):
        apart = one["right"] <= other["left"] or other["right"] <= one["left"]
        assert apart or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]
    page.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (400, 800)])
@pytest.mark.parametrize("old", [True, False])
def test_the_first_screen_answers_all_five_questions(
    browser: Any, make_placement: Callable[..., Path], made_strata: dict[str, Any], width: int, height: int, old: bool
) -> None:
    page, faults = open_page(browser, write_report(make_placement(**({} if old else made_strata))), width)
    assert faults == []
    assert page.locator(".answers dt").all_inner_texts() == ["Whether", "Which kind", "Where", "How sure", "At what price"]
    box = page.locator(".answers").bounding_box()
    assert box["y"] > page.locator("#verdict").bounding_box()["y"]
    assert box["y"] + box["height"] <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    texts = page.evaluate(MEASURE_TEXTS)
    assert [text for text in texts if text["size"] < (12.5 if text["drawn"] else 11)] == []
    assert [text for text in texts if not text["inside"]] == []
    page.close()


def test_the_first_screen_holds_the_verdict_and_the_drawing(browser: Any, make_placement: Callable[..., Path]) -> None:
    page, _ = open_page(browser, write_report(make_placement()), 1280)
    for selector in ("#verdict", ".intervals svg", ".network svg"):
        box = page.locator(selector).bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 800
    verdict, drawing = (page.locator(selector).bounding_box() for selector in ("#verdict", ".network svg"))
    assert verdict["x"] + verdict["width"] <= drawing["x"]
    page.close()


@pytest.mark.parametrize("width", [1280, 400])
def test_rivals_folds_and_shut_skips_fit_at_any_width(
    browser: Any, make_placement: Callable[..., Path], made_job: dict[str, Any], width: int
) -> None:
    made_job["arms"]["W" * 300] = made_job["arms"]["of_old"]
    made_job["comparisons"].append(made_job["comparisons"][0] | {"other": "W" * 300})
    page, faults = open_page(browser, write_report(make_placement(**made_job)), width)
    assert faults == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    texts = page.evaluate(MEASURE_TEXTS)
    assert [text for text in texts if text["size"] < (12.5 if text["drawn"] else 11)] == []
    assert [text for text in texts if not text["inside"]] == []
    page.close()


@pytest.mark.parametrize("width", [1280, 400])
def test_a_name_without_a_space_does_not_widen_the_page(browser: Any, make_placement: Callable[..., Path], width: int) -> None:
    page, _ = open_page(browser, write_report(make_placement("x" * 300)), width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
