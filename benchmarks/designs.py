"""What does each design of a job buy: how wide an interval, how likely a claim, for how many trainings? And what do looks cost?

    python benchmarks/designs.py

Simulates paired differences of a job's two arms with noise as it was found on three data sets, for designs of folds and of
trainings per arm and fold, every fold with trainings of its own. What a training set does is the mean of what its groups do, so
that folds which share training groups share it, as in cross-validation. Counts how wide the interval is with the correction for
that (claim=new_data) and without (claim=data_set), how often it holds the truth, and how often a true difference is shown. Then
jobs that are looked at with 3, 5 and 8 trainings: how often any look claims help where there is none, and how many trainings it
takes until help is shown. Intervals are mean +- Student's t times the standard error of `estimate_standard_error`, which differ
from those of a job by the shape of its bootstrap alone. Writes benchmarks/results/designs.md and designs.json.
About six minutes on one idle core; seeded, so the same call gives the same table.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from focalseg.evaluation.statistics import estimate_standard_error
from focalseg.study.budget.worth import count_trainings
from focalseg.study.looks.tails import plan_tails
from machine import read_processor

RESULTS = Path(__file__).parent / "results"
REPETITIONS = 2000
TAIL = 0.025
SEQUENCES = (26, *[25] * 11, 23, 22, 22, 21, 21, *[20] * 5, 19, 19, 18, 17, 12, 11, 6)
DESIGNS = ((1, 3), (1, 5), (4, 2), (4, 3), (5, 1), (5, 2), (5, 3), (10, 1), (10, 2), (10, 3))
ONE_OF = 5  # folds that are dealt where one is tested
LOOKS = (3, 5, 8)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Of a difference, as standard deviations. title: the data that have about this. groups: sizes. training: of one training
    of a fold; training_set: what a training set does; effects: true differences whose power is asked."""

    title: str
    groups: tuple[int, ...]
    group: float
    case: float
    training: float
    training_set: float
    effects: tuple[float, ...]


NOISES = (
    Noise(
        title="CVC-like: 29 video sequences",
        groups=SEQUENCES,
        group=0.125,
        case=0.15,
        training=0.05,
        training_set=0.06,
        effects=(0.05, 0.07, 0.10),
    ),
    Noise(
        title="CHASE-like: 14 children, both eyes",
        groups=(2,) * 14,
        group=0.004,
        case=0.005,
        training=0.008,
        training_set=0.003,
        effects=(0.003, 0.005, 0.01),
    ),
    Noise(
        title="BUSI-like: 249 groups of ultrasound images",
        groups=(2,) * 61 + (1,) * 188,
        group=0.25,
        case=0.15,
        training=0.03,
        training_set=0.02,
        effects=(0.05, 0.07, 0.10),
    ),
)


@dataclass(frozen=True)
class Drawn:
    """One simulated job: differences (trainings, cases), their groups, folds and the share of training groups folds share."""

    table: np.ndarray
    groups: list[str]
    folds: list[int]
    overlap: float


def draw(noise: Noise, folds: int, seeds: int, random: np.random.Generator, *, mean: float = 0.0) -> Drawn:
    """A job that tests so many folds of as many, or one of `ONE_OF`; validation takes another part.

    The interval of one fold speaks of its training set alone: what that does is then part of the truth, and left out.
    """
    parts = folds if folds > 1 else ONE_OF
    sizes = np.asarray(noise.groups)
    part = np.empty(len(sizes), int)
    part[random.permutation(len(sizes))] = np.arange(len(sizes)) % parts
    of_group, learned = random.normal(0, noise.group, len(sizes)), random.normal(0, 1, len(sizes))
    tables, groups, numbers = [], [], []
    for fold in range(folds):
        tested = np.flatnonzero(part == fold)
        trains = (part != fold) & (part != (fold + 1) % parts)
        shared = noise.training_set * learned[trains].mean() * trains.sum() ** 0.5 if folds > 1 else 0.0
        members = np.repeat(tested, sizes[tested])
        cases = of_group[members] + random.normal(0, noise.case, len(members)) + shared + mean
        tables.append(cases + random.normal(0, noise.training, (seeds, 1)))
        groups += [str(member) for member in members]
        numbers += [fold] * len(members)
    return Drawn(np.concatenate(tables, axis=1), groups, numbers, (parts - 3) / (parts - 2) if folds > 1 else 0.0)


def find_half_width(drawn: Drawn, tail: float = TAIL, *, heeds_overlap: bool = True) -> float:
    """Half of the interval that leaves out so much on either side."""
    overlap = drawn.overlap if heeds_overlap else 0.0
    standard = estimate_standard_error(drawn.table, drawn.groups, drawn.folds, overlap=overlap)
    return float(stats.t.isf(tail, standard.freedom) * standard.error)


@dataclass(frozen=True, kw_only=True)
class DesignRow:
    """What one design buys on one kind of data, means over repetitions. power: in %, by effect, at new_data. wrong: claims of
    help where there is none, in %."""

    noise: str
    folds: int
    seeds: int
    trainings: int
    half_width: float
    half_width_data_set: float
    coverage: float
    wrong: float
    power: dict[str, float]


def measure_design(noise: Noise, folds: int, seeds: int, repetitions: int) -> DesignRow:
    """All of one row."""
    random = np.random.default_rng((folds, seeds))
    found = []
    for _ in range(repetitions):
        drawn = draw(noise, folds, seeds, random)
        found.append((float(drawn.table.mean()), find_half_width(drawn), find_half_width(drawn, heeds_overlap=False)))
    means, wide, narrow = map(np.array, zip(*found, strict=True))
    return DesignRow(
        noise=noise.title,
        folds=folds,
        seeds=seeds,
        trainings=count_trainings(folds, seeds),
        half_width=float(np.median(wide)),
        half_width_data_set=float(np.median(narrow)),
        coverage=100 * float((abs(means) <= wide).mean()),
        wrong=100 * float((means > wide).mean()),
        power={f"{effect:g}": 100 * float((means + effect > wide).mean()) for effect in noise.effects},
    )


@dataclass(frozen=True, kw_only=True)
class LooksRow:
    """Looks at 3, 5 and 8 trainings per arm and fold. claims: of help at any look, in %; trainings: per arm and fold, mean,
    until help is claimed or all are done."""

    noise: str
    folds: int
    plan: str
    effect: float
    claims: float
    trainings: float


PLANS = {"8 trainings, one look": None, "looks planned": LOOKS[-1], "looks not planned": 0, "looks not paid for": -1}


def measure_looks(noise: Noise, folds: int, effect: float, repetitions: int) -> list[LooksRow]:
    """The same simulated jobs under every plan. The trainings of earlier looks are the first ones of later looks."""
    random = np.random.default_rng((7, folds))
    claimed = {plan: np.zeros(repetitions, bool) for plan in PLANS}
    used = {plan: np.full(repetitions, float(LOOKS[-1])) for plan in PLANS}
    tails = {
        plan: (TAIL,) * 3 if most == -1 else plan_tails([folds * count for count in LOOKS], folds * most)
        for plan, most in PLANS.items()
        if most is not None
    }
    for number in range(repetitions):
        drawn = draw(noise, folds, LOOKS[-1], random, mean=effect)
        for place, count in enumerate(LOOKS):
            part = Drawn(drawn.table[:count], drawn.groups, drawn.folds, drawn.overlap)
            standard = estimate_standard_error(part.table, part.groups, part.folds, overlap=part.overlap)
            ratio, freedom = float(part.table.mean()) / standard.error, standard.freedom
            for plan in PLANS:
                tail = tails[plan][place] if plan in tails else TAIL if count == LOOKS[-1] else 0.0
                if tail and not claimed[plan][number] and ratio > stats.t.isf(tail, freedom):
                    claimed[plan][number], used[plan][number] = True, count
    return [
        LooksRow(
            noise=noise.title,
            folds=folds,
            plan=plan,
            effect=effect,
            claims=100 * float(claimed[plan].mean()),
            trainings=float(used[plan].mean()),
        )
        for plan in PLANS
    ]


def format_designs(rows: list[DesignRow]) -> list[str]:
    """A table per kind of data."""
    lines = []
    for noise in NOISES:
        parts = f"group {noise.group:g}, case {noise.case:g}, training {noise.training:g}, training set {noise.training_set:g}"
        lines += [
            f"## {noise.title}",
            "",
            f"Standard deviations of the difference: {parts}.",
            "",
            "| folds x trainings | trainings of the job | half-width, new data | half-width, this data set | coverage, % "
            "| false help, % | " + " | ".join(f"power at {effect:g}, %" for effect in noise.effects) + " |",
            "|---|---|---|---|---|---|" + "---|" * len(noise.effects),
        ]
        lines += [
            f"| {row.folds} x {row.seeds} | {row.trainings} | {row.half_width:.4f} | {row.half_width_data_set:.4f} "
            f"| {row.coverage:.1f} | {row.wrong:.1f} | " + " | ".join(f"{power:.0f}" for power in row.power.values()) + " |"
            for row in rows
            if row.noise == noise.title
        ]
        lines.append("")
    return lines


def format_looks(rows: list[LooksRow]) -> list[str]:
    """One table."""
    return [
        "## Looks at 3, 5 and 8 trainings per arm and fold",
        "",
        "Claims of help at any look: false ones where the true difference is 0, where 2.5 % is promised. Trainings: per arm",
        "and fold, mean, until help is claimed or all are done.",
        "",
        "| data | folds | true difference | plan | claims of help, % | trainings |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.noise.split(':')[0]} | {row.folds} | {row.effect:g} | {row.plan} | {row.claims:.1f} "
            f"| {row.trainings:.1f} |"
            for row in rows
        ),
        "",
    ]


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    repetitions = parser.parse_args().repetitions
    designs = [measure_design(noise, *design, repetitions) for noise in NOISES for design in DESIGNS]
    looks = [
        row
        for noise in NOISES
        for folds in (1, 10)
        for effect in (0.0, noise.effects[-1])
        for row in measure_looks(noise, folds, effect, repetitions)
    ]
    head = [
        "# What each design buys",
        "",
        f"`python benchmarks/designs.py`, {repetitions} repetitions a row, on {read_processor()}. Trainings of the job: three",
        "arms, and two per fold that sites are chosen with. One fold is one of five; its interval is for its training set.",
        "",
    ]
    (RESULTS / "designs.md").write_text("\n".join([*head, *format_designs(designs), *format_looks(looks)]), encoding="utf-8")
    content = {"repetitions": repetitions, "designs": [asdict(row) for row in designs], "looks": [asdict(row) for row in looks]}
    (RESULTS / "designs.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
