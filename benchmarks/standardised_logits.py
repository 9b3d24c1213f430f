"""Is gamma a better witness where the gate's own scale cannot stand in for it?

    python benchmarks/standardised_logits.py --out RUNS

Trains the fully instrumented network of the quick preset on phantom:global-cue, where attention at some sites is worth 0.33
Dice, and on phantom:local, where it is worth nothing, with gates as published and with logits brought to mean 0 and variance
1 before the sigmoid; eight seeds each. What each site is worth when it is trained alone is known from
benchmarks/results/planted_truths.json (global-cue) and is nil (local). Writes benchmarks/results/standardised_logits.md.
About half an hour on two cores; resumes what is there.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr

from focalseg.cli.terminal.progress import show_progress
from focalseg.records.evidence import Evidence
from focalseg.study.planning.attention import plan_attention
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.presets import build_settings
from focalseg.study.running.local import choose_workers, run_locally
from focalseg.study.running.runs import RunPlan, dice_matrix, read_evidence, read_result

NEEDED, NOT_NEEDED = "phantom:global-cue", "phantom:local"
RESULTS = Path(__file__).parent / "results"
SEEDS = range(500, 508)
WITNESSES = {
    "gamma": lambda record: record.gamma,
    "spread": lambda record: record.spread,
    "gamma x spread": lambda record: record.gamma * record.spread,
    "removal cost": lambda record: record.removal_cost,
}
REPLICATES = 4000


def main() -> None:
    """Runs everything and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    singles = json.loads((RESULTS / "planted_truths.json").read_text())["single_sites"]
    worth = {row["arm"]: row["gain"]["mean"] for row in singles if row["arm"] not in ("none", "all")}
    found = {(task, standard): train(task, standard, out) for task in (NEEDED, NOT_NEEDED) for standard in (False, True)}
    (RESULTS / "standardised_logits.md").write_text(format_tables(worth, found))


def train(task: str, standardised: bool, out: Path) -> tuple[list[Evidence], np.ndarray]:
    """Evidence of every seed, and its mean test Dice."""
    ground = lay_groundwork(task, build_settings("quick", {"standardise_logits": standardised}), SEEDS[0], "cpu")
    everywhere, _ = plan_attention(ground.config, ("se", "ag"))
    folder = out / task.removeprefix("phantom:") / ("standardised" if standardised else "published")
    plans = [
        RunPlan(
            arm="all",
            config=replace(ground.config, attention=everywhere, seed=seed),
            split=ground.split,
            folder=folder / f"seed_{seed}",
            device="cpu",
        )
        for seed in SEEDS
    ]
    with show_progress(f"{task}, {folder.name}", plans):
        run_locally(plans, workers=choose_workers(len(plans), "cpu"))
    results = [read_result(plan.folder) for plan in plans]
    return [read_evidence(plan.folder) for plan in plans], dice_matrix(results, "test").mean(axis=1)


def measure_witness(name: str, evidence: list[Evidence]) -> np.ndarray:
    """What a witness says of each site, (seeds, sites)."""
    return np.array([[WITNESSES[name](record) for record in one.sites] for one in evidence])


def rank_within(values: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Spearman's correlation of a witness with the worth of the sites, one a seed; 0 for a constant witness."""
    return np.array([spearmanr(row, worth).statistic if np.ptp(row) > 0 else 0.0 for row in values])


def separation(needed: np.ndarray, idle: np.ndarray) -> float:
    """Probability that a needed site of one task shows more than the same site of the other, ties half: 0.5 is blind."""
    ranks = rankdata(np.concatenate([needed, idle]))
    return float((ranks[: len(needed)].sum() - len(needed) * (len(needed) + 1) / 2) / (len(needed) * len(idle)))


def interval(values: np.ndarray) -> str:
    """Mean with the 95 % percentile bootstrap interval over seeds."""
    random = np.random.default_rng(0)
    means = values[random.integers(0, len(values), (REPLICATES, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def format_tables(worth: dict[str, float], found: dict[tuple[str, bool], tuple[list[Evidence], np.ndarray]]) -> str:
    """All tables as Markdown."""
    sites = [record.site for record in found[NEEDED, False][0][0].sites]
    value = np.array([worth[site] for site in sites])
    useful = value > 0.1
    lines = [
        "# Standardised logits: is gamma a better witness?",
        "",
        "`python benchmarks/standardised_logits.py --out RUNS`,",
        f"{os.cpu_count()} cores, torch {torch.__version__}, quick preset, {len(SEEDS)} seeds, {len(sites)} sites.",
        f"Sites worth attention when trained alone, +{value[useful].min():.2f} Dice and more:",
        f"{', '.join(np.array(sites)[useful])}; the others are worth nothing.",
        "",
        "Rank correlation: Spearman's, of witness and worth over the sites of a training on the task that needs attention,",
        "mean over seeds, 95 % interval. Between tasks: the chance that a needed site shows more on the task that needs",
        "attention than the same site on the one that does not (0.5: the witness cannot tell the tasks apart).",
        "",
        "| witness | logits | rank correlation within a network | between tasks, needed sites |",
        "|---|---|---|---|",
    ]
    for name in WITNESSES:
        for standard in (False, True):
            needed, idle = (measure_witness(name, found[task, standard][0]) for task in (NEEDED, NOT_NEEDED))
            apart = np.mean([separation(needed[:, site], idle[:, site]) for site in np.flatnonzero(useful)])
            kind = "standardised" if standard else "as published"
            lines.append(f"| {name} | {kind} | {interval(rank_within(needed, value))} | {apart:.2f} |")
    lines += ["", "| task | logits | test Dice | " + " | ".join(f"gamma {site}" for site in sites) + " |"]
    lines.append("|---|---|---|" + "---|" * len(sites))
    for (task, standard), (evidence, dice) in found.items():
        gammas = measure_witness("gamma", evidence)
        cells = " | ".join(
            f"{mean:.2f} ({deviation:.2f})"
            for mean, deviation in zip(gammas.mean(axis=0), gammas.std(axis=0, ddof=1), strict=True)
        )
        lines.append(f"| {task} | {'standardised' if standard else 'as published'} | {interval(dice)} | {cells} |")
    lines += ["", "gamma: mean over seeds, in brackets the standard deviation."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
