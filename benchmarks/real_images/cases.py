"""Scores of every test case of a job in one compact CSV file, so that anyone can take its figures apart again."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from focalseg.records.result import RESULT

SCORES, TEST = "cases.csv", "test"
"""The table of a finished training, and the part of it that is kept here."""
ORDER = ("none", "se", "ag", "all", "placed", "random", "wider")
"""Arms as every table lists them; others follow by name."""
FIXED = ("none", "se", "ag", "all", "wider")
"""Arms that wait for no decision."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One label of one test case in one training of an arm.

    dice, predicted_pixels: at threshold 0.5. tuned_dice, tuned_predicted_pixels: at the training's own threshold, which was
    tuned on its validation cases; None where the version that scored it tuned none.
    """

    case: str
    group: str
    fold: int
    seed: int
    arm: str
    label: str
    dice: float
    true_pixels: int
    predicted_pixels: int
    tuned_dice: float | None = None
    tuned_predicted_pixels: int | None = None


def list_runs(job: Path) -> dict[str, list[str]]:
    """The finished trainings of the arms that need no decision, by arm, as folders within the job's."""
    found: dict[str, list[str]] = {}
    for arm in FIXED:
        runs = [path.parent for path in job.glob(f"runs/{arm}/fold_*/seed_*/{RESULT}")]
        if runs:
            found[arm] = [run.relative_to(job).as_posix() for run in sorted(runs, key=read_place)]
    return found


def keep_common(runs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Of each arm the trainings whose fold and seed every arm has, so that all are paired."""
    places = [{read_place(Path(run)) for run in found} for found in runs.values()]
    common = set.intersection(*places) if places else set()
    return {arm: [run for run in found if read_place(Path(run)) in common] for arm, found in runs.items()}


def read_place(run: Path) -> tuple[int, int]:
    """Fold and seed of a training, from the end of its path: .../fold_F/seed_S."""
    fold, seed = (int(part.rpartition("_")[2]) for part in run.parts[-2:])
    return fold, seed


def collect_rows(job: Path, runs: Mapping[str, Iterable[str]]) -> list[Row]:
    """The test scores of all trainings, arm after arm. An arm may have another one's runs: where nothing was placed, none's."""
    return [row for arm in sort_arms(runs) for run in runs[arm] for row in _read_run(job / run, arm)]


def _read_run(run: Path, arm: str) -> Iterator[Row]:
    fold, seed = read_place(run)
    with (run / SCORES).open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["part"] == TEST:
                yield _parse({**line, "fold": str(fold), "seed": str(seed), "arm": arm})


def write_cases(path: Path, rows: Iterable[Row]) -> None:
    """The file itself: a line per label, case, training and arm; Dice with five digits, empty where there is none.

    A Dice above 0 stays above 0, since 0 means that the object was missed.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows([_round(cell) if isinstance(cell, float) else cell for cell in astuple(row)] for row in rows)


def _round(dice: float) -> str:
    return f"{max(dice, 1e-5) if dice > 0 else 0:.5f}"


def read_cases(path: Path) -> list[Row]:
    """What `write_cases` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_parse(line) for line in csv.DictReader(file)]


def _parse(line: Mapping[str, str]) -> Row:
    tuned, tuned_pixels = line.get("tuned_dice"), line.get("tuned_predicted_pixels")
    return Row(
        **{name: line[name] for name in ("case", "group", "arm", "label")},
        **{name: int(line[name]) for name in ("fold", "seed", "true_pixels", "predicted_pixels")},
        dice=float(line["dice"]),
        tuned_dice=float(tuned) if tuned else None,
        tuned_predicted_pixels=int(tuned_pixels) if tuned_pixels else None,
    )


def sort_arms(arms: Iterable[str]) -> list[str]:
    """Arms in the order of every table."""
    return sorted(arms, key=lambda arm: (ORDER.index(arm) if arm in ORDER else len(ORDER), arm))
