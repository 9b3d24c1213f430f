"""What scoring a case at a tuned threshold costs besides scoring it at 0.5, beside what its prediction takes.

    OMP_NUM_THREADS=1 python benchmarks/thresholds.py [--rounds 7] [--out FILE]

A U-Net predicts one case of random numbers. Then, from logits of that size with a ball for each label, a fifth of the side in
radius, sure within and without it and noisy about its border, on one thread, taking turns: the mask at 0.5 and its scores
(before); the mask at all 19 thresholds, its counts from one histogram, and the scores at 0.5 and at the tuned one (now);
nineteen masks, each scored (the plain way). CPU milliseconds, medians over rounds; `more` is the median of now - before within
a round. The last column is `more` where no pixel is sure, the logits being noise alone.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import focalseg
from focalseg.evaluation.metrics import measure_labels
from focalseg.evaluation.thresholds import GradedMask, count_at_thresholds, tune_threshold
from focalseg.feeding.preparation import Preparation
from focalseg.inference.prediction import Member, predict_logits
from focalseg.labels import THRESHOLD, THRESHOLDS, choose_labels, grade_labels
from machine import describe_machine

RESULT = Path(__file__).parent / "results" / "thresholds.md"
CASES: tuple[dict[str, Any], ...] = (
    {"size": (512, 512), "labels": 1, "widths": (16, 32, 64, 128)},
    {"size": (512, 512), "labels": 3, "widths": (16, 32, 64, 128)},
    {"size": (96, 96, 96), "labels": 1, "widths": (8, 16, 32)},
    {"size": (96, 96, 96), "labels": 3, "widths": (8, 16, 32)},
)
Record = dict[str, Any]


def main() -> None:
    """Measures, prints the page and writes it with its numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    rows = [measure_case(setup, arguments.rounds) for setup in CASES]
    loads = f"load {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    run = f"{describe_machine()} One thread, {arguments.rounds} rounds, {loads}."
    text = format_page(rows, run)
    print(text, end="")
    arguments.out.write_text(text, encoding="utf-8")
    arguments.out.with_suffix(".json").write_text(json.dumps({"rows": rows, "run": run}, indent=1) + "\n", encoding="utf-8")


def measure_case(setup: Record, rounds: int) -> Record:
    """CPU milliseconds of each way and of the prediction."""
    torch.manual_seed(0)
    labels, size = setup["labels"], setup["size"]
    classes = 1 if labels == 1 else labels + 1
    network = focalseg.UNet(spatial_dims=len(size), in_channels=1, classes=classes, widths=setup["widths"]).eval()
    member = Member(network, Preparation(size=size, mean=(0.0,), standard_deviation=(1.0,)))
    image = np.random.default_rng(0).normal(0, 1, (1, *size)).astype(np.float32)
    logits, true = make_balls(size, labels)
    noise = 3 * torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    ways: dict[str, Callable[[], object]] = {
        "predict": lambda: predict_logits(member, image),
        "before": lambda: score_before(logits, true, labels),
        "now": lambda: score_now(logits, true, labels),
        "plain": lambda: [score_before(logits, true, labels, each) for each in THRESHOLDS],
        "noise_before": lambda: score_before(noise, true, labels),
        "noise_now": lambda: score_now(noise, true, labels),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            started = time.process_time()
            ways[name]()
            taken[name].append(1000 * (time.process_time() - started))
    more = compare(taken["now"], taken["before"])
    medians = {name: statistics.median(each) for name, each in taken.items()}
    return {**setup, **medians, "more": more, "noise_more": compare(taken["noise_now"], taken["noise_before"])}


def compare(now: list[float], before: list[float]) -> float:
    """The median difference within rounds."""
    return statistics.median(one - other for one, other in zip(now, before, strict=True))


def make_balls(size: tuple[int, ...], labels: int) -> tuple[torch.Tensor, np.ndarray]:
    """Logits (1, K, *size) of a network that knows where the balls are but for their borders, and the true labels."""
    random = np.random.default_rng(2)
    places = np.meshgrid(*(np.arange(side) for side in size), indexing="ij", sparse=True)
    true, maps = np.zeros(size, np.uint8), []
    for label in range(1, labels + 1):
        middle = [side * label / (labels + 1) for side in size]
        distance = size[0] / 5 - np.sqrt(sum((place - at) ** 2 for place, at in zip(places, middle, strict=True)))
        true[distance > 0] = label
        maps.append(10 * np.tanh(distance / 8) + random.normal(0, 1, size))
    if labels > 1:
        maps.insert(0, random.normal(0, 1, size))
    return torch.from_numpy(np.stack(maps).astype(np.float32))[None], true


def score_before(logits: torch.Tensor, true: np.ndarray, labels: int, threshold: float = THRESHOLD) -> object:
    """As a run scored a case of one view at 0.5 alone."""
    return measure_labels(choose_labels(logits, threshold)[0].numpy(), true, labels)


def score_now(logits: torch.Tensor, true: np.ndarray, labels: int) -> object:
    """As a run scores a case of one view; the threshold is tuned on it alone."""
    graded = GradedMask(*(each[0].numpy() for each in grade_labels(logits)))
    graded.at(THRESHOLD)
    counts = count_at_thresholds(graded, true, labels)
    return counts.score(THRESHOLD), counts.score(tune_threshold([counts]))


def format_page(rows: list[Record], run: str) -> str:
    """A row per case."""
    lines = ["# What a tuned threshold costs", "", run, "", (__doc__ or "").split("\n\n")[2].strip(), ""]
    lines += [
        "| case | predict, ms | before, ms | now, ms | more, ms | more / predict | nineteen masks, ms | of noise, ms |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        case = f"{' x '.join(map(str, row['size']))}, {row['labels']} label{'s' if row['labels'] > 1 else ''}"
        case += f", U-Net {'-'.join(map(str, row['widths']))}"
        times = " | ".join(f"{row[name]:.1f}" for name in ("predict", "before", "now", "more"))
        lines.append(
            f"| {case} | {times} | {100 * row['more'] / row['predict']:.1f} % | {row['plain']:.0f} | {row['noise_more']:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
