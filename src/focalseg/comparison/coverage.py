"""How often intervals like these held the truth in simulations: the tables of docs/statistics.md, row by row."""

from dataclasses import dataclass

from focalseg.findings import counted


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Share of 95 % intervals that hold the truth, in %, least and greatest over the situations that were simulated.

    usual: of `beside`, an interval that is told nothing of trainings or folds. Of one training in folds the situations are
    those of benchmarks/coverage_folds.py, of several in five folds those of benchmarks/coverage.py.
    """

    trainings: int
    folds: int
    least: float
    greatest: float
    usual_least: float
    usual_greatest: float
    beside: str = "a percentile bootstrap over cases"


_NOT_TOLD = "the same interval not told of the folds"
COVERAGE = (
    Coverage(trainings=1, folds=1, least=64.0, greatest=96.0, usual_least=29.8, usual_greatest=94.6),
    Coverage(trainings=3, folds=1, least=93.5, greatest=99.1, usual_least=31.7, usual_greatest=93.8),
    Coverage(trainings=5, folds=1, least=92.4, greatest=99.0, usual_least=31.6, usual_greatest=94.1),
    Coverage(trainings=1, folds=3, least=94.9, greatest=99.2, usual_least=25.1, usual_greatest=92.2),
    Coverage(trainings=1, folds=5, least=94.6, greatest=97.6, usual_least=31.7, usual_greatest=91.7),
    Coverage(trainings=1, folds=10, least=94.8, greatest=96.6, usual_least=42.6, usual_greatest=93.5),
    Coverage(trainings=3, folds=3, least=96.4, greatest=98.7, usual_least=80.4, usual_greatest=97.5, beside=_NOT_TOLD),
    Coverage(trainings=3, folds=5, least=94.7, greatest=99.0, usual_least=47.9, usual_greatest=95.0),
    Coverage(trainings=5, folds=5, least=95.2, greatest=99.2, usual_least=46.7, usual_greatest=95.4),
)
_NUMBERS = {1: "one", 3: "three", 5: "five", 10: "ten"}


def find_coverage(*, trainings: int, folds: int) -> Coverage | None:
    """The row of as many folds and trainings, or of the next fewer that were simulated. None for two, which were found to be
    too few."""
    if trainings == 2 and folds == 1:
        return None
    rows = [row for row in COVERAGE if row.trainings <= trainings and row.folds <= folds and (row.folds > 1) == (folds > 1)]
    return max(rows, key=lambda row: (row.trainings, row.folds), default=None)


def describe_coverage(*, trainings: int, folds: int) -> str:
    """The row in a sentence, with what was simulated where that is not what is here; empty where none speaks for them."""
    row = find_coverage(trainings=trainings, folds=folds)
    if row is None:
        return ""
    what = f"{_NUMBERS[row.trainings]} {'training' if row.trainings == 1 else 'trainings'} of "
    what += "one fold" if row.folds == 1 else f"each of {_NUMBERS[row.folds]} folds"
    begins = f"{what[0].upper()}{what[1:]}"
    if (row.trainings, row.folds) != (trainings, folds):
        here = f"{counted(trainings, 'training')} of {'one fold' if folds == 1 else f'each of {folds} folds'}"
        begins = f"Simulated was what is nearest to your {here}, {what}"
    least, greatest, usual_least, usual_greatest = (
        min(round(share), 99) for share in (row.least, row.greatest, row.usual_least, row.usual_greatest)
    )
    return (
        f"{begins}: in simulations with a known truth {least} to {greatest} % of such 95 % intervals held it, and "
        f"{usual_least} to {usual_greatest} % of those of {row.beside} (docs/statistics.md)."
    )
