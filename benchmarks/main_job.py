"""What the main job costs as people run it: time by the clock and the memory of all its processes.

    python benchmarks/main_job.py --out RUNS [--data FOLDER]

Runs `focalseg --help`, `focalseg demo` and, where a folder of images is given, `focalseg place FOLDER --preset quick`, each
from nothing, and checks that no group of cases is on two sides of the split. Writes benchmarks/results/main_job.md. Linux only.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from focalseg.records.placement import PLACEMENT, JobRecord
from focalseg.records.record import read_record
from focalseg.records.splits import SPLITS, Splits

RESULT = Path(__file__).parent / "results" / "main_job.md"
POLL_SECONDS = 0.2


def main() -> None:
    """Runs each command and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    helps = sorted(run(["--help"])["seconds"] for _ in range(5))
    rows = [{"command": "focalseg --help", "seconds": helps[2], "gibibytes": None, "verdict": "median of 5", "groups": ""}]
    rows.append(run_job(["demo"], arguments.out / "demo", "focalseg demo"))
    if arguments.data:
        command = f"focalseg place {arguments.data.name} --preset quick"
        rows.append(run_job(["place", str(arguments.data), "--preset", "quick"], arguments.out / arguments.data.name, command))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(format_table(rows))


def run_job(arguments: list[str], out: Path, command: str) -> dict[str, Any]:
    """One main job into a fresh folder, with what it ended with."""
    shutil.rmtree(out, ignore_errors=True)
    cost = run([*arguments, "--out", str(out)])
    record, splits = read_record(JobRecord, out / PLACEMENT), read_record(Splits, out / SPLITS)
    for part in (out / "lean" / "model.safetensors", out / "report" / "index.html"):
        assert part.stat().st_size, part
    return {"command": command, **cost, "verdict": record.sentence, "groups": describe_groups(splits)}


def run(arguments: list[str]) -> dict[str, Any]:
    """Seconds by the clock and the highest sum of resident memory over the command and all its children."""
    started, highest = time.monotonic(), 0
    with subprocess.Popen([sys.executable, "-m", "focalseg", *arguments], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            highest = max(highest, sum(resident_bytes(number) for number in family(process.pid)))
            time.sleep(0.005 if time.monotonic() - started < 2 else POLL_SECONDS)
    if process.returncode:
        raise SystemExit(process.returncode)
    return {"seconds": time.monotonic() - started, "gibibytes": highest / 2**30}


def family(root: int) -> set[int]:
    """The process and everything it started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    members = {root}
    while grown := {child for child, parent in parents.items() if parent in members} - members:
        members |= grown
    return members


def resident_bytes(number: int) -> int:
    """Resident memory, shared pages counted in every process: an upper bound."""
    try:
        return int(Path(f"/proc/{number}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def describe_groups(splits: Splits) -> str:
    """How many groups each side has; fails where a group is on two sides."""
    fold = splits.folds[0]
    sides = [{splits.groups[name] for name in side} for side in (fold.train, fold.validation, fold.test)]
    assert len(set().union(*sides)) == sum(map(len, sides)), "a group is on two sides"
    return " / ".join(str(len(side)) for side in sides)


def format_table(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = [
        "# What the main job costs",
        "",
        f"`python benchmarks/main_job.py --out RUNS --data FOLDER`, {os.cpu_count()} cores, torch {torch.__version__}.",
        "Each from nothing; memory: the highest sum over all processes. Groups: train / validation / test, none on two sides.",
        "",
        "| command | seconds | GiB | groups | ends with |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        memory = f"{row['gibibytes']:.2f}" if row["gibibytes"] else ""
        lines.append(f"| `{row['command']}` | {row['seconds']:.2f} | {memory} | {row['groups']} | {row['verdict']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
