"""How many trainings or cases it would take to show a difference, were scores to vary as they do here."""

from collections.abc import Callable, Sequence

import numpy as np

from focalseg.evaluation.significance import smallest_difference
from focalseg.evaluation.standard_error import plan_standard_error

MOST_TRAININGS = 1000
MOST_GROUPS = 10_000_000


def count_needed_trainings(
    difference: np.ndarray, groups: Sequence[str], folds: Sequence[int], target: float, *, overlap: float = 0.0
) -> int | None:
    """Trainings of every fold with which paired differences (S, N) would show target in 80 % of studies, the cases as they are.

    At least as many as there are. None where no number would do, and for one training, which tells nothing of others.
    """
    trainings = len(difference)
    if trainings == 1 or len(set(groups)) == 1:
        return None
    return _find_least(_predict(difference, groups, folds, overlap), target, start=trainings, most=MOST_TRAININGS)


def count_needed_cases(
    difference: np.ndarray, groups: Sequence[str], folds: Sequence[int], target: float, *, overlap: float = 0.0
) -> int | None:
    """The same for cases, in groups of the size that they have here, the trainings as they are."""
    trainings, cases = difference.shape
    number = len(set(groups))
    if number == 1:
        return None
    predict = _predict(difference, groups, folds, overlap)
    found = _find_least(lambda more: predict(trainings, more), target, start=number, most=MOST_GROUPS)
    return None if found is None else -(-found * cases // number)


def _predict(difference: np.ndarray, groups: Sequence[str], folds: Sequence[int], overlap: float) -> Callable[..., float]:
    """The smallest difference that so many trainings and groups would show."""
    trainings, number = len(difference), len(set(groups))
    expect = plan_standard_error(difference, groups, folds, overlap=overlap)

    def predict(more_trainings: int, more_groups: int = number) -> float:
        return smallest_difference(expect(more_trainings / trainings, more_groups / number, 1.0, overlap))

    return predict


def _find_least(predict: Callable[[int], float], target: float, *, start: int, most: int) -> int | None:
    """The least number from start to most with which at most target is seen; it is seen the better, the more there are."""
    if not predict(most) <= target:
        return None
    low, high = start, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if predict(middle) <= target else (middle + 1, high)
    return low
