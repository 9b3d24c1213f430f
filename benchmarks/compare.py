"""`focalseg compare` on two made result folders of nnU-Net: how soon it answers, and how often its interval holds the truth.

    python benchmarks/compare.py [--starts 9] [--repetitions 4000]

Starts: processor seconds and seconds by the clock of the whole command, with those of what it is made of beside them, taken in
turn. Intervals: 118 cases of 60 subjects, one training of each of five folds, as most results of nnU-Net are; two trainers that
differ by nothing but chance, with a part of it that all cases of a fold share (that training's luck). The percentile bootstrap
over cases and Wilcoxon's test over cases are what people use instead. No figure needs an idle machine but those by the clock.
Writes benchmarks/results/compare.json and compare.md; ten minutes on one core.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy import stats

from focalseg.evaluation.significance import measure_difference

RESULTS = Path(__file__).parent / "results"
CASES, SUBJECTS, FOLDS = 118, 60, 5
FOLD_DEVIATIONS = (0.0, 0.01, 0.02)
SUBJECT_DEVIATION, CASE_DEVIATION = 0.02, 0.03
DRAWS = 2000
STEPS = {
    "python": ["-c", "pass"],
    "numpy": ["-c", "import numpy"],
    "typer": ["-c", "import typer"],
    "focalseg --version": ["-m", "focalseg", "--version"],
    "focalseg compare --help": ["-m", "focalseg", "compare", "--help"],
    "focalseg compare A B": ["-m", "focalseg", "compare", "A", "B"],
    "focalseg compare A B --out OUT": ["-m", "focalseg", "compare", "A", "B", "--out", "OUT"],
    "for comparison: scipy.special": ["-c", "import scipy.special"],
    "for comparison: pydantic, as typer loads it": ["-c", "import typer._adapters"],
    "for comparison: scipy.stats": ["-c", "import scipy.stats"],
    "for comparison: torch": ["-c", "import torch"],
}


def main() -> None:
    """Measures everything and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=9, help="of each command")
    parser.add_argument("--repetitions", type=int, default=4000, help="of each simulation")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    starts = measure_starts(arguments.starts)
    print(starts, flush=True)
    intervals = [simulate(deviation, arguments.repetitions) for deviation in FOLD_DEVIATIONS]
    print(intervals, flush=True)
    command = f"python benchmarks/compare.py --starts {arguments.starts} --repetitions {arguments.repetitions}"
    write(starts, intervals, f"`{command}`, load average {load:.1f} at the start, {os.cpu_count()} cores.")


def measure_starts(count: int) -> dict[str, dict[str, float]]:
    """Medians of processor seconds and seconds by the clock, the commands in turn; the first round is thrown away."""
    with TemporaryDirectory() as folder:
        for name, seed in (("A", 0), ("B", 1)):
            write_results(Path(folder) / name, draw(np.random.default_rng(seed), 0.01)[0] + 0.7)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in STEPS}
        for _ in range(count + 1):
            for name, words in STEPS.items():
                taken[name].append(run(words, folder))
    return {
        name: {
            "cpu_seconds": round(statistics.median(cpu for cpu, _ in times[1:]), 3),
            "clock_seconds": round(statistics.median(clock for _, clock in times[1:]), 3),
        }
        for name, times in taken.items()
    }


def run(words: list[str], folder: str) -> tuple[float, float]:
    """Processor seconds and seconds by the clock of one command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - started


def list_subjects() -> np.ndarray:
    """The subject of each case, (CASES,): two cases each, but for the last two subjects with one."""
    return np.minimum(np.arange(CASES) // 2 + np.maximum(np.arange(CASES) - 116, 0), SUBJECTS - 1)


def draw(random: np.random.Generator, fold_deviation: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Differences (CASES,) of two trainers with nothing between them, the subject and the fold of each case."""
    subjects = list_subjects()
    folds = subjects % FOLDS
    difference = random.normal(0, fold_deviation, FOLDS)[folds] + random.normal(0, SUBJECT_DEVIATION, SUBJECTS)[subjects]
    return difference + random.normal(0, CASE_DEVIATION, CASES), subjects, folds


def write_results(folder: Path, dice: np.ndarray) -> None:
    """The summaries of five folds as nnU-Net writes them."""
    subjects = list_subjects()
    for fold in range(FOLDS):
        entries = [
            {
                "metrics": {
                    "1": {"Dice": float(dice[case]), "IoU": 0.5, "TP": 9, "FP": 1, "FN": 1, "TN": 9, "n_ref": 9, "n_pred": 9}
                },
                "reference_file": f"subject{subjects[case]:02}_{case:03}.nii.gz",
            }
            for case in range(CASES)
            if subjects[case] % FOLDS == fold
        ]
        path = folder / f"fold_{fold}" / "validation" / "summary.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"metric_per_case": entries}))


def simulate(fold_deviation: float, repetitions: int) -> dict[str, float]:
    """Share of intervals that hold the truth, 0, in %, and their mean width; and false claims of Wilcoxon's test at 5 %."""
    random = np.random.default_rng(round(1000 * fold_deviation))
    held: dict[str, list[bool]] = {"ours": [], "bootstrap": [], "wilcoxon": []}
    widths: dict[str, list[float]] = {"ours": [], "bootstrap": []}
    for _ in range(repetitions):
        difference, subjects, folds = draw(random, fold_deviation)
        found = measure_difference(difference, np.zeros(CASES), list(map(str, subjects)), folds.tolist()).estimate
        drawn = difference[random.integers(0, CASES, (DRAWS, CASES))].mean(axis=1)
        for name, (low, high) in (("ours", (found.low, found.high)), ("bootstrap", np.quantile(drawn, [0.025, 0.975]))):
            held[name].append(bool(low <= 0 <= high))
            widths[name].append(float(high - low))
        held["wilcoxon"].append(bool(stats.wilcoxon(difference).pvalue >= 0.05))
    shares = {f"{name}_holds": round(100 * statistics.fmean(values), 1) for name, values in held.items()}
    return (
        {"fold_deviation": fold_deviation}
        | shares
        | {f"{name}_width": round(statistics.fmean(w), 4) for name, w in widths.items()}
    )


def write(starts: dict[str, dict[str, float]], intervals: list[dict[str, float]], how: str) -> None:
    """Both files."""
    (RESULTS / "compare.json").write_text(json.dumps({"how": how, "starts": starts, "intervals": intervals}, indent=1) + "\n")
    lines = [
        "# How soon `focalseg compare` answers, and how often its interval holds the truth",
        "",
        how,
        "",
        "Whole processes, medians, in turn. A and B are result folders of nnU-Net of five folds with 118 cases.",
        "",
        "| process | processor seconds | by the clock |",
        "|---|---|---|",
        *(f"| {name} | {row['cpu_seconds']:.2f} | {row['clock_seconds']:.2f} |" for name, row in starts.items()),
        "",
        f"{CASES} cases of {SUBJECTS} subjects, one training of each of {FOLDS} folds, two trainers that do not differ.",
        f"Standard deviations of a difference: {SUBJECT_DEVIATION} for a subject, {CASE_DEVIATION} for a case, and for a",
        "training as in the first column. Share of 95 % intervals that hold the truth, in %, and their mean width; last: how",
        "often Wilcoxon's test over cases rightly claims nothing (95 would be right).",
        "",
        "| deviation of a training | `focalseg compare` | percentile bootstrap over cases | widths | Wilcoxon over cases |",
        "|---|---|---|---|---|",
        *(
            f"| {row['fold_deviation']} | {row['ours_holds']} | {row['bootstrap_holds']} | {row['ours_width']} and "
            f"{row['bootstrap_width']} | {row['wilcoxon_holds']} |"
            for row in intervals
        ),
    ]
    (RESULTS / "compare.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
