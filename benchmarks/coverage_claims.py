"""Are claims made that should not be: "as good" of an arm that loses a case now and then, "helps" by looking often enough?

    python benchmarks/coverage_claims.py [--repetitions 2000]

As good: two arms that differ by a little noise, but one of them loses a share of the cases altogether, the same in every
training. Counted is how often "at most 0.01 worse" is said, by the interval alone and with the bound on complete failures.
Looks: no difference, and one looks after 3, 5 and 8 trainings, at 2.5 % each time or with what evaluation.spending allows; then
a true difference, and how many trainings it took. Another seed: how often the bootstrap's own noise turns a claim. All but the
last by Student's reach, without the shape of the bootstrap's percentiles. Writes benchmarks/results/coverage_claims.json and
.md; two minutes on one core; seeded.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from coverage import SEQUENCES, Layout, Noise, describe_noise
from coverage_overlap import draw_sums
from focalseg.evaluation.failures import LOST
from focalseg.evaluation.significance import decide_non_inferiority
from focalseg.evaluation.spending import find_tails
from focalseg.evaluation.statistics import estimate_mean
from focalseg.records.estimate import Estimate
from many_errors import Studies, check, compute_reaches

RESULTS = Path(__file__).parent / "results"
MARGIN, LOSS = 0.01, 0.8
SHARES = (0.0, 0.01, 0.0125, 0.02, 0.03)
CASES = {
    "28 cases, 14 groups": ((2,) * 14, 5),
    "62 cases, 6 groups": ((11, 11, 10, 10, 10, 10), 1),
    "80 cases": ((1,) * 80, 5),
    "160 cases": ((1,) * 160, 5),
    "310 cases, 249 groups": ((2,) * 61 + (1,) * 188, 5),
    "400 cases": ((1,) * 400, 5),
    "500 cases": ((1,) * 500, 5),
}
QUIET = Noise(training=0.002, group=0.0, case=0.02, training_on_group=0.0, training_on_case=0.01)
LOOKS = (3, 5, 8)
LOOKED_AT = {"6 video sequences": SEQUENCES[3::5], "29 video sequences": SEQUENCES, "80 images alone": (1,) * 80}
SEEDS_RULE = Noise(training=0.03, group=0.02, case=0.05, training_on_group=0.05, training_on_case=0.10)
FOLDS = (1, 5, 10)
SEED_STUDIES = 500


def main() -> None:
    """Simulates everything and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000, help="of each row")
    repetitions = parser.parse_args().repetitions
    found = {
        "repetitions": repetitions,
        "as_good": [simulate_as_good(name, share, repetitions) for name in CASES for share in SHARES],
        "looks": [
            simulate_looks(name, folds, repetitions) for name in LOOKED_AT for folds in FOLDS if folds <= len(LOOKED_AT[name])
        ],
        "another_seed": [simulate_seeds(trainings) for trainings in (1, 3)],
    }
    (RESULTS / "coverage_claims.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "coverage_claims.md").write_text(format_page(found))


def simulate_as_good(name: str, share: float, repetitions: int) -> dict:
    """How often, in %, an arm that loses this share of the cases is said to be as good, with five folds or one of three."""
    sizes, folds = CASES[name]
    layout, random = Layout(trainings=3, sizes=sizes, folds=folds), np.random.default_rng([len(sizes), round(1e4 * share)])
    lost = random.binomial(sizes, share, (repetitions, len(sizes)))
    counts = np.array(sizes, dtype=float)
    sums = draw_sums(QUIET, layout, random, repetitions) - LOSS * lost[:, None]
    studies = Studies(sums=sums, sizes=counts, fold=np.arange(len(sizes)) % folds)
    check(studies, 0.0)
    failing = (sums.mean(axis=1) / counts <= -LOST).sum(axis=1)
    lows = studies.means - compute_reaches(studies)
    said = []
    # Without the bound it is the low end alone, and what that does not show the bound shows neither.
    for place in np.flatnonzero(lows > -MARGIN).tolist():
        estimate = Estimate(mean=float(studies.means[place]), low=float(lows[place]), high=1.0)
        known = {"failing": int(failing[place]), "groups": len(sizes)}
        said.append(decide_non_inferiority(estimate, margin=MARGIN, **known).shown)
    alone, bounded = (round(100 * count / repetitions, 2) for count in (len(said), sum(said)))
    return {"cases": name, "share": share, "loss": round(share * LOSS, 4), "interval_alone": alone, "with_bound": bounded}


def simulate_looks(name: str, folds: int, repetitions: int) -> dict:
    """False `helps` over all looks in %, and of a true difference: how often it is shown, with how many trainings."""
    layout, random = Layout(trainings=LOOKS[-1], sizes=LOOKED_AT[name], folds=folds), np.random.default_rng([folds, len(name)])
    sizes = np.array(layout.sizes, dtype=float)
    tails = find_tails([look / LOOKS[-1] for look in LOOKS])
    drawn = draw_sums(SEEDS_RULE, layout, random, repetitions)
    means, usual, spent = [], [], []
    for look, tail in zip(LOOKS, tails, strict=True):
        studies = Studies(sums=drawn[:, :look], sizes=sizes, fold=np.arange(len(sizes)) % folds)
        check(studies, 0.0, tail)
        means.append(studies.means)
        usual.append(compute_reaches(studies))
        spent.append(compute_reaches(studies, tail=tail))
    row = {
        "groups": name,
        "folds": folds,
        "usual_helps": _count(np.array(means) > np.array(usual)),
        "spent_helps": _count(np.array(means) > np.array(spent)),
        "fixed_helps": _count(np.array(means[-1:]) > np.array(usual[-1:])),
    }
    for times in (1.0, 1.5, 2.0):
        # So many times the difference that the fixed design of eight trainings shows in 80 % of studies, about.
        difference = times * (float(np.median(usual[-1])) + 0.84 * float(means[-1].std()))
        shown = np.array(means) + difference > np.array(spent)
        first = np.where(shown.any(axis=0), shown.argmax(axis=0), len(LOOKS) - 1)
        row[f"power_fixed_{times:g}"] = _count(np.array(means[-1:]) + difference > np.array(usual[-1:]))
        row[f"power_{times:g}"] = _count(shown)
        row[f"trainings_{times:g}"] = round(float(np.array(LOOKS)[first].mean()), 2)
    return row


def _count(claims: np.ndarray) -> float:
    """Share of studies with a claim at any look, in %. claims (looks, R)."""
    return round(100 * float(claims.any(axis=0).mean()), 2)


def simulate_seeds(trainings: int) -> dict:
    """How often another seed of the bootstrap turns what is claimed of no difference, 29 groups of one case."""
    random, groups = np.random.default_rng(trainings), [str(number) for number in range(29)]
    turned, moved = [], []
    for _ in range(SEED_STUDIES):
        scores = random.normal(0, 0.1, 29) + random.normal(0, 0.05, (trainings, 29))
        one, other = (estimate_mean(scores, groups, seed=seed) for seed in (0, 1))
        turned.append((one.low > 0) != (other.low > 0) or (one.high < 0) != (other.high < 0))
        moved.append(abs(one.low - other.low) / (one.mean - one.low))
    return {
        "trainings": trainings,
        "studies": SEED_STUDIES,
        "turned": round(100 * float(np.mean(turned)), 2),
        "moved": round(100 * float(np.median(moved)), 2),
    }


def format_page(found: dict) -> str:
    """All tables as Markdown."""
    lines = [
        "# Claims that should not be made",
        "",
        f"`python benchmarks/coverage_claims.py`; {found['repetitions']} repetitions a row: the standard error of 2.5 % is",
        f"{100 * (0.025 * 0.975 / found['repetitions']) ** 0.5:.1f} points.",
        "",
        "## As good",
        "",
        f"A share of the cases loses {LOSS:g}, the same in each of three trainings. How often, in %, the arm is said to be at",
        f"most {MARGIN:g} worse: false where the true loss is {MARGIN:g} or more. {describe_noise(QUIET)}.",
        "",
        "| cases | share lost | true loss | by the interval alone | with the bound on failures |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['cases']} | {100 * row['share']:g} % | {row['loss']:g} "
        f"| {row['interval_alone']:.1f} | {row['with_bound']:.1f} |"
        for row in found["as_good"]
    ]
    lines += [
        "",
        "## Looks after 3, 5 and 8 trainings of every fold",
        "",
        f"Tails {', '.join(f'{tail:.5f}' for tail in find_tails([look / LOOKS[-1] for look in LOOKS]))}.",
        f"{describe_noise(SEEDS_RULE)}.",
        "False `helps` over all looks, in %; then, for a true difference of so many times what the fixed design of eight",
        "trainings shows in 80 % of studies: how often it is shown, fixed / with looks, and the trainings it took of eight.",
        "",
        "| groups | folds | 2.5 % at each look | spent | eight alone | once | 1.5 times | twice |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["looks"]:
        cells = [f"{row[f'{one}_helps']:.1f}" for one in ("usual", "spent", "fixed")]
        cells += [
            f"{row[f'power_fixed_{times}']:.0f} / {row[f'power_{times}']:.0f}, {row[f'trainings_{times}']:.1f}"
            for times in ("1", "1.5", "2")
        ]
        lines.append(f"| {row['groups']} | {row['folds']} | {' | '.join(cells)} |")
    lines += ["", "## Another seed of the bootstrap", "", "No difference, 29 groups, seeds 0 and 1.", ""]
    lines += [
        "| trainings | studies | claims that turn, % | how far an end moves, median, % of the half-width |",
        "|---|---|---|---|",
    ]
    lines += [f"| {row['trainings']} | {row['studies']} | {row['turned']} | {row['moved']} |" for row in found["another_seed"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
