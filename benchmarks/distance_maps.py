"""What an exact distance map costs: ours by every back end beside the peers, in one process.

    OMP_NUM_THREADS=1 python benchmarks/distance_maps.py [--rounds 9] [--out FILE]

Blobs of several sizes (smoothed noise, seeded, thresholded) go through every way in turn, in a fresh order each round. A cell
is the median over the rounds of a time divided by SciPy's of the same round, with the quartiles: CPU time, one thread.
MONAI and edt are optional: where one is missing its rows are left out and the page says so.
"""

import argparse
import importlib
import platform
import random
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch import Tensor

from focalseg.distance import (
    closeness_to_border,
    distance_to_border,
    find_edt,
    transform_by_edt,
    transform_by_scipy,
    transform_by_torch,
)

SHAPES = [(8, 256, 256), (8, 512, 512), (1, 128, 128, 128)]  # maps, then their pixels
BLOBS = [(smoothing, share) for smoothing in (2, 8, 32) for share in (0.1, 0.5)]  # pixels, share of True pixels
SCIPY, MONAI, EDT, OURS = "SciPy, a loop", "MONAI (SciPy inside)", "edt, a loop", "ours by edt"
BORDER_MAPS = {"`distance_to_border`": distance_to_border, "`closeness_to_border`": closeness_to_border}
Seconds = dict[str, list[float]]


def main() -> None:
    """Measures every shape, prints the page and writes it where told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    page = describe_run(arguments.rounds)
    for shape in SHAPES:
        page += format_table(shape, {blob: measure(make_blobs(shape, *blob), arguments.rounds) for blob in BLOBS})
    text = "\n".join(page) + "\n"
    print(text, end="")
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


def make_blobs(shape: tuple[int, ...], smoothing: float, share: float) -> Tensor:
    """(maps, 1, *spatial) bool: the highest share of smoothed noise."""
    noise = np.random.default_rng(0).standard_normal(shape)
    smooth = gaussian_filter(noise, (0, *(smoothing for _ in shape[1:])), mode="wrap")
    return torch.from_numpy(smooth > np.quantile(smooth, 1 - share)).unsqueeze(1)


def list_ways(masks: Tensor) -> dict[str, Callable[[], Any]]:
    """Everything that is measured on these masks: the peers, ours, and last the two that measure from the border."""
    maps, steps = masks[:, 0], (1.0,) * (masks.ndim - 2)
    arrays, edt, monai = maps.numpy(), find_edt(), find_monai()
    ways: dict[str, Callable[[], Any]] = {SCIPY: lambda: np.stack([distance_transform_edt(array) for array in arrays])}
    if monai is not None:
        ways[MONAI] = lambda: monai(maps)
    if edt is not None:
        ways[EDT] = lambda: np.stack([edt.edt(array, black_border=False, parallel=1) for array in arrays])
        ways[OURS] = lambda: transform_by_edt(masks, steps)
    ways["ours by SciPy"] = lambda: transform_by_scipy(masks, steps)
    ways["ours by torch"] = lambda: transform_by_torch(masks, steps)
    ways |= {name: lambda border_map=border_map: border_map(masks) for name, border_map in BORDER_MAPS.items()}
    return ways


def find_monai() -> Any:
    """MONAI's distance transform, or None where MONAI is not installed."""
    try:
        return importlib.import_module("monai.transforms.utils").distance_transform_edt
    except ImportError:
        return None


def measure(masks: Tensor, rounds: int) -> tuple[Seconds, dict[str, float]]:
    """The seconds of every way, round by round, and the largest relative difference of its map from SciPy's."""
    ways, order = list_ways(masks), random.Random(0)
    expected = ways[SCIPY]()
    off = {name: find_difference(ways[name](), expected) for name in ways if name not in BORDER_MAPS}
    seconds: Seconds = {name: [] for name in ways}
    for _ in range(rounds):
        for name in order.sample(list(ways), len(ways)):
            started = time.process_time()
            ways[name]()
            seconds[name].append(time.process_time() - started)
    return seconds, off


def find_difference(ours: Any, expected: np.ndarray) -> float:
    """The largest relative difference; the zeros have to be the same ones."""
    values = np.asarray(ours, np.float64).reshape(expected.shape)
    assert ((values == 0) == (expected == 0)).all()
    return float(np.max(np.abs(values - expected)[expected > 0] / expected[expected > 0]))


def format_table(shape: tuple[int, ...], columns: dict[tuple[int, float], tuple[Seconds, dict[str, float]]]) -> list[str]:
    """The section of one shape: a row a way, a column a kind of blob."""
    heads = [f"smoothing {smoothing}, {share:.0%} True" for smoothing, share in columns]
    lines = ["", f"## {' x '.join(map(str, shape))}", "", f"| time / SciPy's | {' | '.join(heads)} | relative difference |"]
    lines.append("|---" * (len(heads) + 2) + "|")
    names = list(next(iter(columns.values()))[0])
    for name in names:
        cells = [format_ratio(seconds[name], seconds[SCIPY]) for seconds, _ in columns.values()]
        if name == SCIPY:
            cells = [f"1 ({1e3 * np.median(seconds[SCIPY]):.0f} ms)" for seconds, _ in columns.values()]
        off = "" if name in BORDER_MAPS else f"{max(off[name] for _, off in columns.values()):.0e}"
        lines.append(f"| {name} | {' | '.join(cells)} | {off} |")
    if {MONAI, OURS} <= set(names):
        cells = [format_ratio(seconds[MONAI], seconds[OURS]) for seconds, _ in columns.values()]
        lines.append(f"| **MONAI's time / ours by edt** | {' | '.join(cells)} | |")
    return lines


def format_ratio(times: list[float], others: list[float]) -> str:
    """The median of the ratios round by round, with their quartiles."""
    low, middle, high = np.quantile(np.divide(times, others), [0.25, 0.5, 0.75])
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def describe_run(rounds: int) -> list[str]:
    """The head of the page: what was measured, how, and on what."""
    found = {"monai": find_monai(), "edt": find_edt()}
    versions = [f"{name} {version(name)}" for name in ("torch", "scipy", *(name for name in found if found[name] is not None))]
    missing = [f"{name} is not installed: its rows are left out." for name in found if found[name] is None]
    return [
        "# What an exact distance map costs",
        "",
        f"`OMP_NUM_THREADS=1 python benchmarks/distance_maps.py --rounds {rounds}`, {', '.join(versions)}.",
        f"{find_processor()}, one thread, CPU time. {' '.join(missing)}".rstrip(),
        "Medians of the ratios round by round, with their quartiles; every round runs all ways in a fresh order.",
        "Masks: smoothed noise (the smoothing in pixels), of which the highest share is True. Relative difference: the",
        "largest from SciPy's float64. The two maps from the border measure both sides of the mask in one transform.",
    ]


def find_processor() -> str:
    """The processor's name as Linux gives it, else what Python knows."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
