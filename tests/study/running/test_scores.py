"""The table of scores: what is written is what is read."""

import csv

import numpy as np
import pytest

from focalseg.evaluation.metrics import measure_labels
from focalseg.study.running.scores import CaseScore, count_empty, format_scores, read_scores


def make_scores(labels, count=4):
    random = np.random.default_rng(0)
    scores = []
    for number in range(count):
        overlaps = measure_labels(*random.integers(0, len(labels) + 1, (2, 6, 6, 6)), len(labels))
        part = "validation" if number % 2 else "test"
        scores.append(CaseScore(case=f"case,{number}", group="g", part=part, overlaps=dict(zip(labels, overlaps, strict=True))))
    return tuple(scores)


@pytest.mark.parametrize("labels", [("foreground",), ("head, left", "tail", "label_3")])
def test_the_table_has_a_row_a_case_and_label_and_reads_back(tmp_path, labels):
    scores = make_scores(labels)
    path = tmp_path / "cases.csv"
    path.write_text(format_scores(scores), encoding="utf-8")
    assert len(path.read_text().splitlines()) == 1 + 4 * len(labels)
    again = read_scores(path)
    for one, other in zip(again, scores, strict=True):
        assert (one.case, one.group, one.part, list(one.overlaps)) == (other.case, other.group, other.part, list(labels))
        assert one.dice == pytest.approx(other.dice, abs=1e-6)
        assert one.true_pixels == other.true_pixels
    assert format_scores(again) == format_scores(scores)


def test_the_score_of_a_case_is_the_mean_over_its_labels_and_its_pixels_are_the_sum():
    score = make_scores(("a", "b"))[0]
    a, b = score.overlaps["a"], score.overlaps["b"]
    assert score.dice == pytest.approx((a.dice + b.dice) / 2)
    assert score.average("recall") == pytest.approx((a.recall + b.recall) / 2)
    assert (score.true_pixels, score.predicted_pixels) == (
        a.true_pixels + b.true_pixels,
        a.predicted_pixels + b.predicted_pixels,
    )
    assert score.of_label("b").dice == b.dice


def test_empty_masks_are_counted_by_case_and_label():
    true, predicted = np.array([[0, 0, 1]]), np.array([[0, 0, 2]])
    overlaps = dict(zip("abc", measure_labels(predicted, true, 3), strict=True))
    scores = [CaseScore(case=str(number), group="g", part="test", overlaps=overlaps) for number in range(2)]
    assert count_empty(scores) == {"both_empty": 2, "one_empty": 4}
    assert scores[0].dice == pytest.approx(1 / 3)


FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "'=1",
    "''=1",
    "\uff1d1+1",
    "a;=1+1",
    "b\t=1",
    "c,=1",
    "d; =1",
    "e;'=1",
    "=1;2",
    "'plain",
    "-5",
]


def test_no_name_is_a_formula_and_every_name_reads_back(tmp_path):
    overlaps = make_scores(("foreground",), 1)[0].overlaps["foreground"]
    scores = [CaseScore(case=name, group=name, part="test", overlaps={name: overlaps}) for name in FORMULAS]
    text = format_scores(scores)
    path = tmp_path / "cases.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert [(score.case, score.group, list(score.overlaps)) for score in read_scores(path)] == [
        (name, name, [name]) for name in FORMULAS
    ]
    for separator in ",;\t":  # what a spreadsheet of any country takes for the cells of the first line of each row
        for row in csv.reader(text.splitlines(), delimiter=separator):
            for cell in row:
                assert cell[:1] not in set("=+-@\t\r\uff1d"), (separator, cell)
