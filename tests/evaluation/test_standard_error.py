"""Folds: trainings that are nested in them, and training groups that they share, against formulas written out anew."""

import numpy as np
import pytest

from focalseg.evaluation.standard_error import LEAST_SHARE, estimate_standard_error


def alone(count):
    return [str(number) for number in range(count)]


def draw(folds, trainings, cases, *, of_set=0.0, of_training=0.02, of_case=0.1, seed=0):
    """Differences (S, N) whose trainings are nested in folds, and the fold of each case."""
    random = np.random.default_rng(seed)
    fold = np.arange(cases) % folds
    shared = random.normal(0, of_training, (trainings, folds)) + random.normal(0, of_set, folds)
    return shared[:, fold] + random.normal(0, of_case, cases) + random.normal(0, 0.05, (trainings, cases)), fold


def test_trainings_are_pooled_from_within_their_folds():
    """Folds and cases alike, so that trainings are all that varies: (S - 1) F degrees of freedom, not S - 1."""
    fold = np.arange(20) % 5
    of_trainings = np.random.default_rng(1).normal(0, 0.1, (3, 5))
    of_trainings -= of_trainings.mean(axis=0)
    standard = estimate_standard_error(of_trainings[:, fold], alone(20), fold.tolist())
    assert standard.error**2 == pytest.approx(of_trainings.var(axis=0, ddof=1).mean() / (3 * 5))
    assert standard.freedom == pytest.approx(2 * 5)


def test_which_training_of_a_fold_stands_in_which_row_means_nothing():
    scores, fold = draw(5, 3, 30)
    mixed = scores.copy()
    mixed[:, fold == 2] = scores[[1, 2, 0]][:, fold == 2]
    one, other = (estimate_standard_error(table, alone(30), fold.tolist(), overlap=0.5) for table in (scores, mixed))
    assert (one.error, one.freedom) == pytest.approx((other.error, other.freedom), rel=1e-12)


def test_the_variance_of_trainings_in_folds_is_that_of_endless_studies():
    groups, truth = alone(40), 0.05**2 / 15 + 0.02**2 / 40
    random, fold = np.random.default_rng(5), (np.arange(40) % 5).tolist()
    found = []
    for _ in range(300):
        scores = random.normal(0, 0.05, (3, 5))[:, fold] + random.normal(0, 0.02, 40)
        found.append(estimate_standard_error(scores, groups, fold).error ** 2)
    assert 1.0 < np.mean(found) / truth < 1.5  # the wider of two is above either


def test_no_overlap_changes_nothing():
    scores, fold = draw(5, 3, 30, of_set=0.1)
    told = estimate_standard_error(scores, alone(30), fold.tolist(), overlap=0.0)
    assert told == estimate_standard_error(scores, alone(30), fold.tolist())
    assert estimate_standard_error(scores, alone(30), overlap=0.5) == estimate_standard_error(scores, alone(30))


@pytest.mark.parametrize(("of_set", "seed"), [(0.0, 0), (0.02, 1), (0.05, 2), (0.2, 3)])
@pytest.mark.parametrize("trainings", [1, 3])
def test_shared_training_groups_add_what_the_formula_says(of_set, seed, trainings):
    folds, cases, overlap = 5, 40, 0.5
    scores, fold = draw(folds, trainings, cases, of_set=of_set, of_case=0.03, seed=seed)
    in_folds = np.stack([scores[:, fold == one] for one in range(folds)])  # (F, S, N / F)
    means = in_folds.mean(axis=(1, 2))
    of_folds = means.var(ddof=1) / folds
    within = in_folds.mean(axis=1).var(axis=1, ddof=1).mean() / cases
    if trainings > 1:
        of_trainings = in_folds.mean(axis=2).var(axis=1, ddof=1).mean() / (trainings * folds)
        left = in_folds - in_folds.mean(axis=1, keepdims=True) - in_folds.mean(axis=2, keepdims=True) + means[:, None, None]
        crossed = (left**2).sum() / ((trainings - 1) * (cases - folds)) / (trainings * cases)
        within += max(of_trainings - crossed, 0)
    share = np.clip(1 - within / of_folds + np.sqrt(1 / 8), LEAST_SHARE, 1)
    shared = folds * overlap / (1 - overlap) * share * of_folds
    standard = estimate_standard_error(scores, alone(cases), fold.tolist(), overlap=overlap)
    assert standard.error**2 == pytest.approx(of_folds + shared)
    freedom = ((of_folds + shared) / (of_folds / np.sqrt(4) + shared / np.sqrt(8 / 3))) ** 2
    assert standard.freedom == pytest.approx(freedom)


def test_folds_that_are_all_training_set_are_widened_by_what_they_share():
    """Where nothing else varies the variance of the mean is tau^2 (1 / k + (1 - 1 / k) r), the spread tau^2 (1 - r)."""
    fold = np.arange(50) % 10
    of_sets = np.random.default_rng(4).normal(0, 0.1, 10)
    standard = estimate_standard_error(of_sets[fold], alone(50), fold.tolist(), overlap=7 / 9)
    visible = of_sets.var(ddof=1)
    tau_squared = visible / (1 - 7 / 9)
    assert standard.error**2 == pytest.approx(tau_squared * (1 / 10 + 9 / 10 * 7 / 9))


@pytest.mark.parametrize(("folds", "trainings"), [(5, 3), (10, 1)])
def test_intervals_hold_the_truth_where_training_sets_matter_and_overlap(folds, trainings):
    """A part tests, the next validates, and what a fold learns is the mean of what its training groups teach."""
    random, groups, held = np.random.default_rng(6), 30, []
    fold = np.arange(groups) % folds
    teaches = np.stack([(fold != one) & (fold != (one + 1) % folds) for one in range(folds)]).astype(float)
    teaches /= np.sqrt(teaches.sum(axis=1, keepdims=True))
    for _ in range(400):
        learnt = 0.1 * teaches @ random.normal(0, 1, groups) + random.normal(0, 0.03, (trainings, folds))
        scores = learnt[:, fold] + random.normal(0, 0.13, groups) + random.normal(0, 0.05, (trainings, groups))
        overlap = (folds - 3) / (folds - 1)
        held.append(
            [
                abs(scores.mean()) <= estimate_standard_error(scores, alone(groups), fold.tolist(), overlap=told).reach()
                for told in (overlap, 0.0)
            ]
        )
    corrected, not_corrected = np.mean(held, axis=0)
    assert corrected >= 0.92
    assert not_corrected < 0.85


@pytest.mark.parametrize("overlap", [-0.1, 1.0, float("nan")])
def test_an_overlap_that_is_no_share_is_refused(overlap):
    with pytest.raises(ValueError, match=f"The overlap of folds is {overlap}; expected a share from 0 and below 1"):
        estimate_standard_error(np.ones((2, 4)), alone(4), [0, 0, 1, 1], overlap=overlap)


def test_a_fold_of_one_group_takes_no_part_in_what_is_within_folds():
    """Four groups of folds with one each: nothing tells groups from training sets, and all may be training sets."""
    scores = np.array([0.1, -0.2, 0.05, 0.3])
    standard = estimate_standard_error(scores, alone(4), [0, 1, 2, 3], overlap=0.5)
    assert standard.error**2 == pytest.approx(scores.var(ddof=1) / 4 * (1 + 4))


@pytest.mark.parametrize("trainings", [1, 3])
def test_a_group_of_three_like_cases_tells_what_one_case_tells(trainings):
    scores, fold = draw(5, trainings, 30, of_set=0.03)
    groups = [name for name in alone(30) for _ in range(3)]
    once = estimate_standard_error(scores, alone(30), fold.tolist(), overlap=0.5)
    thrice = estimate_standard_error(np.repeat(scores, 3, axis=1), groups, np.repeat(fold, 3).tolist(), overlap=0.5)
    assert (thrice.error, thrice.freedom) == pytest.approx((once.error, once.freedom))
