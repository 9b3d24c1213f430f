"""What a design tells for its price, before anything is known of the data: how folds and trainings are traded."""

from focalseg.evaluation.student import student_quantile
from focalseg.records.outcome.claims import TAIL

TRAINING_SHARE = 1 / 3
"""Of the variance of one fold's mean difference, made with one training per arm, what the training alone does: the rest is that
of its groups of cases and of its training set, which more trainings do not touch. It is 0.1 on CVC-ClinicDB, where folds differ
most, and more on fundus photographs, where cases are alike; where it is larger more trainings buy more."""
FEWEST_FOLDS = 4
"""Of several, with fewer of which an interval is wider than that of one fold by Student's t alone."""
_TRAININGS_OF_SEARCH = 2
_ARMS = 3


def expect_width(folds: int, seeds: int) -> float:
    """Half of the interval of a difference, in units of the deviation of one fold's mean with one training per arm. folds: two
    or more."""
    variance = (1 - TRAINING_SHARE + TRAINING_SHARE / seeds) / folds
    return student_quantile(folds - 1, TAIL) * variance**0.5


def list_designs(folds: int, seeds: int, enough_seeds: int) -> list[tuple[int, int]]:
    """Folds and trainings per arm and fold, no more than these and not both as many, each of which tells more than all that
    cost less; the cheapest first.

    One fold comes first, with enough trainings: its interval does not speak of other training sets.
    """
    ladder = [(1, count) for count in range(min(enough_seeds, seeds), seeds + 1)]
    several = [(count, each) for count in range(FEWEST_FOLDS, folds + 1) for each in range(1, seeds + 1)]
    narrowest = float("inf")
    for design in sorted(several, key=lambda one: (count_trainings(*one), expect_width(*one))):
        if (width := expect_width(*design)) < narrowest:
            ladder.append(design)
            narrowest = width
    return [design for design in ladder if design != (folds, seeds)]


def count_trainings(folds: int, seeds: int) -> int:
    """Of the three arms that every job has, and the search."""
    return folds * (_ARMS * seeds + _TRAININGS_OF_SEARCH)
