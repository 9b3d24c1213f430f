"""The main job on tasks whose truth is known, and what each single site can do on the one that needs attention.

    python benchmarks/planted_truths.py --out RUNS [--seeds 0 100]

For each task and first seed: `focalseg place` with the quick preset. For `phantom:global-cue` besides: one network with
attention at one site alone, for every site, three trainings each, on the same split and budget. The tables are written to
benchmarks/results/planted_truths.md and .json. About half an hour on two cores; resumes what is there.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from focalseg.cli.terminal.progress import build_listeners, show_progress
from focalseg.configuration import to_mapping
from focalseg.evaluation.statistics import estimate_mean
from focalseg.study.place import place
from focalseg.study.planning.attention import plan_attention
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.presets import build_settings
from focalseg.study.running.local import choose_workers, run_locally
from focalseg.study.running.runs import RunPlan, dice_matrix, read_result

TASKS = ("phantom:global-cue", "phantom:local")
RESULTS = Path(__file__).parent / "results" / "planted_truths"


def main() -> None:
    """Runs everything and writes both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 100])
    arguments = parser.parse_args()
    singles = train_single_sites(arguments.out / "single_sites")
    places = [run_place(task, arguments.out, seed) for task in TASKS for seed in arguments.seeds]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.with_suffix(".json").write_text(json.dumps({"single_sites": singles, "places": places}, indent=1) + "\n")
    RESULTS.with_suffix(".md").write_text(format_tables(singles, places))


def train_single_sites(folder: Path, seeds: tuple[int, ...] = (1000, 1001, 1002)) -> list[dict[str, Any]]:
    """Test Dice of the plain network, of each site alone and of all sites, on phantom:global-cue."""
    settings = build_settings("quick")
    ground = lay_groundwork(TASKS[0], settings, seeds[0], "auto")
    everywhere, _ = plan_attention(ground.config, settings.gates)
    layouts = {"none": {}, **{site: {site: gate} for site, gate in everywhere.items()}, "all": everywhere}
    plans = {
        arm: [
            RunPlan(
                arm=arm,
                config=replace(ground.config, attention=layout, seed=seed),
                split=ground.split,
                folder=folder / arm / f"seed_{seed}",
            )
            for seed in seeds
        ]
        for arm, layout in layouts.items()
    }
    every = [plan for arm in plans.values() for plan in arm]
    with show_progress("single sites", every):
        run_locally(every, workers=choose_workers(len(every), "auto"))
    results = {arm: [read_result(plan.folder) for plan in arm_plans] for arm, arm_plans in plans.items()}
    plain = dice_matrix(results["none"], "test")
    groups = [score.group for score in results["none"][0].scores_of("test")]
    return [
        {
            "arm": arm,
            "dice": dice_matrix(result, "test").mean(axis=1).tolist(),
            "gain": asdict(estimate_mean(dice_matrix(result, "test") - plain, groups)),
        }
        for arm, result in results.items()
    ]


def run_place(task: str, out: Path, seed: int) -> dict[str, Any]:
    """One main job, reduced to what the table shows."""
    folder = out / f"{task.removeprefix('phantom:')}_seed_{seed}"
    record = place(task, folder, build_settings("quick"), seed=seed, listeners=build_listeners()).record
    return {
        "task": task,
        "seed": seed,
        "verdict": record.verdict,
        "difference": to_mapping(record.difference),
        "dice": {arm: summary.dice for arm, summary in record.arms.items()},
        "kept": {site.site: site.gate for site in record.sites if site.kept},
        "sites": [{name: value for name, value in to_mapping(site).items() if name != "why"} for site in record.sites],
    }


def format_tables(singles: list[dict[str, Any]], places: list[dict[str, Any]]) -> str:
    """Both tables as Markdown."""
    lines = [
        "# Planted truths",
        "",
        f"`python benchmarks/planted_truths.py --out RUNS`, torch {torch.__version__}, CPU.",
        "Test Dice; gain over the plain network paired by case and training, with its 95 % interval.",
        "",
        "## One site alone, phantom:global-cue, quick preset, three trainings",
        "",
        "| attention at | Dice of the trainings | gain | low | high |",
        "|---|---|---|---|---|",
    ]
    for row in singles:
        dice = ", ".join(f"{value:.3f}" for value in row["dice"])
        gain = row["gain"]
        lines.append(f"| {row['arm']} | {dice} | {gain['mean']:+.3f} | {gain['low']:+.3f} | {gain['high']:+.3f} |")
    lines += [
        "",
        "## `focalseg place`, quick preset",
        "",
        "| task | first seed | verdict | difference | low | high | none | all | placed | kept |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in places:
        difference, dice = row["difference"], row["dice"]
        kept = ", ".join(f"{site} ({gate})" for site, gate in row["kept"].items()) or "none"
        lines.append(
            f"| {row['task']} | {row['seed']} | {row['verdict']} | {difference['dice']:+.4f} | {difference['low']:+.4f} "
            f"| {difference['high']:+.4f} | {dice['none']:.3f} | {dice['all']:.3f} | {dice['placed']:.3f} | {kept} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
