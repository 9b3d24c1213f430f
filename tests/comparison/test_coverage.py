"""The coverage that is quoted is the one in the documentation, whose tables the simulation wrote."""

import re
from pathlib import Path

import pytest

from focalseg.comparison.coverage import COVERAGE, describe_coverage, find_coverage

TEXT = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")
RANGE = re.compile(r"([\d.]+) to ([\d.]+)")


def read_table(header: str) -> list[list[str]]:
    """The rows below a line of a table that begins so."""
    lines = TEXT[TEXT.index(header) :].splitlines()[2:]
    rows = lines[: next(place for place, line in enumerate([*lines, ""]) if not line.startswith("|"))]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def span(cells: list[str]) -> tuple[float, float]:
    """The least and the greatest of several ranges."""
    ends = [RANGE.fullmatch(cell).groups() for cell in cells]
    return min(float(low) for low, _ in ends), max(float(high) for _, high in ends)


@pytest.mark.parametrize("row", COVERAGE, ids=lambda row: f"{row.trainings} of {row.folds}")
def test_every_row_is_that_of_the_tables(row):
    if (row.trainings, row.folds) == (3, 3):  # folds that differ, told of them and not
        found = read_table("| fold deviation | folds | trainings | estimate_mean | not told of the folds | mean")
        found = [cells for cells in found if cells[1:3] == ["3", "3"]]
        ours, usual = (span([cells[place] for cells in found]) for place in (3, 4))
    elif row.trainings == 1 and row.folds > 1:
        found = read_table("| fold deviation | folds | trainings | estimate_mean | not told of the folds | percentile")
        found = [cells for cells in found if cells[1:3] == [str(row.folds), "1"]]
        ours, usual = (span([cells[place] for cells in found]) for place in (3, 5))
    else:
        found = [cells for cells in read_table("| trainings | folds |") if cells[:2] == [str(row.trainings), str(row.folds)]]
        ours, usual = (span([cells[place] for cells in found]) for place in (3, 4))
    assert found
    assert (row.least, row.greatest) == ours
    assert (row.usual_least, row.usual_greatest) == usual


@pytest.mark.parametrize(
    ("trainings", "folds", "row"),
    [
        (1, 1, (1, 1)),
        (4, 1, (3, 1)),
        (9, 1, (5, 1)),
        (1, 5, (1, 5)),
        (1, 3, (1, 3)),
        (1, 4, (1, 3)),
        (2, 3, (1, 3)),
        (3, 3, (3, 3)),
        (3, 10, (3, 5)),
        (2, 1, None),
        (3, 2, None),
    ],
)
def test_the_row_is_that_of_as_many_trainings_or_the_next_fewer(trainings, folds, row):
    found = find_coverage(trainings=trainings, folds=folds)
    assert (found and (found.trainings, found.folds)) == row
    assert bool(describe_coverage(trainings=trainings, folds=folds)) == (row is not None)


def test_what_was_simulated_is_said_where_it_is_not_what_is_here():
    assert describe_coverage(trainings=1, folds=3).startswith("One training of each of three folds: in simulations")
    other = describe_coverage(trainings=2, folds=4)
    assert other.startswith(
        "Simulated was what is nearest to your 2 trainings of each of 4 folds, one training of each of three"
    )
    assert "100 %" not in describe_coverage(trainings=3, folds=5)
