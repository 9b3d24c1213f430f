"""Does a loop that is not ours find where attention is needed?

    python benchmarks/own_loop.py [--decisions 3] [--epochs 30] [--dry]

Takes the recipe of a plain loop (docs/recipes/plain_loop.py) to two planted tasks: attention is needed at one site of those
that pool over the image, or nowhere. Each decision rests on two probes of its own, once under SiteDropout and once without it,
from the same first weights. The first decision is then followed to its end: lean and plain networks from fresh seeds, compared
on test cases. Unless dry, writes benchmarks/results/own_loop.md.
"""

import argparse
import os
import sys
import time
from itertools import islice
from pathlib import Path

import torch
from torch.utils.data import DataLoader

import focalseg
from focalseg.imagesets.phantoms.dataset import PhantomDataset
from focalseg.records.placement import Placement
from machine import describe_machine

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "recipes"))
import plain_loop

RESULT = Path(__file__).parent / "results" / "own_loop.md"
TASKS = {"small-global-cue": "at one site that pools", "small-local": "nowhere"}
PARTS = {"train": (0, 120), "validation": (120, 40), "test": (160, 80)}
BATCH = 12


def main() -> None:
    """Decides on both tasks and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--dry", action="store_true")
    arguments = parser.parse_args()
    load, started, rows, answers = os.getloadavg()[0], time.monotonic(), [], []
    for task, needed in TASKS.items():
        loader, validation, test = (read_part(task, part) for part in PARTS)
        for number in range(arguments.decisions):
            for site_dropout in (True, False):
                placement = decide(loader, validation, number, epochs=arguments.epochs, site_dropout=site_dropout)
                kept = ", ".join(placement.layout) or "nothing"
                rows.append(f"| {task} | {needed} | {placement.policy} | {number + 1} | {kept} |")
                print(rows[-1], flush=True)
                if site_dropout and not number:
                    answers.append(f"- `{task}`: {follow(placement, loader, test, epochs=arguments.epochs)}")
                    print(answers[-1], flush=True)
    minutes = (time.monotonic() - started) / 60
    call = f"python benchmarks/own_loop.py --decisions {arguments.decisions} --epochs {arguments.epochs}"
    text = "\n".join(
        [
            "# The method from a plain loop",
            "",
            f"`{call}`: {minutes:.0f} minutes at a load of {load:.1f}, {describe_machine()}",
            "Two probes a decision, trained by docs/recipes/plain_loop.py. Four candidates: `se` at stages, `ag` at the skip.",
            "",
            "| task | attention is needed | policy | decision | kept |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "The first decision by `removal`, followed to its end with two fresh seeds for each arm:",
            "",
            *answers,
        ]
    )
    if not arguments.dry:
        RESULT.write_text(text + "\n", encoding="utf-8")


def read_part(task: str, part: str) -> DataLoader:
    """A loader of images (B, 3, 32, 32) with mean about 0 and masks (B, 32, 32), shuffled for training."""
    start, count = PARTS[part]
    cases = [PhantomDataset(task).read_case(number) for number in range(start, start + count)]
    pairs = [
        (torch.from_numpy(case.image.copy()).float() / 64 - 2, torch.from_numpy(case.mask.copy()).bool()) for case in cases
    ]
    return DataLoader(pairs, batch_size=BATCH, shuffle=part == "train", generator=torch.Generator().manual_seed(0))


def build(seed: int) -> torch.nn.Module:
    """A U-Net of two levels with weights of that seed."""
    torch.manual_seed(seed)
    return focalseg.UNet(in_channels=3, widths=(8, 16))


def decide(loader: DataLoader, validation: DataLoader, number: int, *, epochs: int, site_dropout: bool) -> Placement:
    """The placement that two probes make."""
    evidence = []
    for seed in (2 * number, 2 * number + 1):
        probe = build(seed)
        focalseg.instrument(probe)
        dropout = focalseg.SiteDropout(probe, steps=epochs * len(loader), seed=seed) if site_dropout else None
        plain_loop.train(probe, loader, epochs=epochs, dropout=dropout)
        evidence.append(focalseg.gather_evidence(probe, validation, norm_batches=islice(loader, 8)))
    return focalseg.decide(evidence)


def follow(placement: Placement, loader: DataLoader, test: DataLoader, *, epochs: int) -> str:
    """What the comparison of lean and plain networks says."""
    scores = {"none": [], "lean": []}
    for seed in (100, 101):
        for name, network in {"none": build(seed), "lean": focalseg.apply_placement(build(seed), placement)}.items():
            scores[name].append(plain_loop.score(plain_loop.train(network, loader, epochs=epochs), test))
    return focalseg.compare(scores, metric="Dice").sentence


if __name__ == "__main__":
    main()
