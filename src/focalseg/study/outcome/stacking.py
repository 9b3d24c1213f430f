"""Test scores of an arm as one table: the folds side by side, the trainings below one another."""

from collections.abc import Mapping, Sequence

import numpy as np

from focalseg.study.running.runs import TEST, RunResult, score_matrix

Results = Sequence[Sequence[RunResult]]
"""Of one arm, by fold and then by seed."""
Arms = Mapping[str, Results]


def stack_folds(folds: Results, part: str, score: str = "dice") -> np.ndarray:
    """A score (trainings, cases): the folds side by side along the cases, row s holds seed s of each.

    A case that several folds test stands there as often, always with its group: what is estimated is then the mean over them.
    """
    return np.concatenate([score_matrix(results, part, score) for results in folds], axis=1)


def list_results(folds: Results) -> list[RunResult]:
    """The trainings of all folds."""
    return [result for fold in folds for result in fold]


def list_test_groups(folds: Results) -> list[str]:
    """The group of every test case, fold after fold, in the order of the scores."""
    return [score.group for results in folds for score in results[0].scores_of(TEST)]


def list_test_folds(folds: Results) -> list[int]:
    """Which of the folds tested every test case, in the order of the scores."""
    return [number for number, results in enumerate(folds) for _ in results[0].scores_of(TEST)]


def find_twins(arms: Arms) -> dict[str, str]:
    """By arm the first one that has the very same trainings, mostly itself: what was placed may be the plain network, or the
    one with everything."""
    return {arm: next(other for other in arms if arms[other] == arms[arm]) for arm in arms}
