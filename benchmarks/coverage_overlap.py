"""Do intervals hold the truth where folds share what they were trained on, and what does that cost in width?

    python benchmarks/coverage_overlap.py [--repetitions 4000]

Every training group teaches something of its own, and what a fold learns is the mean over its training groups, with a standard
deviation of 0 to 0.10. One part tests, the next validates and the rest trains, as `focalseg place` does, so that two of five
folds share half of their training groups on average, and two of ten 78 %. The rest of the noise is that of CVC-ClinicDB, or
quieter groups. Counted is how often the 95 % interval holds the truth, 0, and how often it lies above: a false `helps`. It is
told of the overlap (the claim "for data sets like this one"), not told (the claim "for this data set"), and widened as Nadeau
and Bengio (2003) do. Reaches are Student's, without the shape of the bootstrap's percentiles. Writes
benchmarks/results/coverage_overlap.json and .md; half a minute on one core; seeded. Rows that the file has are not made again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import stats

from coverage import SEQUENCES, Layout, Noise, describe_noise
from many_errors import Studies, check, compute_reaches, measure_folds

RESULTS = Path(__file__).parent / "results"
GROUPS = {
    "15 video sequences": SEQUENCES[::2],
    "29 video sequences": SEQUENCES,
    "80 images alone": (1,) * 80,
    "249 groups, of 310 images": (2,) * 61 + (1,) * 188,
}
NOISES = {
    "like CVC": Noise(training=0.03, group=0.12, case=0.15, training_on_group=0.05, training_on_case=0.10),
    "quiet groups": Noise(training=0.03, group=0.05, case=0.10, training_on_group=0.05, training_on_case=0.10),
}
DESIGNS = ((5, 3), (10, 1), (10, 2))  # folds and trainings
DEVIATIONS = (0.0, 0.03, 0.06, 0.10)
METHODS = ("told", "nadeau_bengio", "not_told")
TITLES = ("told of the overlap", "Nadeau and Bengio", "not told")
BATCH = 200


def main() -> None:
    """Simulates what the file lacks, and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=4000, help=f"of each row, a multiple of {BATCH}")
    repetitions = parser.parse_args().repetitions
    path = RESULTS / "coverage_overlap.json"
    rows = json.loads(path.read_text()) if path.is_file() else []
    rows = [row for row in rows if row["repetitions"] == repetitions]
    known = [(row["folds"], row["trainings"], row["groups"], row["noise"]) for row in rows]
    for folds, trainings in DESIGNS:
        for name, sizes in GROUPS.items():
            for noise, parts in NOISES.items():
                if (folds, trainings, name, noise) in known:
                    continue
                layout = Layout(trainings=trainings, sizes=sizes, folds=folds)
                random = np.random.default_rng([len(sizes), folds, trainings, len(noise)])
                about = {"folds": folds, "trainings": trainings, "groups": name, "noise": noise, "repetitions": repetitions}
                rows += [about | row for row in simulate(parts, layout, random, repetitions)]
                path.write_text(json.dumps(rows, indent=1) + "\n")
    (RESULTS / "coverage_overlap.md").write_text(format_page(rows))


def find_training_groups(groups: int, folds: int) -> np.ndarray:
    """Which groups (F, G) each fold trains with: those of neither its test part nor the next, which validates."""
    part = np.arange(groups) % folds
    return np.stack([(part != fold) & (part != (fold + 1) % folds) for fold in range(folds)])


def measure_overlap(training: np.ndarray) -> float:
    """The mean share of training groups (F, G) that two folds have in common."""
    shares = (training[:, None] & training).sum(axis=2) / training.sum(axis=1)[:, None]
    folds = len(training)
    return float((shares.sum() - folds) / (folds * (folds - 1)))


def draw_sums(noise: Noise, layout: Layout, random: np.random.Generator, count: int) -> np.ndarray:
    """Sums over the cases of each group, (count, S, G), of the noise of one study each; of cases in one draw a group."""
    sizes, groups = np.array(layout.sizes, dtype=float), len(layout.sizes)
    once, every = (count, 1, groups), (count, layout.trainings, groups)
    drawn = sizes * (noise.group * random.standard_normal(once) + noise.training_on_group * random.standard_normal(every))
    drawn += sizes**0.5 * (noise.case * random.standard_normal(once) + noise.training_on_case * random.standard_normal(every))
    of_trainings = noise.training * random.standard_normal((count, layout.trainings, layout.folds))
    return drawn + sizes * of_trainings[:, :, np.arange(groups) % layout.folds]


def simulate(noise: Noise, layout: Layout, random: np.random.Generator, repetitions: int) -> list[dict[str, float]]:
    """A row of each of DEVIATIONS: shares in %, mean widths."""
    sizes, groups = np.array(layout.sizes, dtype=float), len(layout.sizes)
    fold = np.arange(groups) % layout.folds
    training = find_training_groups(groups, layout.folds)
    teaches = training / np.sqrt(training.sum(axis=1, keepdims=True))
    overlap = measure_overlap(training)
    found: dict[float, list[np.ndarray]] = {deviation: [] for deviation in DEVIATIONS}
    for _ in range(repetitions // BATCH):
        rest = draw_sums(noise, layout, random, BATCH)
        learnt = random.standard_normal((BATCH, groups)) @ teaches.T
        for deviation in DEVIATIONS:
            studies = Studies(sums=rest + sizes * deviation * learnt[:, None, fold], sizes=sizes, fold=fold)
            if not found[deviation]:
                check(studies, overlap)
            told, not_told = (compute_reaches(studies, known) for known in (overlap, 0.0))
            of_folds, freedom = measure_folds(studies)
            # V_folds is s^2 / k, and n_test / n_train is 1 / (k - 2).
            widened = stats.t.isf(0.025, freedom) * np.sqrt(of_folds * (1 + layout.folds / (layout.folds - 2)))
            found[deviation].append(np.stack([studies.means, told, np.maximum(widened, not_told), not_told]))
    rows = []
    for deviation, drawn in found.items():
        mean, *reaches = np.concatenate(drawn, axis=1)
        row = {"deviation": deviation, "overlap": round(overlap, 3), "least_width": round(2 * 1.96 * float(mean.std()), 4)}
        for method, reach in zip(METHODS, reaches, strict=True):
            row[f"{method}_holds"] = round(100 * float(np.mean(np.abs(mean) <= reach)), 2)
            row[f"{method}_helps"] = round(100 * float(np.mean(mean > reach)), 2)
            row[f"{method}_width"] = round(2 * float(reach.mean()), 4)
        rows.append(row)
    return rows


def format_page(rows: list[dict]) -> str:
    """Both tables as Markdown: least coverage and most false claims of a design and deviation, and every row."""
    repetitions = rows[0]["repetitions"]
    lines = [
        "# Folds that share training groups",
        "",
        f"`python benchmarks/coverage_overlap.py`; {repetitions} repetitions a row: the standard error of a coverage of 95 %",
        f"is {100 * (0.95 * 0.05 / repetitions) ** 0.5:.1f} points, that of 2.5 % false `helps`",
        f"{100 * (0.025 * 0.975 / repetitions) ** 0.5:.1f}.",
        *(f"{name[0].upper()}{name[1:]}: {describe_noise(noise).lower()}." for name, noise in NOISES.items()),
        "",
        "## Over 15 to 249 groups and both noises",
        "",
        "Least coverage / most false `helps`, in % / mean width over the least possible, 3.92 standard deviations of the mean.",
        "",
        f"| folds | trainings | training set, standard deviation | {' | '.join(TITLES)} |",
        "|---" * (3 + len(METHODS)) + "|",
    ]
    for folds, trainings in DESIGNS:
        for deviation in DEVIATIONS:
            found = [row for row in rows if (row["folds"], row["trainings"], row["deviation"]) == (folds, trainings, deviation)]
            if found:
                cells = " | ".join(format_least(found, method) for method in METHODS)
                lines.append(f"| {folds} | {trainings} | {deviation:g} | {cells} |")
    lines += ["", "## Every row", "", "Coverage in % / false `helps` in % / mean width.", ""]
    lines += [
        f"| noise | groups | folds | trainings | training set | {' | '.join(TITLES)} |",
        "|---" * (5 + len(METHODS)) + "|",
    ]
    for row in rows:
        cells = " | ".join(
            f"{row[f'{one}_holds']:.1f} / {row[f'{one}_helps']:.1f} / {row[f'{one}_width']:.3f}" for one in METHODS
        )
        design = f"{row['folds']} | {row['trainings']} | {row['deviation']:g}"
        lines.append(f"| {row['noise']} | {row['groups']} | {design} | {cells} |")
    return "\n".join(lines) + "\n"


def format_least(rows: list[dict], method: str) -> str:
    """The worst of rows, and how wide they are on average."""
    holds, helps = min(row[f"{method}_holds"] for row in rows), max(row[f"{method}_helps"] for row in rows)
    width = np.mean([row[f"{method}_width"] / row["least_width"] for row in rows])
    return f"{holds:.1f} / {helps:.1f} / {width:.1f}"


if __name__ == "__main__":
    main()
