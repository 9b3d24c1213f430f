"""Is one arm better than another, or as good? Paired comparisons, their p-values, and the correction for many of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from focalseg.errors import SettingError
from focalseg.evaluation.failures import bound_failures, count_failing
from focalseg.evaluation.standard_error import StandardError, estimate_standard_error
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, ROUNDING, estimate_mean
from focalseg.evaluation.student import student_quantile, student_tail
from focalseg.records.estimate import Estimate, NonInferiority
from focalseg.records.outcome.claims import TAIL

_Name = TypeVar("_Name")
POWER = 0.8
EXACT_GROUPS = 13  # up to here all 2^G sign flips are counted out
FLIPS = 9999  # drawn beyond: with the data themselves ten thousand
BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Scores of one arm minus those of another, paired by case and by training.

    estimate: mean difference with its 95 % interval. p_value: of Student's t from the same standard error, two-sided; like the
    interval it speaks of new trainings and new groups. smallest_difference: the true difference that data like this shows, its
    interval clear of 0, in 80 % of cases; inf for one group, nan where the arms have the very same scores, such as an arm
    beside itself: that nothing varies there says nothing of what could have been seen. failing: groups that are lost
    altogether, see count_failing.
    """

    estimate: Estimate
    p_value: float
    smallest_difference: float
    trainings: int
    cases: int
    groups: int
    failing: int | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison(Difference):
    """The same with two tests that are usual in the field. permutation_p, wilcoxon_p: two-sided, of new groups alone, these
    trainings taken as they are."""

    permutation_p: float
    wilcoxon_p: float


def compare_paired(
    one: np.ndarray,
    other: np.ndarray,
    groups: Sequence[str],
    folds: Sequence[int] = (),
    *,
    overlap: float = 0.0,
    tail: float = TAIL,
) -> Comparison:
    """Compares scores (S, N) of one arm with those of another: the same S seeds and the same N cases, in the same order.

    groups (N,): what each case belongs to and is drawn with (subject, video sequence); a name of its own for a case alone. The
    permutation test flips the sign of whole groups; Wilcoxon's test is run on the groups' mean differences, each averaged over
    trainings, and so gives a group of two cases the weight of one of twenty. Folds stand side by side along the cases, folds
    (N,) saying which fold tested each case, as in estimate_mean; the two tests take them as they are. Raises ValueError for
    scores of different shape, of another number than groups or folds, or that are not finite.
    """
    found = measure_difference(one, other, groups, folds, overlap=overlap, tail=tail)
    means = np.mean(_subtract(one, other), axis=0)
    _, membership = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(membership, weights=means)
    return Comparison(**vars(found), permutation_p=_permutation_p(sums), wilcoxon_p=_wilcoxon_p(sums / np.bincount(membership)))


def measure_difference(
    one: np.ndarray,
    other: np.ndarray,
    groups: Sequence[str],
    folds: Sequence[int] = (),
    *,
    span: tuple[float, float] = DIFFERENCE_SPAN,
    overlap: float = 0.0,
    tail: float = TAIL,
) -> Difference:
    """What `compare_paired` finds without the two tests, in a tenth of the time. span: the range of a difference."""
    difference = _subtract(one, other)
    estimate = estimate_mean(difference, groups, folds=folds, span=span, overlap=overlap, tail=tail)
    standard = estimate_standard_error(difference, groups, folds, overlap=overlap, tail=tail)
    return Difference(
        estimate=estimate,
        p_value=_student_p(estimate.mean, standard),
        smallest_difference=smallest_difference(standard, tail) if difference.any() else np.nan,
        trainings=difference.shape[0],
        cases=difference.shape[1],
        groups=len(set(groups)),
        failing=count_failing(difference, groups),
    )


def _subtract(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The differences (S, N) of paired scores. Raises ValueError as `compare_paired` does."""
    first, second = (np.atleast_2d(np.asarray(scores, dtype=float)) for scores in (one, other))
    if first.shape != second.shape:
        raise ValueError(
            f"The scores of the two arms have shapes {first.shape} and {second.shape}; "
            "expected (trainings, cases), the same for both, paired by seed and by case."
        )
    missing = int((~np.isfinite(first) | ~np.isfinite(second)).sum())
    if missing:
        raise ValueError(f"{missing} of {first.size} pairs of scores are not finite; leave those cases out of both arms.")
    difference: np.ndarray = first - second
    return difference


def correct_holm(p_values: Mapping[_Name, float]) -> dict[_Name, float]:
    """p-values of several comparisons by name, adjusted so that the chance of even one false claim stays at the level.

    Step-down: the k-th smallest of m is multiplied by m - k + 1, is at least the one before and at most 1. Names keep their
    order. Raises ValueError for a p-value outside [0, 1]. Source: Holm 1979, section 3.
    """
    wrong = [f"{name} {value}" for name, value in p_values.items() if not 0 <= value <= 1]
    if wrong:
        raise ValueError(f"p-values lie in [0, 1]; found {', '.join(wrong)}.")
    adjusted: dict[_Name, float] = {}
    least = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}


def decide_non_inferiority(
    difference: Estimate,
    *,
    margin: float,
    failing: int | None = None,
    groups: int | None = None,
    worst: float = 1.0,
    tail: float = TAIL,
) -> NonInferiority:
    """Shown when the difference is above -margin with 97.5 % confidence, groups lost altogether included.

    failing of groups: how many groups the arm lost, as Difference has them, of which each may cost as much as worst. An
    interval sees those alone that are among the cases, and none is what a few dozen cases show where one in a hundred is lost.
    So its lower end goes down by what bound_failures cannot exclude, U - failing / groups, times worst, in quadrature:

        bound = mean - sqrt((mean - low)^2 + worst^2 (U - failing / groups)^2)

    Both None: scores that know no such failure, and the interval alone decides. margin: the loss that would not matter, in
    units of the score; it means something only if it was fixed before the scores were seen. tail: one-sided error, that of the
    interval. Raises SettingError for a margin that is not positive and finite.
    Source: Zou and Donner 2008 for adding the limits of two parts.
    """
    if not 0 < margin < np.inf:
        raise SettingError(f"The margin is {margin}; expected a positive number, the loss that would not matter, such as 0.01.")
    if failing is None or groups is None:
        return NonInferiority(margin=margin, bound=difference.low, shown=bool(difference.low > -margin))
    most = bound_failures(failing, groups, tail=tail)
    bound = difference.mean - float(np.hypot(difference.mean - difference.low, worst * (most - failing / groups)))
    bound = max(bound, min(difference.low, -worst))
    return NonInferiority(
        margin=margin, bound=bound, shown=bool(bound > -margin), failing=failing, groups=groups, failing_at_most=most
    )


def _student_p(mean: float, standard: StandardError) -> float:
    if abs(mean) <= ROUNDING:
        return 1.0
    if standard.error <= ROUNDING:
        return 0.0
    return 2 * student_tail(standard.freedom, abs(mean) / standard.error)


def _permutation_p(sums: np.ndarray) -> float:
    """Two-sided p of the sum over groups (G,) when every group's sign is up to chance.

    Up to EXACT_GROUPS groups over all sign flips, so never below 2^(1 - G); beyond, over FLIPS random ones with the data
    counted among them, so never 0. Source: Phipson and Smyth 2010 for the one that is added.
    """
    from scipy import stats  # importing focalseg loads torch and NumPy only

    if len(sums) == 1 or not sums.any():
        return 1.0
    shares = sums / np.abs(sums).sum()
    random = np.random.default_rng(0)

    def flip(size: tuple[int, ...]) -> Any:
        return shares * (2 * random.integers(0, 2, size, dtype=np.int8) - 1)

    # A flip that differs from the data by rounding alone ties with them: what is counted is whether it reaches as far.
    reach = abs(shares.sum()) - 1e-9

    def reaches(flipped: np.ndarray, axis: int) -> Any:
        return (np.abs(flipped.sum(axis=axis)) >= reach).astype(float)

    settings: dict[str, Any] = {"n_resamples": FLIPS, "batch": BATCH, "alternative": "greater"}
    if len(sums) <= EXACT_GROUPS:  # fewer flips than FLIPS, of which SciPy then takes each once
        return float(stats.permutation_test((shares,), reaches, permutation_type="samples", **settings).pvalue)
    return float(stats.monte_carlo_test(shares, flip, reaches, **settings).pvalue)


def _wilcoxon_p(means: np.ndarray) -> float:
    """Two-sided p of the signed-rank test on the groups' means (G,); groups without a difference are left out, 1 if all are.

    Source: Wilcoxon 1945, as in SciPy: exact up to 50 groups without ties, all sign flips up to 13 with ties, else normal.
    """
    from scipy import stats  # importing focalseg loads torch and NumPy only

    apart = means[np.abs(means) > ROUNDING]
    return float(stats.wilcoxon(apart).pvalue) if len(apart) else 1.0


def smallest_difference(standard: StandardError, tail: float = TAIL) -> float:
    """(t(1 - tail) + t(0.8)) standard errors, Bloom 1995 for the multiple; 0 where nothing varies, inf for one group."""
    multiple = student_quantile(standard.freedom, tail) + student_quantile(standard.freedom, 1 - POWER)
    return multiple * standard.error
