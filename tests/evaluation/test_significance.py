"""Comparisons against SciPy's tests and closed forms, and what they refuse."""

import itertools

import numpy as np
import pytest
from scipy import stats

from focalseg.errors import SettingError
from focalseg.evaluation.significance import compare_paired, correct_holm, decide_non_inferiority
from focalseg.evaluation.standard_error import estimate_standard_error
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, estimate_mean
from focalseg.records.estimate import Estimate


def alone(count):
    return [str(number) for number in range(count)]


def draw(seed, trainings, cases, difference=0.05):
    random = np.random.default_rng(seed)
    other = random.uniform(0.3, 0.9, (trainings, cases))
    return other + random.normal(difference, 0.1, (trainings, cases)), other


def of_means(means, size=1):
    """The comparison whose groups have these mean differences."""
    one = np.repeat(np.asarray(means, dtype=float), size)
    return compare_paired(one, np.zeros_like(one), np.repeat(np.arange(len(means)), size).astype(str).tolist())


def test_a_comparison_holds_the_interval_of_the_differences_and_the_counts():
    one, other = draw(0, 3, 40)
    groups = np.repeat(np.arange(10), 4).astype(str).tolist()
    comparison = compare_paired(one, other, groups)
    assert comparison.estimate == estimate_mean(one - other, groups, span=DIFFERENCE_SPAN)
    assert (comparison.trainings, comparison.cases, comparison.groups) == (3, 40, 10)


def test_a_comparison_over_folds_that_differ_rests_on_the_folds():
    random = np.random.default_rng(12)
    fold = np.repeat(np.arange(5), 8)
    one = np.array([0.06, -0.05, 0.03, -0.02, 0.04])[fold] + random.normal(0, 0.01, (3, 40))
    comparison = compare_paired(one, np.zeros_like(one), alone(40), fold.tolist())
    means = one.mean(axis=0).reshape(5, 8).mean(axis=1)
    assert comparison.p_value == pytest.approx(stats.ttest_1samp(means, 0).pvalue)
    assert comparison.estimate.low < 0 < comparison.estimate.high
    assert compare_paired(one, np.zeros_like(one), alone(40)).p_value < comparison.p_value
    expected = (stats.t.ppf(0.975, 4) + stats.t.ppf(0.8, 4)) * stats.sem(means)
    assert comparison.smallest_difference == pytest.approx(expected)


def test_swapping_the_arms_turns_the_difference_round_and_keeps_the_p_values():
    one, other = draw(1, 3, 30)
    forth, back = compare_paired(one, other, alone(30)), compare_paired(other, one, alone(30))
    assert back.estimate.mean == pytest.approx(-forth.estimate.mean)
    assert (back.p_value, back.permutation_p, back.wilcoxon_p) == pytest.approx(
        (forth.p_value, forth.permutation_p, forth.wilcoxon_p)
    )


def test_the_p_value_of_one_training_of_cases_alone_is_that_of_the_paired_t_test():
    one, other = draw(2, 1, 25)
    assert compare_paired(one, other, alone(25)).p_value == pytest.approx(stats.ttest_rel(one[0], other[0]).pvalue)


def test_the_p_value_agrees_with_the_interval_of_student_over_trainings_and_groups():
    one, other = draw(3, 3, 30, difference=0.02)
    standard = estimate_standard_error(one - other, alone(30))
    comparison = compare_paired(one, other, alone(30))
    confidence = 1 - comparison.p_value
    low, high = stats.t.interval(confidence, standard.freedom, comparison.estimate.mean, standard.error)
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("groups", [5, 9, 13])
def test_the_permutation_p_of_few_groups_is_that_of_scipy_over_all_sign_flips(groups):
    means = np.random.default_rng(groups).normal(0.5, 1, groups)
    expected = stats.permutation_test(
        (means,), lambda values, axis: values.sum(axis=axis), permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    assert of_means(means).permutation_p == pytest.approx(expected.pvalue)


def test_flips_that_tie_with_the_data_but_for_rounding_are_counted_with_them():
    """Counted with whole numbers, of which the scores are a millionth of a third."""
    whole = np.array([121, -121, -494, -103, -324, 60, -509, 316])
    flips = np.array(list(itertools.product((-1, 1), repeat=len(whole))))
    expected = np.mean(np.abs(flips @ whole) >= abs(whole.sum()))
    found = compare_paired(whole[None] * 1e-6 / 3, np.zeros((1, len(whole))), list("abcdefgh")).permutation_p
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_permutation_p_of_many_groups_is_near_that_of_scipy():
    means = np.random.default_rng(4).normal(0.3, 1, 40)
    expected = stats.permutation_test(
        (means,), lambda values, axis: values.sum(axis=axis), permutation_type="samples", vectorized=True, rng=0
    ).pvalue
    chance = np.sqrt(expected * (1 - expected) / 9999)
    assert of_means(means).permutation_p == pytest.approx(expected, abs=5 * chance)


def test_no_permutation_p_is_below_what_the_number_of_flips_allows():
    assert of_means([0.1] * 6).permutation_p == 2 / 2**6
    assert of_means(np.linspace(0.1, 0.2, 50)).permutation_p == 1 / 10000


def test_wilcoxon_is_run_on_the_means_of_groups_over_trainings():
    one, other = draw(5, 3, 48)
    groups = np.repeat(np.arange(12), 4)
    means = (one - other).mean(axis=0).reshape(12, 4).mean(axis=1)
    comparison = compare_paired(one, other, groups.astype(str).tolist())
    assert comparison.wilcoxon_p == pytest.approx(stats.wilcoxon(means).pvalue)


def test_wilcoxon_of_six_groups_that_all_gain_is_one_in_thirty_two():
    assert of_means([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).wilcoxon_p == 2 / 2**6


def test_cases_that_repeat_each_other_within_a_group_change_no_p_value():
    means = np.random.default_rng(6).normal(0.03, 0.1, 8)
    once, often = of_means(means), of_means(means, size=15)
    assert (often.p_value, often.permutation_p, often.wilcoxon_p) == pytest.approx(
        (once.p_value, once.permutation_p, once.wilcoxon_p)
    )


def test_a_lucky_training_moves_the_sign_flips_and_not_the_p_value():
    random = np.random.default_rng(7)
    one = np.array([0.03, 0.0, 0.04])[:, None] + random.normal(0, 0.02, (3, 60))
    comparison = compare_paired(one, np.zeros_like(one), alone(60))
    assert comparison.permutation_p < 0.001
    assert comparison.wilcoxon_p < 0.001
    assert comparison.p_value > 0.1


def test_arms_that_are_the_same_differ_by_nothing():
    scores = draw(8, 3, 20)[0]
    comparison = compare_paired(scores, scores, alone(20))
    assert (comparison.estimate.low, comparison.estimate.high) == (0, 0)
    assert (comparison.p_value, comparison.permutation_p, comparison.wilcoxon_p) == (1, 1, 1)


def test_an_arm_beside_itself_does_not_promise_that_the_smallest_difference_would_be_seen():
    scores = draw(8, 3, 20)[0]
    assert np.isnan(compare_paired(scores, scores, alone(20)).smallest_difference)
    assert compare_paired(scores, scores - 0.01, alone(20)).smallest_difference == pytest.approx(0, abs=1e-9)


def test_one_group_shows_no_difference_however_large():
    comparison = of_means([0.5], size=30)
    assert (comparison.p_value, comparison.permutation_p, comparison.wilcoxon_p) == (1, 1, 1)
    assert comparison.smallest_difference == np.inf


@pytest.mark.parametrize("cases", [6, 30, 200])
def test_a_true_difference_of_the_smallest_size_is_shown_in_80_per_cent_of_cases(cases):
    differences = np.random.default_rng(9).normal(0, 0.1, cases)
    error = stats.sem(differences)
    shift = of_means(differences).smallest_difference / error
    power = stats.nct.sf(stats.t.isf(0.025, cases - 1), cases - 1, shift)
    assert power == pytest.approx(0.8, abs=0.006)


@pytest.mark.slow
def test_the_smallest_difference_of_many_cases_is_2_8_standard_errors():
    differences = np.random.default_rng(10).normal(0, 0.1, 5000)
    expected = (1.959964 + 0.841621) * stats.sem(differences)  # normal quantiles at 0.975 and 0.8
    assert of_means(differences).smallest_difference == pytest.approx(expected, rel=1e-3)


def test_arms_of_different_shape_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(1, 3\); expected \(trainings, cases\), the same for both"):
        compare_paired(np.zeros((2, 3)), np.zeros((1, 3)), alone(3))


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="1 of 3 pairs of scores are not finite; leave those cases out of both arms"):
        compare_paired(np.array([0.1, np.nan, 0.3]), np.zeros(3), alone(3))


def test_holms_correction_is_the_step_down_of_a_worked_example():
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1 raised to the one before
    adjusted = correct_holm({"se": 0.01, "ag": 0.04, "cbam": 0.03, "all": 0.005})
    assert list(adjusted) == ["se", "ag", "cbam", "all"]
    assert adjusted == pytest.approx({"se": 0.03, "ag": 0.06, "cbam": 0.06, "all": 0.02})


def test_holms_correction_leaves_one_comparison_alone_and_ends_at_1():
    assert correct_holm({"all": 0.04}) == {"all": 0.04}
    assert correct_holm({"se": 0.6, "ag": 0.9}) == {"se": 1.0, "ag": 1.0}
    assert correct_holm({}) == {}


def test_holms_correction_rejects_what_his_sequential_procedure_rejects():
    random = np.random.default_rng(11)
    for _ in range(200):
        p_values = dict(zip("abcdef", random.uniform(0, 0.08, 6), strict=True))
        rejected: set[str] = set()
        for name in sorted(p_values, key=p_values.__getitem__):
            if p_values[name] > 0.05 / (6 - len(rejected)):
                break
            rejected.add(name)
        assert {name for name, value in correct_holm(p_values).items() if value <= 0.05} == rejected


def test_holms_correction_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"p-values lie in \[0, 1\]; found se 1.2, ag nan"):
        correct_holm({"se": 1.2, "ag": float("nan"), "all": 0.5})


@pytest.mark.parametrize(("low", "shown"), [(-0.009, True), (-0.01, False), (-0.02, False), (0.001, True)])
def test_an_arm_is_as_good_when_its_interval_lies_above_minus_the_margin(low, shown):
    decision = decide_non_inferiority(Estimate(mean=0.002, low=low, high=0.013), margin=0.01)
    assert (decision.shown, decision.bound, decision.margin) == (shown, low, 0.01)


@pytest.mark.parametrize("margin", [0.0, -0.01, float("nan"), float("inf")])
def test_a_margin_that_is_no_loss_is_refused(margin):
    with pytest.raises(SettingError, match=f"The margin is {margin}; expected a positive number"):
        decide_non_inferiority(Estimate(mean=0, low=0, high=0), margin=margin)
