"""Intervals against closed forms, and what they promise under a null."""

import numpy as np
import pytest
from scipy import stats

from focalseg.evaluation.standard_error import estimate_standard_error
from focalseg.evaluation.statistics import estimate_mean, measure_seed_noise

pytestmark = pytest.mark.slow


def alone(count):
    return [str(number) for number in range(count)]


def test_one_training_of_independent_cases_gives_the_interval_of_student():
    scores = np.random.default_rng(0).normal(0.7, 0.1, 60)
    estimate = estimate_mean(scores, alone(60))
    low, high = stats.t.interval(0.95, 59, scores.mean(), stats.sem(scores))
    assert estimate.mean == pytest.approx(scores.mean())
    assert estimate.low == pytest.approx(low, abs=0.1 * (high - low))
    assert estimate.high == pytest.approx(high, abs=0.1 * (high - low))


def test_cases_that_repeat_each_other_within_a_group_count_once():
    values = np.random.default_rng(1).normal(0, 1, 12)
    few = estimate_mean(values, alone(12))
    many = estimate_mean(np.repeat(values, 20), np.repeat(np.arange(12), 20).astype(str).tolist())
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=1e-6)


def test_a_fluke_on_all_of_three_trainings_is_no_proof():
    scores = np.array([0.001, 0.012, 0.004])[:, None] + np.zeros((3, 100))
    assert estimate_mean(scores, alone(100)).low < 0


def test_a_large_effect_on_three_trainings_is_seen():
    random = np.random.default_rng(2)
    scores = 0.3 + np.array([0.01, -0.01, 0.0])[:, None] + random.normal(0, 0.1, (3, 80))
    estimate = estimate_mean(scores, alone(80))
    assert 0.2 < estimate.low < 0.3 < estimate.high < 0.4


def test_no_variation_gives_an_interval_of_no_width():
    estimate = estimate_mean(np.zeros((3, 5)), alone(5))
    assert (estimate.mean, estimate.low, estimate.high) == (0, 0, 0)


def test_one_group_tells_nothing_about_how_groups_differ():
    estimate = estimate_mean(np.array([[0.011, 0.012], [0.013, 0.012]]), ["a", "a"], span=(-1.0, 1.0))
    assert (estimate.low, estimate.high) == (-1, 1)


@pytest.mark.parametrize("trainings", [1, 3])
def test_the_interval_of_two_groups_is_students(trainings):
    scores = np.random.default_rng(3).normal(0, 1, (trainings, 8))
    groups = ["a"] * 3 + ["b"] * 5
    estimate, standard = estimate_mean(scores, groups), estimate_standard_error(scores, groups)
    reach = stats.t.isf(0.025, standard.freedom) * standard.error
    assert (estimate.low, estimate.high) == pytest.approx((scores.mean() - reach, scores.mean() + reach))


def test_an_interval_stays_in_the_span_of_its_score():
    estimate = estimate_mean(np.array([[1.0, 1.0, 1.0, 0.7]]), alone(4), span=(0.0, 1.0))
    assert estimate.high == 1
    assert 0.5 < estimate.low < estimate.mean


def test_rounding_is_no_variation():
    estimate = estimate_mean(np.full((1, 6), 0.7), alone(6))
    assert (estimate.low, estimate.high) == (estimate.mean, estimate.mean)


def test_the_same_scores_give_the_same_interval_and_it_holds_the_mean():
    scores = np.random.default_rng(3).exponential(1, (3, 20))
    assert estimate_mean(scores, alone(20)) == estimate_mean(scores, alone(20))
    assert estimate_mean(scores, alone(20)).low < scores.mean() < estimate_mean(scores, alone(20)).high


def test_scores_and_groups_of_different_number_are_refused():
    with pytest.raises(ValueError, match="3 scores a training and 2 groups"):
        estimate_mean(np.zeros((2, 3)), ["a", "b"])


@pytest.mark.parametrize(("training_noise", "case_noise"), [(0.02, 0.05), (0.0, 0.1), (0.03, 0.0)])
def test_where_there_is_no_difference_an_interval_lies_above_0_in_at_most_2_5_per_cent(training_noise, case_noise):
    random = np.random.default_rng(4)
    groups = np.repeat(np.arange(10), 6).astype(str).tolist()
    repetitions, claims = 300, 0
    for _ in range(repetitions):
        group_effects = np.repeat(random.normal(0, case_noise, 10), 6)
        scores = random.normal(0, training_noise, (3, 1)) + group_effects + random.normal(0, case_noise, (3, 60))
        claims += estimate_mean(scores, groups).low > 0
    assert claims <= stats.binom.isf(0.01, repetitions, 0.025)


def test_an_interval_of_unequal_groups_holds_the_truth():
    random = np.random.default_rng(5)
    sizes = [40, 30, 20, 10, 8, 8, 6, 6, 4, 4]
    groups = np.repeat(np.arange(10), sizes).astype(str).tolist()
    repetitions, held = 400, 0
    for _ in range(repetitions):
        estimate = estimate_mean(np.repeat(random.normal(0, 1, 10), sizes), groups)
        held += estimate.low <= 0 <= estimate.high
    assert stats.binom.ppf(0.005, repetitions, 0.95) <= held


def test_the_error_of_one_training_of_independent_cases_is_that_of_their_mean():
    scores = np.random.default_rng(6).normal(0.7, 0.1, 40)
    standard = estimate_standard_error(scores, alone(40))
    assert standard.error == pytest.approx(stats.sem(scores))
    assert standard.freedom == pytest.approx(39)


def test_the_error_of_unequal_groups_is_the_jackknife_over_them():
    random = np.random.default_rng(7)
    membership = np.repeat(np.arange(5), [9, 1, 4, 2, 2])
    scores = random.normal(0, 1, len(membership))
    left_out = np.array([scores[membership != group].mean() for group in range(5)])
    expected = np.sqrt(4 / 5 * ((left_out - scores.mean()) ** 2).sum())
    assert estimate_standard_error(scores, membership.astype(str).tolist()).error == pytest.approx(expected)


@pytest.mark.parametrize("sizes", [[9, 1, 4, 2, 2], [3, 3, 3], [30, 1], [12, 11, 10, 9, 8, 7]])
def test_the_degrees_of_freedom_of_groups_are_those_of_the_jackknifes_quadratic_form(sizes):
    membership = np.repeat(np.arange(len(sizes)), sizes)
    cases = len(membership)
    kept = [membership != group for group in range(len(sizes))]
    changes = np.array([keep / keep.sum() - np.full(cases, 1 / cases) for keep in kept])
    form = changes.T @ changes
    expected = np.trace(form) ** 2 / np.trace(form @ form)
    scores = np.random.default_rng(8).normal(0, 1, cases)
    assert estimate_standard_error(scores, membership.astype(str).tolist()).freedom == pytest.approx(expected)


def test_the_error_over_trainings_is_that_of_the_two_way_analysis_of_variance():
    random = np.random.default_rng(9)
    scores = random.normal(0, 0.3, (4, 1)) + random.normal(0, 0.2, 12) + random.normal(0, 0.1, (4, 12))
    of_trainings = 12 * scores.mean(axis=1).var(ddof=1)
    of_groups = 4 * scores.mean(axis=0).var(ddof=1)
    residual = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    of_both = (residual**2).sum() / (3 * 11)
    square = (of_trainings + of_groups - of_both) / 48
    standard = estimate_standard_error(scores, alone(12))
    assert standard.error == pytest.approx(np.sqrt(square))
    assert standard.freedom == pytest.approx(square**2 / ((of_trainings / 48) ** 2 / 3 + (of_groups / 48) ** 2 / 11))


def test_trainings_that_agree_better_than_chance_take_nothing_off_the_error():
    random = np.random.default_rng(10)
    noise = random.normal(0, 0.1, (3, 20))
    scores = random.normal(0, 0.2, 20) + noise - noise.mean(axis=1, keepdims=True)
    assert estimate_standard_error(scores, alone(20)).error == pytest.approx(stats.sem(scores.mean(axis=0)))


@pytest.mark.parametrize("folds", [1, 5])
def test_the_squared_error_is_on_average_the_variance_of_the_mean(folds):
    random = np.random.default_rng(11)
    repetitions, trainings, groups, per_group = 2000, 5, 10, 4
    fold = np.arange(groups) % folds
    drawn = 0.05 * random.standard_normal((repetitions, trainings, folds))[:, :, fold]
    drawn = drawn + 0.05 * random.standard_normal((repetitions, 1, groups))
    drawn = drawn + 0.03 * random.standard_normal((repetitions, trainings, groups))
    drawn = drawn.repeat(per_group, axis=2) + 0.1 * random.standard_normal((repetitions, trainings, groups * per_group))
    names = np.repeat(np.arange(groups), per_group).astype(str).tolist()
    squares = [estimate_standard_error(scores, names).error ** 2 for scores in drawn]
    expected = 0.05**2 / (trainings * folds) + 0.05**2 / groups + 0.03**2 / (trainings * groups) + 0.1**2 / (trainings * 40)
    assert np.mean(squares) == pytest.approx(expected, rel=0.05)


def test_degrees_of_freedom_are_never_fewer_than_those_of_the_rarer_kind():
    random = np.random.default_rng(12)
    for _ in range(50):
        assert estimate_standard_error(random.normal(0, 1, (3, 8)), alone(8)).freedom >= 2


def test_one_group_has_no_error_to_speak_of():
    assert estimate_standard_error(np.array([[0.1, 0.2]]), ["a", "a"]).error == np.inf


def test_the_same_interval_comes_from_folds_side_by_side_in_any_order():
    scores = np.random.default_rng(13).normal(0, 1, (3, 30))
    groups = np.repeat(np.arange(10), 3).astype(str).tolist()
    order = np.random.default_rng(14).permutation(30)
    shuffled = estimate_mean(scores[:, order], [groups[place] for place in order])
    one, other = estimate_mean(scores, groups), shuffled
    assert (other.low, other.high) == pytest.approx((one.low, one.high))


def in_folds(sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


def test_the_error_over_folds_that_differ_is_that_of_their_means():
    random, fold = np.random.default_rng(16), in_folds([6] * 5)
    scores = random.normal(0, 0.3, 5)[fold] + random.normal(0, 0.01, (3, 30))
    standard = estimate_standard_error(scores, alone(30), fold.tolist())
    means = scores.mean(axis=0).reshape(5, 6).mean(axis=1)
    assert standard.error == pytest.approx(stats.sem(means))
    assert standard.freedom == pytest.approx(4)
    estimate = estimate_mean(scores, alone(30), folds=fold.tolist())
    half = stats.t.isf(0.025, 4) * stats.sem(means)
    assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.05)


def test_folds_of_unequal_size_have_the_error_of_leaving_each_out():
    random, sizes = np.random.default_rng(17), [9, 1, 4, 2, 2]
    fold = in_folds(sizes)
    scores = random.normal(0, 1, 5)[fold]
    left_out = np.array([scores[fold != one].mean() for one in range(5)])
    expected = np.sqrt(4 / 5 * ((left_out - scores.mean()) ** 2).sum())
    assert estimate_standard_error(scores, alone(18), fold.tolist()).error == pytest.approx(expected)


def test_folds_that_agree_by_luck_do_not_make_the_interval_narrower():
    random, fold = np.random.default_rng(18), in_folds([8] * 5)
    scores = random.normal(0, 0.1, (1, 40)).reshape(1, 5, 8)
    scores = (scores - scores.mean(axis=2, keepdims=True)).reshape(1, 40)
    told, untold = (estimate_mean(scores, alone(40), folds=folds) for folds in (fold.tolist(), ()))
    assert (told.low, told.high) == (untold.low, untold.high)


@pytest.mark.parametrize("tail", [0.01, 0.0001])
def test_an_interval_of_a_smaller_tail_reaches_as_far_as_student_does(tail):
    scores = np.random.default_rng(22).normal(0.01, 0.1, (3, 40))
    usual, wider = estimate_mean(scores, alone(40)), estimate_mean(scores, alone(40), tail=tail)
    freedom = estimate_standard_error(scores, alone(40)).freedom
    ratio = stats.t.isf(tail, freedom) / stats.t.isf(0.025, freedom)
    assert wider.mean - wider.low == pytest.approx(ratio * (usual.mean - usual.low))
    assert wider.high - wider.mean == pytest.approx(ratio * (usual.high - usual.mean))


@pytest.mark.parametrize("trainings", [1, 3])
def test_another_seed_of_the_bootstrap_moves_an_end_by_a_fiftieth_of_the_half_width_at_most(trainings):
    scores = np.random.default_rng(23).normal(0, 0.1, (trainings, 29))
    ends = np.array([[one.low, one.high] for one in (estimate_mean(scores, alone(29), seed=seed) for seed in range(20))])
    assert (ends.std(axis=0) < 0.01 * np.ptp(ends.mean(axis=0)) / 2).all()
    assert (np.ptp(ends, axis=0) < 0.04 * np.ptp(ends.mean(axis=0)) / 2).all()


def test_one_fold_is_none():
    scores = np.random.default_rng(19).normal(0, 1, (3, 12))
    assert estimate_mean(scores, alone(12), folds=[2] * 12) == estimate_mean(scores, alone(12))


def test_folds_that_all_test_the_same_cases_add_what_the_cases_differ_by():
    random, folds, cases = np.random.default_rng(20), 4, 10
    cells = random.normal(0, 0.3, (folds, 1)) + random.normal(0, 0.3, cases) + random.normal(0, 0.05, (folds, cases))
    fold, groups = in_folds([cases] * folds), alone(cases) * folds
    of_folds = cells.mean(axis=1).var(ddof=1) / folds
    of_groups = cells.mean(axis=0).var(ddof=1) / cells.shape[1]
    of_cells = cells.var(ddof=1) / cells.size
    standard = estimate_standard_error(cells.ravel(), groups, fold.tolist())
    assert standard.error == pytest.approx(np.sqrt(of_folds + of_groups - of_cells))
    expected = standard.error**4 / (of_folds**2 / (folds - 1) + (of_groups - of_cells) ** 2 / (cases - 1))
    assert standard.freedom == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize(("folds", "deviation"), [(5, 0.0), (5, 0.04), (3, 0.04)])
def test_an_interval_over_folds_holds_the_truth_however_much_folds_differ(folds, deviation):
    random = np.random.default_rng(21)
    fold, groups = np.arange(100) % folds, alone(100)
    repetitions, held = 300, 0
    for _ in range(repetitions):
        shared = random.normal(0, deviation, folds) + random.normal(0, 0.01, (3, folds))
        scores = shared[:, fold] + random.normal(0, 0.1, 100) + random.normal(0, 0.05, (3, 100))
        estimate = estimate_mean(scores, groups, folds=fold.tolist())
        held += estimate.low <= 0 <= estimate.high
    assert stats.binom.ppf(0.005, repetitions, 0.95) <= held


def test_folds_that_are_not_one_a_score_are_refused():
    with pytest.raises(ValueError, match="4 scores a training and 3 groups or folds"):
        estimate_mean(np.ones((2, 4)), alone(4), folds=[0, 0, 1])


def test_seed_noise_over_folds_is_that_within_a_fold():
    scores = np.array([[0.70, 0.72, 0.50], [0.73, 0.75, 0.40], [0.78, 0.76, 0.60]])
    noise = measure_seed_noise(scores, [0, 0, 1])
    deviation = np.sqrt((0.03**2 + 0.1**2) / 2)  # of means 0.71, 0.74, 0.77 and of 0.5, 0.4, 0.6
    assert noise.deviation == pytest.approx(deviation)
    assert noise.range_of_difference == pytest.approx(2.776445 * np.sqrt(2) * deviation)  # t(0.975) with 4 degrees of freedom
    assert noise.trainings == 3


def test_seed_noise_does_not_shrink_with_the_number_of_folds():
    random, folds = np.random.default_rng(22), 5
    found = []
    for _ in range(400):
        scores = random.normal(0, 0.02, (3, folds)).repeat(4, axis=1)
        found.append(measure_seed_noise(scores, in_folds([4] * folds).tolist()).deviation ** 2)
    assert np.sqrt(np.mean(found)) == pytest.approx(0.02, rel=0.05)


def test_seed_noise_is_the_spread_of_the_means_of_trainings():
    noise = measure_seed_noise(np.array([[0.70, 0.72], [0.73, 0.75], [0.78, 0.76]]))
    assert noise.deviation == pytest.approx(0.03)  # of means 0.71, 0.74 and 0.77
    assert noise.range_of_difference == pytest.approx(4.302653 * np.sqrt(2) * 0.03)  # t(0.975) with 2 degrees of freedom
    assert noise.trainings == 3


def test_differences_of_two_single_trainings_lie_in_the_range_in_95_per_cent_of_cases():
    random = np.random.default_rng(15)
    repetitions = 2000
    means = random.normal(0.8, 0.02, (repetitions, 5))
    inside = sum(
        abs(first - second) <= measure_seed_noise(np.array(known)[:, None]).range_of_difference
        for first, second, *known in means
    )
    assert stats.binom.ppf(0.005, repetitions, 0.95) <= inside <= stats.binom.ppf(0.995, repetitions, 0.95)


def test_one_training_does_not_tell_the_noise_of_the_seed():
    noise = measure_seed_noise(np.array([0.7, 0.8]))
    assert noise.deviation is None
    assert noise.range_of_difference is None
    assert noise.trainings == 1
