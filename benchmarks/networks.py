"""The main job on MONAI's networks, on real images and real volumes.

    python benchmarks/networks.py --out RUNS --images CVC_CLINICDB --volumes HIPPOCAMPUS

`focalseg place` with MONAI's DynUNet on colonoscopy frames and on volumes with two labels, on the small budgets that the
table states, and one short training with attention everywhere of every other known network on the frames. Writes
benchmarks/results/networks.md. About twenty minutes on two cores; resumes what is there.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from focalseg.records.record import read_record
from focalseg.records.splits import SPLITS, Splits

COMMAND = "python benchmarks/networks.py --out RUNS --images CVC_CLINICDB --volumes HIPPOCAMPUS"
RESULT = Path(__file__).parent / "results" / "networks.md"
IMAGE_BUDGET = ["--preset", "quick", "--set", "seeds=2"]
VOLUME_BUDGET = ["--set", "training.steps=400", "--set", "training.batch_size=4", "--set", "seeds=2"]
SHORT = ["--set", "training.steps=200", "--set", "training.validate_every=200"]
OTHERS = ("unet", "monai:UNet", "monai:BasicUNet", "monai:SegResNet", "monai:AttentionUnet")


def main() -> None:
    """Runs everything and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--out", "--images", "--volumes"):
        parser.add_argument(name, type=Path, required=True)
    arguments = parser.parse_args()
    network = ["--network", "monai:DynUNet"]
    places = [
        place(arguments.images, arguments.out / "images", [*network, *IMAGE_BUDGET]),
        place(arguments.volumes, arguments.out / "volumes", [*network, *VOLUME_BUDGET]),
    ]
    trainings = [train(arguments.images, arguments.out / name.replace(":", "_"), name) for name in OTHERS]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(format_tables(places, trainings))


def run(arguments: list[str]) -> dict[str, Any]:
    """What a command prints as JSON."""
    command = [sys.executable, "-m", "focalseg", *arguments, "--json"]
    content: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return content


def place(data: Path, out: Path, options: list[str]) -> dict[str, Any]:
    """One main job. The lean network must be there, and no group on two sides of the split."""
    content = run(["place", str(data), "--out", str(out), *options])
    fold = read_record(Splits, out / SPLITS).folds[0]
    assert not set(fold.train) & set(fold.test)
    assert (out / "lean" / "model.safetensors").stat().st_size
    return {"command": f"focalseg place {data.name} {' '.join(options)}", **content}


def train(data: Path, out: Path, name: str) -> dict[str, Any]:
    """One short training with attention everywhere."""
    content = run(["train", str(data), "--out", str(out), "--network", name, "--attention", "all", *SHORT])
    return {"network": name, **content}


def format_tables(places: list[dict[str, Any]], trainings: list[dict[str, Any]]) -> str:
    """Both tables as Markdown."""
    lines = [
        "# The main job on MONAI's networks",
        "",
        f"`{COMMAND}`, {os.cpu_count()} cores, torch {torch.__version__}.",
        "",
    ]
    for job in places:
        lines += [
            f"`{job['command']}`",
            "",
            f"{job['sentence']}",
            "",
            "| arm | test Dice | modules | parameters |",
        ]
        lines.append("|---|---|---|---|")
        for name, arm in job["arms"].items():
            dice = f"{arm['dice']:.3f} [{arm['low']:.3f}, {arm['high']:.3f}]"
            labels = ", ".join(f"{label} {value:.3f}" for label, value in arm["dice_per_label"].items())
            dice += f" ({labels})" if len(arm["dice_per_label"]) > 1 else ""
            lines.append(f"| {name} | {dice} | {arm['modules']} | {arm['parameters']:,} |")
        kept = ", ".join(f"{site['site']} ({site['gate']})" for site in job["sites"] if site["kept"]) or "none"
        dead = ", ".join(job["dead_sites"]) or "none"
        lines += ["", f"Kept: {kept}. Dead: {dead}.", ""]
    lines += [
        f"`focalseg train CVC_CLINICDB --attention all {' '.join(SHORT)} --network NAME`",
        "",
        "| network | test Dice | modules | parameters |",
        "|---|---|---|---|",
    ]
    for row in trainings:
        lines.append(f"| {row['network']} | {row['dice']:.3f} | {row['modules']} | {row['parameters']:,} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
