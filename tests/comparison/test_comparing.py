"""Systems compared from their scores: the statistics' own answer, whatever form the scores come in."""

import subprocess
import sys

import numpy as np
import pytest

import focalseg
from focalseg.comparison.comparing import compare_systems
from focalseg.comparison.settings import ComparisonSettings
from focalseg.comparison.systems import System, Training
from focalseg.errors import DataError, SettingError
from focalseg.evaluation.significance import compare_paired, correct_holm
from focalseg.evaluation.statistics import estimate_mean, measure_seed_noise
from focalseg.records.record import read_record
from focalseg.records.scores.comparison import ComparisonRecord

CASES = [f"case_{number:02}" for number in range(40)]
PATIENTS = {case: f"patient_{number // 4}" for number, case in enumerate(CASES)}
GROUPS = list(PATIENTS.values())


def draw_scores(trainings: int = 3, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    """Scores (trainings, cases) that share the cases' difficulty."""
    random = np.random.default_rng(seed)
    hardness = np.random.default_rng(99).uniform(0.4, 0.9, len(CASES))
    noise = random.normal(0, 0.02, (trainings, len(CASES))) + random.normal(0, 0.01, (trainings, 1))
    return np.clip(hardness + shift + noise, 0, 1)


def by_case(scores: np.ndarray, cases=CASES) -> list[dict[str, float]]:
    """The rows as mappings."""
    return [dict(zip(cases, row.tolist(), strict=True)) for row in scores]


def assert_same(found: ComparisonRecord, one: np.ndarray, other: np.ndarray, groups, folds=()) -> None:
    """That the first comparison is what the statistics give for other minus one, for new data: of k folds two have k - 2 of the
    k - 1 parts in common that they are trained on."""
    overlap = (len(set(folds)) - 2) / (len(set(folds)) - 1) if len(folds) else 0.0
    assert found.overlap == overlap
    expected = compare_paired(other, one, groups, folds, overlap=overlap)
    pair = found.comparisons[0]
    assert (pair.difference.mean, pair.difference.low, pair.difference.high) == tuple(vars(expected.estimate).values())
    assert pair.p_value == expected.p_value
    assert pair.smallest_difference == expected.smallest_difference
    for name, scores in zip(found.systems, (one, other), strict=True):
        mean = estimate_mean(scores, groups, folds=folds, span=(0, 1), overlap=overlap)
        assert (found.systems[name].mean, found.systems[name].low, found.systems[name].high) == tuple(vars(mean).values())


def test_trainings_on_the_same_cases_give_what_the_statistics_give():
    one, other = draw_scores(), draw_scores(shift=0.08, seed=1)
    found = focalseg.compare({"plain": by_case(one), "gated": by_case(other)}, groups=PATIENTS)
    assert_same(found, one, other, GROUPS)
    noise = found.systems["plain"].seed_noise
    assert noise == measure_seed_noise(one)
    assert found.comparisons[0].verdict == "better"


def test_an_array_with_named_columns_is_the_same_as_mappings():
    one, other = draw_scores(), draw_scores(seed=1)
    from_array = focalseg.compare({"plain": one, "gated": other.tolist()}, cases=CASES, groups=PATIENTS)
    assert from_array == focalseg.compare({"plain": by_case(one), "gated": by_case(other)}, groups=PATIENTS)


def test_one_training_is_a_mapping_and_a_case_alone_is_its_own_group():
    one, other = draw_scores(1), draw_scores(1, seed=1)
    found = focalseg.compare({"plain": by_case(one)[0], "gated": by_case(other)[0]})
    assert_same(found, one, other, CASES)
    assert found.systems["plain"].seed_noise is None
    assert any("another seed" in note for note in found.notes)


def test_trainings_that_share_no_case_are_folds_side_by_side():
    one, other = draw_scores(2), draw_scores(2, seed=1)
    parts = [slice(0, 15), slice(15, 30), slice(30, 40)]

    def cut(scores):
        return [table for part in parts for table in by_case(scores[:, part], CASES[part])]

    found = focalseg.compare({"plain": cut(one), "gated": cut(other)}, groups=PATIENTS)
    folds = [0] * 15 + [1] * 15 + [2] * 10
    assert_same(found, one, other, GROUPS, folds)
    assert (found.systems["plain"].folds, found.systems["plain"].trainings) == (3, 2)


def test_folds_may_be_named_by_case():
    one, other = draw_scores(2), draw_scores(2, seed=1)
    number = {case: place % 5 for place, case in enumerate(CASES)}
    found = focalseg.compare({"plain": one, "gated": other}, cases=CASES, folds=number, groups=PATIENTS)
    order = sorted(range(len(CASES)), key=lambda place: place % 5)
    one, other = (np.ascontiguousarray(scores[:, order]) for scores in (one, other))
    assert_same(found, one, other, [GROUPS[place] for place in order], [place % 5 for place in order])


def test_every_system_is_compared_with_the_first_and_p_values_are_adjusted():
    tables = {"plain": draw_scores(), "gated": draw_scores(shift=0.02, seed=1), "wide": draw_scores(seed=2)}
    found = focalseg.compare(tables, cases=CASES, groups=PATIENTS)
    assert [(pair.one, pair.other) for pair in found.comparisons] == [("plain", "gated"), ("plain", "wide")]
    adjusted = correct_holm({pair.other: pair.p_value for pair in found.comparisons})
    assert {pair.other: pair.holm_p for pair in found.comparisons} == adjusted


def test_where_lower_is_better_the_verdict_turns_and_the_numbers_stay():
    one, other = draw_scores(), draw_scores(shift=0.08, seed=1)
    high = focalseg.compare({"a": one * 30, "b": other * 30}, cases=CASES, better="higher").comparisons[0]
    low = focalseg.compare({"a": one * 30, "b": other * 30}, cases=CASES, better="lower", margin=9).comparisons[0]
    assert (high.verdict, low.verdict) == ("better", "worse")
    assert (high.difference, high.p_value) == (low.difference, low.p_value)
    assert low.as_good.bound == -low.difference.high
    assert low.as_good.shown


def test_a_distance_is_not_cut_at_one():
    """A Dice differs by at most 1; millimetres do not."""
    one, other = draw_scores(1) * 60, draw_scores(1, seed=1) * 60 + 5
    pair = focalseg.compare({"a": one, "b": other}, cases=CASES, better="lower").comparisons[0]
    assert pair.difference.low > 1


def test_the_mean_of_a_distance_is_never_said_to_lie_below_zero():
    distances = np.array([[1.0, 2.0, 3.0, 2.0], [90.0, 80.0, 95.0, 99.0], [1.0, 3.0, 2.0, 2.0]])
    told = {"metric": "HD95", "better": "lower", "cases": ["a", "b", "c", "d"]}
    found = focalseg.compare({"a": distances, "b": distances + np.array([[1.0], [-2.0], [3.0]])}, **told)
    assert found.systems["a"].low == 0.0
    assert found.systems["a"].high > 90.0
    assert found.comparisons[0].difference.low < 0.0
    signed = focalseg.compare({"a": distances, "b": distances + 1.0}, **told | {"metric": "a score of mine"})
    assert signed.systems["a"].low < 0.0


def test_with_one_group_nothing_is_shown_and_no_bound_is_made_up():
    one, other = draw_scores() * 60, draw_scores(shift=0.2, seed=1) * 60
    everyone = dict.fromkeys(CASES, "x")
    pair = focalseg.compare({"a": one, "b": other}, cases=CASES, groups=everyone, better="lower").comparisons[0]
    assert (pair.verdict, pair.difference.low, pair.difference.high) == ("no_difference_shown", None, None)
    assert pair.smallest_difference is None
    assert "one group" in pair.sentence


def test_cases_without_a_partner_are_left_out_of_all_and_named():
    one, other = by_case(draw_scores(1))[0], by_case(draw_scores(1, seed=1))[0]
    other.pop("case_03")
    one["case_07"] = float("nan")
    found = focalseg.compare({"plain": one, "gated": other})
    kept = [case for case in CASES if case not in ("case_03", "case_07")]
    assert_same(found, np.array([[one[case] for case in kept]]), np.array([[other[case] for case in kept]]), kept)
    assert [(left.case, left.why) for left in found.left_out] == [("case_03", "not in gated"), ("case_07", "no score in plain")]
    assert found.systems["plain"].cases == 38
    assert sum("Left out: 1 case" in note for note in found.notes) == 2


def test_more_trainings_of_one_system_than_of_the_other_are_told():
    found = focalseg.compare({"plain": draw_scores(3), "gated": draw_scores(2, seed=1)}, cases=CASES)
    assert_same(found, draw_scores(3)[:2], draw_scores(2, seed=1), CASES)
    assert "1 training of plain left out, since not every fold and system has so many." in found.notes


def test_trainings_of_the_same_seeds_are_paired_whatever_their_order():
    one, other = draw_scores(3), draw_scores(3, seed=1)
    systems = [
        System(
            name=name,
            trainings=tuple(
                Training(scores={case: {"": score} for case, score in by_case(table)[row].items()}, seed=str(row + 8))
                for row in order
            ),
        )
        for name, table, order in (("plain", one, (2, 0, 1)), ("gated", other, (0, 1, 2)))
    ]
    assert_same(compare_systems(systems, ComparisonSettings()).record, one, other, CASES)


def test_every_fold_has_seeds_of_its_own_and_trainings_are_paired_by_them_within_it():
    one, other = draw_scores(2), draw_scores(2, seed=1)
    parts = {"0": slice(0, 20), "1": slice(20, 40)}

    def cut(name, table, order):
        trainings = []
        for number, (fold, part) in enumerate(parts.items()):
            for row in order:
                scores = {case: {"": score} for case, score in by_case(table[:, part], CASES[part])[row].items()}
                trainings.append(Training(scores=scores, fold=fold, seed=str(10 * number + row)))
        return System(name=name, trainings=tuple(trainings))

    systems = [cut("plain", one, (0, 1)), cut("gated", other, (1, 0))]
    assert_same(compare_systems(systems, ComparisonSettings()).record, one, other, CASES, [0] * 20 + [1] * 20)


def test_a_share_may_be_lost_altogether_which_a_margin_heeds():
    """28 cases of which none is lost cannot exclude that a tenth is."""
    cases = [f"case_{number}" for number in range(28)]
    one = dict.fromkeys(cases, 0.8)
    other = {case: 0.8 + 0.001 * (number % 3 - 1) for number, case in enumerate(cases)}
    found = focalseg.compare({"plain": one, "gated": other}, margin=0.01).comparisons[0].as_good
    assert (found.shown, found.failing, found.groups) == (False, 0, 28)
    assert found.failing_at_most == pytest.approx(1 - 0.025 ** (1 / 28))
    assert found.bound < -0.1
    wide = focalseg.compare({"plain": one, "gated": other}, margin=0.2)
    assert wide.comparisons[0].as_good.shown
    assert "0 of 28 groups are lost altogether, so that up to 12.3 % of them may be." in wide.sentence
    assert "Clopper and Pearson" in wide.methods
    percent = [{case: 100 * score for case, score in table.items()} for table in (one, other)]
    scaled = focalseg.compare({"plain": percent[0], "gated": percent[1]}, margin=1, metric="Dice").comparisons[0].as_good
    assert (scaled.shown, scaled.bound) == (False, pytest.approx(100 * found.bound))
    distance = (
        focalseg.compare({"plain": one, "gated": other}, margin=0.01, metric="HD95", better="lower").comparisons[0].as_good
    )
    assert (distance.shown, distance.failing_at_most) == (True, None)  # of a distance the interval alone decides


def test_the_work_grows_with_the_cases_and_not_with_their_square():
    """Every key of the tables is looked at a few times, whatever their number."""

    def count_calls(cases: int) -> int:
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        scores = {f"case {number}": number / cases for number in range(cases)}
        systems = {"a": scores, "b": {case: score * 0.5 for case, score in scores.items()}}
        sys.setprofile(count)
        try:
            focalseg.compare(systems)
        finally:
            sys.setprofile(None)
        return calls

    focalseg.compare({"a": {"x": 0.5}, "b": {"x": 0.4}})  # what is loaded and cached at first is not counted
    assert count_calls(800) < 5 * count_calls(200)


def test_a_difference_that_never_varies_is_told_to_be_odd():
    one = by_case(draw_scores(1))[0]
    found = focalseg.compare({"a": one, "b": {case: score + 0.0625 for case, score in one.items()}}, better="higher")
    assert sum("differ by the very same amount" in note for note in found.notes) == 1


def test_the_very_same_scores_show_nothing_and_say_so():
    pair = focalseg.compare({"a": draw_scores(), "b": draw_scores()}, cases=CASES).comparisons[0]
    assert (pair.verdict, pair.difference.mean, pair.p_value, pair.needed) == ("no_difference_shown", 0.0, 1.0, ())
    assert "the very same scores" in pair.sentence


def test_the_cases_that_differ_most_are_listed():
    one = dict.fromkeys(CASES, 0.5)
    other = one | {"case_04": 0.9, "case_10": 0.2, "case_20": 0.6}
    extremes = focalseg.compare({"a": one, "b": other}).comparisons[0].extremes
    assert [(found.case, round(found.difference, 3)) for found in extremes] == [
        ("case_04", 0.4),
        ("case_10", -0.3),
        ("case_20", 0.1),
    ]


def test_the_record_is_kept_as_a_file_and_read_again(tmp_path):
    found = focalseg.compare({"plain": draw_scores(), "gated": draw_scores(seed=1)}, cases=CASES, margin=0.01)
    found.save(tmp_path / "comparison.json")
    assert read_record(ComparisonRecord, tmp_path / "comparison.json") == found
    assert found.sentence in str(found)


@pytest.mark.parametrize(
    ("systems", "given", "expected"),
    [
        ({"a": {"x": 1.0}}, {}, "1 system to compare; expected two or more"),
        ({"a": {}, "b": {"x": 0.5}}, {}, "a has no score"),
        ({"a": {"x": "0.5"}, "b": {"x": 0.5}}, {}, "case x has the score '0.5'; expected a number"),
        ({"a": {"x": float("inf")}, "b": {"x": 0.5}}, {}, "case x has the score inf; expected a number up to 1e+100"),
        ({"a": {"x": 0.5}, "b": {"y": 0.5}}, {}, "no case in common"),
        ({"a": {"x": 0.5}, "": {"x": 0.5}}, {}, "A system has an empty name"),
        ([1, 2], {}, "expected a mapping from the name of a system to its scores"),
        ({"a": {"x": 0.5}, "b": {"x": 0.4}}, {"groups": ["p"]}, "groups was ['p']; expected a mapping"),
        ({"a": {"x": 0.5}, "b": {"x": 91.0}}, {}, "percent beside shares"),
        ({"a": {"x": 0.5}, "b": {"x": 0.4}}, {"groups": {"y": "p"}}, "1 case of 1 without a group: x"),
        ({"a": [[0.5, 0.6]], "b": [[0.4, 0.6]]}, {"cases": ["x"]}, "`cases` 1 different names"),
        ({"a": {"x": 0.5}, "b": {"x": 0.4}}, {"folds": {"y": 0}}, "case x has no fold"),
    ],
)
def test_scores_that_cannot_be_compared_are_refused_in_a_sentence(systems, given, expected):
    with pytest.raises((DataError, SettingError)) as caught:
        focalseg.compare(systems, **given)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("given", "expected"), [({"better": "up"}, "'higher' or 'lower'"), ({"margin": 0}, "positive number")])
def test_settings_out_of_range_are_refused(given, expected):
    with pytest.raises(SettingError, match=expected):
        focalseg.compare({"a": {"x": 0.5}, "b": {"x": 0.4}}, **given)


def test_comparing_loads_no_torch():
    script = (
        "import sys, focalseg; focalseg.compare({'a': {'x': .5, 'y': .4}, 'b': {'x': .4, 'y': .5}});"
        "assert not {'torch', 'matplotlib', 'scipy.stats'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_where_one_case_makes_the_difference_the_sentence_says_that_p_does_not_go_with_the_interval():
    near = {f"case_{number}": 1.0 + number / 100 for number in range(20)}
    far = {case: 4.0 + 1.1 * distance for case, distance in near.items()}
    usual = focalseg.compare({"far": far, "near": near}, metric="hd95", better="lower").comparisons[0]
    assert (usual.verdict, usual.p_value < 0.05, "disagree" in usual.sentence) == ("better", True, False)
    found = focalseg.compare({"far": far | {"case_0": 140.0}, "near": near}, metric="hd95", better="lower").comparisons[0]
    assert (found.verdict, found.p_value > 0.05, "Interval and p disagree" in found.sentence) == (
        "no_difference_shown",
        True,
        True,
    )
    assert found.difference.high < 0  # which alone would have said better
