"""Does bfloat16 on the CPU cost accuracy? The same trainings in float32 and in mixed precision, paired by seed and case.

    python benchmarks/precision.py --out RUNS [--data FOLDER ...]

For each task the quick preset's fully instrumented network, four seeds, once at 32-true and once at bf16-mixed;
scores are taken in float32. Writes benchmarks/results/precision.md. Non-inferiority margin: 0.01 Dice, fixed
beforehand. About a quarter of an hour on two cores with one real data set; resumes what is there.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from focalseg.cli.terminal.progress import show_progress
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, estimate_mean
from focalseg.study.planning.attention import plan_attention
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.presets import build_settings
from focalseg.study.running.local import choose_workers, run_locally
from focalseg.study.running.runs import RunPlan, dice_matrix, read_result
from focalseg.training.training_config import Precision

TASKS = ("phantom:polyp", "phantom:vessel")
RESULT = Path(__file__).parent / "results" / "precision.md"
PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")
SEEDS = range(300, 304)
MARGIN = 0.01


def main() -> None:
    """Runs everything and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", nargs="*", default=[])
    arguments = parser.parse_args()
    rows = [run_task(task, arguments.out) for task in (*TASKS, *arguments.data)]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(format_table(rows))


def run_task(task: str, out: Path) -> str:
    """A task at both precisions, as a row of the table."""
    ground = lay_groundwork(task, build_settings("quick"), SEEDS[0], "cpu")
    everywhere, _ = plan_attention(ground.config, ("se", "ag"))
    name = task.rpartition(":")[2].rstrip("/").rpartition("/")[2]

    def plan(precision: Precision, seed: int) -> RunPlan:
        training = replace(ground.config.training, precision=precision)
        config = replace(ground.config, attention=everywhere, seed=seed, training=training)
        folder = out / name / precision / f"seed_{seed}"
        return RunPlan(arm="all", config=config, split=ground.split, folder=folder, device="cpu")

    plans = [[plan(precision, seed) for seed in SEEDS] for precision in PRECISIONS]
    every = [plan for pair in zip(*plans, strict=True) for plan in pair]
    with show_progress(task, every):
        run_locally(every, workers=choose_workers(len(every), "cpu"))
    exact, mixed = ([read_result(plan.folder) for plan in group] for group in plans)
    groups = [score.group for score in exact[0].scores_of("test")]
    dice = [dice_matrix(results, "test") for results in (exact, mixed)]
    difference = estimate_mean(dice[1] - dice[0], groups, span=DIFFERENCE_SPAN)
    seconds = [np.mean([result.seconds for result in results]) for results in (exact, mixed)]
    within = "yes" if difference.low > -MARGIN else "not shown"
    return (
        f"| {name} | {dice[0].mean():.4f} | {dice[1].mean():.4f} | {difference.mean:+.4f} "
        f"| [{difference.low:+.4f}, {difference.high:+.4f}] | {within} | {seconds[1] / seconds[0]:.2f} |"
    )


def format_table(rows: list[str]) -> str:
    """The table as Markdown."""
    processor = torch.cpu.get_capabilities().get("cpu_name", "CPU")
    lines = [
        "# bfloat16 on the CPU: accuracy and time of the quick preset",
        "",
        "`python benchmarks/precision.py --out RUNS --data FOLDER`,",
        f"{processor}, {os.cpu_count()} cores, torch {torch.__version__}.",
        f"Test Dice over {len(SEEDS)} trainings each, attention everywhere, scored in float32; difference mixed - float32,",
        f"paired by seed and case, 95 % interval; non-inferior: its lower end above -{MARGIN}. Time: mixed / float32.",
        "",
        "| task | float32 | bf16-mixed | difference | interval | non-inferior | time |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
