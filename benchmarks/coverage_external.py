"""How often do intervals hold the truth where the networks of every fold score the same cases of another set of images?

    python benchmarks/coverage_external.py [--repetitions 400]

Simulates paired differences whose truth is 0: what a training set does (of which two folds have a share in common, as their
training groups), a training, a group, a case, and a group for a training set. Counts how often Student's interval of
estimate_standard_error holds the truth, told of what folds share and not. Writes benchmarks/results/coverage_external.json and
.md; ten seconds on one core; seeded, so the same call gives the same tables.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from focalseg.evaluation.standard_error import estimate_standard_error

RESULTS = Path(__file__).parent / "results"
DESIGNS = ((5, 1), (5, 3), (10, 1))
"""Folds and trainings of each."""
DEVIATIONS = (0.0, 0.03, 0.06)
GROUPS, SIZE = 30, 3
TRAINING, GROUP, CASE, GROUP_IN_FOLD, REST = 0.02, 0.05, 0.05, 0.02, 0.03
"""Standard deviations of what is not of training sets; the last but one of a group for one training set."""


def main() -> None:
    """Simulates every design and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400, help="of each row")
    repetitions = parser.parse_args().repetitions
    rows = [simulate(folds, trainings, deviation, repetitions) for folds, trainings in DESIGNS for deviation in DEVIATIONS]
    (RESULTS / "coverage_external.json").write_text(json.dumps({"repetitions": repetitions, "rows": rows}, indent=1) + "\n")
    (RESULTS / "coverage_external.md").write_text(format_page(rows, repetitions))


def simulate(folds: int, trainings: int, deviation: float, repetitions: int) -> dict[str, float]:
    """Share of intervals that hold the truth, in %, and their mean width. deviation: of what a training set does."""
    random = np.random.default_rng([folds, trainings, round(1000 * deviation)])
    shared = (folds - 3) / (folds - 2)
    cases = GROUPS * SIZE
    groups = [str(case // SIZE) for case in range(cases)] * folds
    numbers = [fold for fold in range(folds) for _ in range(cases)]
    holds: dict[str, list[bool]] = {"told": [], "not_told": []}
    widths: dict[str, list[float]] = {"told": [], "not_told": []}
    for _ in range(repetitions):
        table = draw(random, folds, trainings, deviation, shared)
        for name, overlap in (("told", shared), ("not_told", 0.0)):
            found = estimate_standard_error(table, groups, numbers, overlap=overlap)
            reach = found.reach()
            holds[name].append(abs(table.mean()) <= reach)
            widths[name].append(2 * reach)
    about = {"folds": folds, "trainings": trainings, "deviation": deviation, "shared": round(shared, 3)}
    return about | {
        key: value
        for name in holds
        for key, value in (
            (f"{name}_holds", round(100 * float(np.mean(holds[name])), 1)),
            (f"{name}_width", round(float(np.mean(widths[name])), 4)),
        )
    }


def draw(random: np.random.Generator, folds: int, trainings: int, deviation: float, shared: float) -> np.ndarray:
    """Differences (trainings, folds * cases): every fold's networks on the same cases."""
    common = random.normal(0, deviation * shared**0.5)
    sets = common + random.normal(0, deviation * (1 - shared) ** 0.5, folds)
    every_case = np.repeat(random.normal(0, GROUP, GROUPS), SIZE) + random.normal(0, CASE, GROUPS * SIZE)
    parts = [
        sets[fold]
        + random.normal(0, TRAINING, (trainings, 1))
        + every_case
        + np.repeat(random.normal(0, GROUP_IN_FOLD, GROUPS), SIZE)
        + random.normal(0, REST, (trainings, GROUPS * SIZE))
        for fold in range(folds)
    ]
    return np.concatenate(parts, axis=1)


def format_page(rows: list[dict[str, float]], repetitions: int) -> str:
    """The table as Markdown."""
    error = 100 * (0.95 * 0.05 / repetitions) ** 0.5
    lines = [
        "# Coverage where the networks of every fold score the same cases",
        "",
        f"`python benchmarks/coverage_external.py --repetitions {repetitions}`: the standard error of a coverage of 95 % is",
        f"{error:.1f} points. {GROUPS} groups of {SIZE} cases. Standard deviations: training {TRAINING}, group {GROUP}, case",
        f"{CASE}, group for a training set {GROUP_IN_FOLD}, the rest {REST}; what a training set does in the first column, of",
        "which two folds have the share in common that they have of their training groups.",
        "",
        "| training-set deviation | folds | trainings of each | shared | told of it: coverage, % (mean width) | not told |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = " | ".join(f"{row[f'{name}_holds']} ({row[f'{name}_width']:.3f})" for name in ("told", "not_told"))
        lines.append(f"| {row['deviation']:g} | {row['folds']} | {row['trainings']} | {row['shared']:.2f} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
