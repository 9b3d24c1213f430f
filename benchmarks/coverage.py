"""How often do the 95 % intervals hold the truth, and how often do the tests cry wolf?

    python benchmarks/coverage.py

Simulates paired scores whose truth is known (normal ones, and Dice-like ones: clipped, with complete misses) for the numbers
of trainings, groups and folds that results are quoted for, and counts how often estimate_mean's interval holds the truth,
beside two naive ones: the percentile bootstrap over cases of the scores averaged over trainings, and the t interval over the
means of the trainings. Where there is no difference it counts false claims as well. Then folds that differ in what their test
cases share, beside the interval that is not told of folds. Over folds the intervals are Student's, without the shape of the
bootstrap's percentiles. Writes benchmarks/results/coverage.md. About half an hour on one core; seeded, so that the same call
gives the same table. Folds that share training groups: coverage_overlap.py. As good, and several looks: coverage_claims.py.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

from focalseg.evaluation.significance import Comparison, compare_paired
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, SCORE_SPAN, estimate_mean
from focalseg.records.estimate import Estimate
from machine import read_processor
from many_errors import find_ends

RESULTS = Path(__file__).parent / "results"
REPETITIONS = 2000
BATCH = 250
NAIVE_REPLICATES = 1000
SEQUENCES = (26, *[25] * 11, 23, 22, 22, 21, 21, *[20] * 5, 19, 19, 18, 17, 12, 11, 6)  # of CVC-ClinicDB
GROUPS = {
    "2 subjects of 30 images": (30,) * 2,
    "3 subjects of 20 images": (20,) * 3,
    "6 video sequences": SEQUENCES[3::5],
    "14 subjects of 2 images": (2,) * 14,
    "29 video sequences": SEQUENCES,
    "80 images alone": (1,) * 80,
}
METHODS = ("estimate_mean", "bootstrap over cases", "t over trainings")
CLAIMS = ("interval above 0", "interval without 0", "p_value", "permutation_p", "wilcoxon_p")
MISSED, BEST = 0.4, 0.97  # a Dice below is a miss and 0; none is above


DESIGNS = ((1, 1), (1, 3), (1, 5), (5, 3), (5, 5))  # folds and trainings
Row = tuple[str, str, int, int]  # situation, groups, folds, trainings

FOLD_DEVIATIONS = (0.0, 0.01, 0.02, 0.04)
FOLD_DESIGNS = ((2, 3), (3, 3), (5, 1), (5, 3), (5, 5))
FOLD_GROUPS = ("6 video sequences", "29 video sequences", "80 images alone")
FOLD_REPETITIONS = 1000
FoldRow = tuple[float, str, int, int]  # standard deviation, groups, folds, trainings


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Standard deviations of what adds up to a score: a training (one seed of one fold), group, case, and crossed.

    fold: what all that one fold tests has in common, its training set and what was placed there.
    """

    training: float
    fold: float = 0.0
    group: float = 0.0
    case: float = 0.0
    training_on_group: float
    training_on_case: float

    def variance(self) -> float:
        """Of a single score."""
        parts = (self.training, self.fold, self.group, self.case, self.training_on_group, self.training_on_case)
        return sum(part**2 for part in parts)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Where scores come from: the noise of a difference, or, for Dice, the arms' means, noise of each and noise they share.

    single: the scores of the one arm, not the difference. null: there is no difference, and claims of one are false.
    """

    title: str
    noise: Noise
    means: tuple[float, float] | None = None
    shared: Noise | None = None
    single: bool = False
    null: bool = False

    def truth(self) -> float:
        """What an endless study would find."""
        if self.shared is None or self.means is None:
            return 0.0
        deviation = (self.noise.variance() + self.shared.variance()) ** 0.5
        one, other = (expect_dice(mean, deviation) for mean in self.means)
        return one if self.single else one - other

    def draw(self, random: np.random.Generator, layout: "Layout", count: int) -> np.ndarray:
        """Scores or differences (count, S, N)."""
        if self.shared is None or self.means is None:
            return draw_noise(self.noise, random, layout, count)
        common = draw_noise(self.shared, random, layout, count)
        one, other = (to_dice(mean + common + draw_noise(self.noise, random, layout, count)) for mean in self.means)
        return one if self.single else one - other


@dataclass(frozen=True, kw_only=True)
class Layout:
    """trainings a fold, the sizes of the groups, and the folds that the groups are dealt out to."""

    trainings: int
    sizes: tuple[int, ...]
    folds: int

    @property
    def membership(self) -> np.ndarray:
        """The group of every case."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def fold(self) -> np.ndarray:
        """The fold that tests every case."""
        return self.membership % self.folds


IN_FOLDS = Noise(training=0.01, group=0.03, case=0.08, training_on_group=0.02, training_on_case=0.05)
PERSISTENT = Noise(training=0.0, group=0.08, case=0.25, training_on_group=0.0, training_on_case=0.0)
OWN = Noise(training=0.014, group=0.03, case=0.06, training_on_group=0.03, training_on_case=0.08)
SITUATIONS = (
    Situation(
        title="Normal, small training noise",
        noise=Noise(training=0.005, group=0.05, case=0.10, training_on_group=0.02, training_on_case=0.05),
    ),
    Situation(
        title="Normal, middling training noise",
        noise=Noise(training=0.015, group=0.05, case=0.15, training_on_group=0.05, training_on_case=0.10),
    ),
    Situation(
        title="Normal, large training noise",
        noise=Noise(training=0.03, group=0.05, case=0.10, training_on_group=0.05, training_on_case=0.10),
    ),
    Situation(
        title="Normal, groups differ widely",
        noise=Noise(training=0.015, group=0.15, case=0.25, training_on_group=0.05, training_on_case=0.10),
    ),
    Situation(
        title="Normal, no difference but the seed",
        noise=Noise(training=0.02, training_on_group=0.05, training_on_case=0.10),
        null=True,
    ),
    Situation(
        title="Normal, no difference, and no training better than another",
        noise=Noise(training=0.0, training_on_group=0.03, training_on_case=0.10),
        null=True,
    ),
    Situation(
        title="Dice, no difference but the seed",
        noise=Noise(training=0.014, training_on_group=0.03, training_on_case=0.08),
        means=(0.80, 0.80),
        shared=PERSISTENT,
        null=True,
    ),
    Situation(title="Dice, a true difference of 0.033", noise=OWN, means=(0.84, 0.80), shared=PERSISTENT),
    Situation(title="Dice of one arm", noise=OWN, means=(0.84, 0.80), shared=PERSISTENT, single=True),
)


def draw_noise(noise: Noise, random: np.random.Generator, layout: Layout, count: int) -> np.ndarray:
    """What noise adds to each score, (count, S, N)."""
    membership, groups = layout.membership, len(layout.sizes)
    trainings = layout.trainings
    drawn = noise.training * random.standard_normal((count, trainings, layout.folds))[:, :, layout.fold]
    drawn += noise.group * random.standard_normal((count, 1, groups))[:, :, membership]
    drawn += noise.case * random.standard_normal((count, 1, len(membership)))
    drawn += noise.training_on_group * random.standard_normal((count, trainings, groups))[:, :, membership]
    drawn += noise.training_on_case * random.standard_normal((count, trainings, len(membership)))
    if noise.fold:
        drawn += noise.fold * random.standard_normal((count, 1, layout.folds))[:, :, layout.fold]
    return drawn


def to_dice(latent: np.ndarray) -> np.ndarray:
    """Quality without bounds to a Dice: misses are 0, and there is a best."""
    return np.where(latent < MISSED, 0.0, np.minimum(latent, BEST))


def expect_dice(mean: float, deviation: float) -> float:
    """Mean of to_dice of a normal variable: the truncated normal's closed form."""
    low, high = ((edge - mean) / deviation for edge in (MISSED, BEST))
    inside = mean * (stats.norm.cdf(high) - stats.norm.cdf(low)) + deviation * (stats.norm.pdf(low) - stats.norm.pdf(high))
    return float(inside + BEST * stats.norm.sf(high))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Shares in per cent, widths in units of the score."""

    coverage: dict[str, float]
    width: dict[str, float]
    claims: tuple[float, ...]


def simulate(situation: Situation, layout: Layout, random: np.random.Generator) -> Tally:
    """One row of the tables."""
    groups = layout.membership.astype(str).tolist()
    counts = random.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), NAIVE_REPLICATES) / len(groups)
    intervals: dict[str, list[np.ndarray]] = {method: [] for method in METHODS}
    claims: list[list[bool]] = []
    for _ in range(REPETITIONS // BATCH):
        batch = situation.draw(random, layout, BATCH)
        cases, trainings = np.quantile(counts @ batch.mean(axis=1).T, [0.025, 0.975], axis=0).T, batch.mean(axis=2)
        estimates: list[Estimate] = []
        if situation.null and layout.folds == 1:
            compared = [compare_paired(scores, np.zeros_like(scores), groups) for scores in batch]
            claims += [list_claims(comparison) for comparison in compared]
            estimates = [comparison.estimate for comparison in compared]
        elif layout.folds == 1:
            span = SCORE_SPAN if situation.single else DIFFERENCE_SPAN
            estimates = [estimate_mean(scores, groups, span=span) for scores in batch]
        ours = (
            np.array([(one.low, one.high) for one in estimates]) if estimates else find_ends(batch, layout.sizes, layout.folds)
        )
        for method, found in zip(METHODS, (ours, cases, student_over_trainings(trainings)), strict=True):
            intervals[method].append(found)
    truth = situation.truth()
    limits = {method: np.concatenate(parts).T for method, parts in intervals.items()}
    return Tally(
        coverage={method: 100 * float(np.mean((low <= truth) & (truth <= high))) for method, (low, high) in limits.items()},
        width={method: float(np.mean(high - low)) for method, (low, high) in limits.items()},
        claims=tuple(100 * np.mean(claims, axis=0)) if claims else (),
    )


def simulate_folds(deviation: float, layout: Layout, random: np.random.Generator) -> tuple[float, ...]:
    """Coverage in % and mean width of the interval that is told of the folds, then of the one that is not."""
    found = []
    for _ in range(FOLD_REPETITIONS // BATCH):
        batch = draw_noise(replace(IN_FOLDS, fold=deviation), random, layout, BATCH)
        ends = (find_ends(batch, layout.sizes, layout.folds), find_ends(batch, layout.sizes, 1))
        found.append([part for low, high in (one.T for one in ends) for part in (100 * (low * high <= 0), high - low)])
    return tuple(np.concatenate(found, axis=1).mean(axis=1))


def list_claims(comparison: Comparison) -> list[bool]:
    """Which of CLAIMS are made of a comparison."""
    low, high = comparison.estimate.low, comparison.estimate.high
    tests = (comparison.p_value, comparison.permutation_p, comparison.wilcoxon_p)
    return [low > 0, not low <= 0 <= high, *(p_value <= 0.05 for p_value in tests)]


def student_over_trainings(means: np.ndarray) -> np.ndarray:
    """The t interval over the trainings' means (count, S), as (count, 2)."""
    trainings = means.shape[1]
    if trainings == 1:
        return np.full((len(means), 2), np.nan)
    half = stats.t.isf(0.025, trainings - 1) * means.std(axis=1, ddof=1) / trainings**0.5
    middle = means.mean(axis=1)
    return np.stack([middle - half, middle + half], axis=1)


def main() -> None:
    """Simulates everything and writes the tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rows = {
        (situation.title, name, folds, trainings): simulate(
            situation,
            Layout(trainings=trainings, sizes=sizes, folds=folds),
            np.random.default_rng([number, len(sizes), folds, trainings]),
        )
        for number, situation in enumerate(SITUATIONS)
        for name, sizes in GROUPS.items()
        for folds, trainings in DESIGNS
        if folds <= len(sizes)
    }
    (RESULTS / "coverage.md").write_text(format_tables(rows, compute_fold_rows()))


def compute_fold_rows() -> dict[FoldRow, tuple[float, ...]]:
    """What becomes of the interval where folds differ."""
    return {
        (deviation, name, folds, trainings): simulate_folds(
            deviation,
            Layout(trainings=trainings, sizes=GROUPS[name], folds=folds),
            np.random.default_rng([number, len(GROUPS[name]), folds, trainings]),
        )
        for number, deviation in enumerate(FOLD_DEVIATIONS)
        for name in FOLD_GROUPS
        for folds, trainings in FOLD_DESIGNS
    }


def format_tables(rows: dict[Row, Tally], fold_rows: dict[FoldRow, tuple[float, ...]]) -> str:
    """All tables as Markdown."""
    precision = 100 * (0.95 * 0.05 / REPETITIONS) ** 0.5
    lines = [
        "# Coverage of the intervals, error rates of the tests",
        "",
        f"`python benchmarks/coverage.py`, numpy {np.__version__}, scipy {scipy.__version__}, {read_processor()}, one thread.",
        f"{REPETITIONS} repetitions a row: the standard error of a coverage of 95 % is {precision:.1f} points. 5 folds: each",
        "group is tested in one of them, and a training is one seed of every fold.",
        "",
        "## Least and greatest coverage over the situations below, in %",
        "",
        "| trainings | folds | groups | " + " | ".join(METHODS) + " |",
        "|---|---|---|" + "---|" * len(METHODS),
    ]
    for folds, trainings in DESIGNS:
        for name in GROUPS:
            tallies = [tally for (_, *row), tally in rows.items() if row == [name, folds, trainings]]
            if tallies:
                cells = " | ".join(format_range([tally.coverage[method] for tally in tallies], trainings) for method in METHODS)
                lines.append(f"| {trainings} | {folds} | {name} | {cells} |")
    lines += ["", *format_claims(rows), "", *format_folds(fold_rows), ""]
    for situation in SITUATIONS:
        lines += [f"## {situation.title}", "", f"{describe(situation)}. Coverage in % (mean width).", ""]
        lines += ["| trainings | folds | groups | " + " | ".join(METHODS) + " |", "|---|---|---|" + "---|" * len(METHODS)]
        for (title, name, folds, trainings), tally in rows.items():
            if title == situation.title:
                cells = " | ".join(
                    "-" if np.isnan(tally.width[method]) else f"{tally.coverage[method]:.1f} ({tally.width[method]:.3f})"
                    for method in METHODS
                )
                lines.append(f"| {trainings} | {folds} | {name} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def format_range(values: list[float], trainings: int) -> str:
    """From the least to the greatest; every method but the last has a meaning for one training."""
    return "-" if trainings == 1 and max(values) == 0 else f"{min(values):.1f} to {max(values):.1f}"


def format_claims(rows: dict[Row, Tally]) -> list[str]:
    """False claims where there is no difference."""
    lines = [
        "## False claims where there is no difference, in %",
        "",
        "Nominal: 2.5 for an interval above 0, 5 for the others, p-values at 0.05. One fold. The last two tests take the",
        "trainings as they are, so that a lucky training counts as a difference.",
        "",
        "| situation | trainings | groups | " + " | ".join(CLAIMS) + " |",
        "|---|---|---|" + "---|" * len(CLAIMS),
    ]
    for (title, name, _, trainings), tally in rows.items():
        if tally.claims:
            lines.append(f"| {title} | {trainings} | {name} | " + " | ".join(f"{share:.1f}" for share in tally.claims) + " |")
    return lines


def format_folds(rows: dict[FoldRow, tuple[float, ...]]) -> list[str]:
    """Folds that differ by more than their groups do."""
    methods = "told of the folds | not told"
    lines = [
        "## Folds that differ",
        "",
        f"{FOLD_REPETITIONS} repetitions a row. Each fold has a part that all it tests has, of the standard deviation in the",
        f"first column. {describe_noise(IN_FOLDS)}. Coverage in % (mean width) of estimate_mean.",
        "",
        f"| fold | folds | trainings | groups | {methods} |",
        "|---|---|---|---|---|---|",
    ]
    for (deviation, name, folds, trainings), (held, width, held_untold, width_untold) in rows.items():
        cells = f"{held:.1f} ({width:.3f}) | {held_untold:.1f} ({width_untold:.3f})"
        lines.append(f"| {deviation:g} | {folds} | {trainings} | {name} | {cells} |")
    return lines


def describe(situation: Situation) -> str:
    """The noise of a situation in words."""
    if situation.means is None or situation.shared is None:
        return describe_noise(situation.noise)
    qualities = " and ".join(f"{mean:g}" for mean in situation.means[: 1 if situation.single else 2])
    return (
        f"Latent quality {qualities}; standard deviations that the arms share: "
        f"group {situation.shared.group:g}, case {situation.shared.case:g}; of each arm: {list_parts(situation.noise)}; "
        f"below {MISSED:g} a miss, Dice 0, and {BEST:g} at best. Truth {situation.truth():.4f}"
    )


def describe_noise(noise: Noise) -> str:
    """The noise of a difference in words."""
    return f"Standard deviations of the difference: {list_parts(noise)}"


def list_parts(noise: Noise) -> str:
    """The standard deviations by name."""
    return (
        f"training {noise.training:g}, group {noise.group:g}, case {noise.case:g}, "
        f"training on group {noise.training_on_group:g}, training on case {noise.training_on_case:g}"
    )


if __name__ == "__main__":
    main()
