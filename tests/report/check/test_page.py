"""The page and the record of a check: what they say, what they never hold, and how they look in a browser."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalseg.imagesets.case import Case, Dataset
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.phantoms.dataset import PhantomDataset
from focalseg.imagesets.survey.duplicates import Pair
from focalseg.imagesets.survey.survey import Survey, survey_dataset
from focalseg.report.check.charts import draw_charts
from focalseg.report.check.page import render_check, show_record, write_check
from focalseg.report.check.pictures import choose_extremes, choose_noted, choose_pairs, take_slice
from focalseg.report.check.record import Duplicate, measure_fingerprint, record_check
from focalseg.report.check.wording import (
    count_findings,
    count_mendable,
    describe_set,
    group_findings,
    show_share,
)
from report import page_reader

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)></script></style><svg onload=alert(2)>\"'&{{ 7*7 }}"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
TIMES, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"


class Squares(Dataset):
    """Grey images of 10 x 20 pixels; case n has n of its 200 pixels labelled, all of brightness 10 n, the others 0."""

    source, layout = "squares", "made for a test"

    def __init__(self, counts: list[int], names: list[str] | None = None, groups: list[str] | None = None) -> None:
        self.counts = counts
        self.names = names or [f"case_{number}" for number in range(len(counts))]
        self.groups = groups or self.names

    def read_case(self, number: int) -> Case:
        mask = np.zeros(200, np.uint8)
        mask[: self.counts[number]] = 1
        image = (mask * 10 * self.counts[number]).astype(np.uint8)
        shape = (10, 20)
        return Case(
            name=self.names[number], group=self.groups[number], image=image.reshape(1, *shape), mask=mask.reshape(shape)
        )


Reader = partial(page_reader.Reader, void={"meta", "link", "br", "wbr"}, apart={"td", "th", "dt", "dd", "p", "h1", "h2", "h3"})


def survey_squares(counts: list[int], **more: Any) -> tuple[Squares, Survey]:
    dataset = Squares(counts, **more)
    survey = survey_dataset(dataset)
    return dataset, replace(survey, findings=(), pairs=(), groups={case.name: case.group for case in survey.cases})


@pytest.fixture(scope="module")
def phantom() -> tuple[PhantomDataset, Survey]:
    dataset = PhantomDataset("polyp", count=8)
    return dataset, survey_dataset(dataset)


@pytest.fixture(scope="module")
def faulty(phantom: tuple[PhantomDataset, Survey]) -> tuple[PhantomDataset, Survey]:
    """The phantom with findings of many sorts, under names that mean harm."""
    dataset, survey = phantom
    findings = (
        *(KINDS["no_mask"].at(f"DATA/images/{'long' * 30}_{n}.png", "has no mask", others=[HOSTILE]) for n in range(40)),
        KINDS["in_between"].at(HOSTILE, f"holds {HOSTILE}"),
        KINDS["name_unreadable"].at("a\nb\u202e\ud800.png", "is no text"),
        *(KINDS["empty_mask"].at(f"polyp_{n:04d}", "is empty") for n in range(40)),
        KINDS["constant"].at("polyp_0000", "is grey"),
    )
    pairs = (
        Pair(first=1, second=2, identical=True, correlation=1.0),
        Pair(first=3, second=4, identical=False, correlation=0.98),
    )
    return dataset, replace(survey, findings=findings, pairs=pairs, source=HOSTILE, observer_dice=0.75)


def test_the_fingerprint_has_the_numbers_of_the_set():
    _, survey = survey_squares([0, 20, 10, 4], groups=["a", "a", "b", "c"])
    fingerprint = measure_fingerprint(survey)
    assert [(axis.lowest, axis.median, axis.highest) for axis in fingerprint.sizes] == [(10, 10, 10), (20, 20, 20)]
    assert fingerprint.foreground is not None
    assert fingerprint.foreground.lowest == 0
    assert fingerprint.foreground.highest == pytest.approx(20 / 200)
    assert fingerprint.foreground.median == pytest.approx((4 + 10) / 2 / 200)
    (label,) = fingerprint.labels
    assert (label.label, label.cases) == ("foreground", 3)
    assert label.mean == pytest.approx((20 + 10 + 4) / 4 / 200)
    assert label.where_present is not None
    assert label.where_present.lowest == pytest.approx(4 / 200)
    assert fingerprint.empty_masks == ("case_0",)
    assert (fingerprint.groups, fingerprint.largest_group) == (3, 2)
    assert (fingerprint.channels, fingerprint.number_types) == ({"1": 4}, {"uint8": 4})


def test_the_intensities_of_the_set_are_those_of_all_its_pixels_where_the_cases_are_of_one_size():
    dataset, survey = survey_squares([0, 20, 10, 4])
    pixels = np.concatenate([dataset.read_case(number).image.ravel() for number in range(4)]).astype(float)
    values = measure_fingerprint(survey).intensities
    assert values["mean"] == pytest.approx((pixels.mean(),))
    assert values["standard_deviation"] == pytest.approx((pixels.std(),))
    assert (values["minimum"], values["maximum"]) == ((0.0,), (200.0,))


def test_the_record_of_a_set_without_a_readable_case_is_whole():
    _, survey = survey_squares([])
    survey = replace(survey, findings=(KINDS["damaged"].at("a.png", "is cut short"),))
    record = json.loads(json.dumps(record_check(survey), allow_nan=False))
    assert (record["cases"], record["groups"], len(record["errors"]), record["notes"]) == (0, 0, 1, [])
    assert record["fingerprint"]["foreground"] is None
    assert describe_set(survey, measure_fingerprint(survey)) == [("layout", "made for a test"), ("cases", "0")]


def test_what_is_not_finite_is_null_in_the_record():
    _, survey = survey_squares([4, 8])
    assert record_check(replace(survey, observer_dice=float("nan")))["fingerprint"]["observer_dice"] is None


def test_a_single_group_stays_together():
    _, survey = survey_squares([0, 20, 10], groups=["a", "a", "a"])
    facts = dict(describe_set(survey, measure_fingerprint(survey)))
    assert facts["cases"] == "3 in 1 group that stays together, the largest of 3"


def test_names_of_facts_fit_before_what_they_say():
    _, survey = survey_squares([4, 8])
    fingerprint = measure_fingerprint(survey)
    facts = describe_set(survey, replace(fingerprint, void=fingerprint.foreground))
    assert "not judged" in dict(facts)
    assert max(len(name) for name, _ in facts) < 16


def test_the_set_is_described_in_words():
    _, survey = survey_squares([0, 20, 10, 4], groups=["a", "a", "b", "c"])
    survey = replace(survey, pairs=(Pair(first=0, second=1, identical=False, correlation=0.99),), observer_dice=0.75)
    facts = dict(describe_set(survey, measure_fingerprint(survey)))
    assert facts == {
        "layout": "made for a test",
        "cases": "4 in 3 groups that stay together, the largest of 2",
        "images": f"20 {TIMES} 10 pixels, 1 channel of uint8",
        "intensities": "0 to 200, mean 6.45 ± 33",
        "labels": "foreground in 3 cases",
        "foreground": "0 % to 10 %, median 3.5 % of a case's pixels",
        "empty masks": "1 of 4",
        "duplicates": "1 nearly identical pair of images; 0 of the pairs across groups",
        "second observer": "agrees with the first with a mean Dice of 0.750",
    }


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.00001, "<0.01 %"), (0.0012, "0.12 %"), (0.053, "5.3 %"), (0.42, "42 %"), (1, "100 %")]
)
def test_a_share_is_shown_in_percent_with_two_digits(share, text):
    assert show_share(share) == text


def test_findings_are_grouped_by_kind_errors_first_in_the_order_of_the_catalogue(faulty):
    groups = group_findings(reversed(faulty[1].findings))
    kinds = [group.kind for group in groups]
    assert kinds == ["no_mask", "name_unreadable", "in_between", "constant", "empty_mask"]
    assert [len(group.findings) for group in groups] == [40, 1, 1, 1, 40]


def test_only_what_a_copy_would_have_mended_counts_as_mendable(faulty):
    assert count_mendable(faulty[1].errors) == 1  # in_between; images without a mask are left out
    assert count_findings(faulty[1]) == "8 cases readable, 42 errors, 41 notes"


def test_the_extremes_are_the_cases_with_least_median_and_most_foreground():
    _, survey = survey_squares([0, 20, 10, 4, 6, 30])
    assert [(case.name, caption) for case, caption in choose_extremes(survey.cases)] == [
        ("case_3", "least"), ("case_2", "median"), ("case_5", "most")
    ]  # fmt: skip
    assert choose_extremes(survey.cases[:1]) == []
    assert [caption for _, caption in choose_extremes(survey.cases[1:2])] == ["least"]


def test_of_many_cases_with_findings_a_few_of_each_kind_are_shown(faulty):
    noted = choose_noted(faulty[1])
    assert [case.name for case, _ in noted] == ["polyp_0000", "polyp_0001"]
    assert noted[0][1] == "an empty mask; an image of one intensity"


def test_pairs_are_shown_identical_first_and_neighbours_within_a_group_not_at_all():
    def pair(name: str, identical: bool, correlation: float, same_group: bool) -> Duplicate:
        return Duplicate(cases=(name, "x"), identical=identical, correlation=correlation, moved="", same_group=same_group)

    pairs = [
        pair("a", False, 0.97, False),
        pair("b", False, 0.99, False),
        pair("c", False, 1.0, True),
        pair("d", True, 1.0, True),
    ]
    assert [one.cases[0] for one in choose_pairs(pairs)] == ["d", "b", "a"]


def test_of_a_volume_the_slice_with_the_most_foreground_is_shown():
    mask = np.zeros((5, 4, 4), np.uint8)
    mask[3, :2] = 1
    image = np.arange(80).reshape(1, 5, 4, 4)
    shown, outline, slices = take_slice(Case(name="v", group="v", image=image, mask=mask))
    assert np.array_equal(shown, image[:, 3])
    assert np.array_equal(outline, mask[3])
    assert slices == (3, 5)
    assert take_slice(Case(name="v", group="v", image=image, mask=np.zeros_like(mask)))[2] == (2, 5)


def test_no_chart_is_drawn_of_what_does_not_differ():
    _, survey = survey_squares([4, 4, 4, 4])
    assert draw_charts(survey) == []
    _, survey = survey_squares([4, 8, 12, 4], groups=["a", "a", "b", "c"])
    assert [title for title, _ in draw_charts(survey)] == ["Foreground", "Brightness", "Groups"]


def test_the_page_of_good_data_says_so_and_shows_its_extremes(phantom):
    reader = Reader(render_check(*phantom))
    assert "No errors in 8 cases." in reader.text
    assert "Errors" not in reader.text.replace("No errors", "")
    assert len([tag for tag, _ in reader.elements if tag == "image"]) == 3
    assert f"Images 96 {TIMES} 96 pixels, 3 channels of uint8" in reader.text


@pytest.mark.slow
def test_the_page_of_faulty_data_has_every_finding_in_its_table(faulty):
    reader = Reader(render_check(*faulty))
    assert "42 errors keep this data from being used. 8 cases can be read." in reader.text
    assert "it can mend 1 of the 42 errors, and leaves out the cases with the others." in reader.text
    for finding in faulty[1].findings[:40]:
        assert (
            f"{finding.file} has no mask (with {HOSTILE}) expected a mask of the same name Add the mask or take" in reader.text
        )
    assert reader.text.count("is empty expected foreground, unless the case has none") == 40
    assert "An empty mask: 40 notes" in reader.text
    assert "The same image polyp_0001 polyp_0002" in reader.text
    assert "Correlation 0.980 polyp_0003 polyp_0004" in reader.text
    assert "agrees with the first with a mean Dice of 0.750" in reader.text


def test_notes_that_need_nothing_are_not_counted_as_worth_a_look_and_stand_folded_below(phantom):
    dataset, survey = phantom
    quiet = [KINDS["colour_mask"].at(f"polyp_{n:04d}", "is grey, saved in colour") for n in range(5)]
    look = KINDS["empty_mask"].at("polyp_0006", "is empty")
    findings = (*quiet, look)
    survey = replace(survey, findings=findings, pairs=())
    page = render_check(dataset, survey)
    assert "in 8 cases, 1 note worth a look." in re.sub(r"<[^>]*>", "", page)
    assert page.index("An empty mask: 1 note") < page.index('<h2 id="quiet">What needs nothing</h2>')
    assert "<summary>A black and white mask saved in colour: 5 notes</summary>" in page
    assert [case.name for case, _ in choose_noted(survey)] == ["polyp_0006"]
    assert [(group.kind, group.quiet) for group in group_findings(findings)] == [("empty_mask", False), ("colour_mask", True)]
    assert count_findings(survey) == "8 cases, no errors, 1 note and 5 that need nothing"
    assert count_findings(replace(survey, findings=tuple(quiet[:1]))) == "8 cases, no errors, 1 note that needs nothing"


def test_many_notes_of_a_kind_are_folded_and_many_errors_are_not(faulty):
    page = render_check(*faulty)
    folded = re.findall(r"<details><summary>(.*?)</summary>", page)
    assert folded == ["An empty mask: 40 notes"]


def test_hostile_names_are_text_and_nothing_else(faulty):
    page = render_check(*faulty)
    reader = Reader(page)
    assert f"holds {HOSTILE}" in reader.text
    assert not {tag for tag, _ in reader.elements} & {"script", "img", "iframe", "object"}
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    assert not set("\u202e\ud800") & set(page)


def test_the_page_refers_to_nothing_outside_itself(faulty):
    page = render_check(*faulty)
    assert set(re.findall(r"\bhttps?://[^\s\"']*", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    for _, attributes in Reader(page).elements:
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert "default-src 'none'" in page


def test_no_two_elements_share_an_id(faulty):
    ids = [attributes["id"] for _, attributes in Reader(render_check(*faulty)).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_page_and_record_are_written_whole_and_the_same_again(faulty, tmp_path):
    page = write_check(tmp_path / "out", *faulty)
    assert page == tmp_path / "out" / "index.html"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"index.html", "check.json"}
    before = page.read_bytes()
    assert (tmp_path / "out" / "check.json").read_text() == show_record(faulty[1])
    write_check(tmp_path / "out", *faulty)
    assert page.read_bytes() == before


def test_a_case_that_can_no_longer_be_read_is_left_out_of_the_pictures(make_folder):
    dataset = open_dataset(str(make_folder(count=3)))
    survey = survey_dataset(dataset)
    for path in Path(dataset.source).glob("images/*"):
        path.write_bytes(b"")
    assert "<image" not in render_check(dataset, survey)


def test_volumes_and_their_labels_have_a_page(write_volumes, tmp_path):
    dataset = open_dataset(str(write_volumes(tmp_path / "volumes", count=3)))
    reader = Reader(render_check(dataset, survey_dataset(dataset)))
    assert f"Spacing 0.5 {TIMES} 1 {TIMES} 2 mm" in reader.text
    assert ", slice " in reader.text
    assert "label_1 3 of 3" in reader.text


def test_the_second_observer_of_the_real_vessels_agrees_as_the_table_beside_them_says(real_data):
    folder = real_data("chase_db1")
    dataset = open_dataset(str(folder))
    lines = [line.split(",") for line in (folder / "cases.csv").read_text().splitlines()]
    listed = {line[0]: float(line[4]) for line in lines[1:]}
    numbers = [number for number, name in enumerate(dataset.names) if name in list(listed)[:4]]
    dices = []
    for number in numbers:
        mask, second = dataset.read_case(number).mask > 0, dataset.read_second_mask(number)
        assert second is not None
        dices.append(2 * (mask & (second > 0)).sum() / (mask.sum() + (second > 0).sum()))
    assert dices == pytest.approx([listed[dataset.names[number]] for number in numbers], abs=1e-4)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install focalseg[dev]")
    if BROWSER is None:
        pytest.skip("no chromium or google-chrome on the path")
    with playwright.sync_playwright() as session:
        opened = session.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_fits_and_reads_at_any_width_with_long_names(browser, faulty, tmp_path, width, scheme):
    path = write_check(tmp_path, *faulty)
    page, faults = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme), []
    page.on("console", lambda message: faults.append(message.text))
    page.on("request", lambda request: faults.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    page.goto(path.resolve().as_uri())
    assert faults == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        "() => [...document.querySelectorAll('.chart text')].map(text => "
        "parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a)"
    )
    assert sizes
    assert min(sizes) >= 9
    clipped = page.evaluate(
        "() => [...document.querySelectorAll('.findings td, .findings tbody th')]"
        ".filter(cell => cell.scrollWidth > cell.clientWidth + 1).length"
    )
    assert clipped == 0
    page.close()
