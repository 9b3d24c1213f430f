"""How often intervals like these held the truth in simulations: the tables of docs/statistics.md, row by row."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Share of 95 % intervals that hold the truth, in %, least and greatest over the situations that were simulated.

    usual: of a percentile bootstrap over cases or, with one training of five folds, of the same interval not told of folds.
    """

    trainings: int
    folds: int
    least: float
    greatest: float
    usual_least: float
    usual_greatest: float


COVERAGE = (
    Coverage(trainings=1, folds=1, least=64.0, greatest=96.0, usual_least=29.8, usual_greatest=94.6),
    Coverage(trainings=3, folds=1, least=93.5, greatest=99.1, usual_least=31.7, usual_greatest=93.8),
    Coverage(trainings=5, folds=1, least=92.4, greatest=99.0, usual_least=31.6, usual_greatest=94.1),
    Coverage(trainings=1, folds=5, least=94.4, greatest=97.0, usual_least=83.8, usual_greatest=94.4),
    Coverage(trainings=3, folds=5, least=95.7, greatest=99.5, usual_least=47.9, usual_greatest=95.0),
    Coverage(trainings=5, folds=5, least=94.8, greatest=99.5, usual_least=46.7, usual_greatest=95.4),
)
_FROM_FOLDS = 3
"""So many folds and more are spoken for by the row of five; two were found too few."""


def find_coverage(*, trainings: int, folds: int) -> Coverage | None:
    """The row that speaks for so many trainings of so many folds: that of as many trainings or the next fewer, None for two."""
    if trainings == 2 or 1 < folds < _FROM_FOLDS:
        return None
    rows = [row for row in COVERAGE if row.trainings <= trainings and (row.folds > 1) == (folds > 1)]
    return max(rows, key=lambda row: row.trainings)


def describe_coverage(*, trainings: int, folds: int) -> str:
    """The row in a sentence, empty where none speaks for them."""
    row = find_coverage(trainings=trainings, folds=folds)
    if row is None:
        return ""
    of = {1: "one training", 3: "three trainings", 5: "five trainings"}[row.trainings]
    what = f"{of} of {'one fold' if row.folds == 1 else 'each of five folds'}"
    told = row.trainings == 1 and row.folds > 1
    usual = "the same interval not told of the folds" if told else "a percentile bootstrap over cases"
    return (
        f"In simulations of {what}, {row.least:.0f} to {row.greatest:.0f} % of such 95 % intervals held the known truth, "
        f"and {row.usual_least:.0f} to {row.usual_greatest:.0f} % of those of {usual} (docs/statistics.md)."
    )
