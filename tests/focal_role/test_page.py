"""The page on the focal parameter: one file, whose numbers are those of figures.json; and the documentation by the results."""

import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from focalseg.cli import report as report_verb
from focalseg.focal_role import investigation
from focalseg.focal_role import page as focal_page
from focalseg.focal_role.investigation import FocalBudget, FocalRole, investigate_focal_role
from focalseg.focal_role.pictures import colour_pixels
from focalseg.focal_role.trainings import MapBudget, TrainingBudget
from focalseg.report.wording import decimal, signed

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "focal.md"
RESULTS = ROOT / "benchmarks" / "results" / "focal_role.json"
MORE = ("longer", "other")
BUDGET = FocalBudget(
    maps=MapBudget(longest_side=32, train_cases=6, held_out_cases=4, widths=(4, 8), steps=4, batch_size=2),
    trainings=TrainingBudget(
        longest_side=32, train_cases=6, held_out_cases=3, widths=(4, 8), steps=3, batch_size=2, seeds=2,
        loss_gammas=(0.0, 0.5), network_gammas=(0.0, 1.0, 4.0),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def role() -> FocalRole:
    return investigate_focal_role(BUDGET, tell=lambda _line: None, workers=1)


@pytest.fixture(scope="module")
def folder(role: FocalRole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("focal") / "not" / "there"
    assert focal_page.write_focal_page(made, role) == made / "focal" / "index.html"
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "focal" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def numbers(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "focal" / "figures.json").read_text(encoding="utf-8"))


def read_text(page: str) -> str:
    page = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("&nbsp;", " ").split())


@pytest.mark.slow
def test_the_page_is_one_file_that_asks_for_nothing(page: str, folder: Path) -> None:
    assert sorted(path.name for path in (folder / "focal").iterdir()) == ["figures.json", "index.html"]
    assert set(re.findall(r"\bhttps?://[^\s\"']*", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    for reference in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert reference.startswith(("#", "data:"))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page)) <= set(ids)


def test_the_table_holds_the_numbers_of_the_file(page: str, numbers: dict[str, Any]) -> None:
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", page[page.index('id="effects"') :])
    effect = numbers["effect"]
    settings = [one for knob in ("loss", "network", "turned") for one in effect[knob]]
    assert len(rows) == len(settings)
    for row, one in zip(rows, settings, strict=True):
        for score in (one["dice"], one["precision"], one["recall"]):
            assert f"{decimal(score['mean'])} [{decimal(score['lowest'])}, {decimal(score['highest'])}]" in row
            assert score["mean"] == pytest.approx(np.mean(score["seeds"]))
            assert (score["lowest"], score["highest"]) == (min(score["seeds"]), max(score["seeds"]))
        if one["gamma"]:
            zero = one["against_zero"]
            assert f"{signed(zero['mean'])} [{signed(zero['low'])}, {signed(zero['high'])}]" in row
        assert f"{one['empty']} of {one['predictions']}" in row


def test_the_captions_of_the_maps_hold_the_numbers_of_the_file(page: str, numbers: dict[str, Any]) -> None:
    text, maps = read_text(page), numbers["maps"]
    for one in maps["gradients"]:
        shares = f"{one['on_foreground']:.0%} foreground {one['on_wrong']:.0%} errors size {one['total']:.2f}"
        assert f"gamma {one['gamma']:g} {shares}" in text
    for one in maps["factors"]:
        assert f"gamma {one['gamma']:g} {one['foreground']:.2f} inside {one['background']:.2f} outside" in text
    for one in maps["weights"]:
        assert f"gamma {one['gamma']:g} {one['near_border']:.0%} at the border mean {one['mean']:.2f}" in text
    for one in maps["shifts"]:
        shares = f"from {one['foreground_first']:.0%} to {one['foreground_last']:.0%}"
        assert f"mean share on the foreground goes {shares} (it rises on {one['foreground_rises']} of them)" in text
    assert f"Dice {maps['subject']['dice']:.3f}" in text


def test_the_curves_of_the_file_are_powers(numbers: dict[str, Any]) -> None:
    bases: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "network": lambda logit: 1 / (1 + np.exp(-logit)),
        "loss": lambda probability: 1 - probability,
        "boundary": lambda distance: 1 - distance,
    }
    panels = {panel["use"]: panel for panel in numbers["curves"]}
    for use, base in bases.items():
        for curve in panels[use]["curves"]:
            expected = np.power(base(np.array(panels[use]["axis"])), curve["gamma"])
            np.testing.assert_allclose(curve["values"], expected, rtol=1e-12)
    probability = np.array(panels["cross_entropy"]["axis"])
    for curve in panels["cross_entropy"]["curves"]:
        expected = -np.power(1 - probability, curve["gamma"]) * np.log(probability)
        np.testing.assert_allclose(curve["values"], expected, rtol=1e-12)


def test_a_gamma_has_one_colour_in_every_panel_and_in_the_key(page: str, numbers: dict[str, Any]) -> None:
    part = page[page.index('<section id="curves">') : page.index('<section id="maps">')]
    count = len(numbers["curves"][0]["curves"])
    for number in range(count):
        assert part.count(f"var(--shade-{number})") == 1 + len(numbers["curves"])
    assert "#0b0b" not in page  # a stand-in that was not replaced


def test_the_same_role_gives_the_same_bytes(role: FocalRole, page: str) -> None:
    assert focal_page.render_focal_role(role) == page


@pytest.mark.slow
def test_the_same_budget_gives_the_same_numbers(numbers: dict[str, Any]) -> None:
    again = investigate_focal_role(BUDGET, tell=lambda _line: None, workers=1)
    assert json.loads(json.dumps(investigation.list_numbers(again))) == numbers


def test_pixels_beyond_the_ends_of_the_colours_are_shown_as_the_ends() -> None:
    assert colour_pixels(np.array([[-1.0, 2.0]])) == colour_pixels(np.array([[0.0, 1.0]]))


def test_the_verb_needs_no_run_in_the_folder(
    role: FocalRole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def investigate(*, tell: Callable[[str], None]) -> FocalRole:
        tell("effect: 1 of 1 trainings")
        return role

    monkeypatch.setattr(investigation, "investigate_focal_role", investigate)
    report_verb.report(tmp_path / "new", focal=True)
    streams = capsys.readouterr()
    assert streams.out == f"report: {tmp_path / 'new' / 'focal' / 'index.html'}\n"
    assert "effect: 1 of 1 trainings" in streams.err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on the path")
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_in_a_browser(folder: Path, width: int, scheme: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install focalseg[dev]")
    faults: list[str] = []
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        view.on("console", lambda message: faults.append(message.text))
        view.goto((folder / "focal" / "index.html").resolve().as_uri())
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        sizes = view.evaluate(
            "[...document.querySelectorAll('svg text')].map(text => "
            "parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a)"
        )
        assert min(sizes) >= 9
        browser.close()
    assert faults == []


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("focal_role_benchmark", ROOT / "benchmarks" / "focal_role.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_tables_are_those_of_the_results(benchmark: ModuleType) -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert RESULTS.with_suffix(".md").read_text(encoding="utf-8") == benchmark.format_results(results)


def test_the_documentation_holds_the_tables_and_sentences_of_the_results(benchmark: ModuleType) -> None:
    results, text = json.loads(RESULTS.read_text(encoding="utf-8")), DOCS.read_text(encoding="utf-8")
    page = results["page"]
    tables = [
        benchmark.format_gradients(page["maps"]["gradients"]),
        benchmark.format_shifts(page["maps"]["shifts"]),
        benchmark.format_factors(page["maps"]["factors"]),
        benchmark.format_weights(page["maps"]["weights"]),
        *(benchmark.format_effect(effect) for effect in (page["effect"], *(results[name]["effect"] for name in MORE))),
    ]
    for table in tables:
        assert "\n".join(table) in text
    flat = " ".join(text.split())
    for sentence in results["sentences"]:
        assert sentence in flat
    assert benchmark.COMMAND in text
    numbers = re.findall(r"\b\d\.\d{3}\b", text[text.index("## What shows") :])
    assert numbers
    assert set(numbers) <= set(re.findall(r"\d\.\d{3}", "\n".join("\n".join(table) for table in tables)))


def test_the_pictures_of_the_documentation_are_there(benchmark: ModuleType) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for part in benchmark.PARTS:
        assert f"(focal-{part}.png)" in text
        assert (DOCS.parent / f"focal-{part}.png").stat().st_size > 10_000
