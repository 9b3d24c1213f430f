"""Whether a full `check` became slower: 1,000 JPEG pairs, this checkout against an older one, in turns.

    OMP_NUM_THREADS=1 python benchmarks/check_speed.py --older /path/to/older/checkout [--pairs 1000] [--rounds 5] [--out FILE]

An older checkout is made with `git worktree add /path COMMIT`. Both are run by this Python, each call in a process of its own
whose PYTHONPATH names the checkout; what a check prints goes nowhere. The pairs are built-in pictures of polyps, as JPEG of
384 x 288 pixels at quality 90, with PNG masks, made once in a temporary folder. Checkouts take turns within a round and change
who is first from round to round, so that a busy minute falls on both. Times are those of the process and its children (CPU)
and of the clock; the ratio is the median over rounds of newer to older, with the smallest and the largest.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.pop(0)  # this folder, which has a data.py of its own

import numpy as np
from PIL import Image

from focalseg.imagesets.phantoms.dataset import PhantomDataset

SIZE = (384, 288)
NEWER = Path(__file__).parents[1]


def main() -> None:
    """Measures, prints the page and writes it where told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--older", type=Path, required=True, help="a checkout to compare with")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="a set to check instead of made-up pairs")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        data = arguments.data or write_pairs(Path(place) / "data", arguments.pairs)
        checkouts = {"older": arguments.older.resolve(), "newer": NEWER}
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
        for number in range(arguments.rounds + 1):
            for name in sorted(checkouts, reverse=number % 2 == 1):
                taken = check(checkouts[name], data)
                if number:  # the first round fills the caches of the system
                    times[name].append(taken)
    text = "\n".join(describe(arguments, times)) + "\n"
    print(text, end="")
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


def write_pairs(folder: Path, pairs: int) -> Path:
    """A plain folder of so many JPEG images with PNG masks."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    phantoms = PhantomDataset("polyp", count=pairs)
    for number in range(pairs):
        case = phantoms.read_case(number)
        image = Image.fromarray(np.ascontiguousarray(case.image.transpose(1, 2, 0))).resize(SIZE, Image.Resampling.BICUBIC)
        mask = Image.fromarray(case.mask * np.uint8(255)).resize(SIZE, Image.Resampling.NEAREST)
        image.save(folder / "images" / f"case_{number:04d}.jpg", quality=90)
        mask.save(folder / "masks" / f"case_{number:04d}.png")
    return folder


def check(checkout: Path, data: Path) -> tuple[float, float]:
    """CPU seconds and seconds by the clock of one check."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "focalseg", "check", str(data), "--json"]
    with tempfile.TemporaryDirectory() as memory:  # nothing is remembered of an earlier check; remembering this one counts
        environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "FOCALSEG_CACHE": memory}
        answer = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if answer.returncode not in (0, 3):  # 3: the set has errors, and was checked all the same
        raise SystemExit(f"check of {data} by {checkout} ended with {answer.returncode}: {answer.stderr.decode()[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def describe(arguments: argparse.Namespace, times: dict[str, list[tuple[float, float]]]) -> list[str]:
    """The page: medians of both, and the ratio within rounds."""
    commits = {name: read_commit(path) for name, path in (("older", arguments.older), ("newer", NEWER))}
    what = f"`{arguments.data}`" if arguments.data else f"{arguments.pairs:,} JPEG pairs of {SIZE[0]} x {SIZE[1]} pixels"
    rows = []
    for column, name in enumerate(("CPU", "by the clock")):
        older, newer = ([taken[column] for taken in times[which]] for which in ("older", "newer"))
        ratios = [new / old for new, old in zip(newer, older, strict=True)]
        middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
        rows.append(
            f"| {name} | {statistics.median(older):.2f} s | {statistics.median(newer):.2f} s "
            f"| {middle:.3f} [{low:.3f}, {high:.3f}] |"
        )
    return [
        "# How long a check takes",
        "",
        f"A full `focalseg check` of {what}: {commits['newer']} against {commits['older']}, in {arguments.rounds} rounds,",
        f"Python {platform.python_version()}, `OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}`.",
        "",
        "| time | older | newer | newer / older |",
        "|---|---|---|---|",
        *rows,
    ]


def read_commit(checkout: Path) -> str:
    """The short name of the commit of a checkout."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or str(checkout)


if __name__ == "__main__":
    main()
