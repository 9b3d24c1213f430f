"""Does attention help on real images? Every arm, over folds that keep sequences, children and near duplicates together.

    python benchmarks/real_data.py --out RUNS --data FOLDER [--sets cvc_clinicdb chase_db1 busi] [--size small|full]

FOLDER holds the data sets by name. Each is one call of `focalseg place`: five folds tested in turn, three trainings an arm on
each, with attention nowhere, SE everywhere, AG everywhere, both, placed, as many sites drawn at random, and a wider plain
network. small is what two cores train in a night; full is 384 pixels and widths from 32 to 512, for a GPU (--device cuda).
Writes benchmarks/results/real_data-SIZE.md. Resumes what is there: the same call again goes on.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from focalseg.records.result import CONFIG
from focalseg.training.loop import METRICS
from focalseg.training.metrics_log import read_metrics
from focalseg.yaml_files import read_yaml
from machine import describe_machine

RESULTS = Path(__file__).parent / "results"
SETS = ("cvc_clinicdb", "chase_db1", "busi")
PROTOCOL = {"seeds": "3", "split.test_folds": "5", "rivals": "[se, ag, random, wider]"}
SIZES = {
    "small": {
        "data.longest_side": "96",
        "network.base_width": "16",
        "network.most_levels": "4",
        "training.steps": "800",
        "training.validate_every": "200",
        "training.log_every": "50",
    },
    "full": {
        "data.longest_side": "384",
        "network.base_width": "32",
        "network.most_levels": "5",
        "training.steps": "20000",
        "training.learning_rate": "0.001",
        "training.validate_every": "2000",
        "training.log_every": "100",
    },
}
OF_SET = {
    "small": {
        "chase_db1": {
            "data.longest_side": "192",
            "data.patch_side": "96",
            "training.steps": "300",
            "training.validate_every": "75",
        },
    },
    "full": {},
}
"""Vessels are a few pixels wide in the original, a tenth of that at 96 pixels; they are learned in fewer steps."""
NAMES = {
    "none": "no attention",
    "all": "SE and AG everywhere",
    "se": "SE everywhere",
    "ag": "AG everywhere",
    "placed": "placed",
    "random": "as many sites at random",
    "wider": "wider, no attention",
}


def main() -> None:
    """Runs what is missing and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--size", default="small", choices=list(SIZES))
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    for name in arguments.sets:
        options = PROTOCOL | SIZES[arguments.size] | OF_SET[arguments.size].get(name, {})
        found[name] = place(arguments.data / name, arguments.out / arguments.size / name, options, device=arguments.device)
        page = RESULTS / f"real_data-{arguments.size}.md"
        page.write_text(format_page(found, arguments.size))
        page.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


def place(data: Path, out: Path, options: dict[str, str], *, device: str) -> dict[str, Any]:
    """One main job, reduced to what the tables show."""
    settings = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "focalseg", "place", str(data), "--out", str(out), "--device", device, "--json", *settings]
    content = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    chosen = ("verdict", "sentence", "difference", "all_minus_none", "arms", "sites", "folds", "comparisons", "seed_noise")
    shown = " ".join(f"--set '{name}={value}'" for name, value in options.items())
    return {
        "command": f"focalseg place {data.name} {shown}",
        **{name: content[name] for name in chosen},
        "seen": read_seen(out / "runs" / "none"),
        "plain_curve": average_curve(out / "runs" / "none"),
    }


def read_seen(folder: Path) -> str:
    """The size in pixels that the networks of an arm saw images at, and the patches of it that they were trained on."""
    preparation = read_yaml(next(folder.glob(f"fold_*/seed_*/{CONFIG}")))["preparation"]
    whole, patch = (" x ".join(map(str, preparation[name] or ())) for name in ("size", "patch"))
    return f"{whole} pixels" + (f", in patches of {patch}" if patch else "")


def average_curve(folder: Path) -> dict[int, float]:
    """Validation Dice of an arm by step, the mean over its trainings."""
    curves = [
        {int(row["step"]): float(row["validation_dice"]) for row in read_metrics(path) if row["validation_dice"]}
        for path in sorted(folder.glob(f"fold_*/seed_*/{METRICS}"))
    ]
    return {step: fmean(curve[step] for curve in curves) for step in curves[0]}


def format_page(found: dict[str, dict[str, Any]], size: str) -> str:
    """The tables as Markdown."""
    lines = [
        f"# Attention on real images, {size} size",
        "",
        f"`python benchmarks/real_data.py --out RUNS --data FOLDER --size {size}`,",
        describe_machine(),
        "",
        "Five folds tested in turn, no group of cases on two sides, sites chosen on the validation cases of each fold, three",
        "trainings an arm on each fold from seeds that nothing was chosen with. Dice at the images' own resolution; 95 %",
        "intervals over trainings and groups; differences are paired by case and training.",
    ]
    for name, one in found.items():
        lines += ["", *format_set(name, one)]
    return "\n".join(lines) + "\n"


def format_set(name: str, one: dict[str, Any]) -> list[str]:
    """The tables of a data set."""
    arms = one["arms"]
    first = arms["none"]
    against_none = {found["one"]: found for found in one["comparisons"] if found["other"] == "none"}
    *_, (step, before), (steps, last) = one["plain_curve"].items()
    lines = [
        f"## {name}: {one['verdict']}",
        "",
        f"{one['sentence']}",
        "",
        f"`{one['command']}`",
        "",
        f"{first['cases']} cases in {first['groups']} groups at {one['seen']}; {first['trainings']} trainings an arm and fold.",
        f"From step {step} to {steps}, the last, the plain network's validation Dice went from {before:.3f} to {last:.3f}.",
        "",
        "| arm | Dice | 95 % interval | minus none | p, adjusted (Holm) | modules | parameters |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm in sorted(arms, key=lambda arm: list(NAMES).index(arm)):
        row = arms[arm]
        gain, chance = "", ""
        if found := against_none.get(arm):
            gain = f"{found['dice']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
            chance = f"{found['holm_p']:.2g}"
        lines.append(
            f"| {NAMES[arm]} | {row['dice']:.3f} | {row['low']:.3f} to {row['high']:.3f} | {gain} | {chance} "
            f"| {row['modules']} | {row['parameters']:,} |"
        )
    if "random" not in arms:
        lines += ["", "Nothing was placed, so that as many sites at random are none."]
    lines += [
        "",
        "| placed minus | Dice | p, adjusted (Holm) | smallest difference shown in 80 % of studies |",
        "|---|---|---|---|",
    ]
    for found in one["comparisons"]:
        if found["one"] == "placed":
            least = "-" if found["smallest_difference"] is None else f"{found['smallest_difference']:.3f}"
            change = f"{found['dice']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
            lines.append(f"| {NAMES[found['other']]} | {change} | {found['holm_p']:.2g} | {least} |")
    lines += ["", "| fold | placed | placed - none |", "|---|---|---|"]
    for fold in one["folds"]:
        placed = [f"{site} ({gate})" for site, gate in fold["kept"].items()] + [f"{site} shut" for site in fold["shut"]]
        kept = ", ".join(placed) or "nothing"
        change = fold["difference"]
        lines.append(f"| {fold['fold']} | {kept} | {change['dice']:+.3f} [{change['low']:+.3f}, {change['high']:+.3f}] |")
    return lines


if __name__ == "__main__":
    main()
