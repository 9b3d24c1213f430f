"""A training that is killed without warning, again and again: does it end with the same bits?

    python benchmarks/kills.py [--runs 20] [--kills 2] [--seed 0]

One training with attention at every site, dropout in the network and most operations of augmentation runs undisturbed. Then
it is run anew, `runs` times, each time killed (SIGKILL) `kills` times: at a random instant, or as soon as a file stands half
written. Each ends with the same command once more. Weights, metrics, scores and evidence have to be those of the undisturbed
training to the byte. Writes benchmarks/results/kills.md; about a quarter of a minute per kill on a slow core.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from focalseg.files import PARTIAL
from focalseg.records.evidence import EVIDENCE
from focalseg.records.result import WEIGHTS
from focalseg.study.running.runs import CASES
from focalseg.training.loop import METRICS
from machine import describe_machine
from squares import write_squares

RESULT = Path(__file__).parent / "results" / "kills.md"
SAME = (WEIGHTS, METRICS, CASES, EVIDENCE)
OPTIONS = [
    *("--attention", "all", "--device", "cpu"),
    *("--set", "training.steps=150", "--set", "training.validate_every=10", "--set", "training.log_every=5"),
    *("--set", "training.batch_size=4", "--set", "data.longest_side=32"),
    *("--set", "network.base_width=4", "--set", "network.most_levels=3", "--set", "network.arguments.dropout=0.2"),
    *("--set", "training.augmentation.rotation_degrees=180", "--set", "training.augmentation.scale=0.4"),
    *("--set", "training.augmentation.noise=0.3", "--set", "training.augmentation.blur_pixels=1"),
]


def main() -> None:
    """Kills, compares and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    counts = {"same": 0, "other": 0, "failed": 0}
    kills = {"at a random instant": 0, "while a file stood half written": 0, "too late, it had ended": 0}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_squares(root / "data", count=12, size=32)
        started = time.monotonic()
        assert run(root, root / "whole") == 0
        whole, seconds = look(root / "whole"), time.monotonic() - started
        for number in range(arguments.runs):
            folder = root / str(number)
            for _ in range(arguments.kills):
                kills[kill(root, folder, chance, seconds)] += 1
            status = run(root, folder)
            outcome = "failed" if status else "same" if look(folder) == whole else "other"
            counts[outcome] += 1
            print(number, outcome, kills, flush=True)
    RESULT.write_text(format_page(counts, kills))
    if counts["other"] or counts["failed"]:
        sys.exit(1)


def start(root: Path, folder: Path) -> subprocess.Popen[bytes]:
    """The command, in a process group of its own."""
    command = [sys.executable, "-m", "focalseg", "train", str(root / "data"), "--out", str(folder), *OPTIONS]
    quiet = subprocess.DEVNULL
    surroundings = {**os.environ, "FOCALSEG_CACHE": "off"}
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True, env=surroundings)


def run(root: Path, folder: Path) -> int:
    """The command to its end; its status."""
    return start(root, folder).wait()


def kill(root: Path, folder: Path, chance: random.Random, seconds: float) -> str:
    """Starts the command and kills it; how that went. seconds: that the undisturbed one takes."""
    aimed, until = chance.random() < 0.5, time.monotonic() + chance.uniform(0.3, 0.9) * seconds
    process, how = start(root, folder), "at a random instant"
    while process.poll() is None and time.monotonic() < until:
        # Aimed ones wait for the second half of their time, so that not all of them meet the first file.
        if aimed and time.monotonic() > until - 0.5 * seconds and any(folder.rglob(f"*{PARTIAL}*")):
            how = "while a file stood half written"
            break
        time.sleep(0.0005)
    if process.poll() is not None:
        return "too late, it had ended"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return how


def look(folder: Path) -> dict[str, bytes]:
    """What has to be the same."""
    return {name: (folder / name).read_bytes() for name in SAME}


def format_page(counts: dict[str, int], kills: dict[str, int]) -> str:
    """The page as Markdown."""
    lines = [
        "# Trainings that were killed without warning",
        "",
        f"`python benchmarks/kills.py --runs {sum(counts.values())}`. {describe_machine()}",
        "",
        f"Of {sum(counts.values())} trainings, {counts['same']} ended with the same weights, metrics, scores and evidence to",
        f"the byte, {counts['other']} with others, {counts['failed']} with an error.",
        "",
        "| killed | times |",
        "|---|---:|",
        *(f"| {how} | {count} |" for how, count in kills.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
