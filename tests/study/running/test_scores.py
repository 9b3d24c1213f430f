"""The table of scores: what is written is what is read."""

import csv
import math

import numpy as np
import pytest

from focalseg.evaluation.metrics import ScoreConfig, measure_distances, measure_labels
from focalseg.evaluation.thresholds import GradedMask
from focalseg.feeding.preparation import Preparation
from focalseg.imagesets.case import Case
from focalseg.imagesets.masks import VOID
from focalseg.records.splits import Split
from focalseg.study.running import runs
from focalseg.study.running.runs import RunPlan, score_at_full_size
from focalseg.study.running.scores import DISTANCES, TUNED, CaseScore, count_empty, format_scores, read_scores
from focalseg.training.run import RunConfig


def make_scores(labels, count=4, *, spacing=(1.0, 0.7, 2.0)):
    random = np.random.default_rng(0)
    scores = []
    for number in range(count):
        masks = random.integers(0, len(labels) + 1, (2, 6, 6, 6))
        overlaps = measure_labels(*masks, len(labels))
        part = "validation" if number % 2 else "test"
        distances = measure_distances(*masks, len(labels), spacing_mm=spacing) if part == "test" else ()
        tuned = measure_labels(np.roll(masks[0], 1, axis=0), masks[1], len(labels))
        scores.append(
            CaseScore(
                case=f"case,{number}",
                group="g",
                part=part,
                overlaps=dict(zip(labels, overlaps, strict=True)),
                distances=dict(zip(labels, distances, strict=False)),
                tuned=dict(zip(labels, tuned, strict=True)),
            )
        )
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
        assert list(one.distances) == list(other.distances) == (list(labels) if one.part == "test" else [])
        for label, distances in other.distances.items():
            for name in ("nsd", "hd95", "assd", "tolerance"):
                assert getattr(one.distances[label], name) == pytest.approx(getattr(distances, name), abs=1e-6)
            assert one.distances[label].unit == "mm"
        for label, overlap in other.tuned.items():
            for name in ("dice", "iou", "precision", "recall", "true_pixels", "predicted_pixels"):
                assert getattr(one.tuned[label], name) == pytest.approx(getattr(overlap, name), abs=1e-6)
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
    far = [score.distances[label].hd95 for label in ("a", "b")]
    assert score.average("hd95") == pytest.approx(sum(far) / 2)
    assert score.of_label("b").average("hd95") == far[1]


def test_a_table_of_before_distances_were_measured_is_read_as_ever(tmp_path):
    path = tmp_path / "cases.csv"
    rows = list(csv.reader(format_scores(make_scores(("a", "b"))).splitlines()))
    rows = [row[: rows[0].index(DISTANCES[0])] for row in rows]
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in row) for row in rows) + "\n")
    again = read_scores(path)
    assert [score.distances for score in again] == [score.tuned for score in again] == [{}] * 4
    assert [score.dice for score in again] == pytest.approx([score.dice for score in make_scores(("a", "b"))], abs=1e-6)


def test_a_table_of_before_thresholds_were_tuned_is_read_as_ever_and_has_no_score_at_one(tmp_path):
    path = tmp_path / "cases.csv"
    rows = list(csv.reader(format_scores(make_scores(("a", "b"))).splitlines()))
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in row[: -len(TUNED)]) for row in rows) + "\n")
    again = read_scores(path)
    assert [score.tuned for score in again] == [{}] * 4
    assert [bool(score.distances) for score in again] == [True, False, True, False]
    assert [score.dice for score in again] == pytest.approx([score.dice for score in make_scores(("a", "b"))], abs=1e-6)
    assert all(math.isnan(score.average("tuned_dice")) for score in again)
    with pytest.raises(ValueError, match="case,0 was not scored at a tuned threshold"):
        _ = again[0].at_tuned


def test_a_case_at_the_tuned_threshold_is_a_case_like_any_other():
    score = make_scores(("a", "b"))[0]
    tuned = score.at_tuned
    assert tuned.dice == score.average("tuned_dice") == (score.tuned["a"].dice + score.tuned["b"].dice) / 2 != score.dice
    assert tuned.predicted_pixels == sum(overlap.predicted_pixels for overlap in score.tuned.values())
    assert tuned.of_label("b").dice == score.of_label("b").average("tuned_dice") == score.tuned["b"].dice
    assert (tuned.true_pixels, tuned.distances) == (score.true_pixels, {})


def test_a_unit_that_there_is_not_is_refused(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text(format_scores(make_scores(("a",))).replace(",mm", ",inches"))
    with pytest.raises(ValueError, match="the unit 'inches'; expected mm or pixels"):
        read_scores(path)


def score_made_cases(monkeypatch, spacing, *, view=None, tolerance=2.0, **settings):
    """What a run keeps of two cases, v and t, as somebody predicted them: t is off by three pixels, and partly void. At 0.25
    and below all of that is predicted which is there as well."""
    mask = np.zeros((12, 10), np.uint8)
    mask[2:6, 2:6] = 1
    mask[0, :] = VOID
    predicted = np.roll(np.where(mask == VOID, 0, mask), 3, axis=1)
    predicted[0, 9] = 2  # where nobody judged
    cases = {
        name: Case(
            name=name, group=name, image=np.zeros((1, 12, 10), np.uint8), mask=mask, spacing_mm=spacing, field_of_view=view
        )
        for name in "vt"
    }
    monkeypatch.setattr(runs, "read_same_case", lambda _data, name, _digests: cases[name])
    monkeypatch.setattr(runs, "Member", lambda *_: None)
    grades = np.where(predicted > 0, 12, np.where(mask == 1, 5, 0)).astype(np.uint8)
    graded = GradedMask(np.where(predicted > 0, predicted, 1).astype(np.uint8), grades)
    monkeypatch.setattr(runs, "predict_graded", lambda *_, **__: graded)
    config = RunConfig(
        data="made up",
        labels=("one", "two"),
        preparation=Preparation(size=(12, 10), mean=(0.0,), standard_deviation=(1.0,)),
        scores=ScoreConfig(tolerance=tolerance),
    )
    split = Split(fold=0, train=("w",), validation=("v",), test=("t",))
    scored = settings.pop("scored", ("validation", "test"))
    plan = RunPlan(arm="none", config=config, split=split, folder=runs.Path("nowhere"), scored=scored)
    return score_at_full_size(plan, None, **settings)


@pytest.mark.parametrize(("spacing", "hd95", "diagonal", "nsd"), [(None, 3, 244**0.5, 0), ((2.0, 0.5), 1.5, 601**0.5, 1)])
def test_a_run_keeps_the_distances_of_test_cases_in_the_unit_of_the_case(monkeypatch, spacing, hd95, diagonal, nsd):
    validation, test = score_made_cases(monkeypatch, spacing).scores
    assert validation.distances == {}
    one, two = test.distances["one"], test.distances["two"]
    assert one.hd95 == hd95  # a square, moved
    assert (two.nsd, two.hd95, two.assd) == (1, 0, 0)  # what was predicted is void
    assert (one.nsd == 1) == bool(nsd)
    assert (one.unit, one.tolerance) == ("pixels" if spacing is None else "mm", 2.0)
    empty, true = np.zeros((12, 10), np.uint8), np.ones((12, 10), np.uint8)
    (missed,) = measure_distances(empty, true, 1, spacing_mm=spacing)
    assert (missed.nsd, missed.hd95, missed.assd) == pytest.approx((0, diagonal, diagonal))


def test_distances_end_with_the_field_of_view_and_are_given_on_the_whole_frame_too(monkeypatch):
    view = np.zeros((12, 10), bool)
    view[:, :6] = True
    *_, within, whole = score_made_cases(monkeypatch, None, view=view).scores
    assert (within.part, whole.part) == ("test", "test, whole frame")
    assert within.distances["one"].hd95 == 3  # the left sides of both squares; the right ones lie at the edge of the view
    assert whole.distances["one"].assd > within.distances["one"].assd > 0


def test_every_case_and_view_is_scored_at_the_threshold_that_is_best_on_the_validation_cases(monkeypatch):
    view = np.zeros((12, 10), bool)
    view[:, :6] = True
    threshold, scores = score_made_cases(monkeypatch, None, view=view)
    assert threshold == 0.25  # of 0.05 to 0.25, which predict the same, the nearest to 0.5
    assert [score.part for score in scores] == ["validation", "validation, whole frame", "test", "test, whole frame"]
    for score in scores:
        usual, tuned = score.overlaps["one"], score.tuned["one"]
        within = not score.part.endswith("frame")
        # Of 4 x 4 pixels those of the last column were found, and 4 x 3 elsewhere, all but 4 out of view.
        assert (usual.true_pixels, usual.predicted_pixels) == (16, 4 if within else 16)
        assert (tuned.true_pixels, tuned.predicted_pixels) == (16, 16 if within else 28)
        assert usual.dice == pytest.approx(2 * 4 / (20 if within else 32))
        assert tuned.dice == pytest.approx(1 if within else 2 * 16 / 44)
        assert (score.tuned["two"].dice, score.tuned["two"].predicted_pixels) == (1, 0)  # what was predicted is void


def test_where_no_validation_case_is_scored_the_threshold_is_the_given_one_or_there_is_none(monkeypatch):
    given = score_made_cases(monkeypatch, None, scored=("test",), threshold=0.25)
    assert (given.threshold, given.scores[0].tuned["one"].predicted_pixels) == (0.25, 28)
    without = score_made_cases(monkeypatch, None, scored=("test",))
    assert (without.threshold, without.scores[0].tuned) == (None, {})
    assert without.scores[0].overlaps == given.scores[0].overlaps


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
