"""What HD95 and surface Dice cost and say, beside MONAI, DeepMind's surface-distance and medpy, in one process.

    OMP_NUM_THREADS=1 python benchmarks/metrics.py [--rounds 7] [--cases 1000]

Pairs of masks, seeded, in 512 x 512 and in 96^3: one large object with a wavy outline, many small ones, and predictions that
are bad in several ways. focalseg needs no package beside NumPy and SciPy for them, and uses none that may be installed.
Every tool scores every pair in turn, in a fresh order each round; a figure is the median over the rounds of CPU time. Memory
is what a fresh process grows by at its peak. Peers are optional: pip install monai surface-distance medpy; where one is missing
its rows are left out. Writes benchmarks/results/metrics.json and metrics.md.
"""

import argparse
import importlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from focalseg import metrics

RESULTS = Path(__file__).parent / "results"
TOLERANCE = 2.0
OURS, OURS_VOXELS = "focalseg, surfels (default)", "focalseg, voxels"
MONAI, MONAI_SURFELS, DEEPMIND, MEDPY = "MONAI", "MONAI, use_subvoxels", "surface-distance", "medpy (HD95 alone)"
SAME = {MONAI: OURS_VOXELS, DEEPMIND: OURS}
"""Peers and which of ours has their definition of both measures."""
Masks = tuple[np.ndarray, np.ndarray]
Tool = Callable[[np.ndarray, np.ndarray, tuple[float, ...]], tuple[float, float]]


def main() -> None:
    """Measures everything and writes both files; or, asked by itself, one peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--peak", nargs=2, metavar=("TOOL", "CASE"), help="what this script calls itself with")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.peak:
        name, case = arguments.peak
        print(measure_peak(OURS_BY_KIND[name], CASES[case]()))
        return
    tools = find_tools()
    load = os.getloadavg()[0]
    rows = []
    for case, make in CASES.items():
        masks = make()
        seconds, values = time_tools(tools, masks, arguments.rounds)
        for name in tools:
            peak = ask_peak(name, case) if name in OURS_BY_KIND else None
            row = {"case": case, "tool": name, "seconds": statistics.median(seconds[name]), "peak_bytes": peak}
            row |= {"hd95": values[name][0], "nsd": values[name][1], "mask_bytes": sum(mask.nbytes for mask in masks)}
            rows.append(row)
            print(row, flush=True)
    found = {
        "command": f"OMP_NUM_THREADS=1 python benchmarks/metrics.py --rounds {arguments.rounds} --cases {arguments.cases}",
        "versions": list_versions(),
        "machine": f"{os.cpu_count()} cores, load average {load:.1f} at the start",
        "rows": rows,
        "many": time_many(arguments.cases),
        "empty": describe_empty(tools),
        "agreement": compare_values(tools),
    }
    (RESULTS / "metrics.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "metrics.md").write_text("\n".join(format_page(found)) + "\n")


def make_wavy(shape: tuple[int, ...], radius: float, waves: float, seed: int, shift: float = 0.0) -> np.ndarray:
    """One object about the middle whose outline goes up and down by so many pixels."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 10, mode="wrap")
    gaps = np.meshgrid(*(np.arange(side) - side / 2 - shift for side in shape), indexing="ij")
    return np.sqrt(sum(gap**2 for gap in gaps)) + waves * noise / noise.std() <= radius


def make_many(shape: tuple[int, ...], count: int) -> Masks:
    """Small objects and a prediction of them that is a pixel or two off, of which some are missed."""
    drawn = np.random.default_rng(0)
    pair = np.zeros((2, *shape), bool)
    for number in range(count):
        centre, radius = drawn.integers(8, np.array(shape) - 8), drawn.integers(2, 6)
        for mask, place in zip(pair, (centre + drawn.integers(-1, 2, len(shape)), centre), strict=True):
            corner = tuple(slice(max(int(at) - 8, 0), int(at) + 9) for at in place)
            gaps = np.ogrid[corner]
            if mask is pair[1] or number % 20:
                mask[corner] |= sum((gap - at) ** 2 for gap, at in zip(gaps, place, strict=True)) <= radius**2
    return pair[0], pair[1]


def make_ball(shape: tuple[int, ...], middle: float, radius: float) -> np.ndarray:
    """A disc or ball, its middle at that share of every axis, its radius a share of the first."""
    gaps = np.ogrid[tuple(slice(0, side) for side in shape)]
    squares = sum((gap - middle * side) ** 2 for gap, side in zip(gaps, shape, strict=True))
    return np.asarray(squares <= (radius * shape[0]) ** 2)


def make_salt(shape: tuple[int, ...], share: float) -> np.ndarray:
    """Single pixels anywhere, so large a share of all."""
    return np.random.default_rng(0).random(shape) < share


FLAT, DEEP = (512, 512), (96, 96, 96)
CASES: dict[str, Callable[[], Masks]] = {
    "512 x 512, one large object": lambda: (make_wavy(FLAT, 151, 2, 1), make_wavy(FLAT, 150, 2, 2)),
    "512 x 512, many small objects": lambda: make_many(FLAT, 150),
    "512 x 512, a bad prediction": lambda: (make_wavy(FLAT, 120, 6, 1, 25), make_wavy(FLAT, 150, 6, 2)),
    "96^3, one large object": lambda: (make_wavy(DEEP, 32, 1, 1), make_wavy(DEEP, 32, 1, 2)),
    "96^3, many small objects": lambda: make_many(DEEP, 150),
    "96^3, a bad prediction": lambda: (make_wavy(DEEP, 26, 1, 1, 6), make_wavy(DEEP, 32, 1, 2)),
    "512 x 512, shifted by a tenth": lambda: (np.roll(make_wavy(FLAT, 150, 2, 2), 51, 0), make_wavy(FLAT, 150, 2, 2)),
    "512 x 512, scattered pixels": lambda: (make_salt(FLAT, 0.005), make_wavy(FLAT, 150, 2, 2)),
    "96^3, shifted by a tenth": lambda: (np.roll(make_wavy(DEEP, 32, 1, 2), 10, 0), make_wavy(DEEP, 32, 1, 2)),
    "96^3, balls far apart": lambda: (make_ball(DEEP, 0.2, 0.12), make_ball(DEEP, 0.75, 0.2)),
    "96^3, scattered pixels": lambda: (make_salt(DEEP, 0.005), make_wavy(DEEP, 32, 1, 2)),
    "96^3, a prediction of everything": lambda: (np.ones(DEEP, bool), make_wavy(DEEP, 32, 1, 2)),
    "96^3, a missed object": lambda: (np.zeros(DEEP, bool), make_wavy(DEEP, 32, 1, 2)),
}


def score_by_ours(
    predicted: np.ndarray, true: np.ndarray, spacing: tuple[float, ...], *, kind: metrics.SurfaceKind
) -> tuple[float, float]:
    """Ours, with either definition of the surface."""
    found = metrics.measure_surfaces(predicted, true, spacing_mm=spacing, surface=kind)
    return found.hausdorff(95), found.surface_dice(TOLERANCE)


OURS_BY_KIND: dict[str, Tool] = {
    OURS: partial(score_by_ours, kind="surfels"),
    OURS_VOXELS: partial(score_by_ours, kind="voxels"),
}


def find_tools() -> dict[str, Tool]:
    """Every tool that is installed: masks and spacing to HD95 and surface Dice at the tolerance; nan for what it has not."""
    tools = dict(OURS_BY_KIND)
    makers = {"monai.metrics": use_monai, "surface_distance": use_deepmind, "medpy.metric.binary": use_medpy}
    for module, use in makers.items():
        if module == "surface_distance":
            np.inf = np.inf  # surface-distance 0.1 asks NumPy 2 for a name that it took away
        try:
            tools |= use(importlib.import_module(module))
        except ImportError:
            print(f"{module} is not installed: its rows are left out.")
    return tools


def use_monai(monai: Any) -> dict[str, Tool]:
    """MONAI's functions, on tensors of the masks."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)

    def score(predicted: np.ndarray, true: np.ndarray, spacing: tuple[float, ...], **keywords: Any) -> tuple[float, float]:
        pair = [torch.from_numpy(mask)[None, None].float() for mask in (predicted, true)]
        far = monai.compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=spacing)
        near = monai.compute_surface_dice(*pair, [TOLERANCE], include_background=True, spacing=spacing, **keywords)
        return float(far), float(near)

    return {MONAI: score, MONAI_SURFELS: lambda *case: score(*case, use_subvoxels=True)}


def use_deepmind(package: Any) -> dict[str, Tool]:
    """DeepMind's functions, which share one computation of distances."""

    def score(predicted: np.ndarray, true: np.ndarray, spacing: tuple[float, ...]) -> tuple[float, float]:
        found = package.compute_surface_distances(true, predicted, spacing)
        near = package.compute_surface_dice_at_tolerance(found, TOLERANCE)
        return float(package.compute_robust_hausdorff(found, 95)), float(near)

    return {DEEPMIND: score}


def use_medpy(binary: Any) -> dict[str, Tool]:
    """medpy's HD95; it has no surface Dice."""

    def measure(predicted: np.ndarray, true: np.ndarray, spacing: Any) -> tuple[float, float]:
        try:
            return float(binary.hd95(predicted, true, spacing)), float("nan")
        except RuntimeError:  # of an empty mask
            return float("nan"), float("nan")

    return {MEDPY: measure}


def time_tools(
    tools: dict[str, Tool], masks: Masks, rounds: int
) -> tuple[dict[str, list[float]], dict[str, tuple[float, float]]]:
    """CPU seconds of every tool round by round, after one that does not count, and what each says."""
    spacing = (1.0,) * masks[0].ndim
    values = {name: tool(*masks, spacing) for name, tool in tools.items()}
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(tools), len(tools)):
            started = time.process_time()
            tools[name](*masks, spacing)
            seconds[name].append(time.process_time() - started)
    return seconds, values


def ask_peak(name: str, case: str) -> int:
    """What `measure_peak` gives in a process of its own."""
    command = [sys.executable, __file__, "--peak", name, case]
    # What was freed goes back to the system at once; else it would be used again without the process growing.
    returning = {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, env=os.environ | returning, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


def measure_peak(tool: Tool, masks: Masks) -> int:
    """Bytes that the process grows by at its peak while the tool scores a pair, after a small one that loads what it needs."""
    tiny = np.zeros((2, *(20,) * masks[0].ndim), bool)
    tiny[0].flat[0] = tiny[1].flat[-1] = True
    tool(tiny[0], tiny[1], (1.0,) * masks[0].ndim)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = read_status("VmRSS")
    tool(*masks, (1.0,) * masks[0].ndim)
    return read_status("VmHWM") - before


def read_status(name: str) -> int:
    """A line of what Linux tells of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def time_many(count: int) -> dict[str, float]:
    """Seconds by the clock and of the processor for all scores of so many 256 x 256 cases, one process."""
    pairs = [(make_wavy((256, 256), 60, 2, seed), make_wavy((256, 256), 60, 2, seed + 1)) for seed in range(0, 40, 2)]
    clock, cpu = time.perf_counter(), time.process_time()
    for number in range(count):
        metrics.measure(*pairs[number % len(pairs)], spacing_mm=(1.0, 1.0), lesions=metrics.LesionRule())
    return {"cases": count, "clock": time.perf_counter() - clock, "cpu": time.process_time() - cpu}


def describe_empty(tools: dict[str, Tool]) -> dict[str, dict[str, str]]:
    """What every tool says of a missed object and of nothing found where nothing is: HD95, surface Dice."""
    some, none = make_wavy((64, 64), 12, 0, 1), np.zeros((64, 64), bool)
    told: dict[str, dict[str, str]] = {}
    for name, tool in tools.items():
        told[name] = {}
        for case, pair in {"missed": (none, some), "both empty": (none, none)}.items():
            try:
                told[name][case] = " / ".join(f"{value:.3g}" for value in tool(*pair, (1.0, 1.0)))
            except Exception as error:  # whatever a tool does with an empty mask is the answer
                told[name][case] = f"{type(error).__name__}"
    return told


def compare_values(tools: dict[str, Tool]) -> dict[str, float]:
    """The largest difference from the one of ours with the same definition, over shapes and spacings, by peer and measures."""
    off: dict[str, float] = {}
    for seed in range(12):
        drawn = np.random.default_rng(seed)
        axes = 2 + seed % 2
        shape, spacing = (40,) * axes, tuple(float(step) for step in drawn.uniform(0.4, 3, axes))
        pair = make_wavy(shape, 12, 1 + seed % 4, seed), make_wavy(shape, 11, 2, seed + 50)
        if seed % 3 == 2:
            pair = (drawn.random(shape) < 0.1, drawn.random(shape) < 0.1)
        values = {name: np.array(tool(*pair, spacing)) for name, tool in tools.items()}
        found = {f"{name}: HD95, surface Dice": values[name] - values[ours] for name, ours in SAME.items() if name in tools}
        if MONAI_SURFELS in tools:
            found[f"{MONAI_SURFELS}: surface Dice"] = values[MONAI_SURFELS][1:] - values[OURS][1:]
        found |= compare_means(tools, pair, spacing)
        off = {name: max(off.get(name, 0.0), float(np.abs(found[name]).max())) for name in found}
    return off


def compare_means(tools: dict[str, Tool], pair: Masks, spacing: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Theirs less ours, for the measures that only DeepMind's and medpy's have by a definition that is ours."""
    kinds: tuple[metrics.SurfaceKind, ...] = ("surfels", "voxels")
    surfels, voxels = (metrics.measure_surfaces(*pair, spacing_mm=spacing, surface=kind) for kind in kinds)
    found = {}
    if DEEPMIND in tools:
        package = importlib.import_module("surface_distance")
        theirs = package.compute_surface_distances(pair[1], pair[0], spacing)
        both = package.compute_average_surface_distance(theirs)
        values = np.array([package.compute_robust_hausdorff(theirs, 100), np.mean(both)])
        found[f"{DEEPMIND}: HD, MASD"] = values - [surfels.hausdorff(100), surfels.mean_average()]
    if MEDPY in tools:
        binary = importlib.import_module("medpy.metric.binary")
        values = np.array([binary.hd(*pair, spacing), binary.assd(*pair, spacing)])
        found["medpy: HD, ASSD"] = values - [voxels.hausdorff(100), voxels.average_symmetric()]
    return found


def list_versions() -> dict[str, str]:
    """The versions of what was measured."""
    found = {}
    for name in ("numpy", "scipy", "torch", "monai", "surface-distance", "MedPy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def format_page(found: dict[str, Any]) -> list[str]:
    """The page: a table per case, then memory, many cases, empty masks and agreement."""
    lines = [
        "# What surface distances cost and say",
        "",
        f"`{found['command']}`, {found['machine']}; {', '.join(f'{name} {at}' for name, at in found['versions'].items())}.",
        "HD95 and surface Dice at 2 pixels together, one thread, median CPU time. Times ours: the tool's time over that of",
        "focalseg's default, and over that of focalseg's voxels. Memory: what a process grows by at its peak, over the bytes",
        "of both masks (bool). surface-distance 0.1 does not run on NumPy 2 as it is; the script lends it the name it lacks.",
        "",
        "| case | tool | ms | times ours, surfels / voxels | HD95 | surface Dice | memory / masks |",
        "|---|---|---|---|---|---|---|",
    ]
    by_name = {(row["case"], row["tool"]): row for row in found["rows"]}
    for row in found["rows"]:
        mine = [row["seconds"] / by_name[row["case"], name]["seconds"] for name in (OURS, OURS_VOXELS)]
        memory = "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / row['mask_bytes']:.1f}"
        cells = [row["case"], row["tool"], f"{1e3 * row['seconds']:.1f}", f"{mine[0]:.1f} / {mine[1]:.1f}"]
        lines.append("| " + " | ".join([*cells, f"{row['hd95']:.4f}", f"{row['nsd']:.4f}", memory]) + " |")
    many = found["many"]
    lines += [
        "",
        f"All scores of {many['cases']} cases of 256 x 256, lesions included, by `measure` in one process:",
        f"{many['cpu']:.1f} s of CPU time, {many['clock']:.1f} s by the clock.",
        "",
        "| tool | HD95 / surface Dice of a missed object | of nothing found where nothing is |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {told['missed']} | {told['both empty']} |" for name, told in found["empty"].items()]
    lines += ["", "| peer | largest difference from ours of the same definition |", "|---|---|"]
    lines += [f"| {name} | {value:.0e} |" for name, value in found["agreement"].items()]
    return lines


if __name__ == "__main__":
    main()
