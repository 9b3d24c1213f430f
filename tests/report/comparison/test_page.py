"""The page of a comparison: what it says, that it stands alone, and that no name is markup."""

import re

import numpy as np
import pytest

from focalseg.comparison.comparing import compare_systems
from focalseg.comparison.settings import ComparisonSettings
from focalseg.comparison.systems import WHOLE, Counted, System, Training
from focalseg.report.comparison.drawing import HEIGHT, WIDTH, draw_cases
from focalseg.report.comparison.page import render_comparison, write_comparison
from report.page_reader import Reader

HOSTILE = "<img src=x onerror=alert(1)></script></style>\"'&{{ 7*7 }}"


def compare_made_up(
    *, names=("plain", "gated", "wide"), cases=30, trainings=2, better="higher", scale=1.0, groups=None, metric="Dice"
):
    random = np.random.default_rng(0)
    hardness = random.uniform(0.4, 0.8, cases)
    systems = [
        System(
            name=name,
            trainings=tuple(
                Training(scores={f"case {number} {HOSTILE}": {WHOLE: scale * value} for number, value in enumerate(row)})
                for row in np.clip(hardness + gain + random.normal(0, 0.01, (trainings, cases)), 0, 1).tolist()
            ),
            groups=groups or {},
        )
        for name, gain in zip(names, (0.0, 0.05, -0.001), strict=False)
    ]
    return compare_systems(systems, ComparisonSettings(metric=metric, better=better, margin=0.01 * scale))


def test_the_page_says_what_the_record_says():
    compared = compare_made_up()
    page = Reader(render_comparison(compared))
    record = compared.record
    assert " ".join(record.comparisons[0].sentence.split()) in page.text
    for pair in record.comparisons:
        assert f"{pair.difference.mean:+.3f}".replace("-", "\N{MINUS SIGN}") in page.text
    assert record.coverage in page.text
    assert record.methods in page.text
    assert all(note in page.text for note in record.notes)
    assert "p, adjusted (Holm)" in page.text
    assert len([tag for tag, _ in page.elements if tag == "circle"]) == 2


def count_pixels(rows, *, alarms: int):
    """Systems of ten cases with the object and ten without, the second with so many false alarms."""
    trainings = []
    for shift, wrong in zip(rows, (0, alarms), strict=True):
        counted = {}
        for number in range(20):
            held = number < 10
            predicted = 90 if held else 40 * (number < 10 + wrong)
            dice = 0.6 + 0.01 * number + shift if held else float(not predicted)
            counted[f"case {number}"] = {HOSTILE: Counted(dice=dice, true=100 * held, predicted=predicted)}
        scores = {case: {label: one.dice for label, one in labels.items()} for case, labels in counted.items()}
        trainings.append(Training(scores=scores, counted=counted))
    return [System(name=name, trainings=(one,)) for name, one in zip((HOSTILE, "gated"), trainings, strict=True)]


def test_the_page_tells_every_kind_of_case_and_how_many_groups_might_be_lost():
    systems = count_pixels((0.0, 0.1), alarms=9)
    compared = compare_systems(systems, ComparisonSettings(metric="Dice", margin=0.2, with_object=True))
    page = Reader(render_comparison(compared))
    record = compared.record
    assert list(record.strata) == ["with_object", "missed", "left_empty"]
    for title, stratum in record.titled_strata.items():
        assert f"{title}, {stratum.cases} cases" in page.text
        found = stratum.differences[f"gated - {HOSTILE}"]
        if found.value:
            assert f"{found.value:+z.3f}".replace("-", "\N{MINUS SIGN}") in page.text
    assert "Dice of all cases, 20 cases" in page.text
    assert "But kinds of cases disagree: gated segments objects better" in page.text
    assert f"{100 * record.comparisons[0].as_good.failing_at_most:.1f} %" in page.text


def test_the_page_stands_alone_and_no_name_is_markup():
    text = render_comparison(compare_made_up(names=(HOSTILE, f"other {HOSTILE}", "wide")))
    page = Reader(text)
    assert HOSTILE in page.text
    assert not [tag for tag, _ in page.elements if tag in ("script", "img", "iframe", "object")]
    addresses = [value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")]
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize(
    "options", [{"better": "lower", "scale": 60.0, "metric": "HD95"}, {"groups": "one"}, {"cases": 2500, "trainings": 1}]
)
def test_it_is_drawn_whatever_the_scores_are(options):
    options = dict(options)
    if options.get("groups"):
        options["groups"] = {f"case {number} {HOSTILE}": "one" for number in range(30)}
    page = Reader(render_comparison(compare_made_up(**options)))
    assert page.of_class("interval")
    numbers = [value for _, attributes in page.elements for name, value in attributes.items() if name in ("d", "x", "cx")]
    assert numbers
    assert not [value for value in numbers if "nan" in str(value) or "inf" in str(value)]


def test_bars_are_the_differences_from_the_least_to_the_largest():
    compared = compare_made_up()
    pair = compared.record.comparisons[0]
    drawn = draw_cases(pair, compared.paired)
    differences = np.sort((compared.paired.tables["gated"] - compared.paired.tables["plain"]).mean(axis=0))
    bars = [tuple(map(float, bar)) for bar in re.findall(r"M([\d.]+) ([\d.]+)V([\d.-]+)", drawn.path)]
    assert len(bars) == 30
    span = max(differences[-1], 0) - min(differences[0], 0)
    heights = [(zero - top) * span / HEIGHT for _, zero, top in bars]
    assert heights == pytest.approx(differences, abs=2e-4)
    assert [x for x, _, _ in bars] == pytest.approx((np.arange(30) + 0.5) * WIDTH / 30, abs=0.01)
    assert (drawn.above, drawn.below) == ((differences > 0).sum(), (differences < 0).sum())


def test_the_same_scores_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_comparison(tmp_path / name, compare_made_up())
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert files[0] == files[1]
    assert len(files[0]) == 5
