"""The page of an evaluation: what it says, that it stands alone, and that its drawings show the numbers."""

import dataclasses
import re

import numpy as np
import pytest

from evaluation.masks.made_masks import write_both, write_pictures
from focalseg.evaluation.masks.evaluating import evaluate
from focalseg.records.scores.evaluation import show_score
from focalseg.report.evaluation.drawing import BINS, HEIGHT, WIDTH, divide_by_size, draw_histogram, draw_scatter
from focalseg.report.evaluation.page import render_evaluation, write_evaluation
from focalseg.report.evaluation.tables import format_cases, format_latex, format_summary
from report.page_reader import Reader

HOSTILE = "<img src=x onerror=alert(1)></script>\"'&{{ 7*7 }}"


@pytest.fixture
def record(tmp_path):
    """Of eight cases of one label."""
    return evaluate(*write_both(tmp_path))


@pytest.fixture
def of_labels(tmp_path):
    """Of ten cases of three labels."""
    random = np.random.default_rng(0)
    masks = [{f"c{number}": random.integers(0, 4, (20, 20)) for number in range(10)} for _ in range(2)]
    return evaluate(write_pictures(tmp_path / "p", masks[0]), write_pictures(tmp_path / "t", masks[1]))


def test_the_page_says_what_the_record_says(record):
    page = Reader(render_evaluation(record))
    assert " ".join(record.sentence.split()) in page.text
    for score in record.scores:
        assert show_score(record.summary[score].mean) in page.text
    assert all(note in page.text for note in record.notes)
    assert record.methods in page.text
    assert page.text.index("patient1_2") < page.text.index("patient3_7")


def test_labels_have_their_own_lines_and_drawings(of_labels):
    page = Reader(render_evaluation(of_labels))
    for label in of_labels.labels:
        mean = of_labels.summary["dice"].labels[label]
        assert f"{show_score(mean.mean)} [{show_score(mean.low)}, {show_score(mean.high)}]" in page.text
    assert len([tag for tag, _ in page.elements if tag == "svg"]) == 6


def test_the_page_stands_alone_and_no_name_is_markup(record):
    cases = tuple(dataclasses.replace(case, case=f"{case.case}{HOSTILE}") for case in record.cases)
    text = render_evaluation(dataclasses.replace(record, cases=cases, predicted=HOSTILE))
    page = Reader(text)
    assert HOSTILE in page.text
    assert not [tag for tag, _ in page.elements if tag in ("script", "img", "iframe", "object")]
    assert not re.search(r"https?://", text)


def test_the_same_scores_give_the_same_bytes(record, tmp_path):
    contents = []
    for name in ("one", "two"):
        write_evaluation(tmp_path / name, record)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]


def test_bars_are_as_high_as_they_hold_cases():
    drawn = draw_histogram([0.0, 0.02, 0.99, 1.0, 1.0, 0.5])
    assert (drawn.counted, drawn.most) == (6, 3)
    bars = re.findall(r"M([\d.]+) [\d.]+v-([\d.]+)", drawn.path)
    assert [round(float(place) / WIDTH * BINS) for place, _ in bars] == [0, 10, 19]
    assert [float(height) for _, height in bars] == pytest.approx([HEIGHT * 2 / 3, HEIGHT / 3, HEIGHT], abs=0.1)


def test_dots_stand_at_their_dice_and_size(record):
    held = sorted((case for case in record.cases if case.true_pixels), key=lambda case: case.true_pixels)
    drawn = draw_scatter(held)
    dots = [tuple(map(float, dot)) for dot in re.findall(r"M([\d.]+) ([\d.]+)h0", drawn.path)]
    assert len(dots) == drawn.drawn == len(held)
    assert [height for _, height in dots] == pytest.approx([(1 - case.dice) * HEIGHT for case in held], abs=0.06)
    assert [place for place, _ in dots] == sorted(place for place, _ in dots)
    assert all(0 < place < WIDTH for place, _ in dots)


def test_thirds_of_the_sizes_hold_every_case_once(record):
    held = sorted((case for case in record.cases if case.true_pixels), key=lambda case: case.true_pixels)
    rows = divide_by_size(held)
    assert sum(row.cases for row in rows) == len(held)
    assert sum(row.cases * row.dice for row in rows) == pytest.approx(sum(case.dice for case in held))
    assert rows[0].least == held[0].true_pixels
    assert rows[-1].greatest == held[-1].true_pixels
    assert divide_by_size(held[:5]) == []


def test_tables_have_a_line_for_every_label_and_score(of_labels):
    assert len(format_cases(of_labels).splitlines()) == 31
    lines = format_summary(of_labels).splitlines()
    assert lines[0] == "label,score,mean,low,high,counted,left_out,both_empty,one_empty,empty"
    kinds = [len(of_labels.strata), *map(len, of_labels.strata_by_label.values())]
    assert len(lines) == 1 + 4 * len(of_labels.scores) + sum(kinds)
    assert kinds == [2, 2, 2, 2]  # every case has every label: none can be left empty
    assert lines[1].startswith("mean over labels,dice,")


def test_latex_has_a_line_per_label_with_names_escaped(of_labels, record):
    table = format_latex(of_labels)
    scores = " & ".join(rf"{score} [95\,\% CI]" for score in ("Dice", "IoU", "NSD at 1 pixel", "HD95 (pixels)"))
    assert table.startswith(f"\\begin{{tabular}}{{lccccc}}\n\\hline\nLabel & {scores} & Cases \\\\\n")
    assert table.count(r" & 10 \\") == 4
    named = dataclasses.replace(record.summary["dice"], labels={"a_b%": record.summary["dice"].labels["foreground"]})
    summary = {score: dataclasses.replace(one, labels=named.labels) for score, one in record.summary.items()}
    odd = dataclasses.replace(record, labels=("a_b%",), summary=summary)
    assert r"a\_b\% & $0." in format_latex(odd)


def test_objects_of_one_size_are_in_one_part(record):
    cases = [dataclasses.replace(record.cases[0], true_pixels=size, dice=0.5) for size in (4, 4, 4, 4, 4, 9, 9, 9, 9)]
    assert [(row.name, row.least, row.greatest, row.cases) for row in divide_by_size(cases)] == [
        ("smaller", 4, 4, 5),
        ("larger", 9, 9, 4),
    ]
    assert divide_by_size(cases[:5]) == []
