"""How often do the 95 % intervals hold the truth with one training of each of three, five or ten folds, which differ?

    python benchmarks/coverage_folds.py [--repetitions 1000]

Simulates paired differences whose truth is 0, with a part that all cases of a fold share, and counts how often estimate_mean's
interval holds the truth, told of the folds and not, beside the percentile bootstrap over cases. What `focalseg compare` says
of its intervals is read from here (comparison/coverage.py). Writes benchmarks/results/coverage_folds.json and .md; five
minutes on one core; seeded, so the same call gives the same tables. Rows that the file has already are not made again.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverage import BATCH, GROUPS, NAIVE_REPLICATES, Layout, Noise, describe_noise, draw_noise
from focalseg.evaluation.standard_error import estimate_standard_error
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, estimate_mean
from focalseg.evaluation.student import student_quantile

RESULTS = Path(__file__).parent / "results"
IN_FOLDS = Noise(training=0.01, group=0.03, case=0.08, training_on_group=0.02, training_on_case=0.05)
DEVIATIONS = (0.0, 0.02, 0.04)
DESIGNS = ((3, 1), (5, 1), (10, 1))  # folds and trainings
CASES = ("29 video sequences", "80 images alone", "6 video sequences")
METHODS = ("told", "not_told", "bootstrap")


def main() -> None:
    """Simulates what the file lacks, and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000, help="of each row, a multiple of 250")
    repetitions = parser.parse_args().repetitions
    path = RESULTS / "coverage_folds.json"
    rows = json.loads(path.read_text())["rows"] if path.is_file() else []
    known = {
        (row["folds"], row["trainings"], row["deviation"], row["cases"]) for row in rows if row["repetitions"] == repetitions
    }
    for folds, trainings in DESIGNS:
        for deviation in DEVIATIONS:
            for name in CASES:
                if folds > len(GROUPS[name]) or (folds, trainings, deviation, name) in known:
                    continue
                layout = Layout(trainings=trainings, sizes=GROUPS[name], folds=folds)
                random = np.random.default_rng([round(1000 * deviation), len(GROUPS[name]), folds, trainings])
                about = {"folds": folds, "trainings": trainings, "deviation": deviation, "cases": name}
                rows.append(about | {"repetitions": repetitions} | simulate(deviation, layout, random, repetitions))
                path.write_text(json.dumps({"noise": describe_noise(IN_FOLDS), "rows": rows}, indent=1) + "\n")
    (RESULTS / "coverage_folds.md").write_text(format_page(rows))


def simulate(deviation: float, layout: Layout, random: np.random.Generator, repetitions: int) -> dict[str, float]:
    """Share of intervals that hold the truth, in %, and their mean width, of each of METHODS."""
    groups, folds = layout.membership.astype(str).tolist(), layout.fold.tolist()
    counts = random.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), NAIVE_REPLICATES) / len(groups)
    limits: dict[str, list[tuple[float, float]]] = {method: [] for method in METHODS}
    for _ in range(repetitions // BATCH):
        batch = draw_noise(replace(IN_FOLDS, fold=deviation), random, layout, BATCH)
        limits["bootstrap"] += np.quantile(counts @ batch.mean(axis=1).T, [0.025, 0.975], axis=0).T.tolist()
        for scores in batch:
            found = estimate_mean(scores, groups, folds=folds, span=DIFFERENCE_SPAN)
            # Both intervals are the same percentiles, stretched about the mean to their own multiple of their own error.
            told, not_told = (measure_reach(scores, groups, known) for known in (folds, []))
            limits["told"].append((found.low, found.high))
            share = not_told / told
            limits["not_told"].append(
                (found.mean + share * (found.low - found.mean), found.mean + share * (found.high - found.mean))
            )
    return {
        key: value
        for method, found in limits.items()
        for key, value in (
            (f"{method}_holds", round(100 * float(np.mean([low <= 0 <= high for low, high in found])), 1)),
            (f"{method}_width", round(float(np.mean([high - low for low, high in found])), 4)),
        )
    }


def measure_reach(scores: np.ndarray, groups: list[str], folds: list[int]) -> float:
    """Student's multiple of the standard error of the mean."""
    standard = estimate_standard_error(scores, groups, folds)
    return student_quantile(standard.freedom, 0.025) * standard.error


def format_page(rows: list[dict]) -> str:
    """Both tables as Markdown: by design and deviation, and every row."""
    repetitions = rows[0]["repetitions"]
    error = 100 * (0.95 * 0.05 / repetitions) ** 0.5
    columns = (
        "fold deviation",
        "folds",
        "trainings",
        "estimate_mean",
        "not told of the folds",
        "percentile bootstrap over cases",
    )
    columns += ("mean width, told / not told",)
    lines = [
        "# Coverage of the intervals where folds differ",
        "",
        f"`python benchmarks/coverage_folds.py`; {repetitions} repetitions a row: the standard error of a coverage of 95 % is",
        f"{error:.1f} points. Each fold has a part that all it tests has, of the standard deviation in the first column.",
        f"{describe_noise(IN_FOLDS)}. Each group is tested in one fold; a training is one seed of every fold.",
        "",
        "## Least and greatest coverage over the groups of cases, in %",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    for folds, trainings in sorted(DESIGNS):
        for deviation in DEVIATIONS:
            found = [row for row in rows if (row["folds"], row["trainings"], row["deviation"]) == (folds, trainings, deviation)]
            if found:
                shares = " | ".join(show_range([row[f"{method}_holds"] for row in found]) for method in METHODS)
                wider = show_range([row["told_width"] / row["not_told_width"] for row in found])
                lines.append(f"| {deviation:g} | {folds} | {trainings} | {shares} | {wider} |")
    lines += ["", "## Every row", "", "Coverage in % (mean width).", ""]
    lines += [
        "| fold deviation | folds | trainings | groups | told of the folds | not told | bootstrap |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row["folds"], row["trainings"], row["deviation"], row["cases"])):
        cells = " | ".join(f"{row[f'{method}_holds']} ({row[f'{method}_width']:.3f})" for method in METHODS)
        lines.append(f"| {row['deviation']:g} | {row['folds']} | {row['trainings']} | {row['cases']} | {cells} |")
    return "\n".join(lines) + "\n"


def show_range(values: list[float]) -> str:
    """From the least to the greatest."""
    return f"{min(values):.1f} to {max(values):.1f}"


if __name__ == "__main__":
    main()
